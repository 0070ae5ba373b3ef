"""The tables of a graph whose index an archive holds: they are read when they are asked for."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.lineage.graph_tables import NODE_TABLES, GraphTables, PartTables
from mlmd_lineage.readers.base import GraphProvider
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import KINDS, PROPERTY_TABLES, Tables

if TYPE_CHECKING:
    import pyarrow as pa

    from mlmd_lineage.readers.base import Reader, Session
    from mlmd_lineage.snapshot.tables import NodeSchema

    Array = np.ndarray[Any, np.dtype[Any]]

_TYPE_TABLES = ("Type", "TypeProperty", "ParentType")


class SavedGraphTables:
    """The tables of a whole graph; of a part of it, its rows alone are read."""

    is_whole = True

    def __init__(self, reader: Reader, *, properties: bool) -> None:
        """Read the types.

        Args:
            reader: What reads the archive.
            properties: The graph has the properties of its nodes too.
        """
        types = reader.read(_TYPE_TABLES)
        self.source = types.source
        self.schema_version = types.schema_version
        self._reader = reader
        self._properties = properties
        self._types = types

    @functools.cached_property
    def _whole(self) -> GraphTables:
        return GraphTables.read(self._reader, properties=self._properties)

    def __reduce__(self) -> tuple[Any, ...]:
        """Read everything, as a reader cannot follow into another process."""
        return _itself, (self._whole,)

    def __contains__(self, table: object) -> bool:
        return table in NODE_TABLES or (self._properties and table in PROPERTY_TABLES)

    def __getitem__(self, table: str) -> pa.Table:
        return self._types[table] if table in self._types else self._whole[table]

    def part(self, artifacts: Array, executions: Array, event_rows: Array) -> PartTables:
        """Return the tables of some nodes and events.

        Args:
            artifacts: The artifacts' ids, in order.
            executions: The executions' ids, in order.
            event_rows: The rows of the events in the table of all, in order.
        """
        if "_whole" in vars(self):
            return PartTables(self._whole, artifacts, executions, event_rows)
        assert isinstance(self._reader, GraphProvider)
        events = self._reader.rows_at("Event", event_rows)
        ids = {"artifact": artifacts.tolist(), "execution": executions.tolist()}
        made = self._reader.ask(lambda session: self._fetched(session, events, ids))
        return PartTables(made, artifacts, executions, np.arange(len(event_rows)))

    def _fetched(
        self, session: Session, events: pa.Table, ids: dict[str, list[int]]
    ) -> GraphTables:
        def fetch(table: str, where: dict[str, Any]) -> pa.Table:
            return table_from_rows(table, session.fetch(table, where))

        def properties(kind: NodeSchema, names: list[str]) -> list[tuple[Any, ...]]:
            where: dict[str, Any] = {kind.id_column: ids[kind.name], "name": names}
            return session.fetch(kind.properties, where)

        tables = {name: self._types[name] for name in _TYPE_TABLES} | {"Event": events}
        tables["EventPath"] = fetch("EventPath", {"event_id": events["id"].to_pylist()})
        for name, numbers in ids.items():
            kind = KINDS[name]
            tables[kind.table] = fetch(kind.table, {"id": numbers})
            if self._properties:
                tables[kind.properties] = fetch(kind.properties, {kind.id_column: numbers})
        if self._properties:
            tables["ContextProperty"] = self._reader.read(("ContextProperty",))["ContextProperty"]
        made = GraphTables(
            Tables(tables, source=self.source, schema_version=self.schema_version),
            self._reader.read,
            is_whole=False,
        )
        made.show_as_made(properties)
        return made


def _itself(tables: GraphTables) -> GraphTables:
    return tables
