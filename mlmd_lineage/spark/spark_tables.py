"""MLMD's tables as Spark DataFrames."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, TypeVar

from mlmd_lineage.snapshot import notes
from mlmd_lineage.snapshot.tables import NEWEST_SCHEMA_VERSION, Tables, wanted
from mlmd_lineage.snapshot.values import rows_of
from mlmd_lineage.spark.packed_rows import TYPE_TABLES, in_order

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Mapping

    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.snapshot.notes import Note

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class SparkTables:
    """The tables of a store as DataFrames with MLMD's own columns.

    Attributes:
        session: The Spark session that holds them.
        frames: The DataFrames by MLMD's names of the tables; that of event paths has one more
            column, which orders the steps of a path.
        source: Where the store is, without any secret.
        schema_version: The version of its MLMD schema.
        taken_at: When it was read, in UTC; None where it is read when it is asked.
        noted: What whoever read the tables noted on them, by the tables' names.
    """

    session: SparkSession
    frames: Mapping[str, DataFrame]
    source: str
    schema_version: int = NEWEST_SCHEMA_VERSION
    taken_at: dt.datetime | None = None
    noted: Mapping[str, Collection[Note]] = dataclasses.field(default_factory=dict)

    def __getitem__(self, table: str) -> DataFrame:
        return self.frames[table]

    def collected(self, table: str, rows: DataFrame | None = None) -> pa.Table:
        """Return a table, or some of its rows, in the memory of this process."""
        found = (self[table] if rows is None else rows).toArrow()
        made = in_order(table, found)
        return notes.noted(made, self.noted.get(table, ())) if rows is None else made

    @functools.cached_property
    def types(self) -> dict[str, pa.Table]:
        """The tables of types."""
        return {name: self.collected(name) for name in TYPE_TABLES}

    @functools.cached_property
    def has_no_parents(self) -> bool:
        """Whether no context is in another one."""
        return bool(self["ParentContext"].isEmpty())

    def tables_of(self, held: Mapping[str, pa.Table]) -> Tables:
        """Return tables as those of this store."""
        return Tables(
            dict(held),
            source=self.source,
            schema_version=self.schema_version,
            taken_at=self.taken_at,
        )


class SparkReader:
    """Reads single rows of tables that are DataFrames: ``mlmd_lineage.Reader``.

    Each fetch is a job of Spark's, so it is for the few questions that a driver has to ask.
    """

    def __init__(self, tables: SparkTables) -> None:
        self.source = tables.source
        self._tables = tables

    def read(self, tables: Collection[str] | None = None) -> Tables:
        """Return whole tables."""
        held = {name: self._whole(name) for name in wanted(tables)}
        return self._tables.tables_of(held)

    def ask(self, question: Callable[[Session], T]) -> T:
        """Answer a question."""
        return question(self)

    def fetch(
        self, table: str, where: Mapping[str, Collection[int | str]]
    ) -> list[tuple[Any, ...]]:
        """Return the rows whose columns have some values, in their order."""
        if not where:
            return list(rows_of(self._whole(table)))
        if table in TYPE_TABLES:
            columns = self._whole(table).column_names
            at = {columns.index(name): set(values) for name, values in where.items()}
            rows = rows_of(self._whole(table))
            return [row for row in rows if all(row[n] in kept for n, kept in at.items())]
        found = self._tables[table]
        for name, values in where.items():
            found = found.where(found[name].isin(list(values)))
        return list(rows_of(self._tables.collected(table, found)))

    def _whole(self, table: str) -> pa.Table:
        if table in TYPE_TABLES:
            return self._tables.types[table]
        return self._tables.collected(table)
