"""Writes archives: snapshots as Parquet files, which are read without the database.

A folder holds Parquet files for each of MLMD's tables, with MLMD's own column names, indexes of
some columns, and ``manifest.json``: the format's version, the schema's version, when and from where
the snapshot was taken, and for each file its number of rows, its size and its SHA-256.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from mlmd_lineage import deadline, errors, termination
from mlmd_lineage.snapshot.archive_layout import (
    FORMAT,
    INDEXED,
    SUFFIX,
    TABLES_ONLY,
    encodings,
    plausible_rows,
)
from mlmd_lineage.snapshot.archive_writer import ArchiveWriter, Previous, kept
from mlmd_lineage.snapshot.table_building import canonical
from mlmd_lineage.snapshot.tables import ALL_TABLES
from mlmd_lineage.stores.local_paths import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.snapshot.tables import Tables


_GROUP = 1 << 20
"""How many rows a row group has that pyarrow writes by itself."""


def save(tables: Tables, directory: str | os.PathLike[str], *, indexes: bool = True) -> Path:
    """Write tables into a new folder, whole or not at all; see ``Snapshot.save``.

    Args:
        tables: The tables.
        directory: The new folder.
        indexes: Write the indexes too; without, all that is asked reads whole tables.
    """
    with whole_folder(directory) as (target, draft):
        write(tables, draft, indexes=indexes)
    return target


@contextlib.contextmanager
def whole_folder(directory: str | os.PathLike[str]) -> Iterator[tuple[Path, Path]]:
    """Have a new archive's folder filled, which is there only once all of it is written.

    Args:
        directory: The new folder; one that is there has to be empty.

    Yields:
        The path of the archive, and the draft beside it, which is to be filled.

    Raises:
        ConfigurationError: The folder exists and is not empty, or cannot be written.
    """
    target = Path(directory).expanduser().absolute()
    try:
        if os.path.lexists(target) and (not target.is_dir() or any(target.iterdir())):
            message = f"{target} exists and is not an empty folder; give a new one for the archive."
            raise errors.ConfigurationError(message)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        message = f"{target} cannot be written: {error.strerror}."
        raise errors.ConfigurationError(message) from None
    try:
        with termination.as_exception():
            yield target, draft
            if target.is_dir():
                target.rmdir()
            draft.replace(target)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        if isinstance(error, OSError):
            message = f"The archive {target} could not be written: {error.strerror or error}."
            raise errors.ConfigurationError(message) from None
        raise


def write(tables: Tables, folder: Path, *, indexes: bool = True) -> None:
    """Write all files of an archive, and have the disk keep them."""
    if indexes:
        write_generation(tables, folder, None)
        return
    files = {}
    for name in ALL_TABLES:
        path = folder / f"{name}{SUFFIX}"
        deadline.check()
        table = canonical(name, tables[name])
        for plain in (False, True):
            _write_plain(table, path, encodings(table.schema, plain=plain))
            if table.num_rows <= plausible_rows(path.stat().st_size):
                break
        described, _ = kept(path)
        files[path.name] = {"rows": table.num_rows, "sha256": described["sha256"]}
    _write_manifest(tables, folder, {"format_version": TABLES_ONLY}, {"files": files})


def _write_plain(table: pa.Table, path: Path, encoding: dict[str, Any]) -> None:
    """Write a table as ``pq.write_table()`` does, which nothing could end in the middle."""
    with pq.ParquetWriter(path, table.schema, compression="zstd", **encoding) as writer:
        for start in range(0, max(table.num_rows, 1), _GROUP):
            deadline.check()
            writer.write_table(table.slice(start, _GROUP), row_group_size=_GROUP)


def write_generation(
    tables: Tables, folder: Path, previous: tuple[Previous, list[dict[str, Any]]] | None
) -> bool:
    """Write the files of a generation that the one before does not have, and its manifest.

    Args:
        tables: The tables.
        folder: An empty folder.
        previous: The generation before, and what the manifest says of it and of all before.

    Returns:
        Whether there is anything new in it.
    """
    earlier = previous[1] if previous is not None else []
    writer = ArchiveWriter(folder, previous[0] if previous is not None else None)
    writer.write(tables)
    if not writer.is_new:
        return False
    checksums = writer.write_checksums()
    parts = {
        "checksums": checksums,
        "tables": writer.tables,
        "graph": writer.graph,
        "files": writer.files,
    }
    number = {"format_version": INDEXED, "generation": len(earlier) + 1, "earlier": earlier}
    _write_manifest(tables, folder, number, parts)
    return True


def manifest(tables: Tables, first: dict[str, Any], last: dict[str, Any]) -> bytes:
    """Return the manifest of an archive.

    Args:
        tables: The tables, which say where they are from.
        first: The version of the format, and what else stands after its name.
        last: What is said of the files.
    """
    content = {
        "format": FORMAT,
        **first,
        "schema_version": tables.schema_version,
        "source": tables.source,
        "taken_at": tables.taken_at.isoformat(),
        **last,
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _write_manifest(
    tables: Tables, folder: Path, first: dict[str, Any], last: dict[str, Any]
) -> None:
    with (folder / MANIFEST).open("wb") as file:
        file.write(manifest(tables, first, last))
        file.flush()
        os.fsync(file.fileno())
    folder.chmod(0o755)
