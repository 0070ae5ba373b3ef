"""Reads a Parquet file of an archive where it is the one that the manifest describes."""

from __future__ import annotations

import contextlib
import hashlib
import struct
from typing import TYPE_CHECKING

import pyarrow as pa

from mlmd_lineage import errors
from mlmd_lineage.readers import archive_limits
from mlmd_lineage.snapshot.tables import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.readers.archive_files import ArchiveFiles, Place
    from mlmd_lineage.readers.archive_manifest import FileDescription

_DAMAGED = (
    OSError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
    OverflowError,
    struct.error,
    pa.ArrowException,
)


@contextlib.contextmanager
def reading(path: Place) -> Iterator[None]:
    """Say of a file that cannot be read that its archive was damaged."""
    try:
        yield
    except errors.MLMDLineageError:
        raise
    except FileNotFoundError as error:
        message = f"{error.filename or path} is missing from the archive. Restore it from a copy."
        raise errors.DamagedStoreError(message) from None
    except PermissionError:
        message = f"{path} may not be read by this user."
        raise errors.StorePermissionError(message) from None
    except MemoryError:
        message = (
            f"{path} cannot be read, as it says that it holds more than there is memory for. Give "
            "the process more memory; if it was damaged, restore the archive from a copy."
        )
        raise errors.DamagedStoreError(message) from None
    except _DAMAGED as error:
        what = type(error).__name__
        message = f"{path} cannot be read ({what}). Restore the archive from a copy."
        raise errors.DamagedStoreError(message) from None


def file_table(
    files: ArchiveFiles,
    file: str,
    table: str,
    described: FileDescription | None,
    *,
    is_remote: bool,
) -> pa.Table:
    """Return the rows of one file of a table, texts as dictionaries.

    Raises:
        DamagedStoreError: It is not the file that the manifest describes, or not plausible.
    """
    path = files.path / file
    rows, digest = (described.rows, described.sha256) if described else (0, "")
    with reading(path):
        # A server may send more than there is, and without end.
        most = described.size if described and is_remote else 0
        raw = files.read(file, most or archive_limits.MOST_TABLE_BYTES)
        if hashlib.sha256(raw).hexdigest() != digest:
            message = (
                f"{path} is not the file that its manifest describes: it was changed or "
                "damaged. Restore the archive from a copy."
            )
            raise errors.DamagedStoreError(message)
        return _parquet_table(path, raw, table, rows)


def _parquet_table(path: Place, raw: bytes, name: str, rows: int) -> pa.Table:
    """Decode a Parquet file after a look at its footer, which tells what that needs."""
    texts = [field.name for field in SCHEMAS[name] if archive_limits.is_text(field.type)]
    file = archive_limits.opened(pa.BufferReader(raw), texts)
    archive_limits.check_rows(str(path), file.metadata.num_rows, rows, len(raw))
    table = file.read(columns=SCHEMAS[name].names)
    table.validate(full=True)  # texts are UTF-8
    archive_limits.check_texts(str(path), table, len(raw))
    return table
