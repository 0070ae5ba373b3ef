"""The scope of an audit: one lineage, with the surrounding rows that its checks need."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mlmd_lineage.lineage import keys, traversal
from mlmd_lineage.lineage.question import Question
from mlmd_lineage.snapshot.snapshot import Snapshot
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import SCHEMAS, SORT_KEYS, Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from mlmd_lineage.readers.base import Reader, Session

    Row = tuple[Any, ...]

_URI = SCHEMAS["Artifact"].names.index("uri")
_ALL_OF = ("Type", "TypeProperty", "ParentType")


@dataclasses.dataclass(frozen=True, slots=True)
class AuditScope:
    """What is audited: a node, all that it came from and all that came from it.

    Attributes:
        node: The key of the node.
        held: The ids of what belongs to it, by its kind: ``artifact``, ``execution``, ``context``,
            ``type`` and ``event``.
    """

    node: str
    held: Mapping[str, frozenset[int]]

    def ids(self, kind: str) -> list[int]:
        """Return the ids of a kind, in order."""
        return sorted(self.held[kind])

    def includes(self, key: str) -> bool:
        """Tell whether a finding about something belongs here."""
        kind, _, number = key.partition("/")
        return kind not in self.held or int(number) in self.held[kind]


def read_scope(reader: Reader, node: str) -> tuple[Snapshot, AuditScope]:
    """Read a node's lineage, up and down, and what is next to it, in one transaction.

    What it costs follows the size of the lineage, not that of the store: only artifacts with the
    same URIs are looked for in all of it.

    Raises:
        NotFoundError: The store holds no such node.
    """
    return reader.ask(lambda session: _read(session, node))


def _read(session: Session, node: str) -> tuple[Snapshot, AuditScope]:
    kind, number = keys.parse(node)
    artifacts: set[int] = set()
    executions: set[int] = set()
    for up in (True, False):
        trace = traversal.trace_within(session, kind, {number}, Question(), up=up)
        artifacts.update(trace.index.artifact_ids.tolist())
        executions.update(trace.index.execution_ids.tolist())
    rows = _ScopeRows(session)
    events = rows.ask("Event", "artifact_id", artifacts)
    events += rows.ask("Event", "execution_id", executions)
    near = {row[1] for row in events} | artifacts
    found = rows.ask("Artifact", "id", near)
    uris = {row[_URI] for row in found if row[0] in artifacts and row[_URI]}
    same = {row[0] for row in rows.ask("Artifact", "uri", uris)}
    more = rows.ask("Event", "artifact_id", same - artifacts)
    others = {row[2] for row in [*events, *more]} | executions
    nodes = rows.ask("Execution", "id", others)
    rows.ask("ExecutionProperty", "execution_id", others)
    rows.ask("ArtifactProperty", "artifact_id", artifacts)
    rows.ask("Artifact", "id", {row[1] for row in more})
    rows.ask("EventPath", "event_id", {row[0] for row in events})
    held = rows.ask("Attribution", "artifact_id", artifacts)
    held += rows.ask("Association", "execution_id", executions)
    contexts = {row[1] for row in held}
    rows.ask("Context", "id", contexts)
    rows.ask("ContextProperty", "context_id", contexts)
    rows.ask("ParentContext", "context_id", contexts)
    types = {row[1] for row in found if row[0] in artifacts}
    types |= {row[1] for row in nodes if row[0] in executions}
    scope = AuditScope(
        node,
        {
            "artifact": frozenset(artifacts),
            "execution": frozenset(executions),
            "context": frozenset(contexts),
            "type": frozenset(types),
            "event": frozenset(row[0] for row in events),
        },
    )
    return rows.snapshot(), scope


class _ScopeRows:
    """The rows fetched so far, each once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._held: dict[str, dict[Any, Row]] = {name: {} for name in SCHEMAS}
        for name in _ALL_OF:
            self._take(name, session.fetch(name, {}))

    def ask(self, table: str, column: str, values: Collection[Any]) -> list[Row]:
        """Fetch the rows with some values in a column."""
        if not values:
            return []
        return self._take(table, self._session.fetch(table, {column: sorted(values)}))

    def _take(self, table: str, rows: list[Row]) -> list[Row]:
        by_id = SORT_KEYS[table] == ("id",)
        for number, row in enumerate(rows):
            # The rows of an event's path have no key of their own, and are asked for once.
            key = row[0] if by_id else (*row[:3], number if table == "EventPath" else 0)
            self._held[table].setdefault(key, row)
        return rows

    def snapshot(self) -> Snapshot:
        """Return them as tables, each in its order."""
        made = {}
        for name, rows in self._held.items():
            made[name] = table_from_rows(name, sorted(rows.values(), key=_first(SORT_KEYS[name])))
        return Snapshot.of(Tables(made, source=self._session.source))


def _first(columns: Collection[str]) -> Callable[[Row], Row]:
    return lambda row: row[: len(columns)]
