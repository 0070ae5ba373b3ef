"""The decoded rows that a dialect reads: executions, contexts, artifacts and events.

The names are MLMD's own. Times are milliseconds since 1970-01-01 UTC, 0 where there is none.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class ContextFacts:
    """A context, and the contexts that are its parents.

    Attributes:
        properties: The declared and the custom properties in one; declared ones win.
    """

    id: int
    type: str
    name: str
    created: int = 0
    properties: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    parents: tuple[ContextFacts, ...] = ()


class EventFacts(NamedTuple):
    """An event of one execution.

    Attributes:
        type: MLMD's number: 1 DECLARED_OUTPUT, 2 DECLARED_INPUT, 3 INPUT, 4 OUTPUT,
            5 INTERNAL_INPUT, 6 INTERNAL_OUTPUT, 7 PENDING_OUTPUT.
        role: What it means for lineage, one of ``lineage.roles.ROLES``.
        keys: The keys in its path, each with its index.
        artifact: What the event names; None where the store has no such row.
    """

    id: int
    artifact_id: int
    type: int
    time: int
    role: str
    keys: Sequence[tuple[str, int]]
    artifact: ArtifactFacts | None


class ArtifactFacts(NamedTuple):
    """An artifact; ``base_type`` is the ``mlmd.*`` type that its type extends, if any."""

    id: int
    type: str
    base_type: str | None
    name: str | None
    uri: str | None
    state: int | None
    created: int
    properties: Mapping[str, Any]
    custom_properties: Mapping[str, Any]


class ExecutionFacts(NamedTuple):
    """An execution with its contexts and its events, both in the order of their ids.

    Attributes:
        state: MLMD's number, 0 to 6; None where the store has none.
        type_has_outputs: Whether other executions of its type wrote artifacts.
    """

    id: int
    type: str
    base_type: str | None
    name: str | None
    state: int | None
    created: int
    updated: int
    properties: Mapping[str, Any]
    custom_properties: Mapping[str, Any]
    contexts: tuple[ContextFacts, ...]
    events: tuple[EventFacts, ...]
    type_has_outputs: bool = False
