"""How much memory a Parquet file takes when it is read, told before it is.

A file says how many bytes it has when it is decompressed, and not what becomes of them: a run of
equal values takes a few bytes however long it is, and a text stands in it once for all its rows.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator

_VALUE = 8
"""The bytes of a value in a column of pandas."""


def exceeds(raw: bytes, most: int) -> bool:
    """Return whether a Parquet file takes more memory than some bytes.

    Raises:
        pa.ArrowException, OSError: It is damaged.
    """
    metadata = pq.ParquetFile(io.BytesIO(raw)).metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > most:
        return True
    chunks = [group.column(n) for group in groups for n in range(group.num_columns)]
    if sum(chunk.num_values for chunk in chunks) * _VALUE > most:
        return True
    longest: dict[str, int] = {}
    for chunk in chunks:
        if chunk.physical_type == "BYTE_ARRAY":
            # Each of its values is at most as long as all of its bytes.
            size = chunk.num_values * chunk.total_uncompressed_size
            name = chunk.path_in_schema
            longest[name] = longest.get(name, 0) + size
    if sum(longest.values()) <= most:
        return False
    file = pq.ParquetFile(io.BytesIO(raw), read_dictionary=list(longest))
    total = 0
    for number in range(file.num_row_groups):
        for column in file.read_row_group(number, columns=list(longest)).columns:
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
