"""Rows of an Arrow table grouped by a column of ids, converted to Python values on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.values import rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    Row = tuple[Any, ...]


class GroupedRows:
    """A table's rows by a column of ids.

    >>> GroupedRows(tables["Event"], "execution_id").of([7])
    {7: [(13, 4, 7, 3, 1795229076110), (14, 8, 7, 4, 1795229076231)]}
    """

    __slots__ = ("_keys", "_table")

    def __init__(self, table: pa.Table, column: str) -> None:
        keys = arrays.to_numpy(table[column])
        if len(keys) and (np.diff(keys) < 0).any():
            order = np.argsort(keys, kind="stable")
            table, keys = table.take(arrays.from_numpy(order)), keys[order]
        self._table = table
        self._keys = keys

    def rows(self, ids: Sequence[int]) -> list[tuple[int, Row]]:
        """Return the rows of some ids, each with its id, in the order of the ids."""
        wanted = np.unique(np.asarray(ids, np.int64))
        starts = self._keys.searchsorted(wanted)
        ends = self._keys.searchsorted(wanted, side="right")
        counts = ends - starts
        total = int(counts.sum())
        if not total:
            return []
        if ends[-1] - starts[0] == total:
            part = self._table.slice(int(starts[0]), total)
        else:
            first = np.repeat(np.cumsum(counts) - counts, counts)
            if self._table.num_columns and self._table.column(0).num_chunks > 1:
                # Arrow takes rows from a column of several chunks by joining all of them first.
                self._table = self._table.combine_chunks()
            at = np.arange(total) - first + np.repeat(starts, counts)
            part = self._table.take(arrays.from_numpy(at))
        return list(zip(np.repeat(wanted, counts).tolist(), rows_of(part), strict=True))

    def of(self, ids: Sequence[int]) -> dict[int, list[Row]]:
        """Return the rows of some ids by those ids; an id that has none is left out."""
        found: dict[int, list[Row]] = {}
        for key, row in self.rows(ids):
            found.setdefault(key, []).append(row)
        return found
