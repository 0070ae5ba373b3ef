"""The rows of a store, or of the part of it that a question needs, decoded on demand.

It holds MLMD's tables, and never asks the store again. What lies outside the part that was loaded
is known to be unknown: asking for it raises ``NotLoadedError`` instead of saying that it is not
there.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlmd_lineage.dialects.facts import ArtifactFacts, ContextFacts, EventFacts, ExecutionFacts
from mlmd_lineage.lineage import roles as role_rules
from mlmd_lineage.post_execution.loading.context_sets import ContextSets
from mlmd_lineage.post_execution.loading.grouped_rows import GroupedRows
from mlmd_lineage.post_execution.loading.row_values import (
    known_numbers,
    looked_up,
    path_keys,
    properties_of,
    without_gc,
)
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.enums import OUTPUT_EVENTS, EventType
from mlmd_lineage.snapshot.imported import original_of
from mlmd_lineage.snapshot.text_states import execution_states_of
from mlmd_lineage.snapshot.values import rows_of, values_by_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from mlmd_lineage.dialects.base import Dialect
    from mlmd_lineage.snapshot.tables import Tables

    Row = tuple[Any, ...]
    Array = np.ndarray[Any, np.dtype[Any]]

TABLES = (
    "Type",
    "ParentType",
    "Artifact",
    "Execution",
    "Context",
    "ArtifactProperty",
    "ExecutionProperty",
    "ContextProperty",
    "Event",
    "EventPath",
    "Association",
    "ParentContext",
)
"""The tables that the views are made from."""
ATTRIBUTION = "Attribution"
_EVENT_TYPES = len(EventType)


def read_tables(read: Callable[[Collection[str]], Tables], dialects: Sequence[Dialect]) -> Tables:
    """Read the tables that the views are made from; attributions only where a dialect needs them.

    Args:
        read: Reads whole tables, in one transaction each time.
        dialects: The dialects by which they will be read.
    """
    tables = read(TABLES)
    wanted = {name for dialect in dialects for name in dialect.attributed_types}
    if wanted.isdisjoint(tables["Type"]["name"].to_pylist()):
        return tables
    return read((*TABLES, ATTRIBUTION))


class StoreImage:
    """Executions, contexts and artifacts as the dialects are shown them.

    Attributes:
        source: Where the store is.
        tables: The rows.
        known: The artifacts of which all outputs are loaded; None for all.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        known: frozenset[int] | None = None,
        writing_types: frozenset[int] = frozenset(),
    ) -> None:
        """Keep the tables; ``writing_types`` write artifacts, though no event here says so."""
        self.source = tables.source
        self.known = known
        self.tables = tables
        self._more_writing_types = writing_types
        self._clear()

    def _clear(self) -> None:
        self._executions: dict[int, ExecutionFacts] = {}
        self._artifacts: dict[int, ArtifactFacts] = {}
        self._contexts: dict[int, ContextFacts] = {}
        self._sets: dict[int, tuple[ContextFacts, ...]] = {}
        self._in_making: set[int] = set()
        self._texts: dict[str, dict[int, str]] = {}

    def __getstate__(self) -> tuple[Any, ...]:
        """Leave out what was decoded: it is decoded again when it is asked for."""
        return self.tables, self.known, self._more_writing_types

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.tables, self.known, self._more_writing_types = state
        self.source = self.tables.source
        self._clear()

    # Types

    @functools.cached_property
    def _types(self) -> dict[int, tuple[str, str | None]]:
        """Each type's name, and that of its base type."""
        names = {row[0]: row[1] or "" for row in rows_of(self.tables["Type"])}
        bases = dict(rows_of(self.tables["ParentType"]))
        return {number: (name, names.get(bases.get(number))) for number, name in names.items()}

    def type_of(self, number: int | None) -> tuple[str, str | None]:
        """Return the name of a type, and that of its base type."""
        found = self._types.get(number or 0)
        return found if found is not None else (f"type/{number}", None)

    # Contexts

    @functools.cached_property
    def _context_rows(self) -> dict[int, Row]:
        return {row[0]: row for row in rows_of(self.tables["Context"])}

    @functools.cached_property
    def _context_values(self) -> dict[int, tuple[dict[str, Any], dict[str, Any]]]:
        return values_by_owner(self.tables["ContextProperty"])

    @functools.cached_property
    def _context_parents(self) -> dict[int, list[int]]:
        parents: dict[int, list[int]] = {}
        for child, parent in rows_of(self.tables["ParentContext"]):
            parents.setdefault(child, []).append(parent)
        return parents

    def context(self, number: int) -> ContextFacts | None:
        """Return a context, or None where there is no such row."""
        found = self._contexts.get(number)
        if found is not None:
            return found
        row = self._context_rows.get(number)
        if row is None or number in self._in_making:
            return None
        parents: tuple[ContextFacts, ...] = ()
        parent_ids = self._context_parents.get(number)
        if parent_ids:
            self._in_making.add(number)  # MLMD allows no circle of parents; a damaged store may
            above = [self.context(parent) for parent in parent_ids]
            parents = tuple([parent for parent in above if parent is not None])
            self._in_making.discard(number)
        name, created = row[2], row[4]
        properties: dict[str, Any] = {}
        values = self._context_values.get(number)
        if values is not None:
            declared, custom = values
            properties = {**custom, **declared}
            original = original_of(custom) if custom else None
            if original is not None:
                name, created = original.name, original.created or created
        kind = (self._types.get(row[1]) or self.type_of(row[1]))[0]
        found = ContextFacts(number, kind, name or "", created or 0, properties, parents)
        self._contexts[number] = found
        return found

    @property
    def context_ids(self) -> list[int]:
        """The ids of all contexts, in order."""
        return sorted(self._context_rows)

    @functools.cached_property
    def context_sets(self) -> ContextSets:
        """The sets of contexts that executions belong to."""
        table = self.tables["Association"]
        pairs = (arrays.to_numpy(table[name]) for name in ("execution_id", "context_id"))
        return ContextSets(np.array(self.execution_ids, np.int64), *pairs)

    @property
    def contexts_with_executions(self) -> set[int]:
        """The ids of the contexts that hold any execution."""
        return set(np.unique(arrays.to_numpy(self.tables["Association"]["context_id"])).tolist())

    def contexts_of(self, execution: int) -> tuple[ContextFacts, ...]:
        """Return the contexts of an execution, in order; those that have no row are left out."""
        return self.contexts_of_set(self.context_sets.number_of(execution) or 0)

    def contexts_of_set(self, number: int) -> tuple[ContextFacts, ...]:
        """Return the contexts of a set, in order; those that have no row are left out."""
        contexts = self._sets.get(number)
        if contexts is None:
            known = self._contexts
            found = [known.get(n) or self.context(n) for n in self.context_sets.contexts[number]]
            contexts = self._sets[number] = tuple([c for c in found if c is not None])
        return contexts

    @functools.cached_property
    def _members(self) -> GroupedRows:
        return GroupedRows(self.tables["Association"], "context_id")

    def members(self, context: int) -> list[int]:
        """Return the ids of a context's executions, in order."""
        return sorted(row[2] for row in self._members.of([context]).get(context, ()))

    # Executions

    @functools.cached_property
    def execution_ids(self) -> list[int]:
        """The ids of all executions that have a row, in order."""
        numbers: list[int] = np.sort(arrays.to_numpy(self.tables["Execution"]["id"])).tolist()
        return numbers

    def outlines(self, executions: Array) -> dict[int, tuple[str, str | None, int]]:
        """Return the type, the name and the time of some executions."""
        if not len(executions):
            return {}
        table = self.tables["Execution"].select(
            ["id", "type_id", "name", "create_time_since_epoch"]
        )
        chosen = np.isin(arrays.to_numpy(table["id"]), executions)
        rows = rows_of(table.filter(arrays.from_numpy(chosen)))
        return {row[0]: (self.type_of(row[1])[0], row[2] or None, row[3] or 0) for row in rows}

    @functools.cached_property
    def _states(self) -> dict[int, int | None]:
        ids = self.tables["Execution"]["id"].to_pylist()
        return dict(zip(ids, execution_states_of(self.tables).to_pylist(), strict=True))

    @functools.cached_property
    def _parts(self) -> dict[str, GroupedRows]:
        tables = self.tables
        events = tables["Event"].append_column("role", arrays.from_numpy(self._roles))
        return {
            "Execution": GroupedRows(tables["Execution"], "id"),
            "ExecutionProperty": GroupedRows(tables["ExecutionProperty"], "execution_id"),
            "Event": GroupedRows(events, "execution_id"),
            "EventPath": GroupedRows(tables["EventPath"], "event_id"),
            "Artifact": GroupedRows(tables["Artifact"], "id"),
            "ArtifactProperty": GroupedRows(tables["ArtifactProperty"], "artifact_id"),
        }

    @functools.cached_property
    def writing_types(self) -> frozenset[int]:
        """The ids of the types of the executions that wrote artifacts."""
        events, executions = self.tables["Event"], self.tables["Execution"]
        wrote = np.isin(arrays.to_numpy(events["type"]), OUTPUT_EVENTS)
        writers = np.unique(arrays.to_numpy(events["execution_id"])[wrote])
        at = np.isin(arrays.to_numpy(executions["id"]), writers)
        return self._more_writing_types | set(arrays.to_numpy(executions["type_id"])[at].tolist())

    def executions(self, ids: Iterable[int]) -> dict[int, ExecutionFacts]:
        """Return executions by their ids; those that have no row are left out."""
        ids = list(ids)
        new = [number for number in ids if number not in self._executions]
        if new:
            with without_gc():
                self._decode(new)
        return {n: self._executions[n] for n in ids if n in self._executions}

    def execution_texts(self, name: str) -> dict[int, str]:
        """Return the texts that executions have in a property, by their ids."""
        if name not in self._texts:
            table = self.tables["ExecutionProperty"]
            rows = table.filter(pc.equal(table["name"].cast(pa.string()), name))
            texts = zip(
                *(rows[c].to_pylist() for c in ("execution_id", "string_value")), strict=True
            )
            self._texts[name] = {number: text for number, text in texts if text}
        return self._texts[name]

    def holds(self, ids: Iterable[int]) -> bool:
        """Tell whether some executions are decoded already."""
        return all(number in self._executions for number in ids)

    def forget(self) -> None:
        """Let go of what was decoded: it is decoded again when it is asked for."""
        self._executions.clear()
        self._artifacts.clear()

    def _decode(self, ids: Sequence[int]) -> None:
        parts = self._parts
        values = properties_of(parts["ExecutionProperty"], ids)
        events = parts["Event"].of(ids)
        rows = [row for found in events.values() for row in found]
        paths = parts["EventPath"].of([row[0] for row in rows])
        artifacts = self.artifacts({row[1] for row in rows})
        for number, row in parts["Execution"].rows(ids):
            name, base = self.type_of(row[1])
            declared, custom = values.get(number, ({}, {}))
            original = original_of(custom)
            self._executions[number] = ExecutionFacts(
                id=number,
                type=name,
                base_type=base,
                name=(row[3] if original is None else original.name) or None,
                state=self._states.get(number),
                created=(original and original.created) or row[5] or 0,
                updated=(original and original.updated) or row[6] or 0,
                properties=declared,
                custom_properties=custom,
                contexts=self.contexts_of(number),
                events=tuple(
                    [
                        EventFacts(
                            event[0],
                            event[1],
                            event[3] or 0,
                            event[4] or 0,
                            role_rules.ROLES[event[5]],
                            path_keys(paths[event[0]]) if event[0] in paths else (),
                            artifacts.get(event[1]),
                        )
                        for event in sorted(events.get(number, ()))
                        if 0 < (event[3] or 0) < _EVENT_TYPES
                    ]
                ),
                type_has_outputs=row[1] in self.writing_types,
            )

    # Artifacts

    def artifact(self, number: int) -> ArtifactFacts | None:
        """Return an artifact, or None where there is no such row."""
        return self._artifacts.get(number) or self.artifacts([number]).get(number)

    def artifacts(self, ids: Iterable[int]) -> dict[int, ArtifactFacts]:
        """Return artifacts by their ids; those that have no row are left out."""
        ids = sorted(ids)
        new = [number for number in ids if number not in self._artifacts]
        if new:
            values = properties_of(self._parts["ArtifactProperty"], new)
            for number, row in self._parts["Artifact"].rows(new):
                name, base = self.type_of(row[1])
                declared, custom = values.get(number, ({}, {}))
                original = original_of(custom)
                self._artifacts[number] = ArtifactFacts(
                    id=number,
                    type=name,
                    base_type=base,
                    name=(row[4] if original is None else original.name) or None,
                    uri=row[2] or None,
                    state=row[3],
                    created=(original and original.created) or row[6] or 0,
                    properties=declared,
                    custom_properties=custom,
                )
        return {n: self._artifacts[n] for n in ids if n in self._artifacts}

    @functools.cached_property
    def _attributions(self) -> dict[int, list[int]]:
        """For each context the ids of the artifacts that are attributed to it, in order."""
        found: dict[int, list[int]] = {}
        if ATTRIBUTION in self.tables:
            for _, context, artifact in rows_of(self.tables[ATTRIBUTION]):
                found.setdefault(context, []).append(artifact)
        return found

    def attributed(self, context: int) -> list[ArtifactFacts]:
        """Return the artifacts that are attributed to a context, as far as these were loaded."""
        found = self.artifacts(self._attributions.get(context, ()))
        return [found[number] for number in sorted(found)]

    # Who made what

    @functools.cached_property
    def _roles(self) -> Array:
        """For each row of the events its role in lineage."""
        tables = self.tables
        events = tables["Event"]
        times = arrays.to_numpy(events["milliseconds_since_epoch"])
        artifact_states = known_numbers(tables["Artifact"]["state"], role_rules.UNKNOWN_STATE)
        execution_states = known_numbers(execution_states_of(tables), role_rules.UNKNOWN_STATE)
        roles, _ = role_rules.roles_of(
            known_numbers(events["type"], len(EventType)),
            arrays.to_numpy(events["artifact_id"]),
            looked_up(events["artifact_id"], tables["Artifact"]["id"], artifact_states),
            looked_up(events["execution_id"], tables["Execution"]["id"], execution_states),
            lambda rows: times[rows],
        )
        return roles

    @functools.cached_property
    def producers(self) -> tuple[Array, Array]:
        """The artifacts that were made, in order, and the execution that made each.

        It is the earliest, if there are several.
        """
        events = self.tables["Event"]
        made = np.flatnonzero(self._roles == role_rules.PRODUCES)
        columns = [
            arrays.to_numpy(events[name])[made]
            for name in ("id", "milliseconds_since_epoch", "artifact_id", "execution_id")
        ]
        order = np.lexsort(columns[:3])
        artifacts, first = np.unique(columns[2][order], return_index=True)
        return artifacts, columns[3][order][first]

    @functools.cached_property
    def _producers(self) -> Mapping[int, int]:
        return dict(zip(*(column.tolist() for column in self.producers), strict=True))

    def producer(self, artifact: int) -> int | None:
        """Return the execution that made an artifact, None where nobody did."""
        return self._producers.get(artifact)
