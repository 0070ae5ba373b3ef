"""A run: its steps with their times, and their order as a scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.explorer.scenes import scene_json
from mlmd_lineage.explorer.times import milliseconds
from mlmd_lineage.lineage import keys
from mlmd_lineage.snapshot.json_values import json_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.explorer.explored_store import ExploredStore
    from mlmd_lineage.post_execution.views import PipelineRunView, StepView

_FOLDS = ("nested", "none")


def run(
    store: ExploredStore,
    name: str,
    *,
    pipeline: str | None = None,
    fold: str = "nested",
    expand: Sequence[str] = (),
) -> dict[str, Any]:
    """Return a run with its steps.

    Members: ``key``, ``run``, ``run_name`` (the platform's, where people gave it another in
    Kubeflow), ``pipeline``, ``pipeline_key``, ``platform``, ``status``, ``start``, ``end``,
    ``duration``, ``experiment``, ``parameters`` and ``metrics`` of the run as a whole, ``steps``
    in topological order, and ``scene``, in which a box is a step. Of a step: ``key``, ``name``,
    ``path``, ``type``, ``status``, ``cached``, ``start``, ``end``, ``duration``, ``before`` (the
    keys of the steps before it), ``parent`` (the group that holds it), ``group`` (whether it is
    one), ``attempt``, ``attempts``, ``original`` (the step whose results it reuses),
    ``parameters``, ``metrics``, ``inputs`` and ``outputs`` (artifact keys by the events' keys).

    Args:
        store: The store.
        name: The run's name, id or key.
        pipeline: The name or key of its pipeline, where several have runs of this name.
        fold: ``nested`` draws groups of steps of a large run, such as loops, as single boxes;
            ``none`` draws every step.
        expand: The keys of groups that are drawn opened in any case.
    """
    if fold not in _FOLDS:
        message = f"fold is one of {', '.join(_FOLDS)}, not {fold!r}."
        raise errors.ConfigurationError(message)
    view = _found(store, name, pipeline)
    return {
        "key": view.node_key,
        "run": view.display_name,
        "run_name": view.name,
        "pipeline": view.pipeline_name,
        "pipeline_key": view.pipeline.node_key,
        "platform": view.dialect,
        "status": "cached" if view.is_cached else view.status,
        "start": milliseconds(view.started),
        "end": milliseconds(view.finished),
        "duration": milliseconds(view.duration),
        "experiment": view.experiment,
        "parameters": json_value(dict(view.parameters)),
        "metrics": json_value(dict(view.metrics)),
        "steps": [step_row(step) for step in view.steps if not step.is_root],
        "scene": _scene(view, expand, fold=fold != "none"),
    }


def _found(store: ExploredStore, name: str, pipeline: str | None) -> PipelineRunView:
    if pipeline is None:
        return store.get_run(name)
    view = store.get_pipeline(pipeline)
    named = [run for run in view.runs if run.node_key == name]
    return named[0] if named else view.get_run(name)


def step_row(step: StepView) -> dict[str, Any]:
    """Return a step as the table and the view of times show it."""
    original, group = step.original_step, step.parent_dag
    return {
        "key": step.node_key,
        "name": step.display_name,
        "path": step.path,
        "type": step.type,
        "status": "cached" if step.is_cached else step.status,
        "cached": step.is_cached,
        "start": milliseconds(step.started),
        "end": milliseconds(step.finished),
        "duration": milliseconds(step.duration),
        "before": [f"execution/{number}" for number in step.parents_step_ids],
        "parent": None if group is None or group.is_root else group.node_key,
        "group": step.is_dag,
        "attempt": step.attempt,
        "attempts": step.attempts,
        "original": None if original is None else original.node_key,
        "parameters": json_value(dict(step.parameters)),
        "metrics": json_value(dict(step.metrics)),
        "inputs": _keys(step.input_artifacts),
        "outputs": _keys(step.output_artifacts),
    }


def _keys(found: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
    return {key: [artifact.node_key for artifact in some] for key, some in found.items()}


def _scene(view: PipelineRunView, expand: Sequence[str], *, fold: bool) -> dict[str, Any]:
    named = filter(None, map(keys.parse_text, expand))
    opened = {number for kind, number in named if kind == "execution"}
    scene = view.scene(fold=fold, opened=opened)
    width, height = scene_json.place(scene)
    ids = [box.key for box in scene.boxes]
    inside: dict[str, list[str]] = {}
    for step in view.steps:
        group = step.parent_dag
        while group is not None:
            if not step.is_dag:
                inside.setdefault(group.node_key, []).append(step.node_key)
            group = group.parent_dag
    return {
        "focus": None,
        "width": width,
        "height": height,
        "complete": True,
        "said": scene.folded,
        "nodes": [
            scene_json.node(box, inside.get(box.key, [box.key]) if box.is_folded else [box.key])
            for box in scene.boxes
        ],
        "edges": [scene_json.edge(line, ids) for line in scene.lines],
    }
