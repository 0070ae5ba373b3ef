"""The rows that a live walk fetches, hop by hop."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage import deadline
from mlmd_lineage.lineage import event_order, graph_tables, keys
from mlmd_lineage.lineage import roles as role_rules
from mlmd_lineage.lineage.bfs import CLOSED, STOP
from mlmd_lineage.lineage.fetching.approach import Approach
from mlmd_lineage.lineage.fetching.prefetch import PrefetchingSession
from mlmd_lineage.lineage.question import not_yet
from mlmd_lineage.snapshot import imported
from mlmd_lineage.snapshot.enums import INPUT_EVENTS, OUTPUT_EVENTS
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS, Tables
from mlmd_lineage.snapshot.text_states import STATE_PROPERTY, TEXT_STATES
from mlmd_lineage.snapshot.type_names import has_nodes_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mlmd_lineage.lineage.question import Question
    from mlmd_lineage.readers.base import Session

    Row = tuple[Any, ...]

_TYPE = SCHEMAS["Artifact"].names.index("type_id")
_ARTIFACT_STATE = SCHEMAS["Artifact"].names.index("state")
_EXECUTION_STATE = SCHEMAS["Execution"].names.index("last_known_state")
_MADE = {
    kind: SCHEMAS[KINDS[kind].table].names.index("create_time_since_epoch")
    for kind in ("artifact", "execution")
}
_END = {"artifact": 1, "execution": 2}
"""Where an event's row names a node of each kind."""
_OTHER = {"artifact": "execution", "execution": "artifact"}
_EDGES = INPUT_EVENTS + OUTPUT_EVENTS
_PHANTOM = role_rules.PHANTOM


class FetchedWalk:
    """The rows that a walk has fetched so far."""

    def __init__(self, session: Session, question: Question) -> None:
        self._session = PrefetchingSession(session)
        self._question = question
        self._roles = question.roles
        self._nodes: dict[str, dict[int, Row | None]] = {"artifact": {}, "execution": {}}
        self._originals: dict[str, dict[int, imported.Original]] = {"artifact": {}, "execution": {}}
        self._holds_imported = bool(getattr(session, "holds_imported", False))
        self._events: dict[int, Row] = {}
        self._claims: dict[int, dict[int, Row]] = {}
        """For each artifact the outputs that name it, as far as they are known."""
        self._uses: dict[int, dict[int, Row]] = {}
        """For each artifact the inputs that name it, as far as they are known."""
        self._by_execution: dict[int, dict[int, Row]] = {}
        """For each execution its events, as far as they are known."""
        self._claimed: set[int] = set()
        """The artifacts of which all outputs are known."""
        self._expanded: set[int] = set()
        """The artifacts of which the events that lead on are known."""
        self._legacy: dict[int, int] = {}
        types = {name: session.fetch(name, {}) for name in ("Type", "TypeProperty", "ParentType")}
        self._types = {name: table_from_rows(name, rows) for name, rows in types.items()}
        limited = question.until or question.types
        tables = Tables(self._types, source=session.source)
        self._flags = question.type_flags(tables, has_nodes_in(session)) if limited else {}
        # Otherwise the walk needs few of them, and the rest is fetched at its end.
        self._all_nodes = bool(limited) or question.as_of is not None

    def tables(self) -> graph_tables.GraphTables:
        """Return what was fetched as the tables of a graph."""
        self._complete()
        nodes = {
            KINDS[kind].table: sorted(
                (row for row in found.values() if row is not None), key=operator.itemgetter(0)
            )
            for kind, found in self._nodes.items()
        }
        nodes["Execution"] = [self._with_state(row) for row in nodes["Execution"]]
        nodes["Event"] = [self._events[number] for number in sorted(self._events)]
        made = {name: table_from_rows(name, rows) for name, rows in nodes.items()}
        tables = Tables({**self._types, **made}, source=self._session.source)
        graph = graph_tables.GraphTables(tables, is_whole=False)
        for kind, originals in self._originals.items():
            graph.take_originals(KINDS[kind], originals)
        return graph

    def check(self, node: keys.Node) -> None:
        """Fetch a node, or say that there is none."""
        kind, number = keys.parse(node)
        if kind == "context":
            raise keys.no_lineage_of_contexts(number)
        if self._is_there(kind, number):
            return
        moment, node_key = self._question.as_of, f"{kind}/{number}"
        if moment is not None and (
            self._nodes[kind][number] is not None
            or self._session.fetch("Event", {f"{kind}_id": [number]})
        ):
            raise not_yet(node_key, moment, self._session.source)
        other = _OTHER[kind]
        is_there = self._is_there(other, number)
        raise keys.no_such_node(kind, number, self._session.source, is_there=is_there)

    def _is_there(self, kind: str, number: int) -> bool:
        """Tell whether a node exists: it has a row, or else an event names it."""
        self._fetch_nodes(kind, {number})
        row = self._nodes[kind][number]
        moment = self._question.as_of
        if row is not None and (moment is None or row[_MADE[kind]]):
            return not self._is_later(kind, number)
        rows = self._session.fetch("Event", {f"{kind}_id": [number]})
        if row is not None:
            # Its time is unknown, so it counts from its first event.
            return not rows or min(event[4] or 0 for event in rows) <= (moment or 0)
        return bool(self._keep(row for row in rows if row[3] in _EDGES))

    def walk(self, nodes: Collection[str], *, up: bool) -> None:
        """Fetch what a walk from nodes meets, and one hop more, which tells where it was cut."""
        by_kind: dict[str, set[int]] = {}
        for node in nodes:
            kind, number = keys.parse(node)
            by_kind.setdefault(kind, set()).add(number)
        for kind, ids in by_kind.items():
            self.walk_all(kind, ids, up=up)

    def walk_all(self, kind: str, ids: Collection[int], *, up: bool) -> None:
        """Fetch what a walk from several nodes of one kind meets, and one hop more."""
        if kind in self._nodes:
            self._fetch_nodes(kind, set(ids))
        for number in sorted(ids):
            self.check(f"{kind}/{number}")
        seen: dict[str, set[int]] = {"artifact": set(), "execution": set()}
        seen[kind] |= set(ids)
        frontier = set(ids)
        approach = Approach(seen["artifact"], up=up)
        hop = 0
        while frontier:
            deadline.check()
            if kind == "artifact":
                hops = self._question.hop_limit - hop
                self._session.prefetch(frontier, up=up, hops=hops, nodes=self._all_nodes)
            self._fetch_events(kind, frontier, up=up)
            if hop >= self._question.hop_limit:
                return
            passed = frontier
            if self._flags and hop:
                passed = {n for n in frontier if not self._flag(kind, n) & STOP}
            other = _OTHER[kind]
            if kind == "artifact":
                reached = self._executions_from(passed, approach)
            else:
                reached = self._artifacts_from(passed, approach)
            if self._flags:
                reached = {n for n in reached if not self._flag(other, n) & CLOSED}
            frontier = reached - seen[other]
            seen[other] |= frontier
            if other == "artifact":
                again = approach.take_improved() & reached
                frontier |= {n for n in again if len(self._claims.get(n, ())) > 1}
            kind = other
            hop += 1

    def _executions_from(self, artifacts: set[int], approach: Approach) -> set[int]:
        """Return the executions to which followed events lead on from artifacts."""
        rows: list[Row] = []
        for number in artifacts:
            rows += self._claims.get(number, {}).values()
            if not approach.up:
                rows += self._uses.get(number, {}).values()
            elif number in approach.best:
                rows.append(approach.best[number])
        roles, orders = self._rules(rows)
        leading = role_rules.leading_events("artifact", up=approach.up)
        best = (approach.best[number] for number in artifacts if number in approach.best)
        bounds = {row[1]: orders[row[0]] for row in best}
        found = set()
        for row in rows:
            if row[3] not in leading or not (self._roles >> roles[row[0]]) & 1:
                continue
            bound = None if self._question.later else bounds.get(row[1])
            if bound is None or (orders[row[0]] < bound) == approach.up:
                found.add(row[2])
        return found

    def _artifacts_from(self, executions: set[int], approach: Approach) -> set[int]:
        """Return the artifacts to which followed events lead on from executions."""
        leading = role_rules.leading_events("execution", up=approach.up)
        rows = [
            row
            for number in executions
            for row in self._by_execution.get(number, {}).values()
            if row[3] in leading
        ]
        if approach.up:
            followed = [row for row in rows if (self._roles >> self._role_alone(row)) & 1]
        else:
            artifacts = {row[1] for row in rows}
            roles, _ = self._rules(
                [claim for number in artifacts for claim in self._claims[number].values()]
            )
            followed = [row for row in rows if (self._roles >> roles[row[0]]) & 1]
        for row in followed:
            approach.note(row)
        return {row[1] for row in followed}

    def _rules(self, rows: Collection[Row]) -> tuple[dict[int, int], dict[int, int]]:
        """Return the roles of events, and their ranks and limits, by the events' ids.

        Args:
            rows: All outputs of some artifacts, and some of their inputs.
        """
        ordered = sorted(rows)
        ids = [row[0] for row in ordered]
        types = np.array([row[3] for row in ordered], np.int64)
        names: dict[int, int] = {}
        artifacts = np.array([names.setdefault(row[1], len(names)) for row in ordered], np.int64)
        moments = np.array([row[4] or 0 for row in ordered], np.int64)
        roles, _ = role_rules.roles_of(
            types,
            artifacts,
            np.array([self._artifact_state(row[1]) for row in ordered], np.int64),
            np.array([self._execution_state(row[2]) for row in ordered], np.int64),
            moments.__getitem__,
        )
        is_input = np.isin(types, INPUT_EVENTS)
        orders = event_order.orders(is_input, artifacts, roles, moments.__getitem__)
        if orders is None:
            orders = is_input.astype(np.int32)
        return (
            dict(zip(ids, roles.tolist(), strict=True)),
            dict(zip(ids, orders.tolist(), strict=True)),
        )

    def _flag(self, kind: str, number: int) -> int:
        row = self._nodes[kind].get(number)
        return self._flags.get(row[_TYPE], 0) if row is not None else 0

    def _fetch_events(self, kind: str, frontier: set[int], *, up: bool) -> None:
        """Fetch the events that lead on from some nodes, and all outputs of the artifacts met."""
        types = role_rules.leading_events(kind, up=up)
        if kind == "artifact":
            new = frontier - (self._claimed if up else self._expanded)
            # Whether an input counts from an output depends on all other outputs.
            types = types if up else _EDGES
            self._claimed |= new
            self._expanded |= new
        else:
            new = frontier
        if new:
            self._keep(self._session.fetch("Event", {f"{kind}_id": sorted(new), "type": types}))
        if kind == "execution" and not up:
            self._fetch_other_claims(
                {
                    row[1]
                    for number in frontier
                    for row in self._by_execution.get(number, {}).values()
                    if row[3] in types and not (self._roles >> self._role_alone(row)) & 1
                }
            )

    def _fetch_other_claims(self, artifacts: set[int]) -> None:
        """Fetch all outputs of some artifacts: they tell each other's roles."""
        new = sorted(artifacts - self._claimed)
        if new:
            self._claimed |= artifacts
            self._keep(self._session.fetch("Event", {"artifact_id": new, "type": OUTPUT_EVENTS}))

    def _complete(self) -> None:
        """Fetch what the walk did not need, and the graph does: who wrote the artifacts it met."""
        met = {row[1] for row in self._events.values()}
        self._fetch_other_claims(met | self._nodes["artifact"].keys())
        for kind, end in _END.items():
            self._fetch_nodes(kind, {row[end] for row in self._events.values()})

    def _keep(self, rows: Iterable[Row]) -> list[Row]:
        """Keep events, with what tells their roles, and return those that existed then."""
        moment = self._question.as_of
        rows = [row for row in rows if moment is None or (row[4] or 0) <= moment]
        if self._all_nodes:
            for kind, end in _END.items():
                self._fetch_nodes(kind, {row[end] for row in rows})
        outputs = [row for row in rows if row[3] in OUTPUT_EVENTS]
        self._fetch_nodes("execution", {row[2] for row in outputs})
        unfinished = {row[1] for row in outputs if self._role_if_stateless(row) == _PHANTOM}
        self._fetch_nodes("artifact", unfinished)
        if moment is not None:
            rows = [
                row
                for row in rows
                if not any(self._is_later(kind, row[end]) for kind, end in _END.items())
            ]
        for row in rows:
            self._events.setdefault(row[0], row)
            of_artifact = self._claims if row[3] in OUTPUT_EVENTS else self._uses
            of_artifact.setdefault(row[1], {})[row[0]] = row
            self._by_execution.setdefault(row[2], {})[row[0]] = row
        return rows

    def _fetch_nodes(self, kind: str, ids: set[int]) -> None:
        held = self._nodes[kind]
        new = sorted(number for number in ids if number not in held)
        if not new:
            return
        held.update(dict.fromkeys(new))
        stateless = []
        for row in self._as_made(kind, self._session.fetch(KINDS[kind].table, {"id": new})):
            if held[row[0]] is not None:
                continue  # tables without a primary key may have an id twice: the first counts
            held[row[0]] = row
            if kind == "execution" and row[_EXECUTION_STATE] is None:
                stateless.append(row[0])
        if stateless:
            where: dict[str, Any] = {"execution_id": stateless, "name": [STATE_PROPERTY]}
            for row in self._session.fetch("ExecutionProperty", where):
                state = TEXT_STATES.get(row[5])
                if row[1] == STATE_PROPERTY and not row[2] and state is not None:
                    self._legacy[row[0]] = state

    def _as_made(self, kind: str, rows: list[Row]) -> list[Row]:
        """Return rows of nodes; what Kubeflow imported has the times that it had before."""
        names = SCHEMAS[KINDS[kind].table].names
        times = names.index("create_time_since_epoch"), names.index("last_update_time_since_epoch")
        asked = imported.imported_among(rows, names.index("name"))
        asked = [row[0] for row in rows] if self._holds_imported else asked
        if not asked:
            return rows
        where: dict[str, Any] = {
            KINDS[kind].id_column: asked,
            "name": [imported.ORIGINAL, imported.SOURCE],
        }
        found = imported.originals_of(self._session.fetch(KINDS[kind].properties, where))
        self._originals[kind] |= found
        made = []
        for row in rows:
            changed = list(row)
            if row[0] in found:
                was = found[row[0]]
                changed[times[0]] = was.created or row[times[0]]
                changed[times[1]] = was.updated or row[times[1]]
            made.append(tuple(changed))
        return made

    def _is_later(self, kind: str, number: int) -> bool:
        row = self._nodes[kind][number]
        moment = self._question.as_of
        return row is not None and moment is not None and (row[_MADE[kind]] or 0) > moment

    def _artifact_state(self, number: int) -> int:
        """Return an artifact's state; 0 too where it was not fetched, as no role depends on it."""
        row = self._nodes["artifact"].get(number)
        state = 0 if row is None else row[_ARTIFACT_STATE] or 0
        return state if 0 < state < role_rules.UNKNOWN_STATE else 0

    def _execution_state(self, number: int) -> int:
        row = self._nodes["execution"].get(number)
        state = None if row is None else row[_EXECUTION_STATE]
        state = self._legacy.get(number, 0) if state is None else state
        return state if 0 < state < role_rules.UNKNOWN_STATE else 0

    def _with_state(self, row: Row) -> Row:
        if row[_EXECUTION_STATE] is not None or row[0] not in self._legacy:
            return row
        at = _EXECUTION_STATE
        return (*row[:at], self._legacy[row[0]], *row[at + 1 :])

    def _role_alone(self, event: Row) -> int:
        role = self._role_if_stateless(event)
        if role != _PHANTOM:
            return role
        state = self._artifact_state(event[1])
        return role_rules.role_alone(event[3], state, self._execution_state(event[2]))

    def _role_if_stateless(self, event: Row) -> int:
        """Return the role that an event has if its artifact has no state."""
        return role_rules.role_alone(event[3], 0, self._execution_state(event[2]))
