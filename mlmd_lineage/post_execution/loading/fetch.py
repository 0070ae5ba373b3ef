"""Fetches the rows around some executions, by a fixed number of statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.snapshot.enums import OUTPUT_EVENTS, PUBLISHED_OUTPUTS, ExecutionState
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import (
    KINDS,
    PROPERTY_TABLES,
    SORT_KEYS,
    Tables,
)
from mlmd_lineage.snapshot.text_states import STATE_PROPERTY, TEXT_STATES
from mlmd_lineage.untrusted_text import int64_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from mlmd_lineage.readers.base import Session

    Row = tuple[Any, ...]

_KNOWN_STATES = frozenset(ExecutionState) - {ExecutionState.UNKNOWN}
_SIBLINGS = 100
"""How many executions of a type are asked whether the type writes artifacts at all."""
_CACHE_CONTEXT = "execution_cache"


class FetchedRows:
    """The rows fetched so far, each once."""

    def __init__(self, session: Session, original_properties: Collection[str]) -> None:
        """Fetch the types; ``original_properties`` name the executions that cached ones reuse."""
        self._session = session
        self._original_properties = sorted(original_properties)
        self._rows: dict[str, dict[Any, Row]] = {}
        self._asked: dict[tuple[str, str], set[int]] = {}
        self.writing_types: frozenset[int] = frozenset()
        for name in ("Type", "ParentType"):
            self._take(name, session.fetch(name, {}))

    def _take(self, table: str, rows: Iterable[Row]) -> list[Row]:
        held = self._rows.setdefault(table, {})
        new = []
        for row in rows:
            # Event paths have no key: each event's are asked for only once.
            key = len(held) if table == "EventPath" else row[: 3 if table in PROPERTY_TABLES else 2]
            key = row[0] if table in {"Event", "Association", "Attribution"} else key
            if key not in held:
                held[key] = row
            new.append(row)
        return new

    def _ask(self, table: str, column: str, ids: Iterable[int]) -> list[Row]:
        """Fetch the rows with some ids in a column, of those that were not asked for before."""
        asked = self._asked.setdefault((table, column), set())
        new = sorted(set(ids) - asked)
        if not new:
            return []
        asked.update(new)
        return self._take(table, self._session.fetch(table, {column: new}))

    def tables(self) -> Tables:
        """Return what was fetched as tables, each in its order."""
        made = {}
        for name in (
            "Artifact",
            "Execution",
            "Context",
            "Event",
            "EventPath",
            "Association",
            "Attribution",
            "ParentContext",
            "Type",
            "ParentType",
            *PROPERTY_TABLES,
        ):
            keys = len(SORT_KEYS[name])
            rows = sorted(self._rows.get(name, {}).values(), key=_first(keys))
            made[name] = table_from_rows(name, rows)
        return Tables(made, source=self._session.source)

    # Where to begin

    def contexts_named(self, name: str, *, or_run_id: bool) -> list[int]:
        """Fetch the contexts that have a name, or a node's key; return their ids.

        Args:
            name: A context's name or key.
            or_run_id: Where there is none, look for it in the property ``run_id``, too.
        """
        kind, _, number = name.partition("/")
        if kind == "context" and (context := int64_of(number)) is not None:
            found = self._ask("Context", "id", [context])
            return [row[0] for row in found]
        types = [
            row[0] for row in self._rows["Type"].values() if row[3] == KINDS["context"].type_kind
        ]
        if not types:
            return []
        where: dict[str, Any] = {"type_id": types, "name": [name]}
        found = self._take("Context", self._session.fetch("Context", where))
        if not found and or_run_id:
            where = {"name": ["run_id"], "string_value": [name]}
            owners = [row[0] for row in self._session.fetch("ContextProperty", where)]
            found = self._ask("Context", "id", owners)
        return sorted({row[0] for row in found})

    def members(self, contexts: Collection[int]) -> list[int]:
        """Fetch which executions are in some contexts; where none are, in their children."""
        if not contexts:
            return []
        found = self._ask("Association", "context_id", contexts)
        filled = {row[1] for row in found}
        empty = [number for number in contexts if number not in filled]
        children = [row[0] for row in self._ask("ParentContext", "parent_context_id", contexts)]
        inner = self._ask("Association", "context_id", children) if empty else []
        self._ask("Context", "id", children)
        return sorted({row[2] for row in [*found, *inner]})

    def contexts_with_others(
        self, contexts: Collection[int], members: Collection[int]
    ) -> frozenset[int]:
        """Return those of some contexts that have other executions than some members too."""
        rows = self._ask("Association", "context_id", contexts)
        return frozenset(row[1] for row in rows if row[2] not in set(members))

    def artifacts(self, ids: Collection[int]) -> set[int]:
        """Fetch artifacts that may have no event at all."""
        self._ask("Artifact", "id", ids)
        self._ask("ArtifactProperty", "artifact_id", ids)
        return set(ids)

    def type_names(self) -> set[str]:
        """Return the names of the store's types."""
        return {row[1] for row in self._rows["Type"].values() if row[1]}

    def contexts_of_types(self, names: Collection[str]) -> None:
        """Fetch all contexts of some types with their parents, executions and artifacts."""
        kind = KINDS["context"].type_kind
        types = self._rows["Type"].values()
        rows = self._ask(
            "Context", "type_id", [r[0] for r in types if r[1] in names and r[3] == kind]
        )
        numbers = [row[0] for row in rows]
        self._ask("ContextProperty", "context_id", numbers)
        self._ask("ParentContext", "context_id", numbers)
        members = {row[2] for row in self._ask("Association", "context_id", numbers)}
        self._ask("Execution", "id", members)
        self.attributions(names)

    def attributions(self, types: Collection[str]) -> None:
        """Fetch the artifacts that are attributed to those contexts fetched that have a type."""
        numbers = {row[0] for row in self._rows["Type"].values() if row[1] in types}
        held = self._rows.get("Context", {})
        chosen = [row[0] for row in held.values() if row[1] in numbers]
        rows = self._ask("Attribution", "context_id", chosen)
        artifacts = [row[2] for row in rows]
        self.artifacts(artifacts)

    # What they need

    def fill(self, members: Collection[int]) -> set[int]:
        """Fetch all that some executions need; return the artifacts of which all claims are known.

        That is their properties, events and contexts, the artifacts that they took and made, and
        the executions, in whatever run, that made these or that a cached one reuses.
        """
        self._ask("Execution", "id", members)
        properties = self._ask("ExecutionProperty", "execution_id", members)
        events = self._ask("Event", "execution_id", members)
        artifacts = {row[1] for row in events}
        self._ask("Artifact", "id", artifacts)
        claims = self._claims(artifacts)
        named = _named(properties, self._original_properties)
        self._contexts(members)
        others = (self._producers(claims) | named | self._same_cache(members)) - set(members)
        self._ask("Execution", "id", others)
        self._ask("ExecutionProperty", "execution_id", others)
        more = self._ask("Event", "execution_id", others)
        self._ask("Artifact", "id", {row[1] for row in more})
        self._contexts(others)
        self._ask("EventPath", "event_id", [row[0] for row in [*events, *more]])
        self._ask(
            "ArtifactProperty",
            "artifact_id",
            [row[0] for row in self._rows.get("Artifact", {}).values()],
        )
        self._siblings(members)
        # Of runs that have no execution, their own properties and parents say what they are.
        self._properties_and_parents({row[0] for row in self._rows.get("Context", {}).values()})
        return artifacts

    def _claims(self, artifacts: Collection[int]) -> list[Row]:
        """Fetch who else says to have written some artifacts, and in which state they are."""
        if not artifacts:
            return []
        where: dict[str, Any] = {"artifact_id": sorted(artifacts), "type": PUBLISHED_OUTPUTS}
        claims = self._take("Event", self._session.fetch("Event", where))
        self._ask("Execution", "id", {row[2] for row in claims})
        stateless = [row[0] for row in self._executions() if row[2] is None]
        if stateless:
            where = {"execution_id": stateless, "name": [STATE_PROPERTY]}
            self._take("ExecutionProperty", self._session.fetch("ExecutionProperty", where))
        return claims

    def _executions(self) -> list[Row]:
        return list(self._rows.get("Execution", {}).values())

    def _producers(self, claims: list[Row]) -> set[int]:
        """Return who made the artifacts that are claimed: not a cached one, if there is another."""
        texts = {
            row[0]: TEXT_STATES.get(row[5] or "")
            for row in self._rows.get("ExecutionProperty", {}).values()
            if row[1] == STATE_PROPERTY and not row[2]
        }
        states = {
            row[0]: texts.get(row[0]) if row[2] is None else row[2] for row in self._executions()
        }
        found: dict[int, list[tuple[bool, int, int, int]]] = {}
        for event, artifact, execution, _, time in claims:
            cached = states.get(execution) == ExecutionState.CACHED
            found.setdefault(artifact, []).append((cached, time or 0, event, execution))
        return {min(some)[3] for some in found.values()}

    def _contexts(self, executions: Collection[int]) -> None:
        """Fetch the contexts of some executions, and all that are above them."""
        rows = self._ask("Association", "execution_id", executions)
        self._properties_and_parents({row[1] for row in rows})

    def _properties_and_parents(self, contexts: set[int]) -> None:
        """Fetch some contexts, and all that are above them."""
        new = contexts
        while new:
            self._ask("Context", "id", new)
            self._ask("ContextProperty", "context_id", new)
            pairs = self._ask("ParentContext", "context_id", new)
            new = {row[1] for row in pairs} - self._asked["Context", "id"]

    def _same_cache(self, members: Collection[int]) -> set[int]:
        """Fetch the executions that share the cache of those cached ones that wrote nothing."""
        wrote = {row[2] for row in self._rows.get("Event", {}).values() if row[3] in OUTPUT_EVENTS}
        own = set(members)
        cached = {
            r[0] for r in self._executions() if r[2] == ExecutionState.CACHED and r[0] in own
        } - wrote
        types = {row[0] for row in self._rows["Type"].values() if row[1] == _CACHE_CONTEXT}
        caches = {r[0] for r in self._rows.get("Context", {}).values() if r[1] in types}
        rows = self._rows.get("Association", {}).values()
        shared = [row[1] for row in rows if row[2] in cached and row[1] in caches]
        users = {row[2] for row in self._ask("Association", "context_id", shared)} - own
        self._ask("Execution", "id", users)
        made = [
            r[0]
            for r in self._executions()
            if r[0] in users and r[2] not in {ExecutionState.CACHED, ExecutionState.FAILED}
        ]
        return set(made)

    def _siblings(self, members: Collection[int]) -> None:
        """Fetch whether others of its type wrote artifacts, where an execution has not."""
        own = set(members)
        wrote = {row[2] for row in self._rows.get("Event", {}).values() if row[3] in OUTPUT_EVENTS}
        stateless = [r for r in self._executions() if (r[2] or 0) not in _KNOWN_STATES]
        silent = [r for r in stateless if r[0] in own and r[0] not in wrote]
        types = {row[1] for row in silent}
        if not types:
            return
        rows = self._session.fetch("Execution", {"type_id": sorted(types)})
        near = sorted(rows, key=lambda row: min(abs(row[0] - other[0]) for other in silent[:10]))
        chosen: dict[int, list[Row]] = {}
        for row in near:
            if len(chosen.setdefault(row[1], [])) < _SIBLINGS:
                chosen[row[1]].append(row)
        several = [row for some in chosen.values() for row in some]
        events = self._session.fetch("Event", {"execution_id": [row[0] for row in several]})
        writers = {row[2] for row in events if row[3] in OUTPUT_EVENTS}
        self.writing_types = frozenset(row[1] for row in several if row[0] in writers)


def _named(properties: Iterable[Row], names: Collection[str]) -> set[int]:
    """Return the executions that some properties name by their ids."""
    found = set()
    for row in properties:
        if row[1] in names:
            for value in row[3:6]:
                number = int64_of(value)
                if number is not None:
                    found.add(number)
    return found


def _first(columns: int) -> Callable[[Row], Row]:
    return lambda row: row[:columns]
