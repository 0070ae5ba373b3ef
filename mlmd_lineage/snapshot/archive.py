"""Archives: snapshots as Parquet files, which last without their database.

A folder holds one Parquet file for each of MLMD's tables, with MLMD's own column names, and
``manifest.json``: the format's version, the schema's version, when and from where the snapshot was
taken, and for each file its number of rows and its SHA-256.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlmd_lineage import errors, termination
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.tables import ALL_TABLES, PROPERTY_TABLES
from mlmd_lineage.stores.archive import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.snapshot.tables import Tables

FORMAT = "mlmd-lineage archive"
FORMAT_VERSION = 1


def save(tables: Tables, directory: str | os.PathLike[str]) -> Path:
    """Write tables into a new folder, whole or not at all; see ``Snapshot.save``."""
    with whole_folder(directory) as (target, draft):
        write(tables, draft)
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


def write(tables: Tables, folder: Path) -> None:
    """Write all files of an archive, and have the disk keep them."""
    files = {}
    for name in ALL_TABLES:
        path = folder / f"{name}.parquet"
        table = canonical(name, tables[name])
        pq.write_table(table, path, compression="zstd", write_statistics=True)
        with path.open("r+b") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
            os.fsync(file.fileno())
        files[path.name] = {"rows": table.num_rows, "sha256": digest}
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "schema_version": tables.schema_version,
        "source": tables.source,
        "taken_at": tables.taken_at.isoformat(),
        "files": files,
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    folder.chmod(0o755)


def canonical(name: str, table: pa.Table) -> pa.Table:
    """Return a table whose rows and whose bytes depend on nothing but its values.

    Properties are ordered by node, then by name; paths keep the order of their steps.
    """
    if name in PROPERTY_TABLES and table.num_rows:
        names = table["name"].unify_dictionaries().combine_chunks()
        rank = np.argsort(np.argsort(np.array(names.dictionary.to_pylist(), dtype=object)))
        owner = arrays.to_numpy(table.column(0))
        custom = arrays.to_numpy(table["is_custom_property"])
        order = np.lexsort((custom, rank[arrays.to_numpy(names.indices)], owner))
        if (np.diff(order) != 1).any():
            table = table.take(arrays.from_numpy(order))
    for number, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(number, field.name, arrays.decoded(table.column(number)))
    return table.combine_chunks()
