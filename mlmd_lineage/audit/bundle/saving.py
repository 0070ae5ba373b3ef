"""Saves a bundle: a lineage with all of its records, to be verified without the store.

``docs/bundles.md`` is the guide, ``docs/bundle-format.md`` the specification.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlmd_lineage import errors, termination
from mlmd_lineage.audit import signing
from mlmd_lineage.audit.bundle import layout, plain_parquet, time_stamps
from mlmd_lineage.audit.bundle.closed_lineage import closed_lineage
from mlmd_lineage.audit.exports import export_files
from mlmd_lineage.audit.exports.graph_content import source_name
from mlmd_lineage.audit.records import canonical_json
from mlmd_lineage.deadline import within
from mlmd_lineage.lineage.graph import LineageGraph, Trace
from mlmd_lineage.snapshot import archive, table_building
from mlmd_lineage.snapshot.archive_layout import SUFFIX, TABLES_ONLY
from mlmd_lineage.snapshot.tables import ALL_TABLES
from mlmd_lineage.stores.local_paths import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal

    from mlmd_lineage.audit.bundle.time_stamps import Authority
    from mlmd_lineage.audit.signing import Key
    from mlmd_lineage.readers.base import Reader
    from mlmd_lineage.snapshot.tables import Tables


class DossierLike(Protocol):
    """A dossier, as far as a bundle needs it."""

    reader: Reader
    location: str
    trace: Trace
    downstream_trace: Trace

    def to_html(self) -> str:
        """Return it as HTML."""

    def to_markdown(self) -> str:
        """Return it as Markdown."""

    def to_json(self) -> str:
        """Return it as JSON."""


def save_bundle(  # noqa: PLR0913 - each stands alone
    lineage: LineageGraph | DossierLike,
    path: str | os.PathLike[str],
    *,
    store: Any = None,
    key: Key | None = None,
    public_key: str | os.PathLike[str] | None = None,
    timestamp: Authority | None = None,
    format: Literal["folder", "zip"] | None = None,  # noqa: A002 - as shutil.make_archive has it
    timeout: float | None = None,
) -> Path:
    """Write a lineage, all of its records and what they become in other formats, as a bundle.

    >>> save_bundle(store.upstream("artifact/46"), "model-7.bundle", store=store, key="key.pem")

    Args:
        lineage: A trace, a graph or a dossier, whose documents then belong to the bundle.
        path: A folder or file that does not exist yet; a name that ends with ``.zip`` is a zip
            file, any other a folder.
        store: The store of a trace, from which the records are read as they are; a dossier knows
            its own.
        key: Signs the bundle: the path of a private key in PEM, a URI of securesystemslib's, or
            one of its signers.
        public_key: The path of the public key in PEM that belongs to a URI.
        timestamp: The URL of a time-stamp authority (RFC 3161), which is told the SHA-256 of the
            signed statement, or of the manifest where nothing is signed.
        format: ``"folder"`` or ``"zip"``, whatever the path ends with.
        timeout: How many seconds reading the records may take; None for no limit.

    Returns:
        The path. The same records give the same bytes, but for the time stamp.

    Raises:
        ConfigurationError: The path is there already or cannot be written, the key cannot sign, or
            the authority does not answer.
        StoreError: The store cannot be read.
    """
    target = Path(path).expanduser().absolute()
    if os.path.lexists(target):
        message = f"{target} exists already; give a new path for the bundle."
        raise errors.ConfigurationError(message)
    signer = None if key is None else signing.signer_for(key, public_key)
    with within(timeout), _without_garbage_collection():
        files = _files(lineage, store, signer)
    _seal(files, signer, timestamp)
    as_zip = format == "zip" if format is not None else target.suffix == ".zip"
    _written(target, {"": layout.zipped(files)} if as_zip else files)
    return target


def _files(lineage: Any, store: Any, signer: signing.Signer | None) -> dict[str, bytes]:
    """Return the content of a bundle, and its manifest."""
    files: dict[str, bytes] = {}
    graphs = [lineage]
    if isinstance(lineage, LineageGraph):
        reader = None if store is None else store._reader  # noqa: SLF001 - not imported from below
        location = lineage.tables.source if store is None else store.location
    else:
        graphs = [lineage.trace, lineage.downstream_trace]
        reader, location = lineage.reader, lineage.location
        files["dossier/dossier.html"] = lineage.to_html().encode()
        files["dossier/dossier.md"] = lineage.to_markdown().encode()
        files["dossier/dossier.json"] = lineage.to_json().encode()
    source = source_name(location)
    tables = closed_lineage(graphs, source, reader)
    records = layout.record_files(tables)
    files |= {
        layout.README: Path(__file__).with_name("readme.txt").read_bytes(),
        layout.RECORDS: records.lines,
        layout.HASHES: records.hashes,
        **_archive_files(tables),
        **{f"exports/{n}": content for n, content in export_files(graphs[0], source).items()},
    }
    manifest: dict[str, Any] = {
        "format": layout.FORMAT,
        "format_version": layout.FORMAT_VERSION,
        "source": source,
        "newest_record_time": tables.taken_at.isoformat(timespec="milliseconds"),
        "lineage": [_facts(graph) for graph in graphs],
        "records": {"counts": records.counts, "merkle_root": records.root},
        "files": {
            name: {"sha256": _digest(content), "size": len(content)}
            for name, content in files.items()
        },
    }
    if signer is not None:
        manifest["public_key"] = signing.public_pem(signer)
    files[layout.MANIFEST] = (canonical_json.dumps(manifest) + "\n").encode()
    return files


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Have Python collect no garbage meanwhile.

    Documents of millions of values, none of which refers to itself, are made here: looking for
    cycles among them took a quarter of the time, and found none.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _facts(graph: LineageGraph) -> dict[str, Any]:
    """Return what a graph answers, and what bounds it."""
    if not isinstance(graph, Trace):
        return {"question": "lineage", "complete": True}
    found: dict[str, Any] = {
        "question": graph.direction,
        "start": list(graph.starts),
        "complete": graph.complete,
    }
    more = {"end": graph.ends, "truncated_by": graph.truncated_by, "boundary": graph.boundary}
    return found | {name: list(value) for name, value in more.items() if value}


def _archive_files(tables: Tables) -> dict[str, bytes]:
    """Return the files of an archive of some tables, which are the same whatever wrote them."""
    files: dict[str, bytes] = {}
    described: dict[str, Any] = {}
    for name in sorted(ALL_TABLES):
        table = table_building.canonical(name, tables[name])
        file = f"{name}{SUFFIX}"
        files[f"{layout.ARCHIVE}/{file}"] = content = plain_parquet.to_parquet(table)
        described[file] = {"rows": table.num_rows, "sha256": _digest(content)}
    manifest = archive.manifest(tables, {"format_version": TABLES_ONLY}, {"files": described})
    return files | {f"{layout.ARCHIVE}/{MANIFEST}": manifest}


def _seal(
    files: dict[str, bytes], signer: signing.Signer | None, authority: Authority | None
) -> None:
    """Add the signed statement, the time stamp and the checksums."""
    manifest = files[layout.MANIFEST]
    stamped = manifest
    if signer is not None:
        predicate = {"manifest": _summary(manifest)}
        payload = signing.statement(layout.MANIFEST, manifest, layout.PREDICATE_TYPE, predicate)
        stamped = files[layout.ENVELOPE] = signing.envelope(payload, signer)
    if authority is not None:
        files[layout.TIME_STAMP] = time_stamps.time_stamp(stamped, authority)
    lines = [f"{_digest(content)}  {name}\n" for name, content in sorted(files.items())]
    files[layout.CHECKSUMS] = "".join(lines).encode()


def _summary(manifest: bytes) -> dict[str, Any]:
    """Return the part of a manifest that its statement repeats, for those who read only that."""
    found = json.loads(manifest)
    return {name: found[name] for name in ("format", "format_version", "source", "records")}


def _written(target: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a path, or the one of no name as it; all or nothing."""
    try:
        with termination.as_exception():
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
            try:
                for name, content in files.items():
                    path = draft / "bundle" / name if name else draft / "bundle"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with path.open("wb") as file:
                        file.write(content)
                        file.flush()
                        os.fsync(file.fileno())
                (draft / "bundle").rename(target)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        message = f"The bundle {target} could not be written: {error.strerror or error}."
        raise errors.ConfigurationError(message) from None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
