"""What each event means for lineage: who made an artifact, and who only claims it.

The words are those of MLMD's events and of the platforms that write them: a cached execution
claims the outputs of an earlier one, a resolver hands on artifacts that others made, and an
output may never have come to be. See ``Event.Type`` in MLMD's ``metadata_store.proto``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Numbers = np.ndarray[Any, np.dtype[np.int64]]
    Codes = np.ndarray[Any, np.dtype[np.uint8]]

ROLES = ("uses", "produces", "reuses", "internal", "resolves", "pending", "phantom")
"""In an edge's ``role``:

- ``uses``: an execution takes an artifact (INPUT, DECLARED_INPUT);
- ``produces``: an execution that was not cached wrote it (OUTPUT, DECLARED_OUTPUT);
- ``reuses``: a cached execution claims what another one produced;
- ``internal``: an input that is the platform's own affair (INTERNAL_INPUT);
- ``resolves``: a resolver hands it on (INTERNAL_OUTPUT);
- ``pending``: an output that was announced (PENDING_OUTPUT);
- ``phantom``: an output without a state, of an execution that has not finished.
"""

USES, PRODUCES, REUSES, INTERNAL, RESOLVES, PENDING, PHANTOM = range(len(ROLES))

CACHED = 5
_UNFINISHED = (1, 2)  # NEW, RUNNING
_INPUTS, _OUTPUTS = (2, 3), (1, 4)
_INTERNAL_INPUT, _INTERNAL_OUTPUT, _PENDING_OUTPUT = 5, 6, 7


def roles_of(
    event_types: Numbers,
    artifacts: Numbers,
    artifact_states: Numbers,
    execution_states: Numbers,
    times: Callable[[Numbers], Numbers],
) -> tuple[Codes, Numbers]:
    """Return each event's role, and the artifacts that only cached executions claim.

    Such an artifact has the earliest of them as its producer.

    Args:
        event_types: MLMD's event types, one an event, in the order of the events' ids.
        artifacts: Each event's artifact, as any number that stands for it.
        artifact_states: The state of each event's artifact, 0 where it has none.
        execution_states: The state of each event's execution, 0 where it has none.
        times: Gives the times of some events in milliseconds, 0 where they have none.
    """
    roles = np.full(len(event_types), USES, np.uint8)
    roles[event_types == _INTERNAL_INPUT] = INTERNAL
    roles[event_types == _INTERNAL_OUTPUT] = RESOLVES
    roles[event_types == _PENDING_OUTPUT] = PENDING
    output = np.isin(event_types, _OUTPUTS)
    cached = output & (execution_states == CACHED)
    phantom = output & (artifact_states == 0) & np.isin(execution_states, _UNFINISHED)
    roles[output] = PRODUCES
    roles[cached] = REUSES
    roles[phantom] = PHANTOM
    claims = np.flatnonzero(cached)
    if not len(claims):
        return roles, np.empty(0, np.int64)
    orphans = claims[~np.isin(artifacts[claims], artifacts[roles == PRODUCES])]
    # By artifact, then by time, then by the event's id: the first of each artifact is its producer.
    by_time = orphans[np.lexsort((orphans, times(orphans), artifacts[orphans]))]
    only_cached, first = np.unique(artifacts[by_time], return_index=True)
    roles[by_time[first]] = PRODUCES
    return roles, only_cached


def followed(*, reuse: bool, internal: bool) -> int:
    """Return the roles that a walk follows, one bit each.

    With both arguments the answer is that of MLMD's own ``get_lineage_subgraph``.
    """
    roles = [USES, PRODUCES]
    if reuse:
        roles.append(REUSES)
    if internal:
        roles += [INTERNAL, RESOLVES, PENDING, PHANTOM]
    return sum(1 << role for role in roles)
