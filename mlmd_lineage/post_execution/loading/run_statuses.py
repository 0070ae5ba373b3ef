"""The status of a run and of each of its steps, derived from what the dialect says of the steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mlmd_lineage.dialects.statuses import derived_status, group_status

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mlmd_lineage.dialects.base import Dialect
    from mlmd_lineage.dialects.records import RunDetails, Status, StepOutline, StepRecord

    Outlines: TypeAlias = Mapping[int, StepRecord] | Mapping[int, StepOutline]
    Attempts: TypeAlias = Mapping[int, tuple[int, int]]

_ONLY = 1, 1


class StepEnd(NamedTuple):
    """How a step ended; that of a group of steps follows from those in it."""

    status: Status
    is_cached: bool
    finished: int | None


class RunStatuses(NamedTuple):
    """How a run and its steps ended, and when.

    Attributes:
        steps: How each step ended.
        attempts: For each step which attempt it is, counted from 1, and how many there are.
        children: For each group the steps in it.
    """

    status: Status
    is_cached: bool
    started: int | None
    finished: int | None
    steps: Mapping[int, StepEnd]
    attempts: Attempts
    children: Mapping[int, Sequence[int]]


def of_run(outlines: Outlines, dialect: Dialect | None, details: RunDetails) -> RunStatuses:
    """Return how a run and its steps ended.

    Args:
        outlines: What the dialect says of each step, whole or in outline.
        dialect: The run's dialect.
        details: What it says of the run; only its statuses count.
    """
    skip = dialect is not None and dialect.canceled_is_skipped
    attempts = _attempts(outlines, repeats=dialect is not None and dialect.repeats_are_attempts)
    children = _children(outlines)
    steps = _outcomes(outlines, children, attempts, skip=skip)
    top = [number for number, outline in outlines.items() if outline.parent_dag not in outlines]
    all_skipped = bool(top) and all(steps[number].status == "canceled" for number in top)
    status = derived_status(
        [steps[number].status for number in _last_attempts(top, attempts)],
        canceled_is_skipped=skip,
        nothing="completed" if all_skipped else details.status or "running",
    )
    if steps and details.own_status is not None:
        status = derived_status((status, details.own_status), canceled_is_skipped=False)
    ended = _most([step.finished for step in steps.values()])
    return RunStatuses(
        status=status,
        is_cached=_all_cached([steps[number] for number in top]),
        started=_least([outline.started for outline in outlines.values()]),
        finished=None if status == "running" else ended,
        steps=steps,
        attempts=attempts,
        children=children,
    )


def _attempts(outlines: Outlines, *, repeats: bool) -> Attempts:
    """Return for each step which attempt it is, counted from 1, and how many there are.

    Attempts at one step have the same name, group and iteration.
    """
    found = dict.fromkeys(outlines, _ONLY)
    names = {(outline.parent_dag, outline.name, outline.iteration) for outline in outlines.values()}
    if not repeats or len(names) == len(found):
        return found
    same: dict[tuple[int | None, str, int | None], list[int]] = {}
    for number in sorted(outlines):
        outline = outlines[number]
        key = (outline.parent_dag, outline.name, outline.iteration)
        same.setdefault(key, []).append(number)
    for numbers in same.values():
        for attempt, number in enumerate(numbers, 1):
            found[number] = attempt, len(numbers)
    return found


def _children(outlines: Outlines) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for number, outline in outlines.items():
        parent = outline.parent_dag
        if parent is not None and parent != number and parent in outlines:
            children.setdefault(parent, []).append(number)
    return children


def _outcomes(
    outlines: Outlines,
    children: Mapping[int, Sequence[int]],
    attempts: Attempts,
    *,
    skip: bool,
) -> dict[int, StepEnd]:
    done: dict[int, StepEnd] = {}
    if not children:
        done = {
            number: StepEnd(outline.status, outline.is_cached, outline.finished)
            for number, outline in outlines.items()
            if outline.status is not None
        }
        if len(done) == len(outlines):
            return done
    order = reversed(_from_the_top(outlines, children)) if children else outlines
    for number in order:
        outline = outlines[number]
        if number not in children and outline.status is not None:
            done[number] = StepEnd(outline.status, outline.is_cached, outline.finished)
            continue
        inside = [child for child in children.get(number, ()) if child in done]
        inner = [done[child] for child in inside]
        status = outline.status or group_status(
            outline.state,
            [
                (outlines[n].name, outlines[n].iteration, done[n].status)
                for n in _last_attempts(inside, attempts)
            ],
            outline.expected_children,
            canceled_is_skipped=skip,
            was_retried=any(
                done[n].status == "failed" and attempts[n][0] < attempts[n][1] for n in inside
            ),
        )
        finished = outline.finished
        if outline.status is None and status != "running":
            finished = _most([step.finished for step in inner]) or outline.finished
        is_cached = outline.is_cached or (bool(inner) and _all_cached(inner))
        done[number] = StepEnd(status, is_cached, finished)
    return done


def _from_the_top(outlines: Outlines, children: Mapping[int, Sequence[int]]) -> list[int]:
    """Return all steps, each after the group that holds it; those of a circle of groups last."""
    found = [n for n, outline in outlines.items() if outline.parent_dag not in outlines]
    for number in found:
        found.extend(children.get(number, ()))
    seen = set(found)
    return [*found, *(number for number in outlines if number not in seen)]


def _last_attempts(steps: Iterable[int], attempts: Attempts) -> list[int]:
    """Return the last attempt at each step."""
    return [
        number
        for number in steps
        if (attempt := attempts[number]) is _ONLY or attempt[0] == attempt[1]
    ]


def _all_cached(steps: Collection[StepEnd]) -> bool:
    """Tell whether all steps were cached, as far as they were not skipped."""
    done = [step for step in steps if step.status != "canceled"]
    return bool(done) and all(step.is_cached for step in done)


def _least(times: Iterable[int | None]) -> int | None:
    return min([time for time in times if time is not None], default=None)


def _most(times: Iterable[int | None]) -> int | None:
    return max([time for time in times if time is not None], default=None)
