"""Estimates of the memory that reading a Parquet file takes, from its footer.

A file says how many bytes it has when it is decompressed, and not what becomes of them: a run of
equal values takes a few bytes however long it is, and a text stands in it once for all its rows.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlmd_lineage.parquet_footer import check_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

_VALUE = 8
"""The bytes of a value in a column of pandas."""


def exceeds(raw: bytes, most: int) -> bool:
    """Return whether a Parquet file takes more memory than some bytes.

    Raises:
        pa.ArrowException, OSError: It is damaged.
    """
    file = pq.ParquetFile(io.BytesIO(raw))
    check_columns(file, len(raw))
    metadata = file.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    if size > most or metadata.num_rows * metadata.num_columns * _VALUE > most:
        return True
    # A nested column has any number of values in a row.
    values = sum(g.column(number).num_values for g in groups for number in range(g.num_columns))
    if values * _VALUE > most:
        return True
    columns = [metadata.schema.column(number) for number in range(metadata.num_columns)]
    texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
    is_nested = any(column.max_repetition_level for column in columns)
    # Each text is at most as long as all of them together.
    if not texts or (metadata.num_rows * size <= most and not is_nested):
        return False
    file = pq.ParquetFile(io.BytesIO(raw), read_dictionary=texts)
    total = 0
    for number in range(file.num_row_groups):
        for column in file.read_row_group(number, columns=texts).columns:
            total += sum(map(_text_bytes, column.chunks))
            if total > most:
                return True
    return False


def _text_bytes(column: pa.Array) -> int:
    """Return how many bytes the texts of a column take when each stands for itself."""
    if not pa.types.is_dictionary(column.type):
        return sum(map(_text_bytes, _parts(column)))
    lengths = pc.binary_length(column.dictionary).cast(pa.int64())
    return int(pc.sum(lengths.take(column.indices.drop_null())).as_py() or 0)


def _parts(column: pa.Array) -> Iterator[pa.Array]:
    if pa.types.is_struct(column.type):
        yield from column.flatten()
    elif pa.types.is_map(column.type):
        yield from (column.keys, column.items)
    elif pa.types.is_nested(column.type):
        yield column.flatten()
