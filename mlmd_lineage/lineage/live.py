"""Lineage questions answered from the store itself, hop by hop, without reading all of it.

Each hop asks for the events of all its nodes at once, then for the nodes at their other ends: a
fixed number of statements, whatever the store holds. What was fetched becomes a small graph,
which answers the question with the very code that answers it on a whole one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage import errors
from mlmd_lineage.lineage import keys, parts
from mlmd_lineage.lineage import roles as role_rules
from mlmd_lineage.lineage.graph import LineageGraph, Trace
from mlmd_lineage.lineage.index import LEGACY_STATES
from mlmd_lineage.lineage.walk import CLOSED, STOP
from mlmd_lineage.snapshot.sql import table_from_rows
from mlmd_lineage.snapshot.tables import INPUT_EVENTS, KINDS, OUTPUT_EVENTS, SCHEMAS, Tables

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mlmd_lineage.lineage.question import Question
    from mlmd_lineage.snapshot.reader import Reader, Session

    Row = tuple[Any, ...]

_TYPE = SCHEMAS["Artifact"].names.index("type_id")
_ARTIFACT_STATE = SCHEMAS["Artifact"].names.index("state")
_EXECUTION_STATE = SCHEMAS["Execution"].names.index("last_known_state")
_MADE = {kind: SCHEMAS[KINDS[kind].table].names.index("create_time_since_epoch") for kind in ("artifact", "execution")}
_CLAIMS = (1, 4)


def upstream(reader: Reader, node: keys.Node, question: Question) -> Trace:
    """Return what a node came from, as ``LineageGraph.upstream`` does."""
    return reader.ask(lambda session: _trace(reader, session, node, question, up=True))


def downstream(reader: Reader, node: keys.Node, question: Question) -> Trace:
    """Return what came from a node, as ``LineageGraph.downstream`` does."""
    return reader.ask(lambda session: _trace(reader, session, node, question, up=False))


def between(reader: Reader, source: keys.Node, target: keys.Node, question: Question) -> Trace:
    """Return all ways from one node to another, as ``LineageGraph.between`` does."""

    def answer(session: Session) -> Trace:
        # All ways lie above the target.
        fetched = _Fetched(session, question)
        fetched.check(source)
        fetched.walk(target, up=True)
        graph = LineageGraph(fetched.tables())
        return _whole(reader, session, graph.trace_between(source, target, question))

    return reader.ask(answer)


def _trace(
    reader: Reader, session: Session, node: keys.Node, question: Question, *, up: bool
) -> Trace:
    fetched = _Fetched(session, question)
    fetched.walk(node, up=up)
    return _whole(reader, session, LineageGraph(fetched.tables()).trace((node,), question, up=up))


def _whole(reader: Reader, session: Session, trace: Trace) -> Trace:
    """Fetch the paths and the properties of a trace's events and nodes in the same transaction.

    Contexts are fetched when they are asked for: MLMD has no index by which to find them from
    their members, so that costs a scan.
    """
    index = trace.index
    members = {"artifact": index.artifact_ids.tolist(), "execution": index.execution_ids.tolist()}

    def fetch(source: Session, table: str, column: str, values: Iterable[int]) -> Any:
        return table_from_rows(table, source.fetch(table, {column: list(values)}))

    def contexts(_: Collection[str]) -> Tables:
        return reader.ask(lambda later: _contexts(later, members))

    more = {"EventPath": fetch(session, "EventPath", "event_id", trace.tables["Event"]["id"].to_pylist())}
    for kind, ids in members.items():
        name = KINDS[kind].properties
        more[name] = fetch(session, name, KINDS[kind].id_column, ids)
    trace.complete_tables(more, contexts)
    return trace


def _contexts(session: Session, members: dict[str, list[int]]) -> Tables:
    tables: dict[str, Any] = {}
    wanted: set[int] = set()
    for kind, ids in members.items():
        name = KINDS[kind].membership or ""
        rows = session.fetch(name, {KINDS[kind].id_column: ids}) if ids else []
        wanted |= {row[1] for row in rows}
        tables[name] = table_from_rows(name, rows)
    pairs: set[Row] = set()
    new = wanted
    while new:
        found = set(session.fetch("ParentContext", {"context_id": sorted(new)}))
        pairs |= found
        new = {parent for _, parent in found} - wanted
        wanted |= new
    tables["ParentContext"] = table_from_rows("ParentContext", sorted(pairs))
    rows = session.fetch("Context", {"id": sorted(wanted)}) if wanted else []
    tables["Context"] = table_from_rows("Context", rows)
    return Tables(tables)


class _Fetched:
    """The rows that a walk has fetched so far."""

    def __init__(self, session: Session, question: Question) -> None:
        self._session = session
        self._question = question
        self._nodes: dict[str, dict[int, Row | None]] = {"artifact": {}, "execution": {}}
        self._events: dict[int, Row] = {}
        self._legacy: dict[int, int] = {}
        types = {name: session.fetch(name, {}) for name in ("Type", "TypeProperty", "ParentType")}
        self._types = {name: table_from_rows(name, rows) for name, rows in types.items()}
        limited = question.until or question.types
        tables = Tables(self._types, source=session.source)
        self._flags = question.type_flags(tables) if limited else {}

    def tables(self) -> parts.GraphTables:
        """Return what was fetched as the tables of a graph."""
        nodes = {
            KINDS[kind].table: sorted(row for row in found.values() if row is not None)
            for kind, found in self._nodes.items()
        }
        nodes["Execution"] = [self._with_state(row) for row in nodes["Execution"]]
        nodes["Event"] = [self._events[number] for number in sorted(self._events)]
        made = {name: table_from_rows(name, rows) for name, rows in nodes.items()}
        tables = Tables({**self._types, **made}, source=self._session.source)
        return parts.GraphTables(tables)

    def check(self, node: keys.Node) -> None:
        """Fetch a node, or say that there is none."""
        kind, number = keys.parse(node)
        if kind == "context":
            raise keys.no_lineage_of_contexts(number)
        self._fetch_nodes(kind, {number})
        if self._nodes[kind][number] is None or self._is_later(kind, number):
            # Events may name a node that has no row.
            rows = self._session.fetch("Event", {f"{kind}_id": [number]})
            if not rows or self._nodes[kind][number] is not None:
                other = "execution" if kind == "artifact" else "artifact"
                hint = ""
                if self._session.fetch(KINDS[other].table, {"id": [number]}):
                    hint = f" There is an {other}/{number}."
                message = f"There is no {kind}/{number} in {self._session.source}.{hint}"
                raise errors.NotFoundError(message)

    def walk(self, node: keys.Node, *, up: bool) -> None:
        """Fetch what a walk from a node meets, and one hop more, which tells where it was cut."""
        self.check(node)
        kind, number = keys.parse(node)
        seen = {"artifact": set[int](), "execution": set[int]()}
        seen[kind].add(number)
        frontier = {number}
        hop = 0
        while frontier:
            events = self._fetch_events(kind, frontier, up=up)
            if hop >= self._question.hop_limit:
                return
            passed = {n for n in frontier if hop == 0 or not self._flag(kind, n) & STOP}
            here, there = (0, 1) if kind == "artifact" else (1, 0)
            other = "execution" if kind == "artifact" else "artifact"
            reached = {ends[there] for ends in self._followed(events) if ends[here] in passed}
            frontier = {
                n for n in reached - seen[other] if not self._flag(other, n) & CLOSED
            }
            seen[other] |= frontier
            kind = other
            hop += 1

    def _flag(self, kind: str, number: int) -> int:
        row = self._nodes[kind].get(number)
        return self._flags.get(row[_TYPE], 0) if row is not None else 0

    def _fetch_events(self, kind: str, frontier: set[int], *, up: bool) -> list[Row]:
        outputs = up == (kind == "artifact")
        types = OUTPUT_EVENTS if outputs else INPUT_EVENTS
        events = self._keep(kind, sorted(frontier), types)
        other = "execution" if kind == "artifact" else "artifact"
        self._fetch_nodes(other, {row[1 if other == "artifact" else 2] for row in events})
        if outputs and kind == "execution":
            self._fetch_other_claims(events)
        return [row for row in events if row[0] in self._events]

    def _keep(self, kind: str, ids: list[int], types: tuple[int, ...]) -> list[Row]:
        rows = self._session.fetch("Event", {f"{kind}_id": ids, "type": types})
        moment = self._question.as_of
        if moment is not None:
            rows = [row for row in rows if (row[4] or 0) <= moment]
        for row in rows:
            self._events[row[0]] = row
        return rows

    def _fetch_other_claims(self, events: list[Row]) -> None:
        """Fetch who else claims what cached executions do: that tells which edges are reuses."""
        claimed = {
            row[1]
            for row in events
            if row[3] in _CLAIMS and self._execution_state(row[2]) == role_rules.CACHED
        }
        if claimed:
            more = self._keep("artifact", sorted(claimed), _CLAIMS)
            self._fetch_nodes("execution", {row[2] for row in more})

    def _fetch_nodes(self, kind: str, ids: set[int]) -> None:
        held = self._nodes[kind]
        new = sorted(ids - held.keys())
        if not new:
            return
        held.update(dict.fromkeys(new))
        for row in self._session.fetch(KINDS[kind].table, {"id": new}):
            held[row[0]] = row
        if kind == "execution":
            stateless = [n for n in new if (row := held[n]) is not None and row[_EXECUTION_STATE] is None]
            if stateless:
                where: dict[str, Any] = {"execution_id": stateless, "name": ["state"]}
                for row in self._session.fetch("ExecutionProperty", where):
                    if not row[2] and row[5] in LEGACY_STATES:
                        self._legacy[row[0]] = LEGACY_STATES[row[5]]
        if self._question.as_of is not None:
            self._drop_later(kind, new)

    def _is_later(self, kind: str, number: int) -> bool:
        row = self._nodes[kind][number]
        moment = self._question.as_of
        return row is not None and moment is not None and (row[_MADE[kind]] or 0) > moment

    def _drop_later(self, kind: str, ids: list[int]) -> None:
        later = {n for n in ids if self._is_later(kind, n)}
        if later:
            column = 1 if kind == "artifact" else 2
            gone = [number for number, row in self._events.items() if row[column] in later]
            for number in gone:
                del self._events[number]

    def _execution_state(self, number: int) -> int:
        row = self._nodes["execution"].get(number)
        state = None if row is None else row[_EXECUTION_STATE]
        return self._legacy.get(number, 0) if state is None else state

    def _with_state(self, row: Row) -> Row:
        if row[_EXECUTION_STATE] is not None or row[0] not in self._legacy:
            return row
        at = _EXECUTION_STATE
        return (*row[:at], self._legacy[row[0]], *row[at + 1 :])

    def _followed(self, events: list[Row]) -> list[tuple[int, int]]:
        """Return the artifact and the execution of each event that the question follows."""
        if not events:
            return []
        # Whether a claim is the only one depends on all claims on its artifact.
        touched = {row[1] for row in events}
        known = [row for row in self._events.values() if row[1] in touched]
        artifact_rows = [self._nodes["artifact"].get(row[1]) for row in known]
        times = np.array([row[4] or 0 for row in known])
        roles, _ = role_rules.roles_of(
            np.array([row[3] for row in known]),
            np.array([row[1] for row in known]),
            np.array([0 if row is None else row[_ARTIFACT_STATE] or 0 for row in artifact_rows]),
            np.array([self._execution_state(row[2]) for row in known]),
            lambda rows: times[rows],
        )
        allowed = self._question.roles
        asked = {row[0] for row in events}
        return [
            (row[1], row[2])
            for row, role in zip(known, roles.tolist(), strict=True)
            if (allowed >> role) & 1 and row[0] in asked
        ]
