"""Builds the batches that a recorder puts: nodes and edges, each node once.

A batch names what is in the store by ids, and what is not by type and name (contexts) or by
``external_id`` (executions, artifacts): so it can be put later, or a second time.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

from mlmd_lineage.snapshot.enums import ArtifactState
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlmd_lineage.record_format.properties import Plain
    from mlmd_lineage.recording.artifacts import RecordedArtifact

BASE_TYPES = {
    "artifact": {"Dataset": 1, "Model": 2, "Metrics": 3, "Statistics": 4},
    "execution": {"Train": 1, "Transform": 2, "Process": 3, "Evaluate": 4, "Deploy": 5},
}
"""MLMD's base types, ``SystemDefinedBaseType`` of its ``metadata_store.proto``."""


@dataclasses.dataclass(slots=True, eq=False)
class ContextToPut:
    """A context of a recorder: its id once it is known."""

    type: str
    name: str
    properties: Mapping[str, Plain] = dataclasses.field(default_factory=dict)
    parent: ContextToPut | None = None
    id: int | None = None


class ExecutionToPut(Protocol):
    """An execution of a recorder."""

    id: int | None
    type_name: str
    base_type: str | None

    def fill(self, made: Any) -> None:
        """Fill MLMD's message of it, but for id and type_id."""


@dataclasses.dataclass(slots=True)
class Use:
    """An event to put.

    Attributes:
        keys: The keys and indexes of its path.
        type: The number of its type.
        time: Milliseconds since 1970-01-01 UTC.
    """

    artifact: RecordedArtifact
    keys: list[tuple[str, int]]
    type: int
    time: int


class RecordBatch:
    """A ``PutBatchRequest`` that is being built, and what gets ids by it."""

    def __init__(self, type_ids: Mapping[tuple[str, str], int]) -> None:
        """Begin a batch; ``type_ids`` are those that are known, by kind and name."""
        self.request = message("PutBatchRequest")()
        self.request.can_omit_fields = True
        options = self.request.options
        options.reuse_contexts = options.reuse_parent_contexts = True
        options.reuse_executions_by_external_id = True
        self._type_ids = type_ids
        self._types: dict[tuple[str, str], None] = {}
        self._places: dict[int, int] = {}
        self.contexts: list[ContextToPut] = []
        self.executions: list[ExecutionToPut] = []
        self.artifacts: list[RecordedArtifact] = []

    def put_type(self, kind: str, name: str, base_type: str | None = None) -> None:
        """Put a type, unless it is known to be there."""
        key = (kind, name)
        if key in self._type_ids or key in self._types:
            return
        self._types[key] = None
        made = getattr(self.request, f"{kind}_types").add(name=name)
        if base_type is not None:
            made.base_type = BASE_TYPES[kind][base_type]

    def put_execution(self, execution: ExecutionToPut) -> None:
        """Put or update an execution."""
        if id(execution) in self._places:
            return
        made = self.request.executions.add()
        execution.fill(made)
        if execution.id is not None:
            made.id = execution.id
        self._name_type("execution", made, execution.type_name, execution.base_type)
        self._places[id(execution)] = len(self.executions)
        self.executions.append(execution)

    def put_event(self, execution: ExecutionToPut, use: Use) -> None:
        """Put an event, and its artifact if that is new."""
        edge = self.request.event_edges.add()
        edge.event.type = use.type
        edge.event.milliseconds_since_epoch = use.time
        steps = edge.event.path.steps
        for key, index in use.keys:
            steps.add(key=key)
            steps.add(index=index)
        if id(execution) in self._places:
            edge.execution_index = self._places[id(execution)]
        else:
            edge.event.execution_id = execution.id
        if use.artifact.id is not None:
            edge.event.artifact_id = use.artifact.id
        else:
            edge.artifact_index = self._place_of_artifact(use.artifact)

    def put_members(
        self,
        contexts: Iterable[ContextToPut],
        *,
        executions: Iterable[ExecutionToPut] = (),
        artifacts: Iterable[RecordedArtifact] = (),
    ) -> None:
        """Make nodes members of contexts; artifacts only where they are new."""
        executions, artifacts = list(executions), [a for a in artifacts if a.id is None]
        for context in contexts:
            for execution in executions:
                edge = self._membership(context)
                if id(execution) in self._places:
                    edge.execution_index = self._places[id(execution)]
                else:
                    edge.execution_id = execution.id
            for artifact in artifacts:
                edge = self._membership(context)
                edge.artifact_index = self._place_of_artifact(artifact)

    def put_context(self, context: ContextToPut) -> None:
        """Put a context that is not known to be there, with its parent."""
        if context.id is not None or id(context) in self._places:
            return
        made = self.request.contexts.add(name=context.name)
        set_properties(made, context.properties)
        self._name_type("context", made, context.type, None)
        self._places[id(context)] = len(self.contexts)
        self.contexts.append(context)
        if context.parent is not None:
            self.put_context(context.parent)
            edge = self.request.parent_contexts.add(child_index=self._places[id(context)])
            if context.parent.id is not None:
                edge.parent_id = context.parent.id
            else:
                edge.parent_index = self._places[id(context.parent)]

    def take_ids(self, response: Any) -> dict[tuple[str, str], int]:
        """Give nodes the ids that they were put under, and return those of types."""
        for kind in ("context", "execution", "artifact"):
            for node, number in zip(
                getattr(self, f"{kind}s"), getattr(response, f"{kind}_ids"), strict=True
            ):
                node.id = number
        if not self._types:
            return {}
        found = {}
        for kind in ("artifact", "execution", "context"):
            made = getattr(self.request, f"{kind}_types")
            numbers = getattr(response, f"{kind}_type_ids")
            for given, number in zip(made, numbers, strict=True):
                found[kind, given.name] = number
        return found

    def _membership(self, context: ContextToPut) -> Any:
        self.put_context(context)
        edge = self.request.memberships.add()
        if context.id is not None:
            edge.context_id = context.id
        else:
            edge.context_index = self._places[id(context)]
        return edge

    def _place_of_artifact(self, artifact: RecordedArtifact) -> int:
        if id(artifact) not in self._places:
            made = self.request.artifacts.add(uri=artifact.uri, state=ArtifactState.LIVE)
            base_type = None
            if artifact.new is not None:
                made.external_id = artifact.new.external_id
                set_properties(made, artifact.new.properties)
                base_type = artifact.new.base_type
            self._name_type("artifact", made, artifact.type, base_type)
            self._places[id(artifact)] = len(self.artifacts)
            self.artifacts.append(artifact)
        return self._places[id(artifact)]

    def _name_type(self, kind: str, made: Any, name: str, base_type: str | None) -> None:
        self.put_type(kind, name, base_type)
        number = self._type_ids.get((kind, name))
        if number is None:
            made.type = name
        else:
            made.type_id = number


def set_properties(node: Any, properties: Mapping[str, Plain]) -> None:
    """Give a message custom properties."""
    for name, value in properties.items():
        held = node.custom_properties[name]
        if isinstance(value, bool):
            held.bool_value = value
        elif isinstance(value, int):
            held.int_value = value
        elif isinstance(value, float):
            held.double_value = value
        else:
            held.string_value = value
