"""The tables of a graph: kept small, read when they are asked for, and cut to a part of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from mlmd_lineage.snapshot import arrays, imported
from mlmd_lineage.snapshot.arrays import pc
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import KINDS, PROPERTY_TABLES, SCHEMAS, Tables
from mlmd_lineage.snapshot.text_states import STATE_PROPERTY, with_text_states
from mlmd_lineage.snapshot.values import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import TypeAlias

    from mlmd_lineage.readers.base import Reader, Session
    from mlmd_lineage.snapshot.tables import NodeSchema

    Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
    Load: TypeAlias = "Callable[[Collection[str]], Tables]"
    FetchProperties: TypeAlias = "Callable[[NodeSchema, list[str]], list[tuple[Any, ...]]]"

NODE_TABLES = ("Type", "TypeProperty", "ParentType", "Artifact", "Execution", "Event")
"""The tables that every graph needs."""

_TOGETHER = (
    ("EventPath",),
    ("Context", "ParentContext", "Attribution", "Association"),
)


class TableSource(Protocol):
    """Where a graph's tables come from."""

    source: str
    schema_version: int
    is_whole: bool
    """Whether they hold all nodes of a store."""

    def __getitem__(self, table: str) -> pa.Table: ...

    def __contains__(self, table: object) -> bool: ...

    def event_times(self, rows: Array) -> pa.Table:
        """Return at least the ids and the times of the events in some rows, which are in order."""


class GraphTables:
    """The tables of a whole graph: numbers in as few bytes as hold them, the rest read late.

    An execution whose state TFX kept as text has it in ``last_known_state`` here.

    What is read late belongs to the same nodes and events: MLMD never changes an event or its
    path. Only memberships in contexts that were added meanwhile are there too.
    """

    def __init__(self, tables: Tables, load: Load | None = None, *, is_whole: bool = True) -> None:
        """Keep tables.

        Args:
            tables: Those of a graph, and others.
            load: Reads more tables when they are asked for.
            is_whole: They hold all nodes of a store.
        """
        self.is_whole = is_whole
        self.source = tables.source
        self.schema_version = tables.schema_version
        self._load = load
        rest = {name: tables[name] for name in tables.names if name not in NODE_TABLES}
        self._rest = Tables(rest, source=tables.source)
        self._held = {name: narrowed(tables[name]) for name in NODE_TABLES if name in tables}
        self._lock = threading.Lock()
        for kind in (KINDS["artifact"], KINDS["execution"]):
            if kind.properties in tables and kind.table in self._held:
                self.take_originals(kind, imported.originals_in(tables[kind.properties]))
        if "ExecutionProperty" in tables and self._lacks_states:
            self._take_text_states(tables["ExecutionProperty"])

    @classmethod
    def read(cls, reader: Reader, *, properties: bool) -> GraphTables:
        """Read the tables of a store's graph, the properties of its nodes if they are wanted."""
        names = [*NODE_TABLES, *(PROPERTY_TABLES if properties else ())]
        made = cls(reader.read(names), reader.read)
        made.show_as_made(
            lambda kind, values: reader.ask(_fetch(kind.properties, {"name": values}))
        )
        return made

    def show_as_made(self, fetch: FetchProperties) -> None:
        """Show nodes with the states and times that properties hold, where they are not read.

        Args:
            fetch: Returns the rows of the properties with some names, of all nodes of a kind.
        """
        for kind in (KINDS["artifact"], KINDS["execution"]):
            if kind.properties not in self and imported.may_be_imported(self._held[kind.table]):
                rows = fetch(kind, [imported.ORIGINAL, imported.SOURCE])
                self.take_originals(kind, imported.originals_of(rows))
        if "ExecutionProperty" not in self and self._lacks_states:
            rows = fetch(KINDS["execution"], [STATE_PROPERTY])
            self._take_text_states(table_from_rows("ExecutionProperty", rows))

    def take_originals(self, kind: NodeSchema, originals: Mapping[int, imported.Original]) -> None:
        """Show nodes that Kubeflow imported with the times and names that they had."""
        nodes = self._held[kind.table]
        if originals and imported.ID_COLUMN not in nodes.column_names:
            self._held[kind.table] = narrowed(imported.with_originals(nodes, originals))

    @property
    def _lacks_states(self) -> bool:
        return bool(self._held["Execution"]["last_known_state"].null_count)

    def _take_text_states(self, properties: pa.Table) -> None:
        executions = self._held["Execution"]
        at = executions.column_names.index("last_known_state")
        states = with_text_states(executions, properties)
        self._held["Execution"] = executions.set_column(at, "last_known_state", states)

    def __getstate__(self) -> dict[str, Any]:
        """Read what is read late, as a reader cannot be pickled."""
        for names in _TOGETHER:
            if self._load is not None:
                _ = self[names[0]]
        return {**vars(self), "_load": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def __contains__(self, table: object) -> bool:
        return table in self._held or table in self._rest

    def __getitem__(self, table: str) -> pa.Table:
        with self._lock:
            if table not in self._held:
                names = next((group for group in _TOGETHER if table in group), ())
                if table not in self._rest and self._load and names:
                    more = self._load(names)
                    self._held |= {name: more[name] for name in names}
                else:
                    self._held[table] = self._rest[table]
            return self._held[table]

    def event_times(self, rows: Array) -> pa.Table:
        """Return some events, which are there."""
        return self["Event"].take(arrays.from_numpy(rows))


class PartTables:
    """The tables of a part of a graph, cut from those of the whole when they are asked for."""

    is_whole = False

    def __init__(
        self, whole: TableSource, artifacts: Array, executions: Array, event_rows: Array
    ) -> None:
        self.source = whole.source
        self.schema_version = whole.schema_version
        self._whole = whole
        self._nodes = {"artifact": artifacts, "execution": executions}
        self._event_rows = event_rows
        self._held: dict[str, pa.Table] = {}

    def __contains__(self, table: object) -> bool:
        return table in self._whole

    def __getitem__(self, table: str) -> pa.Table:
        if table not in self._held:
            self._held[table] = self._cut(table)
        return self._held[table]

    def event_times(self, rows: Array) -> pa.Table:
        """Return some of the events."""
        return self["Event"].take(arrays.from_numpy(rows))

    def _cut(self, table: str) -> pa.Table:  # noqa: PLR0911 - one for each way
        whole = self._whole[table]
        if table == "Event":
            return whole.take(arrays.from_numpy(self._event_rows))
        if table == "EventPath":
            return rows_with(whole, "event_id", arrays.to_numpy(self["Event"]["id"]))
        if table in {"Context", "ParentContext", "ContextProperty"}:
            column = "id" if table == "Context" else "context_id"
            return rows_among(whole, column, self._contexts())
        for name, nodes in self._nodes.items():
            kind = KINDS[name]
            if table == kind.table:
                return rows_with(whole, "id", nodes)
            if table == kind.properties:
                return rows_with(whole, kind.id_column, nodes)
            if table == kind.membership:
                return rows_among(whole, kind.id_column, nodes)
        return whole

    def _contexts(self) -> Array:
        """Return the contexts that hold one of the nodes, and all that hold those."""
        ids = np.union1d(
            arrays.to_numpy(self["Attribution"]["context_id"]),
            arrays.to_numpy(self["Association"]["context_id"]),
        )
        pairs = self._whole["ParentContext"]
        children = arrays.to_numpy(pairs["context_id"])
        parents = arrays.to_numpy(pairs["parent_context_id"])
        while True:
            more = np.union1d(ids, parents[np.isin(children, ids)])
            if len(more) == len(ids):
                return ids
            ids = more


class TablesSession:
    """A session on the tables of a graph, for questions that are asked of stores otherwise."""

    def __init__(self, tables: TableSource) -> None:
        self.source = tables.source
        self._tables = tables

    def table(self, name: str) -> pa.Table:
        """Return a table, without rows where the graph does not have it."""
        if name in self._tables or name in {some for group in _TOGETHER for some in group}:
            return self._tables[name].select(SCHEMAS[name].names).cast(SCHEMAS[name])
        return SCHEMAS[name].empty_table()

    def fetch(
        self, table: str, where: Mapping[str, Collection[int | str]]
    ) -> list[tuple[Any, ...]]:
        """Return a table's rows, as ``Session.fetch`` does."""
        found = self.table(table)
        for column, values in where.items():
            kept = set(values)
            inside = [value in kept for value in found[column].to_pylist()]
            found = found.filter(arrays.from_values(inside, pa.bool_()))
        return list(rows_of(found))


def _fetch(
    table: str, where: Mapping[str, Collection[int | str]]
) -> Callable[[Session], list[tuple[Any, ...]]]:
    return lambda session: session.fetch(table, where)


def rows_with(table: pa.Table, column: str, values: Array) -> pa.Table:
    """Return the rows whose column, by which the table is ordered, has one of some values."""
    keys = arrays.to_numpy(table[column])
    wanted = np.unique(values)
    starts, ends = keys.searchsorted(wanted), keys.searchsorted(wanted, side="right")
    counts = ends - starts
    first = np.repeat(np.cumsum(counts) - counts, counts)
    rows = np.arange(counts.sum()) - first + np.repeat(starts, counts)
    return table.take(arrays.from_numpy(rows))


def rows_among(table: pa.Table, column: str, values: Array) -> pa.Table:
    """Return the rows whose column has one of some values."""
    return table.filter(arrays.from_numpy(np.isin(arrays.to_numpy(table[column]), values)))


def narrowed(table: pa.Table) -> pa.Table:
    """Return a table whose whole numbers take as few bytes as hold them."""
    for number, field in enumerate(table.schema):
        if not pa.types.is_integer(field.type):
            continue
        column = table.column(number)
        bounds = pc.min_max(column)
        low, high = bounds["min"].as_py() or 0, bounds["max"].as_py() or 0
        for kind in (pa.int8(), pa.int32()):
            limit = 1 << (kind.bit_width - 1)
            if -limit <= low and high < limit:
                table = table.set_column(number, field.name, column.cast(kind))
                break
    return table


def existing(tables: TableSource, moment: int) -> PartTables:
    """Return the tables of the nodes and events that existed at a moment, in milliseconds."""
    events = tables["Event"]
    times = arrays.to_numpy(events["milliseconds_since_epoch"])
    there = times <= moment
    kept, named_by = {}, {}
    for kind in (KINDS["artifact"], KINDS["execution"]):
        nodes = tables[kind.table]
        ids = arrays.to_numpy(nodes["id"])
        named = arrays.to_numpy(events[kind.id_column])
        made = arrays.to_numpy(nodes["create_time_since_epoch"]).astype(np.int64)
        # Stores before MLMD 0.22 kept no times of nodes; their events have some.
        unknown = np.flatnonzero(made == 0)
        if len(unknown):
            order = np.argsort(named, kind="stable")
            firsts, starts = np.unique(named[order], return_index=True)
            if len(firsts):
                earliest = np.minimum.reduceat(times[order], starts)
                known = np.isin(ids[unknown], firsts)
                made[unknown[known]] = earliest[firsts.searchsorted(ids[unknown[known]])]
        kept[kind.name] = ids[made <= moment]
        named_by[kind.name] = named
        later = ids[made > moment]
        there = there & ~np.isin(named, later)
    # Nodes without a row, which events name, may have properties all the same.
    artifacts, executions = (np.union1d(kept[k], named_by[k][there]) for k in kept)
    return PartTables(tables, artifacts, executions, np.flatnonzero(there))
