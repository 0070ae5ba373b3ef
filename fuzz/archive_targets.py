"""The targets of fuzzing that read archives: their manifests, tables, indexes and generations."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import shutil
from typing import TYPE_CHECKING, Any

from store_questions import SEED_STORE, questions, refusals

from mlmd_lineage.snapshot import archive_writer
from mlmd_lineage.snapshot.archive_layout import CHECKSUMS
from mlmd_lineage.snapshot.tables import ALL_TABLES
from mlmd_lineage.store import Store
from mlmd_lineage.stores import ArchiveMetadataStore, SQLiteMetadataStore
from mlmd_lineage.stores.local_paths import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from store_questions import Target

    from mlmd_lineage.snapshot.snapshot import Snapshot

FIRST = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
"""When the first of the generations was taken that a target reads."""


@contextlib.contextmanager
def archive_manifest(folder: Path) -> Iterator[Target]:
    """Read an archive with this manifest."""
    target = snapshot(folder).save(folder / "archive")

    def read(data: bytes) -> list[str]:
        (target / MANIFEST).write_bytes(data)
        return refusals(*questions(Store(ArchiveMetadataStore(uri=str(target)))))

    yield read


@contextlib.contextmanager
def archive_table(folder: Path) -> Iterator[Target]:
    """Read an archive with this Parquet file; the first byte chooses its table."""
    archive = _Archive(folder)

    def read(data: bytes) -> list[str]:
        changed = f"{ALL_TABLES[data[0] % len(ALL_TABLES) if data else 0]}.parquet"
        return refusals(*questions(archive.with_file(changed, data[1:])))

    yield read


@contextlib.contextmanager
def archive_index(folder: Path) -> Iterator[Target]:
    """Read an archive with this index; the first byte chooses which."""
    archive = _Archive(folder)

    def read(data: bytes) -> list[str]:
        names = archive.indexes
        store = archive.with_file(names[data[0] % len(names) if data else 0], data[1:])
        whole, graph, *others = questions(store)

        def walk() -> None:
            made = store.lineage()
            for node in ("artifact/1", "artifact/2", "execution/1"):
                _ = made.upstream(node).nodes, made.downstream(node).to_pandas()

        def few_hops() -> None:
            for node in ("artifact/1", "artifact/2", "execution/1"):
                _ = store.upstream(node, max_hops=3).nodes, store.downstream(node, max_hops=3).nodes

        # First what needs the index, then what holds tables as a whole already.
        return refusals(few_hops, *others, graph, walk, whole, walk)

    yield read


@contextlib.contextmanager
def archive_generations(folder: Path) -> Iterator[Target]:
    """Read an archive of two generations with this manifest, and add a generation to it."""
    taken = snapshot(folder)
    kept = generations(taken, folder / "kept")
    target = folder / "archive"

    def read(data: bytes) -> list[str]:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(kept, target)
        (target / MANIFEST).write_bytes(data)
        newest = Store(ArchiveMetadataStore(uri=str(target)))
        first = Store(ArchiveMetadataStore(uri=str(target), as_of=FIRST))
        return refusals(
            newest.generations,
            newest.snapshot,
            questions(newest)[2],
            *questions(first)[:3],
            lambda: taken.save(target, update=True),
        )

    yield read


def snapshot(folder: Path) -> Snapshot:
    """Return the seed's rows."""
    path = folder / "seed.db"
    shutil.copyfile(SEED_STORE, path)
    return Store(SQLiteMetadataStore(uri=str(path))).snapshot()


def generations(taken: Snapshot, folder: Path) -> Path:
    """Write an archive of two generations whose manifest holds no time or path of this machine."""
    from mlmd_lineage.snapshot.snapshot import Snapshot

    contexts = taken["Context"]
    for number, rows in enumerate((contexts.slice(0, 1), contexts)):
        tables = {name: taken[name] for name in ALL_TABLES} | {"Context": rows}
        made = Snapshot(
            tables,
            schema_version=taken.schema_version,
            source="metadata.db",
            taken_at=FIRST + dt.timedelta(days=number),
        )
        made.save(folder, update=True)
    return folder


class _Archive:
    """An archive of the seed in which one file is another's, digests included."""

    def __init__(self, folder: Path) -> None:
        self._target = snapshot(folder).save(folder / "archive")
        self._manifest: dict[str, Any] = json.loads((self._target / MANIFEST).read_bytes())
        names = set(self._manifest["files"]) - {self._manifest["checksums"]}
        self._kept = {name: (self._target / name).read_bytes() for name in names}
        self._blocks = {name: archive_writer.kept(self._target / name)[1] for name in self._kept}
        tables = {f"{name}.parquet" for name in ALL_TABLES}
        self.indexes = sorted(name for name in self._kept if name not in tables)

    def with_file(self, changed: str, content: bytes) -> Store:
        """Return the store of the archive with a file that has another content."""
        for name, held in {**self._kept, changed: content}.items():
            (self._target / name).write_bytes(held)
        described, blocks = archive_writer.kept(self._target / changed)
        files: dict[str, dict[str, Any]] = {**self._manifest["files"]}
        files[changed] = {**files[changed], **described}
        files[changed].pop("keys", None)  # so that its rows are looked at
        of_files = {**self._blocks, changed: blocks}
        name = self._manifest["checksums"]
        assert name.startswith(CHECKSUMS)
        (self._target / name).write_bytes(b"".join(of_files[file] for file in sorted(of_files)))
        files[name] = {**files[name], **archive_writer.kept(self._target / name)[0]}
        manifest = json.dumps({**self._manifest, "files": files})
        (self._target / MANIFEST).write_text(manifest, encoding="utf-8")
        return Store(ArchiveMetadataStore(uri=str(self._target)))
