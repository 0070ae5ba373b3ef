"""Prefetching of rows on long chains, which would otherwise take a round trip for each hop.

A walk that has met few nodes for some hops asks in one statement which artifacts lie some hops
further, and fetches their rows together. That changes when rows are fetched, and never which of
them the walk takes: a statement that was not needed costs its time and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.lineage.roles import leading_events
from mlmd_lineage.readers.base import Reachability
from mlmd_lineage.snapshot.enums import INPUT_EVENTS, OUTPUT_EVENTS
from mlmd_lineage.snapshot.tables import SCHEMAS
from mlmd_lineage.snapshot.text_states import STATE_PROPERTY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mlmd_lineage.readers.base import Session

    Row = tuple[Any, ...]
    Where = Mapping[str, Collection[int | str]]

NARROW = 4
"""How many artifacts a hop meets at most while prefetching goes on."""
PATIENCE = 8
"""After how many such hops, from artifacts to artifacts, to prefetch."""
FARTHEST = 64
"""How many such hops to prefetch at most."""
_MOST_ROWS = 4 * FARTHEST

_FIRST = {"Event": ("artifact_id", "execution_id"), "ExecutionProperty": ("execution_id",)}


class PrefetchingSession:
    """A session that has fetched some rows before they are asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.source = session.source
        self._kept: dict[Any, dict[Any, list[Row]]] = {}
        self._reachability = session if isinstance(session, Reachability) else None
        self._narrow = 0
        self._distance = PATIENCE

    def fetch(self, table: str, where: Where) -> list[Row]:
        """Return a table's rows, as ``Session.fetch`` does."""
        column, rest = _split_condition(table, where) if self._kept else ("", ())
        kept = self._kept.get((table, column, rest))
        if not kept:
            return self._session.fetch(table, where)
        unknown = [value for value in where[column] if value not in kept]
        rows = [row for value in where[column] for row in kept.get(value, ())]
        if unknown:
            rows += self._session.fetch(table, {**where, column: unknown})
        return rows

    def _keep(self, table: str, where: Where) -> list[Row]:
        """Fetch rows and keep them for when they are asked for."""
        column, rest = _split_condition(table, where)
        kept = self._kept.setdefault((table, column, rest), {})
        for value in where[column]:
            kept[value] = []
        rows = self._session.fetch(table, where)
        at = SCHEMAS[table].names.index(column)
        for row in rows:
            kept[row[at]].append(row)
        return rows

    def prefetch(self, artifacts: Collection[int], *, up: bool, hops: int, nodes: bool) -> None:
        """Fetch what a walk will meet in its next hops, if it has met few nodes so far.

        Args:
            artifacts: Where it stands.
            up: Whether it goes against the direction of the data.
            hops: How many hops, from artifacts to artifacts, it can go on.
            nodes: Fetch the artifacts, too.
        """
        if len(artifacts) > NARROW or self._reachability is None:
            self._narrow, self._distance = 0, PATIENCE
            return
        self._narrow += 1
        if self._narrow < PATIENCE:
            return
        first, second = (leading_events(kind, up=up) for kind in ("artifact", "execution"))
        fetched = first if up else INPUT_EVENTS + OUTPUT_EVENTS  # as the walk asks for them
        kept = self._kept.get(("Event", "artifact_id", (("type", fetched),)), {})
        if any(number in kept for number in artifacts):
            return
        distance = min(self._distance, hops)
        near = self._reachability.reachable(artifacts, first, second, distance, _MOST_ROWS)
        if near is None:
            self._reachability = None
            return
        if len(near) >= _MOST_ROWS:
            self._narrow, self._distance = 0, PATIENCE
            return
        self._distance = min(2 * self._distance, FARTHEST)
        self._kept.clear()
        events = self._keep("Event", {"artifact_id": near, "type": fetched})
        executions = sorted({row[2] for row in events if row[3] in first})
        self._keep("Event", {"execution_id": executions, "type": second})
        rows = self._keep("Execution", {"id": executions})
        at = SCHEMAS["Execution"].names.index("last_known_state")
        stateless = [row[0] for row in rows if row[at] is None]
        self._keep("ExecutionProperty", {"execution_id": stateless, "name": [STATE_PROPERTY]})
        if nodes:
            self._keep("Artifact", {"id": near})


def _split_condition(table: str, where: Where) -> tuple[str, Any]:
    """Return the column by which rows are kept, and the other conditions."""
    for column in _FIRST.get(table, ("id",)):
        if column in where:
            return column, tuple([(n, tuple(v)) for n, v in where.items() if n != column])
    return "", ()
