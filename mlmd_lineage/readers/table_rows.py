"""Finds rows of tables in memory by the values of their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from mlmd_lineage.readers.archive_lookup import among
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.tables import Tables, wanted
from mlmd_lineage.snapshot.values import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    Where = Mapping[str, Collection[int | str]]

T = TypeVar("T")


class TableRows:
    """The rows of tables, found by orders of their columns, which are kept."""

    def __init__(self, table: Callable[[str], pa.Table]) -> None:
        """Take what gives a table by its name, the same one each time."""
        self._table = table
        self._orders: dict[tuple[str, str], tuple[Any, Any]] = {}

    def rows(self, name: str, where: Where) -> pa.Table:
        """Return the rows of a table that have some values in some columns, in their order."""
        whole = self._table(name)
        if not where:
            return whole
        first, *others = where
        keys, rows = self._order(name, first)
        # A number beyond the column's own could not be compared, and no row has it.
        values = np.array(sorted(v for v in set(where[first]) if _fits(v)), keys.dtype)
        starts, ends = keys.searchsorted(values), keys.searchsorted(values, side="right")
        counts = ends - starts
        at = np.arange(counts.sum()) + np.repeat(starts - np.cumsum(counts) + counts, counts)
        part = whole.take(arrays.from_numpy(np.sort(rows[at])))
        for column in others:
            part = part.filter(arrays.from_numpy(among(part[column], where[column])))
        return part

    def _order(self, name: str, column: str) -> tuple[Any, Any]:
        """Return a column's values in order, and the rows in which they stand."""
        if (name, column) not in self._orders:
            values = self._table(name)[column]
            rows = np.flatnonzero(arrays.to_numpy(values.is_valid()))
            values = values.drop_null()
            if pa.types.is_integer(values.type):
                keys = arrays.to_numpy(values)
            else:
                keys = np.array(values.cast(pa.string()).to_pylist(), object)
            by_key = np.argsort(keys, kind="stable")
            self._orders[name, column] = keys[by_key], rows[by_key]
        return self._orders[name, column]


class TablesReader:
    """A reader of tables that are in memory: ``mlmd_lineage.Reader``."""

    def __init__(self, tables: Tables) -> None:
        self.source = tables.source
        self._tables = tables
        self._rows = TableRows(tables.__getitem__)

    def read(self, tables: Collection[str] | None = None) -> Tables:
        """Return tables."""
        held = self._tables
        return Tables(
            {name: held[name] for name in wanted(tables)},
            source=held.source,
            schema_version=held.schema_version,
            taken_at=held.taken_at,
        )

    def ask(self, question: Callable[[TablesReader], T]) -> T:
        """Answer a question."""
        return question(self)

    def fetch(self, table: str, where: Where) -> list[tuple[Any, ...]]:
        """Return the rows whose columns have some values, in their order."""
        return list(rows_of(self._rows.rows(table, where)))


def _fits(value: int | str) -> bool:
    return isinstance(value, str) or -(2**63) <= value < 2**63
