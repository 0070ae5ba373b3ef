"""A ``PutLineageSubgraphRequest`` of messages that are not copied into one."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Edge = tuple[int | None, int | None, Any]
    """The place of an execution, that of an artifact, and the event that joins them."""


class Options(NamedTuple):
    """The options of a request."""

    reuse_context_if_already_exist: bool
    reuse_artifact_if_already_exist_by_external_id: bool


class SubgraphRequest:
    """What a writer reads of a ``PutLineageSubgraphRequest``, without a copy of every message.

    Attributes:
        executions: MLMD's messages, ours or ``ml_metadata``'s own.
        artifacts: The same.
        contexts: The same.
        edges: Event edges as ``ml_metadata``'s client has them.
        options: The options.
    """

    def __init__(
        self,
        executions: Iterable[Any],
        artifacts: Iterable[Any],
        contexts: Iterable[Any],
        edges: Iterable[Edge],
        options: Options,
    ) -> None:
        self.executions = list(executions)
        self.artifacts = list(artifacts)
        self.contexts = list(contexts)
        self.edges = list(edges)
        self.options = options
        self.DESCRIPTOR = message("PutLineageSubgraphRequest").DESCRIPTOR

    @functools.cached_property
    def message(self) -> Any:
        """The request as one message."""
        made = message("PutLineageSubgraphRequest")()
        for kind, nodes in (
            ("Execution", self.executions),
            ("Artifact", self.artifacts),
            ("Context", self.contexts),
        ):
            field = getattr(made, f"{kind.lower()}s")
            for node in nodes:
                _copy(node, field.add())
        for execution, artifact, event in self.edges:
            edge = made.event_edges.add()
            if execution is not None:
                edge.execution_index = execution
            if artifact is not None:
                edge.artifact_index = artifact
            _copy(event, edge.event)
            edge.event.SetInParent()
        for name, value in self.options._asdict().items():
            setattr(made.options, name, value)
        return made

    @property
    def event_edges(self) -> Sequence[Any]:
        """The event edges as messages."""
        edges: Sequence[Any] = self.message.event_edges
        return edges

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """Return the request's serialized message."""
        serialized: bytes = self.message.SerializeToString()
        return serialized


def _copy(given: Any, into: Any) -> None:
    """Copy a message, ours or ``ml_metadata``'s own, into one of ours."""
    if isinstance(given, type(into)):
        into.CopyFrom(given)
    else:
        into.ParseFromString(given.SerializeToString())
