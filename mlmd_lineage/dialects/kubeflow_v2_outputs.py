"""The outputs of Kubeflow's DAGs, which are outputs of the tasks inside.

A pipeline that is used as a component passes on artifacts and parameters, and MLMD has no events
of it. Since 2.5 the DAG's properties ``artifact_producer_task`` and ``parameter_producer_task``
name for each output the task that makes it, as ``DagOutputsSpec`` of kubeflow/pipelines'
``api/v2alpha1/pipeline_spec.proto`` in JSON.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mlmd_lineage.dialects.base import from_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlmd_lineage.dialects.records import StepRecord

_ARTIFACTS, _PARAMETERS = "artifact_producer_task", "parameter_producer_task"


def with_group_outputs(steps: Mapping[int, StepRecord]) -> dict[int, StepRecord]:
    """Return the steps of a run, its DAGs with the outputs that they pass on."""
    found = dict(steps)
    children: dict[int, list[int]] = {}
    for number, step in sorted(steps.items()):
        if step.parent_dag in steps and step.parent_dag != number:
            children.setdefault(step.parent_dag or 0, []).append(number)
    # A DAG's execution is put before those inside.
    for number in sorted(children, reverse=True):
        inside = [found[child] for child in children[number]]
        found[number] = _linked(found[number], inside)
    return found


def _linked(group: StepRecord, inside: Sequence[StepRecord]) -> StepRecord:
    artifacts = _selectors(group.internal_properties.get(_ARTIFACTS))
    parameters = _selectors(group.internal_properties.get(_PARAMETERS))
    if not artifacts and not parameters:
        return group
    iterations = [step for step in inside if step.is_dag and step.iteration is not None]
    if iterations:
        outputs = {
            key: _joined(step.outputs.get(key, ()) for step in iterations) for key in artifacts
        }
        values: dict[str, Any] = {
            key: [step.output_parameters.get(key) for step in iterations] for key in parameters
        }
    else:
        last = {step.name: step for step in inside}  # of several attempts the last one counts
        outputs = {
            key: _joined(last[task].outputs.get(name, ()) for task, name in some if task in last)
            for key, some in artifacts.items()
        }
        values = {}
        for key, some in parameters.items():
            made = [(last[task].output_parameters, name) for task, name in some if task in last]
            there = [given[name] for given, name in made if name in given]
            if there:
                values[key] = there[0]
    return dataclasses.replace(
        group,
        outputs={**group.outputs, **{key: some for key, some in outputs.items() if some}},
        output_parameters={**group.output_parameters, **values},
    )


def _joined(parts: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(number for part in parts for number in part))


def _selectors(value: Any) -> dict[str, list[tuple[str, str]]]:
    """Return for each output the tasks that may make it, each with its own output's name."""
    held = from_json(value)
    if not isinstance(held, dict):
        return {}
    return {key: list(_pairs(from_json(spec))) for key, spec in sorted(held.items())}


def _pairs(spec: Any) -> Iterable[tuple[str, str]]:
    """Yield the pairs of a task and an output in a selector, however deep they are."""
    if isinstance(spec, list):
        for part in spec:
            yield from _pairs(part)
    if not isinstance(spec, dict):
        return
    task = spec.get("producer_subtask", spec.get("producerSubtask"))
    if task is None:
        for part in spec.values():
            yield from _pairs(part)
        return
    for name in ("output_artifact_key", "output_parameter_key"):
        camel = "".join(word.title() for word in name.split("_"))
        key = spec.get(name, spec.get(camel[0].lower() + camel[1:]))
        if key is not None:
            yield str(task), str(key)
