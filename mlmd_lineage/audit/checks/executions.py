"""Checks of executions: without events, inputs or outputs, and stuck."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.audit.checks.base import AuditCheck, Observation, Severity
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.enums import ExecutionState, name_of
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.audit.checks.data import AuditData

    Array = np.ndarray[Any, np.dtype[Any]]

_CHOOSERS = frozenset({"Resolver", "ResolverNode"})
"""The short names of execution types that may rightly find nothing to pass on."""
_NAMES = frozenset({"task_name", "component_id", "display_name"})
"""The properties that name the step where many steps share one type, as in Kubeflow."""
_PARAMETERS = frozenset({"inputs", "outputs"})
"""The properties in which Kubeflow keeps values that pass from step to step without events."""
_FINISHED = (ExecutionState.COMPLETE, ExecutionState.UNKNOWN)


def _no_events(data: AuditData) -> Iterator[Observation]:
    has_events = data.flags(data.executions, data.events.executions)
    passes_values = np.isin(
        data.executions.ids, data.owners("execution", lambda name: name in _PARAMETERS)
    )
    found = _may_be_asked(data) & ~has_events & ~passes_values
    for key in data.executions.keys(np.flatnonzero(found)):
        yield Observation(key, "it took nothing and made nothing, as far as the store says")


def _no_inputs(data: AuditData) -> Iterator[Observation]:
    yield from _unlike_its_siblings(data, inputs=True)


def _no_outputs(data: AuditData) -> Iterator[Observation]:
    yield from _unlike_its_siblings(data, inputs=False)


def _unlike_its_siblings(data: AuditData, *, inputs: bool) -> Iterator[Observation]:
    """Yield the executions without inputs, or outputs, of steps that otherwise have some."""
    events = data.events
    has_events = data.flags(data.executions, events.executions)
    has = data.flags(data.executions, events.executions[events.is_input == inputs])
    asked = _may_be_asked(data)
    steps = _steps(data)
    with_some = np.bincount(steps[asked & has], minlength=int(steps.max(initial=0)) + 1)
    found = asked & has_events & ~has & (with_some[steps] > 0)
    what, verb = ("inputs", "took") if inputs else ("outputs", "made")
    for place in np.flatnonzero(found).tolist():
        count = int(with_some[steps[place]])
        others = "another execution" if count == 1 else f"{count:,} other executions"
        message = f"it has no {what}, and {others} of this step {verb} some"
        yield Observation(data.executions.key(place), message, {"others": count})


def _may_be_asked(data: AuditData) -> Array:
    """Tell which executions have finished, and are steps that take and make artifacts."""
    finished = np.isin(data.executions.states, _FINISHED) & ~data.executions.missing
    chooses = data.is_of(data.executions, lambda name: short_type(name) in _CHOOSERS)
    asked: Array = finished & ~data.is_group & ~data.is_importer & ~chooses
    return asked


def _steps(data: AuditData) -> Array:
    """Return for each execution a number of the step that it is: its type and its name there."""
    table = data.property_rows("execution", lambda name: name in _NAMES)
    names = np.zeros(len(data.executions.ids), np.int64)
    if table.num_rows:
        encoded = table["string_value"].combine_chunks().dictionary_encode()
        places = data.executions.ids.searchsorted(arrays.to_numpy(table["execution_id"]))
        inside = places < len(names)
        names[places[inside]] = arrays.to_numpy(encoded.indices, -1)[inside] + 1
    pairs = np.stack([data.executions.types.astype(np.int64), names])
    steps: Array = np.unique(pairs, axis=1, return_inverse=True)[1].reshape(-1)
    return steps


def _stuck(data: AuditData) -> Iterator[Observation]:
    found = data.is_stuck & ~data.is_group & ~data.executions.missing
    for place in np.flatnonzero(found).tolist():
        state = name_of(ExecutionState, int(data.executions.states[place]))
        last = int(data.last_seen[place])
        when = f", and nothing was recorded of it since {_day(last)}" if last else ""
        message = f"its state is {state}{when}"
        evidence = {"state": state, "last_time": last or None}
        yield Observation(data.executions.key(place), message, evidence)


def _day(milliseconds: int) -> str:
    moment = dt.datetime.fromtimestamp(milliseconds / 1000, dt.timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _group_without_end(data: AuditData) -> Iterator[Observation]:
    found = data.is_stuck & data.is_group
    count = int(found.sum())
    if count:
        first = data.executions.keys(np.flatnonzero(found)[:1])[0]
        message = (
            f"{count:,} groups of steps are still running, as far as their states say; Kubeflow "
            "often leaves them so, and the status of a group follows from its steps"
        )
        number = int(data.executions.types[np.flatnonzero(found)[0]])
        yield Observation(f"type/{number}", message, {"count": count, "first": first})


CHECKS = (
    AuditCheck(
        "no_events",
        Severity.NOTE,
        "An execution without an event has no part in any lineage.",
        "Record what it took and made, if it did.",
        _no_events,
    ),
    AuditCheck(
        "no_inputs",
        Severity.NOTE,
        "A step that otherwise takes artifacts may have read some that were not recorded.",
        "Look at its parameters for a path, and record it as an artifact.",
        _no_inputs,
    ),
    AuditCheck(
        "no_outputs",
        Severity.WARNING,
        "A step that otherwise makes artifacts may have written some that were not recorded.",
        "Look at its logs, and at what stands beside the outputs of the others.",
        _no_outputs,
    ),
    AuditCheck(
        "stuck_running",
        Severity.WARNING,
        "MLMD cannot tell a step that was killed from one that runs: its end is not known.",
        "Find out what became of it, and set its state to FAILED or CANCELED.",
        _stuck,
    ),
    AuditCheck(
        "unfinished_group",
        Severity.NOTE,
        "Kubeflow does not always set the state of a DAG at its end.",
        "Nothing: ask for the status of the run, which follows from its steps.",
        _group_without_end,
    ),
)
