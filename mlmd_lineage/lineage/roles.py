"""The roles of events in lineage: who made an artifact, and who only claims it.

The words are those of MLMD's events and of the platforms that write them: a cached execution
claims the outputs of an earlier one, a resolver passes on artifacts that others made, and an
output may never have come to be. See ``Event.Type`` in MLMD's ``metadata_store.proto``.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.snapshot.enums import (
    INPUT_EVENTS,
    OUTPUT_EVENTS,
    PUBLISHED_OUTPUTS,
    EventType,
    ExecutionState,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Numbers = np.ndarray[Any, np.dtype[Any]]
    Codes = np.ndarray[Any, np.dtype[np.uint8]]

ROLES = ("uses", "produces", "reuses", "internal", "resolves", "pending", "phantom", "later")
"""In an edge's ``role``:

- ``uses``: an execution takes an artifact (INPUT, DECLARED_INPUT);
- ``produces``: an execution that was not cached wrote it (OUTPUT, DECLARED_OUTPUT);
- ``reuses``: a cached execution claims what another one produced;
- ``internal``: an input that is the platform's own affair (INTERNAL_INPUT);
- ``resolves``: a resolver passes it on (INTERNAL_OUTPUT of what another execution produced);
- ``pending``: an output that was announced (PENDING_OUTPUT);
- ``phantom``: an output without a state, of an execution that has not finished;
- ``later``: an execution that was not cached wrote it again, after an execution of the graph had
  taken it; see ``event_order``.
"""

USES, PRODUCES, REUSES, INTERNAL, RESOLVES, PENDING, PHANTOM, LATER = range(len(ROLES))

_FINISHED, _GOING_ON, _SKIPPED = range(3)
UNKNOWN_STATE = 100
"""States from this number on are treated as unknown; the numbers of MLMD's states end below 10."""
_STANDING = np.full(UNKNOWN_STATE, _FINISHED, np.uint8)
_STANDING[[ExecutionState.NEW, ExecutionState.RUNNING]] = _GOING_ON
_STANDING[ExecutionState.CACHED] = _SKIPPED

_ALONE = np.full((len(EventType), 2, 3), USES, np.uint8)
"""The role by the event's type, whether the artifact has a state, and the execution's standing."""
_ALONE[EventType.INTERNAL_INPUT] = INTERNAL
_ALONE[EventType.INTERNAL_OUTPUT] = RESOLVES
_ALONE[EventType.PENDING_OUTPUT] = PENDING
_ALONE[PUBLISHED_OUTPUTS, :, :] = PRODUCES
_ALONE[PUBLISHED_OUTPUTS, :, _SKIPPED] = REUSES
_ALONE[PUBLISHED_OUTPUTS, 0, _GOING_ON] = PHANTOM

_PLAIN_ALONE: list[list[list[int]]] = _ALONE.tolist()
_PLAIN_STANDING: list[int] = _STANDING.tolist()


def role_alone(event_type: int, artifact_state: int, execution_state: int) -> int:
    """Return the role of one event by itself: ``roles_of`` looks at what others claim too.

    Args:
        event_type: MLMD's type of the event, an input or an output.
        artifact_state: The state of its artifact, 0 where it has none.
        execution_state: The state of its execution, 0 where it has none.
    """
    known = execution_state if 0 < execution_state < UNKNOWN_STATE else 0
    has_state = 0 < artifact_state < UNKNOWN_STATE
    return _PLAIN_ALONE[event_type][has_state][_PLAIN_STANDING[known]]


def roles_of(
    event_types: Numbers,
    artifacts: Numbers,
    artifact_states: Numbers,
    execution_states: Numbers,
    times: Callable[[Numbers], Numbers],
) -> tuple[Codes, Numbers]:
    """Return each event's role, and the artifacts that only cached executions claim.

    The earliest of these executions becomes the artifact's producer. The same holds for an artifact
    that has only INTERNAL_OUTPUT events, as HPE CMF writes the results of a validation. No event
    gets the role ``later`` here, because that depends on which events a graph holds.

    Args:
        event_types: MLMD's event types, one an event, in the order of the events' ids.
        artifacts: Each event's artifact, as any number that stands for it.
        artifact_states: The state of each event's artifact, 0 where it has none.
        execution_states: The state of each event's execution, 0 where it has none.
        times: Gives the times of some events in milliseconds, 0 where they have none.
    """
    at = event_types.astype(np.uint8) * np.uint8(_ALONE[0].size)
    at += (artifact_states != 0).astype(np.uint8) * np.uint8(_ALONE[0, 0].size)
    at += _STANDING[execution_states]
    roles = _ALONE.reshape(-1)[at]
    only_cached = _promote(roles, REUSES, artifacts, times)
    _promote(roles, RESOLVES, artifacts, times)
    return roles, only_cached


def _promote(
    roles: Codes, role: int, artifacts: Numbers, times: Callable[[Numbers], Numbers]
) -> Numbers:
    """Make the earliest event of a role the producer where an artifact has none.

    Returns:
        The artifacts of which that is so.
    """
    claims = np.flatnonzero(roles == role)
    if not len(claims):
        return np.empty(0, np.int64)
    orphans = claims[~np.isin(artifacts[claims], artifacts[roles == PRODUCES])]
    # By artifact, then by time, then by the event's id: the first of each artifact is its producer.
    by_time = orphans[np.lexsort((orphans, times(orphans), artifacts[orphans]))]
    promoted, first = np.unique(artifacts[by_time], return_index=True)
    roles[by_time[first]] = PRODUCES
    return promoted


def leading_events(kind: str, *, up: bool) -> tuple[int, ...]:
    """Return the types of the events by which a hop leads on from a node.

    >>> leading_events("artifact", up=False)
    (2, 3, 5)

    Args:
        kind: The kind of the node, ``artifact`` or ``execution``.
        up: Against the direction of the data.
    """
    return OUTPUT_EVENTS if up == (kind == "artifact") else INPUT_EVENTS


@functools.cache
def followed(*, reuse: bool, internal: bool) -> int:
    """Return the roles that a walk follows, one bit each.

    ``PRODUCES`` and ``LATER`` are always among them: ``event_order`` decides separately which
    producers count by their times. With both arguments, and if times are ignored, a walk gives the
    answer of MLMD's own ``get_lineage_subgraph``.
    """
    roles = [USES, PRODUCES, LATER]
    if reuse:
        roles.append(REUSES)
    if internal:
        roles += [INTERNAL, RESOLVES, PENDING, PHANTOM]
    return sum(1 << role for role in roles)
