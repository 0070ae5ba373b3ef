"""Decides which files of an archive's last generation the next one keeps, by their rows.

Reading a file and comparing its rows takes a part of the time that writing it again would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from mlmd_lineage.snapshot import archive_layout, arrays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TOGETHER = 1 << 17
"""How many rows are compared at once."""


class FileRows(NamedTuple):
    """Rows of a table that make one file."""

    start: int
    end: int
    file: str | None = None
    """The file of the last generation that may hold the same rows."""


def parts(
    column: pa.ChunkedArray, files: Sequence[tuple[str, Mapping[str, Any]]] = ()
) -> list[FileRows]:
    """Return the parts of a table that make one file each.

    Rows between the first and the last id of a file of the last generation stay together. Those
    that follow its last file make new ones; small files before them are merged with them, so that
    an archive of many generations has few files.

    Args:
        column: The ids by which the rows are ordered.
        files: The names of the table's files in the last generation and what its manifest says of
            them, in their order.
    """
    ids = arrays.to_numpy(column)
    known = [(name, *described["keys"], described["rows"]) for name, described in files]
    starts = [0, *ids.searchsorted([first for _, first, _, _ in known[1:]]).tolist()]
    end = int(ids.searchsorted(known[-1][2], "right")) if known else 0
    while known and len(ids) > end and known[-1][3] < _least_rows(len(ids) - end):
        end = starts[len(known) - 1]
        known.pop()
    bounds = [*starts[: len(known)], end]
    kept = [
        FileRows(start, bounds[number + 1], known[number][0])
        for number, start in enumerate(bounds[:-1])
        if start < bounds[number + 1]
    ]
    if kept and end == len(ids):
        return kept
    new = archive_layout.part_bounds(column.slice(end))
    return [*kept, *(FileRows(end + start, end + stop) for start, stop in new)]


def _least_rows(added: int) -> int:
    """Return how many rows a file has at least that is not merged with rows added after it."""
    return max(min(2 * added, archive_layout.PART_ROWS), archive_layout.LEAST_ROWS)


def holds(path: Path, table: pa.Table, order: arrays.Numbers | None) -> bool:
    """Tell whether a file of a table holds just some rows, to the bit, and the same notes.

    Args:
        path: The file.
        table: The rows.
        order: In which order they are written; None for theirs.
    """
    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows != table.num_rows:
                return False
            if (file.schema_arrow.metadata or {}) != (table.schema.metadata or {}):
                return False
            start = 0
            for batch in file.iter_batches(_TOGETHER):
                part = table.slice(start, batch.num_rows)
                if order is not None:
                    part = table.take(arrays.from_numpy(order[start : start + batch.num_rows]))
                if not _equal(pa.Table.from_batches([batch]), part):
                    return False
                start += batch.num_rows
            return bool(start == table.num_rows)
    except (OSError, pa.ArrowException):
        return False


def _equal(one: pa.Table, other: pa.Table) -> bool:
    return one.column_names == other.column_names and all(
        _comparable(a).equals(_comparable(b))
        for a, b in zip(one.columns, other.columns, strict=True)
    )


def _comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the texts of names, and the bits of doubles: 0.0 is not -0.0."""
    if pa.types.is_float64(column.type):
        chunks = [chunk.view(pa.int64()) for chunk in column.chunks]
        return pa.chunked_array(chunks, pa.int64())
    return arrays.decoded(column)
