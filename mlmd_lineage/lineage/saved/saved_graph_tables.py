"""The tables of a graph whose index an archive holds: they are read when they are asked for."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

from mlmd_lineage.lineage.fetching.memberships import contexts_of
from mlmd_lineage.lineage.graph_tables import NODE_TABLES, GraphTables, PartTables
from mlmd_lineage.readers.base import GraphProvider
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.tables import ALL_TABLES, KINDS, PROPERTY_TABLES, Tables

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from mlmd_lineage.lineage.graph_tables import TableSource
    from mlmd_lineage.readers.base import Reader
    from mlmd_lineage.snapshot.tables import NodeSchema

    Array = np.ndarray[Any, np.dtype[Any]]

_TYPE_TABLES = ("Type", "TypeProperty", "ParentType")
_MANY_EVENTS = 1 << 16
_OF_CONTEXTS = ("Context", "ParentContext", "Attribution", "Association")


class SavedGraphTables:
    """The tables of a whole graph; of a part of it, its rows alone are read."""

    is_whole = True

    def __init__(self, reader: Reader, *, properties: bool) -> None:
        """Read none of them.

        Args:
            reader: What reads the archive.
            properties: The graph has the properties of its nodes too.
        """
        nothing = reader.read(())
        self.source = nothing.source
        self.schema_version = nothing.schema_version
        self._reader = reader
        self._properties = properties

    @functools.cached_property
    def types(self) -> Tables:
        """The tables of types; most answers need none of them."""
        return self._reader.read(_TYPE_TABLES)

    @functools.cached_property
    def _whole(self) -> GraphTables:
        return GraphTables.read(self._reader, properties=self._properties)

    def __reduce__(self) -> tuple[Any, ...]:
        """Read everything, as a reader cannot be pickled."""
        return _itself, (self._whole,)

    def __contains__(self, table: object) -> bool:
        return table in NODE_TABLES or (self._properties and table in PROPERTY_TABLES)

    def __getitem__(self, table: str) -> pa.Table:
        return self.types[table] if table in _TYPE_TABLES else self._whole[table]

    def event_times(self, rows: Array) -> pa.Table:
        """Return the ids and the times of some events; of many, only these columns are read."""
        if "_whole" in vars(self):
            return self._whole.event_times(rows)
        assert isinstance(self._reader, GraphProvider)
        if len(rows) < _MANY_EVENTS:
            return self._reader.rows_at("Event", rows)
        columns = self._reader.columns("Event", ("id", "milliseconds_since_epoch"))
        return columns.take(arrays.from_numpy(rows))

    def part(self, artifacts: Array, executions: Array, event_rows: Array) -> TableSource:
        """Return the tables of some nodes and events.

        Args:
            artifacts: The artifacts' ids, in order.
            executions: The executions' ids, in order.
            event_rows: The rows of the events in the table of all, in order.
        """
        if "_whole" in vars(self):
            return PartTables(self._whole, artifacts, executions, event_rows)
        assert isinstance(self._reader, GraphProvider)
        made = SavedPartTables(self, self._reader, properties=self._properties)
        made.members = {"artifact": artifacts.tolist(), "execution": executions.tolist()}
        made.event_rows = event_rows
        return made


class SavedPartTables:
    """The tables of some nodes and events of an archive; each is read when it is asked for.

    Attributes:
        members: The ids of the nodes of each kind, in order.
        event_rows: The rows of the events in the table of all, in order.
    """

    is_whole = False
    members: dict[str, list[int]]
    event_rows: Array

    def __init__(self, whole: SavedGraphTables, reader: GraphProvider, *, properties: bool) -> None:
        self.source = whole.source
        self.schema_version = whole.schema_version
        self._whole: SavedGraphTables | None = whole
        self._reader = reader
        self._properties = properties
        self._held: dict[str, pa.Table] = {}
        self._lock = threading.RLock()

    def __contains__(self, table: object) -> bool:
        return table in NODE_TABLES or (self._properties and table in PROPERTY_TABLES)

    def __getitem__(self, table: str) -> pa.Table:
        with self._lock:
            if table not in self._held:
                self._held |= self._read(table)
            return self._held[table]

    def event_times(self, rows: Array) -> pa.Table:
        """Return some of the events."""
        return self["Event"].take(arrays.from_numpy(rows))

    def __getstate__(self) -> dict[str, Any]:
        """Read everything, as a reader cannot be pickled."""
        for table in (*NODE_TABLES, *ALL_TABLES):
            if table not in PROPERTY_TABLES or table in self:
                _ = self[table]
        return {**vars(self), "_whole": None, "_reader": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.RLock())

    def _read(self, table: str) -> dict[str, pa.Table]:
        """Read a table, and those that are found with it."""
        for name, ids in self.members.items():
            kind = KINDS[name]
            if table == kind.properties and self._properties:
                return {table: self._reader.rows_with(table, {kind.id_column: ids})}
        if table == "EventPath":
            events = arrays.to_numpy(self["Event"]["id"]).tolist()
            return {table: self._reader.rows_with(table, {"event_id": events})}
        if table == "ContextProperty" and self._properties:
            contexts = arrays.to_numpy(self["Context"]["id"]).tolist()
            return {table: self._reader.rows_with(table, {"context_id": contexts})}
        if table in _OF_CONTEXTS:
            found = self._reader.ask(lambda session: contexts_of(session, self.members))
            return {name: found[name] for name in _OF_CONTEXTS}
        made = self._nodes
        return {name: made[name] for name in NODE_TABLES} | {table: made[table]}

    @functools.cached_property
    def _nodes(self) -> GraphTables:
        """The tables of the nodes and the events, as a graph has them."""
        assert self._whole is not None
        tables = {name: self._whole.types[name] for name in _TYPE_TABLES}
        tables["Event"] = self._reader.rows_at("Event", self.event_rows)
        for name, ids in self.members.items():
            tables[KINDS[name].table] = self._reader.rows_with(KINDS[name].table, {"id": ids})
        made = GraphTables(
            Tables(tables, source=self.source, schema_version=self.schema_version), is_whole=False
        )

        def properties(kind: NodeSchema, names: list[str]) -> list[tuple[Any, ...]]:
            where: dict[str, Any] = {kind.id_column: self.members[kind.name], "name": names}
            return self._reader.ask(lambda session: session.fetch(kind.properties, where))

        made.show_as_made(properties)
        return made


def _itself(tables: GraphTables) -> GraphTables:
    return tables
