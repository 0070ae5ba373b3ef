"""An SQLite database in memory that holds the rows one filter asks about.

Where the rows are in no database, as in an archive, or the database cannot decide what the filter
asks, the same statement is run here, so that conditions mean the same everywhere.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from mlmd_lineage.filters import disjunctive_form, sql_statements, syntax_tree
from mlmd_lineage.filters.fields import PROPERTIES, RELATIONS
from mlmd_lineage.readers.database_schema import DatabaseSchema
from mlmd_lineage.readers.sql import SQLSession
from mlmd_lineage.readers.sqlite.interrupts import Interruptible
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import KINDS, NEWEST_SCHEMA_VERSION, SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from mlmd_lineage.filters.fields import Relation
    from mlmd_lineage.filters.syntax_tree import Expression
    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.snapshot.tables import NodeKind, NodeSchema

    Where: TypeAlias = Mapping[str, Collection[int | str]]

_FEW = 5_000
"""Up to this many nodes, only their neighbours are fetched; beyond, whole tables."""
_ROWS_AT_ONCE = 50_000


Source: TypeAlias = "Callable[[str, Where], pa.Table]"
"""Gives the rows of a table that have some values in some columns."""


def from_tables(table: Callable[[str], pa.Table]) -> Source:
    """Return what gives rows of whole tables."""

    def rows(name: str, where: Where) -> pa.Table:
        found = table(name)
        for column, values in where.items():
            mask = [_mask(chunk, values) for chunk in found[column].chunks]
            found = found.filter(pa.chunked_array(mask, pa.bool_()))
        return found

    return rows


def _mask(chunk: pa.Array, values: Collection[int | str]) -> pa.Array:
    """Return which cells of a column have one of some values."""
    if isinstance(chunk, pa.DictionaryArray):
        return _mask(chunk.dictionary, values).take(chunk.indices)
    return pc.is_in(chunk, value_set=arrays.from_values(list(values), chunk.type))


def from_session(session: Session) -> Source:
    """Return what gives rows that an open read fetches."""
    return lambda name, where: table_from_rows(name, session.fetch(name, where))


class _Memory(SQLSession):
    """A database in memory that has the tables and columns that a filter asks about."""

    placeholder = "?"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.layout = DatabaseSchema(NEWEST_SCHEMA_VERSION, {}, {})

    def _execute(self, statement: str, parameters: tuple[str, ...]) -> Iterable[tuple[Any, ...]]:
        return self._connection.execute(statement, parameters)

    def hold(self, name: str, columns: Collection[str], rows: pa.Table) -> None:
        """Hold some columns of a table."""
        names = [field for field in SCHEMAS[name].names if field in columns]
        listed = ", ".join(self.quote(column) for column in names)
        table = self.quote(name)
        self._connection.execute(f"CREATE TABLE {table} ({listed})")
        marks = ", ".join("?" * len(names))
        for batch in rows.select(names).to_batches(_ROWS_AT_ONCE):
            values = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608 - MLMD's names
        self.layout = DatabaseSchema(
            NEWEST_SCHEMA_VERSION,
            {**self.layout.spelling, name: name},
            {**self.layout.columns, name: tuple(names)},
        )


def find(
    source: Source, kind: NodeKind, condition: Expression, ids: Collection[int] | None = None
) -> set[int]:
    """Return the nodes of a kind for which a condition is true.

    Args:
        source: Where the rows are.
        kind: The kind of the nodes.
        condition: The condition.
        ids: Which nodes to look at; all of them where None is given.
    """
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        memory = _Memory(connection)
        _fill(memory, source, KINDS[kind], condition, ids)
        found = sql_statements.statement(memory, kind, condition)
        with Interruptible(connection).statement():
            numbers = {number for (number,) in memory.select(found.text, found.parameters)}
    return numbers if ids is None else numbers & set(ids)


def _fill(
    memory: _Memory,
    source: Source,
    kind: NodeSchema,
    condition: Expression,
    ids: Collection[int] | None,
) -> None:
    """Hold the rows that a condition asks about."""
    columns = list(syntax_tree.columns_of(condition))
    field_rows = {disjunctive_form.base(column.field_row) for column in columns}
    relations = {
        p: RELATIONS[kind.name][p.prefix] for p in field_rows if p.prefix in RELATIONS[kind.name]
    }
    tables: dict[str, set[str]] = {kind.table: {"id"}}
    wheres: dict[str, dict[str, Collection[int | str]]] = {}
    for relation in relations.values():
        tables.setdefault(relation.table, set()).update({relation.owner, relation.other})
        if relation.kind:
            tables.setdefault(KINDS[relation.kind].table, set()).add("id")
    for column in columns:
        field_row = disjunctive_form.base(column.field_row)
        if field_row.prefix in PROPERTIES:
            names = wheres.setdefault(kind.properties, {}).setdefault("name", set())
            assert isinstance(names, set)
            names.add(field_row.name)
            needed = {kind.id_column, "name", "is_custom_property", column.column}
            tables.setdefault(kind.properties, set()).update(needed)
            continue
        found = relations.get(field_row)
        table = kind.table
        if found is not None:
            table = KINDS[found.kind].table if found.kind else found.table
        tables[table].add("type_id" if column.field_row.is_type else column.column)
        if column.field_row.is_type:
            tables["Type"] = {"id", "name"}
    if ids is not None:
        _narrow(wheres, kind, relations.values(), sorted(ids))
    for table, names in tables.items():
        memory.hold(table, names, source(table, wheres.get(table, {})))


def _narrow(
    wheres: dict[str, dict[str, Collection[int | str]]],
    kind: NodeSchema,
    relations: Collection[Relation],
    ids: list[int],
) -> None:
    """Ask for rows of some nodes only, where MLMD has an index or they are few."""
    if all(relation.kind != kind.name for relation in relations):
        wheres.setdefault(kind.table, {})["id"] = ids
    if kind.properties in wheres:
        wheres[kind.properties][kind.id_column] = ids
    owners: dict[str, set[str]] = {}
    for relation in relations:
        owners.setdefault(relation.table, set()).add(relation.owner)
    for table, columns in owners.items():
        if len(ids) <= _FEW and len(columns) == 1:
            wheres.setdefault(table, {})[columns.pop()] = ids
