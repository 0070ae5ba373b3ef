"""Checks of times: inputs that are newer than their use, and events without a needed time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.audit.checks.base import AuditCheck, Observation, Severity
from mlmd_lineage.audit.checks.data import grouped, listed
from mlmd_lineage.lineage.roles import USES
from mlmd_lineage.snapshot.finding_codes import FindingCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.audit.checks.data import AuditData

    Array = np.ndarray[Any, np.dtype[Any]]

CLOCKS = 1_000
"""By how many milliseconds the clock of a writer may differ from that of MLMD's service."""


def _used_before_produced(data: AuditData) -> Iterator[Observation]:
    early, _ = data.ambiguous_events
    for place, executions in _executions(data, early).items():
        takers = [f"execution/{n}" for n in executions]
        message = f"{listed(takers)} took it before any execution had written it"
        yield Observation(data.artifacts.key(place), message, {"taken_by": takers})


def _used_before_created(data: AuditData) -> Iterator[Observation]:
    events, created = data.events, data.artifacts.created
    known = (events.roles == USES) & (events.times > 0) & (created > 0)[events.artifacts]
    newer = known & (events.times + CLOCKS < created[events.artifacts])
    newer[data.ambiguous_events[0]] = False
    for place, executions in _executions(data, np.flatnonzero(newer)).items():
        takers = [f"execution/{n}" for n in executions]
        message = f"it was recorded after {listed(takers)} had taken it"
        evidence = {"taken_by": takers, "created": int(created[place])}
        yield Observation(data.artifacts.key(place), message, evidence)


def _untimed_event(data: AuditData) -> Iterator[Observation]:
    _, untimed = data.ambiguous_events
    for place, executions in _executions(data, untimed).items():
        told = [f"execution/{n}" for n in executions]
        message = (
            f"several executions wrote it, and its events with {listed(told)} have no time: they "
            "count as early enough for all"
        )
        yield Observation(data.artifacts.key(place), message, {"executions": told})


def _executions(data: AuditData, chosen: Array) -> dict[int, list[int]]:
    events = data.events
    return grouped(events.artifacts[chosen], data.executions.ids[events.executions[chosen]])


CHECKS = (
    AuditCheck(
        FindingCode.USED_BEFORE_PRODUCED.value,
        Severity.WARNING,
        "An input that is newer than its use cannot be what was used.",
        "Compare the clocks of the machines; look for the artifact that was really taken.",
        _used_before_produced,
    ),
    AuditCheck(
        "used_before_created",
        Severity.WARNING,
        "An artifact that was recorded after its use may have been added to the record later.",
        "Ask who recorded it, and from what.",
        _used_before_created,
    ),
    AuditCheck(
        FindingCode.UNTIMED_EVENT.value,
        Severity.NOTE,
        FindingCode.UNTIMED_EVENT.meaning,
        "Nothing can be added later; read its lineage as all that may have been.",
        _untimed_event,
    ),
)
