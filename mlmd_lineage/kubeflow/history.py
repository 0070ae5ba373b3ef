"""The history of Kubeflow Pipelines in a snapshot, decoded as the rules of the check need it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mlmd_lineage.snapshot.enums import ArtifactState, EventType, ExecutionState
from mlmd_lineage.snapshot.values import rows_of, values_by_owner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.kubeflow.run_records import RunRecord
    from mlmd_lineage.snapshot.tables import Tables

RUN_TYPE = "system.PipelineRun"
EXECUTION_TYPES = frozenset(
    ("system.ContainerExecution", "system.ImporterExecution", "system.DAGExecution")
)
"""The types of executions that version 3.0 knows."""
DAG_TYPE = "system.DAGExecution"
METRICS_TYPE = "system.Metrics"
NOT_METRICS = frozenset(("display_name", "store_session_info"))
"""The properties of an artifact of metrics that are none."""

HISTORY_TABLES = (
    "Type",
    "Artifact",
    "Execution",
    "Context",
    "ArtifactProperty",
    "ExecutionProperty",
    "ContextProperty",
    "Event",
    "EventPath",
    "Association",
    "Attribution",
    "ParentContext",
)
_PRODUCES = frozenset((EventType.OUTPUT, EventType.DECLARED_OUTPUT, EventType.INTERNAL_OUTPUT))


@dataclasses.dataclass(frozen=True, slots=True)
class HistoryNode:
    """An execution, an artifact or a context, with its properties."""

    id: int
    type: str
    name: str
    state: int
    properties: Mapping[str, Any]
    custom_properties: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class HistoryEvent:
    """An event; ``path`` holds its steps, texts for keys and ints for indexes."""

    id: int
    artifact: int
    execution: int
    type: int
    path: tuple[str | int | None, ...]

    @property
    def produces(self) -> bool:
        """Whether a transfer follows it from an artifact to what made that."""
        return self.type in _PRODUCES


class History:
    """The nodes, events and memberships of a store, by their ids.

    Attributes:
        executions, artifacts, contexts: The nodes.
        events: The events in order.
        runs_of: For each execution the ids of the contexts of its runs, in order.
        contexts_of: For each execution the ids of all of its contexts.
        members: For each context of a run the ids of its executions.
        artifact_contexts: For each artifact the ids of its contexts.
        attributed: For each context the ids of its artifacts.
        parents: For each context the ids of its parents.
        records: The runs as Kubeflow's database knows them; None where it was not read.
    """

    def __init__(self, tables: Tables, records: Mapping[str, RunRecord] | None = None) -> None:
        self.records = records
        types = dict(rows_of(tables["Type"].select(["id", "name"])))
        self.executions = _nodes(tables, "Execution", types, "last_known_state", ExecutionState)
        self.artifacts = _nodes(tables, "Artifact", types, "state", ArtifactState)
        self.contexts = _nodes(tables, "Context", types, None, None)
        self.events = _events(tables)
        self.run_contexts = {
            number: node.name for number, node in self.contexts.items() if node.type == RUN_TYPE
        }
        self.contexts_of: dict[int, list[int]] = {}
        self.runs_of: dict[int, list[int]] = {}
        self.members: dict[int, list[int]] = {number: [] for number in self.run_contexts}
        for _, context, execution in rows_of(tables["Association"]):
            if context in self.contexts and execution in self.executions:
                self.contexts_of.setdefault(execution, []).append(context)
                if context in self.members and context not in self.runs_of.get(execution, ()):
                    self.runs_of.setdefault(execution, []).append(context)
                    self.members[context].append(execution)
        self.artifact_contexts: dict[int, list[int]] = {}
        for _, context, artifact in rows_of(tables["Attribution"]):
            if context in self.contexts and artifact in self.artifacts:
                self.artifact_contexts.setdefault(artifact, []).append(context)
        self.attributed: dict[int, list[int]] = {}
        for artifact, contexts in self.artifact_contexts.items():
            for context in contexts:
                self.attributed.setdefault(context, []).append(artifact)
        self.parents: dict[int, list[int]] = {}
        for child, parent in rows_of(tables["ParentContext"]):
            self.parents.setdefault(child, []).append(parent)
        self.event_executions = {event.id: event.execution for event in self.events}
        self.events_of: dict[int, list[HistoryEvent]] = {}
        self.events_on: dict[int, list[HistoryEvent]] = {}
        for event in self.events:
            self.events_of.setdefault(event.execution, []).append(event)
            self.events_on.setdefault(event.artifact, []).append(event)

    def record(self, run_context: int) -> RunRecord | None:
        """Return what Kubeflow's database says of a run."""
        return (self.records or {}).get(self.run_contexts[run_context])

    def runs_of_artifact(self, artifact: int) -> list[int]:
        """Return the contexts of the runs that an artifact belongs to, by attribution or events."""
        found = [c for c in self.artifact_contexts.get(artifact, ()) if c in self.run_contexts]
        for event in self.events_on.get(artifact, ()):
            found += self.runs_of.get(event.execution, ())
        return sorted(set(found))


def _nodes(
    tables: Tables,
    table: str,
    types: Mapping[int, str],
    state: str | None,
    states: Any,
) -> dict[int, HistoryNode]:
    values = values_by_owner(tables[f"{table}Property"])
    columns = ["id", "type_id", "name", *([state] if state else [])]
    found = {}
    for number, type_id, name, *held in rows_of(tables[table].select(columns)):
        declared, custom = values.get(number, ({}, {}))
        known = held[0] if held and held[0] is not None and 0 < held[0] < len(states) else 0
        found[number] = HistoryNode(
            number, types.get(type_id) or f"type/{type_id}", name or "", known, declared, custom
        )
    return found


def _events(tables: Tables) -> list[HistoryEvent]:
    paths: dict[int, list[str | int | None]] = {}
    for event, is_index, index, key in rows_of(tables["EventPath"]):
        paths.setdefault(event, []).append(index if is_index else key)
    return [
        HistoryEvent(number, artifact, execution, kind or 0, tuple(paths.get(number, ())))
        for number, artifact, execution, kind, _ in rows_of(tables["Event"])
    ]


def text_of(value: Any) -> str | None:
    """Return a property's text; None where it has none, or is of another kind."""
    return value if isinstance(value, str) else None


def whole_number_of(value: Any) -> int | None:
    """Return a property's whole number; None where it has none, or is of another kind."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def reference(value: Any) -> int | None:
    """Return the id that a text or a number names; None where it names none."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number or None
