"""Limits on the Parquet files of an archive, so that reading an untrusted one takes bounded memory.

``docs/snapshots.md`` names them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mlmd_lineage import errors
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.archive_layout import plausible_rows
from mlmd_lineage.snapshot.arrays import pc

if TYPE_CHECKING:
    import io
    from collections.abc import Collection

    import pyarrow.parquet as pq

MOST_MANIFEST_BYTES = 8 << 20
MOST_TABLE_BYTES = 1 << 38
_MOST_FOOTER_BYTES = 64 << 20
_MOST_FOOTER_ITEMS = 1 << 20
_FEW_BYTES = 64 << 20
_MOST_RATIO = 200
"""How many times as many bytes as a file has its texts may take in memory."""


def opened(file: io.RawIOBase | pa.NativeFile, texts: Collection[str]) -> pq.ParquetFile:
    """Open a Parquet file: texts come as dictionaries, as one may stand in very many rows.

    Raises:
        pa.ArrowException, OSError: It is damaged.
    """
    import pyarrow.parquet as pq

    return pq.ParquetFile(
        file,
        read_dictionary=list(texts),
        pre_buffer=False,  # Arrow's threads would each have to wait for Python to read the file
        thrift_string_size_limit=_MOST_FOOTER_BYTES,
        thrift_container_size_limit=_MOST_FOOTER_ITEMS,
    )


def check_rows(where: str, found: int, expected: int, size: int) -> None:
    """Refuse a file whose number of rows is not the manifest's, or not plausible.

    Args:
        where: How messages call the file.
        found: How many rows it has, by its footer.
        expected: How many it has, by the manifest.
        size: How many bytes it has.

    Raises:
        DamagedStoreError: It is so.
    """
    if found != expected:
        message = (
            f"{where} has {found:,} rows, and the archive's manifest says {expected:,}. Restore "
            "the archive from a copy."
        )
        raise errors.DamagedStoreError(message)
    if found > plausible_rows(size):
        message = (
            f"{where} has {size:,} bytes, in which there cannot be {found:,} rows of MLMD's. "
            "Restore the archive from a copy."
        )
        raise errors.DamagedStoreError(message)


def check_texts(where: str, table: pa.Table, size: int) -> None:
    """Refuse rows whose texts would take far more memory than the file of a size.

    Raises:
        DamagedStoreError: They would.
    """
    if sum(map(_most_bytes, table.columns)) <= _FEW_BYTES:
        return
    needed = sum(_decoded_bytes(column) for column in table.columns)
    if needed > _FEW_BYTES + _MOST_RATIO * size:
        message = (
            f"The texts of {where} would take {needed:,} bytes of memory, which is not plausible "
            f"for a file of {size:,}. Restore the archive from a copy."
        )
        raise errors.DamagedStoreError(message)


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column holds texts."""
    of = (pa.types.is_dictionary, pa.types.is_string, pa.types.is_large_string)
    return any(test(kind) for test in of)


def _most_bytes(column: pa.ChunkedArray) -> int:
    """Return how many bytes the texts of a column would take if each were the longest."""
    total = 0
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type) and len(chunk.dictionary):
            total += len(chunk) * arrays.longest(chunk.dictionary)
    return total


def _decoded_bytes(column: pa.ChunkedArray) -> int:
    """Return how many bytes the texts of a column take when each stands for itself."""
    total = 0
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type) and len(chunk.dictionary):
            lengths = arrays.to_numpy(pc.binary_length(chunk.dictionary)).astype(np.int64)
            indices = arrays.to_numpy(chunk.indices.drop_null())
            total += int(lengths[indices].sum())
    return total
