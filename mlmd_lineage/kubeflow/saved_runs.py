"""The folder ``kubeflow`` of an archive: the tables of the database of runs, and the report.

``manifest.json`` in it holds the SHA-256 of every file, and of the manifest of the archive itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from mlmd_lineage import errors
from mlmd_lineage.kubeflow.run_tables import RUN_SCHEMAS, RunTables, run_table
from mlmd_lineage.stores.local_paths import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

    from mlmd_lineage.kubeflow.check import KubeflowCheck

FOLDER = "kubeflow"
FORMAT = "mlmd-lineage runs of Kubeflow Pipelines"
FORMAT_VERSION = 1
REPORT, REPORT_JSON = "check.txt", "check.json"

_MOST_MANIFEST_BYTES = 1 << 20
_MOST_FILE_BYTES = 1 << 32
# What a file of this library never needs; docs/snapshots.md has the same limits.
_FEW_BYTES, _MOST_RATIO = 64 << 20, 200
_FOOTER_BYTES, _FOOTER_ITEMS = 64 << 20, 1 << 20


def write_runs(archive: Path, runs: RunTables | None, check: KubeflowCheck) -> None:
    """Write the folder into an archive that is complete otherwise, and have the disk keep it."""
    folder = archive / FOLDER
    folder.mkdir()
    rows = {}
    if runs is not None:
        for name in RUN_SCHEMAS:
            path = folder / f"{name}.parquet"
            pq.write_table(runs[name], path, compression="zstd")
            rows[path.name] = runs[name].num_rows
    (folder / REPORT).write_text(check.text(), encoding="utf-8")
    text = json.dumps(check.to_dict(), indent=2, ensure_ascii=False)
    (folder / REPORT_JSON).write_text(text + "\n", encoding="utf-8")
    names = [*rows, REPORT, REPORT_JSON]
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "source": None if runs is None else runs.source,
        "archive_sha256": hashlib.sha256((archive / MANIFEST).read_bytes()).hexdigest(),
        "files": {
            name: {
                **({"rows": rows[name]} if name in rows else {}),
                "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
            }
            for name in names
        },
    }
    written = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(written, encoding="utf-8")
    for name in (*names, MANIFEST):
        with (folder / name).open("r+b") as file:
            os.fsync(file.fileno())
    folder.chmod(0o755)


def saved_runs(archive: Path) -> RunTables | None:
    """Return the runs in an archive; None where it holds none.

    Raises:
        DamagedStoreError: A file is not what the manifest says, or cannot be read.
    """
    folder = archive / FOLDER
    if not (folder / MANIFEST).is_file():
        return None
    try:
        manifest = json.loads(_file_bytes(folder / MANIFEST, _MOST_MANIFEST_BYTES))
        if manifest["format"] != FORMAT or manifest["format_version"] != FORMAT_VERSION:
            message = f"{folder} was not written by this release; use a newer mlmd-lineage."
            raise errors.UnsupportedSchemaError(message)
        raw = _file_bytes(archive / MANIFEST, _MOST_MANIFEST_BYTES)
        if hashlib.sha256(raw).hexdigest() != manifest["archive_sha256"]:
            raise _damaged(folder, f"it belongs to another archive than {archive}")
        if manifest["source"] is None:
            return None
        tables = {}
        for name in RUN_SCHEMAS:
            described = manifest["files"][f"{name}.parquet"]
            tables[name] = _table(folder / f"{name}.parquet", name, described)
        return RunTables(tables, str(manifest["source"]))
    except (
        OSError,
        LookupError,
        TypeError,
        ValueError,
        RecursionError,
        pa.ArrowException,
    ) as error:
        if isinstance(error, errors.MLMDLineageError):
            raise
        raise _damaged(folder, type(error).__name__) from None


def _damaged(path: Path, why: str) -> errors.DamagedStoreError:
    return errors.DamagedStoreError(
        f"{path} cannot be read: {why}. Restore the archive from a copy."
    )


def _file_bytes(path: Path, most: int) -> bytes:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > most:
        raise _damaged(path, "it is no regular file, or larger than such a file may be")
    return path.read_bytes()


def _table(path: Path, name: str, described: dict[str, Any]) -> pa.Table:
    raw = _file_bytes(path, _MOST_FILE_BYTES)
    if hashlib.sha256(raw).hexdigest() != described["sha256"]:
        raise _damaged(path, "it is not the file that the manifest describes")
    file = pq.ParquetFile(
        pa.BufferReader(raw),
        thrift_string_size_limit=_FOOTER_BYTES,
        thrift_container_size_limit=_FOOTER_ITEMS,
    )
    if file.metadata.num_rows != described["rows"]:
        raise _damaged(path, "it has another number of rows than the manifest says")
    most = _FEW_BYTES + _MOST_RATIO * len(raw)
    size, rows = 0, []
    for batch in file.iter_batches(batch_size=1024, columns=RUN_SCHEMAS[name].names):
        batch.validate(full=True)
        size += batch.nbytes
        if size > most:
            raise _damaged(path, f"it would take more than {most:,} bytes of memory")
        rows += batch.to_pylist()
    return run_table(name, rows)
