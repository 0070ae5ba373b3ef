"""The layout of an archive: its format's versions, its files, their row groups and its indexes.

``docs/snapshots.md`` describes the format.
"""

from __future__ import annotations

import bisect
import zlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from mlmd_lineage.snapshot.tables import SCHEMAS, SORT_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "mlmd-lineage archive"
TABLES_ONLY = 1
"""The version of an archive that holds tables and no indexes, as those in bundles do."""
PARQUET_GRAPH = 2
"""The version of an archive with indexes whose graph is in Parquet files; it is built anew."""
INDEXED = 3
"""The version of an archive that holds indexes, and a checksum of each block of its files."""

CHECKSUMS = "checksums"
"""How the file is called that holds the SHA-256 of each block: by files' names, then by blocks."""
BLOCK_BYTES = 1 << 16
"""The size of a block; the last one of a file may be shorter."""
DIGEST_BYTES = 32

SUFFIX = ".parquet"
GRAPH_SUFFIX = ".arrow"
"""How the files of the graph's index end; ``lineage.saved.index_saving`` describes them."""
GRAPH_BUILDER = "mlmd_lineage.lineage.saved.index_saving:batches_of"
"""What makes them of tables: it knows what lineage is, which nothing here does."""

ROW = "row"
"""The column of an index that holds a row's number in its table, from 0."""
PART_ROWS = 1 << 20
"""How many rows a file of a table has at least where the table has several files."""
PART_KEYS = 1 << 16
"""A file of a table ends before a multiple of this among the ids of its rows.

So rows that are added at the end of a table, or changed, leave its other files as they were.
"""
LEAST_ROWS = 1 << 16
"""A later generation merges a smaller last file of a table with the rows added after it."""
_FEWEST_ROWS = 8_192
_FEWEST_NODES = 2_048
"""As ``_FEWEST_ROWS``, of nodes: their texts take the longest to decode."""
_NODES = ("Artifact.", "Execution.", "Context.")
_MOST_GROUPS = 512
_MOST_ROWS = 1 << 20

# Few different values, for which a dictionary takes the least space.
_ENUMS = {"type", "type_id", "parent_type_id", "type_kind", "state", "last_known_state"}
_ENUMS |= {"data_type", "step_index", "in_role", "out_role"}

# The ids of a table are all different, so that its rows take some space.
_FEW_ROWS = 100_000
_MOST_ROWS_PER_BYTE = 8


class TableIndex(NamedTuple):
    """An index beside a table: the values of a column in order, and the rows that have them.

    Of a text, the index holds the CRC-32 of its UTF-8.
    """

    table: str
    column: str
    beside: str | None = None
    """A further column, by which rows can be left out without a look at the table."""

    def file(self, part: str) -> str:
        """Return the name of its file beside one of the table's files."""
        return f"{part.removesuffix(SUFFIX)}.by_{self.column}{SUFFIX}"

    @property
    def schema(self) -> pa.Schema:
        """Its columns; by the first of them its rows are ordered."""
        names = [self.column, *([self.beside] if self.beside else []), ROW]
        return pa.schema([(name, pa.int64()) for name in names])

    @property
    def is_of_text(self) -> bool:
        """Whether it holds checksums of texts."""
        return not pa.types.is_integer(SCHEMAS[self.table].field(self.column).type)


INDEXES: Mapping[tuple[str, str], TableIndex] = MappingProxyType(
    {
        (index.table, index.column): index
        for index in (
            TableIndex("Artifact", "uri"),
            TableIndex("Artifact", "name"),
            TableIndex("Artifact", "external_id"),
            TableIndex("Execution", "name"),
            TableIndex("Execution", "external_id"),
            TableIndex("Context", "name"),
            TableIndex("Context", "external_id"),
            TableIndex("Event", "artifact_id", "type"),
            TableIndex("Event", "execution_id", "type"),
            TableIndex("Attribution", "context_id"),
            TableIndex("Attribution", "artifact_id"),
            TableIndex("Association", "context_id"),
            TableIndex("Association", "execution_id"),
            TableIndex("ParentContext", "parent_context_id"),
        )
    }
)
"""The indexes of an archive, by their tables and columns.

A table itself is an index of the column by which its rows are ordered.
"""


def text_key(text: bytes | memoryview) -> int:
    """Return what stands for a text in an index."""
    return zlib.crc32(text)


def group_rows(file: str, rows: int) -> int:
    """Return how many rows the row groups of a file with some rows have.

    Few enough that an answer reads little, and enough that the footer stays small.
    """
    fewest = _FEWEST_NODES if file.startswith(_NODES) and ".by_" not in file else _FEWEST_ROWS
    needed = -(-rows // _MOST_GROUPS)
    return min(max(fewest, -(-needed // 1024) * 1024), _MOST_ROWS)


def part_bounds(column: pa.ChunkedArray) -> list[tuple[int, int]]:
    """Return where each file of a table begins and ends among its rows.

    Args:
        column: The ids by which the rows are ordered.
    """

    def block(row: int) -> int:
        number: int = column[row].as_py()
        return number // PART_KEYS

    bounds, start, rows = [], 0, len(column)
    while rows - start > PART_ROWS:
        last = block(start + PART_ROWS - 1)
        end = bisect.bisect_right(range(rows), last, lo=start + PART_ROWS, key=block)
        if end == rows:
            break
        bounds.append((start, end))
        start = end
    return [*bounds, (start, rows)]


def part_name(name: str, number: int) -> str:
    """Return how one of a table's files is called, without a suffix; they count from 0."""
    return f"{name}.{number:04}" if number else name


def plausible_rows(size: int) -> int:
    """Return how many rows a table in a file of some bytes may have at most."""
    return _FEW_ROWS + _MOST_ROWS_PER_BYTE * size


def encodings(schema: pa.Schema, *, plain: bool) -> dict[str, Any]:
    """Return how columns are encoded, as ``pyarrow.parquet.ParquetWriter`` takes it.

    Ids and times grow from row to row, so that their differences take the least space.

    Args:
        schema: The columns.
        plain: Write numbers as they are, and not as differences.
    """
    numbers = [f.name for f in schema if pa.types.is_integer(f.type) and f.name not in _ENUMS]
    unique = {"uri", "external_id"} | ({"name"} if "id" in schema.names else set())
    others = [field.name for field in schema if field.name not in numbers]
    encoding = "PLAIN" if plain else "DELTA_BINARY_PACKED"
    return {
        "use_dictionary": [name for name in others if name not in unique],
        "column_encoding": dict.fromkeys(numbers, encoding),
    }


def is_sorted_by(table: str, column: str) -> bool:
    """Tell whether the rows of a table are ordered by a column."""
    return SORT_KEYS[table][0] == column
