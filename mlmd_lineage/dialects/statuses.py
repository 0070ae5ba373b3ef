"""Statuses of runs and of groups of steps, derived from those of their steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.snapshot.enums import ExecutionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlmd_lineage.dialects.records import Status

STATUSES: dict[int, Status] = {
    ExecutionState.NEW: "running",
    ExecutionState.RUNNING: "running",
    ExecutionState.COMPLETE: "completed",
    ExecutionState.FAILED: "failed",
    ExecutionState.CACHED: "cached",
    ExecutionState.CANCELED: "canceled",
}
"""The status of a step by the state of its execution."""


def derived_status(
    statuses: Iterable[Status], *, canceled_is_skipped: bool, nothing: Status = "running"
) -> Status:
    """Return the status of a run, or of a group of steps, from those of its steps.

    One failed step fails it, one running step keeps it running, one canceled step cancels it. Where
    all are done it has completed, even if all were cached, as ZenML and Kubeflow have it too.

    Args:
        statuses: The steps' statuses.
        canceled_is_skipped: Leave out canceled steps: a condition was false.
        nothing: What it is where no status is left, as it has no step yet.
    """
    found = set(statuses)
    if canceled_is_skipped:
        found.discard("canceled")
        if not found:
            return nothing
    order: tuple[Status, ...] = ("failed", "running", "canceled")
    for status in order:
        if status in found:
            return status
    return "completed" if found else nothing


def group_status(
    state: str | None,
    children: Sequence[tuple[str, int | None, Status]],
    expected: int | None,
    *,
    canceled_is_skipped: bool,
    was_retried: bool = False,
) -> Status:
    """Return the status of a group of steps: from its children, not from its own state.

    Kubeflow's own state of a DAG is unreliable: up to 2.3 it stays RUNNING, up to 2.16 only
    the direct parent of a step is updated, a cached step updates none, and FAILED stays when the
    run was tried again and completed (kubeflow/pipelines #10175, #11572, #11979, #12131, #13321,
    #13591, #13888). Where all children that exist have
    finished, but fewer exist than should, it is running; unless one was skipped, as then those
    that follow it never get an execution.

    Args:
        state: The group's own state, MLMD's name.
        children: For each child its name, its iteration of a loop, and its last attempt's status.
        expected: How many children there should be, if that is known.
        canceled_is_skipped: As for ``derived_status``.
        was_retried: Whether a child failed and a later attempt at it did not.
    """
    statuses = [status for _, _, status in children]
    own = STATUSES.get(
        ExecutionState.__members__.get(state or "", ExecutionState.UNKNOWN), "running"
    )
    there = len({(name, iteration) for name, iteration, _ in children})
    whole = expected is not None and there >= expected
    skipped = bool(statuses) and set(statuses) == {"canceled"}
    nothing: Status = "completed" if whole or skipped else "running"
    if own in {"failed", "completed"} or (own == "canceled" and not children):
        nothing = own
    found = derived_status(statuses, canceled_is_skipped=canceled_is_skipped, nothing=nothing)
    lacking = expected is not None and not whole and "canceled" not in statuses
    if own == "failed":
        return "failed" if lacking or not (was_retried or whole) else found
    if lacking and own == "running" and found == "completed":
        return "running"
    return found
