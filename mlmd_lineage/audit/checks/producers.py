"""Checks of who made an artifact: nobody, several, one that failed, or one that never finished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.audit.checks.base import AuditCheck, Observation, Severity
from mlmd_lineage.audit.checks.data import grouped, listed, named, several
from mlmd_lineage.lineage.roles import LATER, PENDING, PHANTOM, PRODUCES, REUSES, USES
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.enums import ExecutionState, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.audit.checks.data import AuditData

    Array = np.ndarray[Any, np.dtype[Any]]

EXTERNAL_PROPERTY = "is_external"
"""The property by which TFX declares data that came from elsewhere."""
LOGS = frozenset({"executor-logs"})
"""The keys of outputs that are logs: Kubeflow keeps them of failed steps too."""


def _no_producer(data: AuditData) -> Iterator[Observation]:
    events = data.events
    is_used = data.flags(data.artifacts, events.artifacts[events.roles == USES])
    announced = data.flags(data.artifacts, events.artifacts[_is_announced(events.roles)])
    found = is_used & ~data.has_producer & ~announced & ~data.artifacts.missing & ~_external(data)
    takers = _executions_by_artifact(data, (events.roles == USES) & found[events.artifacts])
    for place, executions in takers.items():
        taken = [f"execution/{n}" for n in executions]
        message = f"{listed(taken)} took it, and the store does not say where it came from"
        yield Observation(data.artifacts.key(place), message, {"taken_by": taken})


def _external(data: AuditData) -> Array:
    """Tell which artifacts are declared to come from elsewhere."""
    table = data.property_rows("artifact", lambda name: name == EXTERNAL_PROPERTY)
    said = np.zeros(table.num_rows, bool)
    for name in ("int_value", "bool_value"):
        said |= arrays.to_numpy(table[name]).astype(bool)
    declared = np.isin(data.artifacts.ids, arrays.to_numpy(table["artifact_id"])[said])
    if data.settings.external:
        places, uris = data.uris
        matches = [data.settings.is_external(uri) for uri in uris.to_pylist()]
        declared[places[np.array(matches, bool)]] = True
    return declared


def _unlinked_artifact(data: AuditData) -> Iterator[Observation]:
    found = ~data.flags(data.artifacts, data.events.artifacts) & ~data.artifacts.missing
    for key in data.artifacts.keys(np.flatnonzero(found)):
        yield Observation(key, "no event names it: nothing says who made it, or who took it")


def _several_producers(data: AuditData) -> Iterator[Observation]:
    events = data.events
    made = _is_made(events.roles) & ~data.is_importer[events.executions]
    more = several(events.artifacts[made], events.executions[made], len(data.artifacts.ids))
    for place, executions in _executions_by_artifact(data, made & more[events.artifacts]).items():
        makers = [f"execution/{n}" for n in executions]
        message = f"{listed(makers)} each say that they made it, and none of them was cached"
        yield Observation(data.artifacts.key(place), message, {"producers": makers})


def _failed_producer(data: AuditData) -> Iterator[Observation]:
    events = data.events
    paths = data.snapshot["EventPath"]
    is_log = named(paths["step_key"], lambda key: key in LOGS)
    logs = arrays.to_numpy(paths["event_id"])[is_log]
    made = _is_made(events.roles) & data.is_not_done[events.executions]
    made &= ~np.isin(events.ids, logs)
    for place, executions in _executions_by_artifact(data, made).items():
        states = {f"execution/{n}": _state(data, n) for n in executions}
        told = listed([f"{key} ({state})" for key, state in states.items()])
        message = f"it is recorded as the output of {told}, which did not succeed"
        yield Observation(data.artifacts.key(place), message, {"producers": states})


def _unfinished_producer(data: AuditData) -> Iterator[Observation]:
    events = data.events
    made = _is_made(events.roles) & data.is_stuck[events.executions]
    for place, executions in _executions_by_artifact(data, made).items():
        makers = [f"execution/{n}" for n in executions]
        message = f"it is recorded as the output of {listed(makers)}, which never finished"
        yield Observation(data.artifacts.key(place), message, {"producers": makers})


def _phantom(data: AuditData) -> Iterator[Observation]:
    yield from _phantoms(data, used=False)


def _used_phantom(data: AuditData) -> Iterator[Observation]:
    yield from _phantoms(data, used=True)


def _phantoms(data: AuditData, *, used: bool) -> Iterator[Observation]:
    events = data.events
    going_on = data.is_going_on[events.executions] & ~data.is_stuck[events.executions]
    announced = _is_announced(events.roles) & ~going_on
    came = data.flags(
        data.artifacts,
        events.artifacts[_is_made(events.roles) | (events.roles == REUSES)],
    )
    is_used = data.flags(data.artifacts, events.artifacts[events.roles == USES])
    found = announced & ~came[events.artifacts] & (is_used[events.artifacts] == used)
    for place, executions in _executions_by_artifact(data, found).items():
        makers = [f"execution/{n}" for n in executions]
        taken = ", and yet an execution took it" if used else ""
        message = f"{listed(makers)} announced it and never finished it{taken}"
        yield Observation(data.artifacts.key(place), message, {"announced_by": makers})


def _is_made(roles: Array) -> Array:
    made: Array = (roles == PRODUCES) | (roles == LATER)
    return made


def _is_announced(roles: Array) -> Array:
    announced: Array = (roles == PENDING) | (roles == PHANTOM)
    return announced


def _executions_by_artifact(data: AuditData, chosen: Array) -> dict[int, list[int]]:
    """Return for the artifact of each chosen event, as its place, the ids of the executions."""
    events = data.events
    return grouped(events.artifacts[chosen], data.executions.ids[events.executions[chosen]])


def _state(data: AuditData, execution: int) -> str:
    at = data.executions.ids.searchsorted(execution)
    return name_of(ExecutionState, int(data.executions.states[at]))


CHECKS = (
    AuditCheck(
        "no_producer",
        Severity.WARNING,
        "What was taken has an origin, and the record does not tell it.",
        "Declare it external: by an importer, TFX's property 'is_external', or the audit file.",
        _no_producer,
    ),
    AuditCheck(
        "unlinked_artifact",
        Severity.NOTE,
        "An artifact without an event has no lineage at all.",
        "Record an event for it, or mark it as deleted if it is no longer used.",
        _unlinked_artifact,
    ),
    AuditCheck(
        "several_producers",
        Severity.WARNING,
        "If two executions made one artifact, nobody can tell which one's data lies there.",
        "Have each execution write an artifact of its own.",
        _several_producers,
    ),
    AuditCheck(
        "failed_producer",
        Severity.ERROR,
        "What a failed or canceled execution wrote may be half of what it should be.",
        "Run the step again, and whatever took its output.",
        _failed_producer,
    ),
    AuditCheck(
        "unfinished_producer",
        Severity.WARNING,
        "What an execution wrote that never finished may be half of what it should be.",
        "Find out whether it was killed; run the step again, and whatever took its output.",
        _unfinished_producer,
    ),
    AuditCheck(
        "phantom",
        Severity.NOTE,
        "It was announced and never came to be: there is nothing at its URI.",
        "Mark it as ABANDONED, so that nobody looks for it.",
        _phantom,
    ),
    AuditCheck(
        "used_phantom",
        Severity.ERROR,
        "An execution took what never came to be, so its record cannot be right.",
        "Look at the logs of the execution that took it: what did it read?",
        _used_phantom,
    ),
)
