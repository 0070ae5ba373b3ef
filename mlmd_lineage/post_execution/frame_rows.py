"""Columns and rows of the frames of pipelines, runs, steps, parameters and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlmd_lineage.dialects.kubeflow_v2 import RUNS as KUBEFLOW_RUNS
from mlmd_lineage.snapshot.columns import TEXT

if TYPE_CHECKING:
    from mlmd_lineage.kubeflow.run_names import RunNames
    from mlmd_lineage.post_execution.loading.run_assembly import Step
    from mlmd_lineage.post_execution.loading.run_index import RunIndex
    from mlmd_lineage.post_execution.loading.run_membership import RunEntry
    from mlmd_lineage.post_execution.loading.run_outlines import RunOutlines

_TIME = pd.DatetimeTZDtype("ms", "UTC")
_INT, _FLOAT, _BOOL = pd.Int64Dtype(), pd.Float64Dtype(), pd.BooleanDtype()

PIPELINES: dict[str, Any] = {
    "pipeline": TEXT,
    "name": TEXT,
    "id": _INT,
    "dialect": TEXT,
    "runs": _INT,
    "last_run": TEXT,
    "last_status": TEXT,
    "started": _TIME,
    "finished": _TIME,
}
OF_RUN: dict[str, Any] = {
    "run": TEXT,
    "run_name": TEXT,
    "pipeline": TEXT,
    "pipeline_name": TEXT,
}
RUNS: dict[str, Any] = {
    "run": TEXT,
    "name": TEXT,
    "pipeline": TEXT,
    "pipeline_name": TEXT,
    "dialect": TEXT,
    "status": TEXT,
    "state": TEXT,
    "is_cached": _BOOL,
    "steps": _INT,
    "started": _TIME,
    "finished": _TIME,
}
OF_RECORD: dict[str, Any] = {
    "display_name": TEXT,
    "experiment": TEXT,
    "schedule": TEXT,
    "namespace": TEXT,
    "recorded_state": TEXT,
}
"""The columns of runs that Kubeflow's own database knows."""
STEPS: dict[str, Any] = {
    "execution_id": _INT,
    "name": TEXT,
    "path": TEXT,
    "display_name": TEXT,
    "entrypoint_name": TEXT,
    "type": TEXT,
    "status": TEXT,
    "state": TEXT,
    "is_cached": _BOOL,
    "original_execution_id": _INT,
    **OF_RUN,
    "dialect": TEXT,
    "is_dag": _BOOL,
    "parent_dag_id": _INT,
    "iteration": _INT,
    "attempt": _INT,
    "attempts": _INT,
    "started": _TIME,
    "finished": _TIME,
}
OF_STEP: dict[str, Any] = {"execution_id": _INT, "step": TEXT, **OF_RUN}
OF_ATTEMPT: dict[str, Any] = {
    "execution_id": _INT,
    "step": TEXT,
    "path": TEXT,
    "attempt": _INT,
    **OF_RUN,
}
PARAMETERS: dict[str, Any] = {**OF_ATTEMPT, "name": TEXT, "value": object}
METRICS: dict[str, Any] = {
    **OF_ATTEMPT,
    "artifact_id": _INT,
    "key": TEXT,
    "name": TEXT,
    "value": _FLOAT,
}


def makers(outlines: RunOutlines, artifacts: pd.Index[int]) -> pd.DataFrame:
    """Return the step, the run and the pipeline that made each of some artifacts."""
    made_by = outlines.makers(artifacts.to_numpy())
    found, at = np.unique(made_by, return_inverse=True)
    steps = outlines.steps(found.tolist())
    rows: list[tuple[Any, ...]] = []
    for number in found.tolist():
        if number not in steps:
            rows.append((None,) * len(OF_STEP))
            continue
        key, name = steps[number]
        entry = outlines.membership.runs[key]
        pipeline = outlines.membership.pipelines[entry.pipeline]
        rows.append((number, name, key, entry.name, pipeline.key, pipeline.name))
    return row_frame(rows, OF_STEP).take(at).set_axis(artifacts)


def of_record(entry: RunEntry, names: RunNames) -> tuple[str | None, ...]:
    """Return what Kubeflow's own database knows of a run."""
    context = entry.identity.run
    record = names.get(context.name) if context and context.type in KUBEFLOW_RUNS else None
    if record is None:
        return (None,) * len(OF_RECORD)
    shown = record.display_name, record.experiment, record.schedule
    return (*shown, record.namespace, record.state)


def maker(run_index: RunIndex, artifact: int) -> tuple[Any, ...]:
    """Return the step, the run and the pipeline that made an artifact."""
    producer = run_index.producer(artifact)
    if producer is None:
        return (None,) * len(OF_STEP)
    key, step = run_index.step(producer)
    return of_step(run_index, run_index.membership.runs[key], step)


def of_run(run_index: RunIndex, entry: RunEntry) -> tuple[str, ...]:
    """Return the columns that name a run and its pipeline."""
    pipeline = run_index.membership.pipelines[entry.pipeline]
    return entry.key, entry.name, pipeline.key, pipeline.name


def of_step(run_index: RunIndex, entry: RunEntry, step: Step) -> tuple[Any, ...]:
    """Return the columns that name a step, its run and its pipeline."""
    return step.record.id, step.record.name, *of_run(run_index, entry)


def of_attempt(run_index: RunIndex, entry: RunEntry, step: Step | None) -> tuple[Any, ...]:
    """Return the columns that name an attempt at a step, its run and its pipeline."""
    own: tuple[Any, ...] = (None,) * 4
    if step is not None:
        own = (step.record.id, step.record.name, step.path, step.attempt)
    return (*own, *of_run(run_index, entry))


def _array(values: list[Any], dtype: Any) -> Any:
    """Return values as an array; halves of surrogate pairs, which Arrow refuses, as escapes."""
    try:
        return pd.array(values, dtype)
    except UnicodeEncodeError:
        shown = [
            value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
            for value in values
        ]
        return pd.array(shown, dtype)


def row_frame(rows: list[tuple[Any, ...]], dtypes: dict[str, Any], index: str = "") -> pd.DataFrame:
    """Return rows as a frame with these columns and dtypes, one of which may be its index."""
    held: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * len(dtypes)
    made = {}
    for (name, dtype), values in zip(dtypes.items(), held, strict=True):
        if dtype is _TIME:
            numbers = pd.array(list(values), _INT)
            made[name] = pd.to_datetime(numbers, unit="ms", utc=True, errors="coerce").astype(_TIME)
        elif dtype is object:
            made[name] = pd.Series(list(values), dtype=object)
        else:
            made[name] = _array(list(values), dtype)
    frame = pd.DataFrame(made)
    return frame.set_index(index) if index else frame
