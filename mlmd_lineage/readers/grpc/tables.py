"""Whole tables of a service, as columns.

What is read belongs together although the service has no transaction that spans calls: no node is
taken that was made after the first call, and no event, attribution or association that names one.
Of executions that were there already, events may be as they were a little later.
"""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlmd_lineage.readers.grpc import rows as grpc_rows
from mlmd_lineage.readers.grpc.calls import Chunks
from mlmd_lineage.readers.grpc.columns import NodeColumns, event_tables
from mlmd_lineage.readers.grpc.context_members import Members, contexts_of_each, parents
from mlmd_lineage.readers.grpc.memberships import MEMBERS, Neighbours
from mlmd_lineage.readers.grpc.node_listing import Listing, Numbers
from mlmd_lineage.readers.grpc.types import type_tables
from mlmd_lineage.snapshot import arrays, notes, table_building
from mlmd_lineage.snapshot.finding_codes import FindingCode
from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS, Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from mlmd_lineage.readers.grpc.calls import ServiceClient
    from mlmd_lineage.readers.grpc.status_errors import GRPCStatus
    from mlmd_lineage.snapshot.tables import NodeSchema

    Ids = np.ndarray[Any, np.dtype[np.int64]]

_BATCH_BYTES = 1 << 20
_BEYOND = 10_000
_ALWAYS_ALL = 1_000_000
_SPARSE = 20
_TYPES = ("Type", "TypeProperty", "ParentType")
_AFTER_EXECUTIONS = ("artifact", "context")


class Columns:
    """Parts of one table, which are put together at the end."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._parts = [arrays.empty_table(SCHEMAS[table])]
        self.notes: list[notes.Note] = []

    def add(self, part: pa.Table) -> None:
        """Add rows."""
        self._parts.append(part)

    def table(self) -> pa.Table:
        """Return all rows, in their order, and free the parts."""
        whole = notes.joined(self._parts).unify_dictionaries()
        self._parts.clear()
        return notes.noted(table_building.ordered(self._table, whole), self.notes)


class WholeRead:
    """One read of some tables of a store."""

    def __init__(self, service: ServiceClient, tables: Collection[str]) -> None:
        self._service = service
        self._wanted = tables
        self._listing = Listing(service)
        self._columns = {table: Columns(table) for table in tables if table not in _TYPES}
        self._waiting: dict[str, list[bytes]] = {name: [] for name in KINDS}
        self._bytes = dict.fromkeys(KINDS, 0)
        self._last: dict[str, int] = {}
        self._seen = {name: Numbers() for name in KINDS}
        self._swept: set[str] = set()
        self._taken_at = dt.datetime.now(tz=dt.timezone.utc)

    def tables(self) -> Tables:
        """Read the tables."""
        # What is newer than this is not read, wherever a later call meets it.
        # Executions first: what belongs to one that is read is then never too new to be read.
        self._last = {k: self._listing.last_id(KINDS[k]) for k in ("execution", *_AFTER_EXECUTIONS)}
        made: dict[str, pa.Table] = {}
        if self._wants(*_TYPES):
            types = type_tables(self._service)
            made |= {name: table_building.table_from_rows(name, types[name]) for name in _TYPES}
        memberships = [kind for kind in MEMBERS if self._wants(kind.membership)]
        if memberships or self._wants("Context", "ContextProperty", "ParentContext"):
            self._sweep(KINDS["context"])
        if memberships and self._last["context"]:
            self._read_memberships(memberships)
        self._sweep_all(KINDS.values())
        if self._wants("ParentContext"):
            self._read_parents()
        if self._wants("Event", "EventPath"):
            made |= self._closed(*self._events)
            del self._events
        made |= {name: part.table() for name, part in self._columns.items() if name not in made}
        for kind in memberships:
            table = made[kind.membership or ""]
            late = self._late(table, KINDS["context"]) | self._late(table, kind)
            if late.any():
                made[kind.membership or ""] = table.filter(arrays.from_numpy(~late))
        tables = {name: made[name] for name in self._wanted}
        return Tables(tables, source=self._service.address.location, taken_at=self._taken_at)

    def _wants(self, *tables: str | None) -> bool:
        return any(table in self._wanted for table in tables)

    # Nodes

    def _sweep(self, kind: NodeSchema) -> None:
        """Read all nodes of a kind that were not read yet."""
        if kind.name in self._swept:
            return
        self._swept.add(kind.name)
        take = functools.partial(self._take_nodes, kind)
        self._listing.sweep(kind, self._last[kind.name], self._seen[kind.name], take)
        self._decode(kind)
        for number, status in self._listing.bad[kind.name].items():
            self._note_bad(kind, "the service fails on it, so it is left out", number, status)

    def _sweep_all(self, kinds: Iterable[NodeSchema]) -> None:
        """Read all nodes of the kinds that are wanted."""
        for kind in kinds:
            if self._wants(kind.table, kind.properties):
                self._sweep(kind)

    def _note_bad(self, kind: NodeSchema, what: str, number: int, status: GRPCStatus) -> None:
        detail = f"{what} ({status.code}: {status.details})"
        note = notes.Note(FindingCode.UNREADABLE_NODE, f"{kind.name}/{number}", detail)
        others = ("Context", "ContextProperty", "ParentContext", "Attribution", "Association")
        for table in (kind.table, kind.properties, kind.membership, *others):
            if table in self._columns:
                self._columns[table].notes.append(note)
                return

    def _take_nodes(self, kind: NodeSchema, parts: Sequence[bytes]) -> None:
        ids = grpc_rows.ids_of(parts)
        new = ids <= self._last[kind.name]
        new[new] = self._seen[kind.name].add(ids[new])
        if not self._wants(kind.table, kind.properties):
            return
        kept = [parts[row] for row in np.flatnonzero(new).tolist()]
        self._waiting[kind.name] += kept
        self._bytes[kind.name] += sum(map(len, kept))
        if self._bytes[kind.name] > _BATCH_BYTES:
            self._decode(kind)

    def _decode(self, kind: NodeSchema) -> None:
        """Turn the nodes that were taken into columns."""
        parts, self._waiting[kind.name], self._bytes[kind.name] = self._waiting[kind.name], [], 0
        if not parts:
            return
        with self._service.decoding(f"answered a question for {kind.name}s"):
            nodes = NodeColumns(kind, parts)
            if kind.table in self._columns:
                self._columns[kind.table].add(nodes.table())
            if kind.properties in self._columns:
                self._columns[kind.properties].add(nodes.properties())

    def _read_parents(self) -> None:
        kind = KINDS["context"]
        known = {*self._seen["context"].held().tolist(), *self._listing.bad["context"]}
        refused = functools.partial(self._note_bad, kind, "its parents cannot be read")
        pairs = parents(self._service, sorted(known), refused)
        rows = [pair for pair in pairs if pair[1] in known]
        self._columns["ParentContext"].add(table_building.table_from_rows("ParentContext", rows))

    # Which node is in which context

    def _read_memberships(self, kinds: Sequence[NodeSchema]) -> None:
        contexts = self._seen["context"].held().tolist()

        def take(kind: NodeSchema, contexts: Ids, nodes: Ids) -> None:
            name = kind.membership or ""
            columns = (grpc_rows.membership_ids(contexts, nodes), contexts, nodes)
            schema = SCHEMAS[name]
            self._columns[name].add(
                pa.table([arrays.from_numpy(c) for c in columns], schema=schema)
            )

        ids: dict[str, Ids] = {kind.name: self._ids(kind) for kind in kinds}
        neighbours = Neighbours(self._service, ids, kinds, take, len(contexts))
        known = neighbours.settled
        if neighbours.is_there():
            self._sweep_all(kinds)
            if self._wants("Event", "EventPath"):
                events = self._events[0]
                neighbours.read_groups(*(arrays.to_numpy(events[k.id_column]) for k in MEMBERS))
            ids.update((k.name, self._seen[k.name].held()) for k in kinds if k.name in self._swept)
            if neighbours.read():
                contexts = []
        members = {kind.name: self._members(kind, known[kind.name], take) for kind in kinds}
        for kind in kinds:
            members[kind.name].fetch(contexts)
        for kind in kinds:
            if members[kind.name].is_stuck or self._wants(kind.table, kind.properties):
                self._sweep(kind)
            bad = {*self._listing.bad[kind.name], *neighbours.bad[kind.name]}
            inside: dict[int, list[int]] = {}
            refused = functools.partial(self._note_bad, kind, "its contexts cannot be read")
            for context, number in contexts_of_each(self._service, kind, sorted(bad), refused):
                inside.setdefault(context, []).append(number)
                take(kind, np.array([context]), np.array([number]))
            self._columns[kind.membership or ""].notes += members[kind.name].pass_over(inside)

    def _ids(self, kind: NodeSchema) -> Ids:
        """Return the ids that nodes of a kind may have."""
        last = self._last[kind.name]
        if last > _ALWAYS_ALL:
            self._sweep(kind)
            return self._seen[kind.name].held()
        return np.arange(1, last + 1)

    def _members(
        self, kind: NodeSchema, known: Numbers, take: Callable[[NodeSchema, Ids, Ids], None]
    ) -> Members:
        """Return what reads the members of contexts that are not known yet.

        Pages of members hold the nodes, so that few are left to be asked for by their ids.
        """
        has_rows = self._wants(kind.table, kind.properties)

        def took(context: int, nodes: Sequence[bytes]) -> None:
            ids = grpc_rows.ids_of(nodes)
            ids = ids[~known.has(ids)]
            take(kind, np.full(len(ids), context), ids)
            if has_rows:
                self._take_nodes(kind, nodes)

        return Members(self._service, kind, took)

    # Events

    @functools.cached_property
    def _events(self) -> tuple[pa.Table, pa.Table]:
        """The tables of events and paths; all of an execution's events come in one call.

        They are read after the nodes: of what was made meanwhile, none is without its nodes.
        """
        columns = Columns("Event"), Columns("EventPath")
        found = 0
        last = self._last["execution"]

        def take(answer: bytes) -> None:
            nonlocal found
            tables = event_tables(answer)
            found += int(np.count_nonzero(arrays.to_numpy(tables[0]["execution_id"]) > last))
            for one, table in zip(columns, tables, strict=True):
                one.add(table)

        ids = self._execution_ids(last)
        fetch = functools.partial(Chunks, "GetEventsByExecutionIDs", "execution_ids")
        self._service.run(fetch(ids, take))
        if not isinstance(ids, range):
            self._read_events_of_others(ids, columns)
        # Rows of executions may have been deleted, and their events not. An event of an execution
        # that was not asked for counts for nothing: a service that sends one with every answer
        # would be asked for ever.
        found = 1
        while found:
            found = 0
            self._service.run(fetch(range(last + 1, last + _BEYOND + 1), take))
            last += _BEYOND
        return columns[0].table(), columns[1].table()

    def _read_events_of_others(self, asked: Collection[int], columns: tuple[Columns, ...]) -> None:
        """Read the events of executions that were not asked for, by way of their artifacts."""
        self._sweep(KINDS["artifact"])

        def take(answer: bytes) -> None:
            events, paths = event_tables(answer)
            other = ~np.isin(arrays.to_numpy(events["execution_id"]), list(asked))
            kept = arrays.to_numpy(events["id"])[other]
            of_them = np.isin(arrays.to_numpy(paths["event_id"]), kept)
            columns[0].add(events.filter(arrays.from_numpy(other)))
            columns[1].add(paths.filter(arrays.from_numpy(of_them)))

        ids = self._seen["artifact"].held().tolist()
        self._service.run(Chunks("GetEventsByArtifactIDs", "artifact_ids", ids, take))

    def _execution_ids(self, last: int) -> Collection[int]:
        """Return the ids whose events to ask for: those without a row, too, if they are few."""
        if last <= _ALWAYS_ALL:
            return range(1, last + 1)
        self._sweep(KINDS["execution"])
        held = self._seen["execution"].held()
        if last <= _SPARSE * len(held):
            return range(1, last + 1)
        return sorted({*held.tolist(), *self._listing.bad["execution"]})

    def _closed(self, events: pa.Table, paths: pa.Table) -> dict[str, pa.Table]:
        """Return events and paths without those that name a node made after the first call."""
        late = self._late(events, KINDS["artifact"]) | self._late(events, KINDS["execution"])
        if late.any():
            gone = arrays.to_numpy(events["id"])[late]
            kept = ~np.isin(arrays.to_numpy(paths["event_id"]), gone)
            events = events.filter(arrays.from_numpy(~late))
            paths = paths.filter(arrays.from_numpy(kept))
        return {"Event": events, "EventPath": paths}

    def _late(self, table: pa.Table, kind: NodeSchema) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return which rows name a node that was made after the first call.

        A node that has no row now either is not new: its row was deleted, and others kept.
        """
        named = arrays.to_numpy(table[kind.id_column])
        distinct = np.unique(named)
        if kind.name in self._swept:
            unknown = np.setdiff1d(distinct, self._seen[kind.name].held())
        else:
            unknown = distinct[distinct > self._last[kind.name]]
        exist: list[int] = []
        bad = set(self._listing.bad[kind.name])
        self._listing.by_id(
            kind,
            [number for number in unknown.tolist() if number not in bad],
            lambda nodes: exist.extend(grpc_rows.ids_of(nodes).tolist()),
        )
        return np.isin(named, exist)
