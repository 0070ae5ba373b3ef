"""Assembles a run from the records of its steps: their order, parents, paths and statuses."""

from __future__ import annotations

import dataclasses
import heapq
from typing import TYPE_CHECKING

from mlmd_lineage.post_execution.loading import run_statuses
from mlmd_lineage.snapshot.enums import INPUT_EVENTS, EventType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlmd_lineage.dialects.base import Dialect
    from mlmd_lineage.dialects.facts import ExecutionFacts
    from mlmd_lineage.dialects.records import RunDetails, Status, StepRecord

_NEVER_CAME = ("pending", "phantom")


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A step of a run: what the dialect says of it, and what follows from the run's other steps.

    Attributes:
        attempt, attempts: Which attempt at the step it is, counted from 1, and of how many.
    """

    record: StepRecord
    status: Status
    is_cached: bool
    parents: tuple[int, ...]
    children: tuple[int, ...]
    path: str
    started: int | None
    finished: int | None
    attempt: int = 1
    attempts: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """A run's steps in topological order, and what follows from them.

    Attributes:
        publishers: For each step and each artifact that it takes, the steps that hand it on.
    """

    key: str
    status: Status
    is_cached: bool
    steps: Mapping[int, Step]
    details: RunDetails
    dialect: str
    publishers: Mapping[tuple[int, int], tuple[int, ...]]
    started: int | None
    finished: int | None


def assemble_run(
    key: str,
    executions: Iterable[ExecutionFacts],
    records: Mapping[int, StepRecord],
    dialect: Dialect | None,
    details: RunDetails,
) -> Run:
    """Return a run, given its executions and their records."""
    publishers = _publishers(executions)
    statuses = run_statuses.of_run(records, dialect, details)
    return Run(
        key=key,
        status=statuses.status,
        is_cached=statuses.is_cached,
        steps=_steps(records, _parents(records, publishers), statuses),
        details=details,
        dialect="" if dialect is None else dialect.name,
        publishers=publishers,
        started=statuses.started,
        finished=statuses.finished,
    )


def _publishers(
    executions: Iterable[ExecutionFacts],
) -> dict[tuple[int, int], tuple[int, ...]]:
    """Return who handed each artifact to each step: who in the run published it last before.

    A resolver passes on what others made. It counts where no other step published the artifact,
    or where the artifact was taken under a second key, as ``model`` and ``baseline_model``. Times
    of machines may disagree; where none is earlier by time, the order in which the events were
    recorded tells.
    """
    published: dict[int, list[tuple[int, int, int, bool]]] = {}
    taken: list[tuple[int, int, int, int, int]] = []
    for execution in executions:
        for event in execution.events:
            if event.type in INPUT_EVENTS:
                keys = max(1, len(event.keys))
                taken.append((execution.id, event.artifact_id, event.time, event.id, keys))
            elif event.role not in _NEVER_CAME:
                published.setdefault(event.artifact_id, []).append(
                    (event.time, event.id, execution.id, event.type == EventType.INTERNAL_OUTPUT)
                )
    found: dict[tuple[int, int], set[int]] = {}
    for step, artifact, time, number, keys in taken:
        others = [p for p in published.get(artifact, ()) if p[2] != step]
        kinds = [others]
        if len(others) > 1:
            kinds = [[p for p in others if p[3] == resolved] for resolved in (False, True)]
        for same in kinds:
            if len(found.get((step, artifact), ())) >= keys:
                continue
            last = _last_before(same, time, number)
            if last is not None:
                found.setdefault((step, artifact), set()).add(last)
    return {pair: tuple(sorted(steps)) for pair, steps in found.items()}


def _last_before(
    published: Sequence[tuple[int, int, int, bool]], time: int, number: int
) -> int | None:
    """Return the step that published last before an event, by the time or else by its number."""
    before = [p for p in published if p[:2] < (time, number)] or [
        p for p in published if p[1] < number
    ]
    return max(before)[2] if before else None


def _parents(
    records: Mapping[int, StepRecord], publishers: Mapping[tuple[int, int], tuple[int, ...]]
) -> dict[int, tuple[int, ...]]:
    found: dict[int, set[int]] = {number: set() for number in records}
    for (number, _), steps in publishers.items():
        found[number].update(steps)
    return {number: tuple(sorted(steps)) for number, steps in found.items()}


def _steps(
    records: Mapping[int, StepRecord],
    parents: Mapping[int, tuple[int, ...]],
    statuses: run_statuses.RunStatuses,
) -> dict[int, Step]:
    found = {}
    for number in _in_order(records, parents):
        record, outcome = records[number], statuses.steps[number]
        attempt, attempts = statuses.attempts[number]
        found[number] = Step(
            record=record,
            status=outcome.status,
            is_cached=outcome.is_cached,
            parents=parents[number],
            children=tuple(sorted(statuses.children.get(number, ()))),
            path=_path(records, number),
            started=record.started,
            finished=outcome.finished,
            attempt=attempt,
            attempts=attempts,
        )
    return found


def _path(records: Mapping[int, StepRecord], number: int) -> str:
    """Return a step's name with those of the groups that hold it: ``for-loop-2/1/train``."""
    parts: list[str] = []
    seen: set[int] = set()
    at: int | None = number
    while at is not None and at in records and at not in seen:
        seen.add(at)
        record = records[at]
        if not record.is_root or at == number:
            parts.append(
                str(record.iteration)
                if record.iteration is not None and record.is_dag
                else record.name
            )
        at = record.parent_dag
    return "/".join(reversed(parts))


def _in_order(
    records: Mapping[int, StepRecord], parents: Mapping[int, tuple[int, ...]]
) -> list[int]:
    """Return the steps in topological order: by their ids as far as their parents allow."""
    after: dict[int, list[int]] = {}
    waiting = dict.fromkeys(records, 0)
    for number, record in records.items():
        before = {p for p in (*parents[number], record.parent_dag) if p in records and p != number}
        waiting[number] = len(before)
        for other in before:
            after.setdefault(other or 0, []).append(number)
    ready = [number for number, count in waiting.items() if not count]
    heapq.heapify(ready)
    order: dict[int, None] = {}
    while ready:
        number = heapq.heappop(ready)
        order[number] = None
        for other in after.get(number, ()):
            waiting[other] -= 1
            if not waiting[other]:
                heapq.heappush(ready, other)
    # Steps in a circle of parents follow by their ids.
    return [*order, *(number for number in sorted(records) if number not in order)]
