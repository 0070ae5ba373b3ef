"""The dialect of Kubeflow Pipelines 2.0 to 2.17, and of the v2-compatible mode of 1.6 to 1.8.

Source: ``backend/src/v2/metadata/client.go`` of kubeflow/pipelines (``v2/metadata/client.go`` in
1.6 to 1.8, where the types began with ``kfp.`` at first). All types are without a schema:
everything is a custom property.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mlmd_lineage.dialects.base import Dialect, first, last_part, merged, scalars
from mlmd_lineage.dialects.kubeflow_v2_outputs import with_group_outputs
from mlmd_lineage.dialects.records import ArtifactRecord, RunDetails, RunIdentity
from mlmd_lineage.snapshot.imported import IMPORTED_PREFIX
from mlmd_lineage.untrusted_text import int64_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.dialects.facts import ArtifactFacts, ContextFacts, ExecutionFacts
    from mlmd_lineage.dialects.records import Status, StepOutline, StepRecord

_PIPELINES = ("system.Pipeline", "kfp.Pipeline")
RUNS = ("system.PipelineRun", "kfp.PipelineRun")
_INPUT, _OUTPUT = "input:", "output:"
LOGS = "executor-logs"
ROOT = "root"
_METRICS = _SCALARS, _CLASSIFICATION = "Metrics", "ClassificationMetrics"


class KubeflowV2(Dialect):
    """Kubeflow Pipelines 2."""

    name = "kubeflow_v2"
    platform = "Kubeflow Pipelines 2"
    original_properties = ("cached_execution_id",)
    membership_properties = ()
    derived_names = ()
    group_properties = ("parent_dag_id",)
    outline_properties = (
        "cached_execution_id",
        "display_name",
        "iteration_count",
        "iteration_index",
        "parent_dag_id",
        "task_name",
        "total_dag_tasks",
    )
    # A false condition leaves an execution in the state CANCELED.
    canceled_is_skipped = True

    def identify_runs(self, contexts: Sequence[ContextFacts]) -> tuple[RunIdentity, ...] | None:
        """Return the run of an execution."""
        run = first(contexts, *RUNS)
        pipeline = first(run.parents if run else (), *_PIPELINES) or first(contexts, *_PIPELINES)
        if run is None:
            return None if pipeline is None else (RunIdentity(pipeline, pipeline, pipeline.name),)
        return (RunIdentity(run, pipeline, pipeline.name if pipeline else run.name),)

    def step_name(self, execution: ExecutionFacts, identity: RunIdentity) -> str:
        """Return the key of the step's task in its DAG; up to 2.5 that is its display name."""
        del identity
        found = merged(execution)
        if _is_dag(execution) and _parent(found) is None:
            return ROOT
        for name in ("task_name", "display_name"):
            if found.get(name):
                return str(found[name])
        return execution.name or last_part(execution.type)

    def status(self, execution: ExecutionFacts) -> tuple[Status, bool]:
        """Return a step's status; it is cached where another execution is named."""
        status, cached = super().status(execution)
        named = _number(merged(execution).get("cached_execution_id")) is not None
        if named and status == "completed":
            status = "cached"
        return status, cached or status == "cached"

    def step(self, execution: ExecutionFacts, identity: RunIdentity) -> StepRecord:
        """Return an execution as a step, with what the platform shows as what it runs."""
        record = super().step(execution, identity)
        return dataclasses.replace(record, entrypoint_name=record.display_name or record.name)

    def outline(self, execution: ExecutionFacts, identity: RunIdentity) -> StepOutline:
        """Return a step's name, status and position in the tree of DAGs.

        The status of a DAG follows from its children later.
        """
        outline = super().outline(execution, identity)
        found = merged(execution)
        parent = _parent(found)
        is_dag = _is_dag(execution)
        if is_dag:
            outline = outline._replace(status=None, is_cached=False, finished=None)
        count = _number(found.get("iteration_count"), zero=True)
        return outline._replace(
            is_dag=is_dag,
            is_root=is_dag and parent is None,
            parent_dag=parent,
            iteration=_number(found.get("iteration_index"), zero=True),
            expected_children=_number(found.get("total_dag_tasks"), zero=True)
            if count is None
            else count,
        )

    def link_steps(self, steps: Mapping[int, StepRecord]) -> Mapping[int, StepRecord]:
        """Return the steps of a run, its DAGs with the outputs that they pass on."""
        return with_group_outputs(steps)

    def details(self, execution: ExecutionFacts) -> dict[str, Any]:
        """Return parameters, and how the platform shows the step."""
        found = merged(execution)
        rest = {
            name: value
            for name, value in found.items()
            if name not in {"inputs", "outputs"} and not name.startswith((_INPUT, _OUTPUT))
        }
        return {
            "parameters": _parameters(found, "inputs", _INPUT),
            "output_parameters": _parameters(found, "outputs", _OUTPUT),
            "internal_properties": dict(sorted(rest.items())),
            "display_name": str(found.get("display_name") or "") or None,
            "incidental_outputs": frozenset((LOGS,)),
            "cached_from": _number(found.get("cached_execution_id")),
        }

    def artifact(self, artifact: ArtifactFacts) -> ArtifactRecord:
        """Return an artifact with its metrics.

        They are the numbers of ``system.Metrics``, and the cells of the confusion matrix of
        ``system.ClassificationMetrics``; the points of its ROC curve stay properties.
        """
        properties = {
            name: _unwrapped(value)
            for name, value in merged(artifact).items()
            if not name.startswith(IMPORTED_PREFIX)
        }
        return ArtifactRecord(
            name=properties.get("display_name") or artifact.name,
            properties=properties,
            metrics=_metrics(last_part(artifact.type), properties),
        )

    def may_measure(self, type_name: str, base_type: str | None) -> bool:
        """Tell whether a type is that of metrics."""
        del base_type
        return last_part(type_name) in _METRICS

    def run(
        self,
        identity: RunIdentity,
        steps: Sequence[tuple[ExecutionFacts, StepRecord]],
        artifacts: Sequence[ArtifactFacts] = (),
    ) -> RunDetails:
        """Return the run's parameters, those of its root, and the properties of its context."""
        del artifacts
        root = next((record for _, record in steps if record.is_root), None)
        return RunDetails(
            parameters={} if root is None else root.parameters,
            runtime_configuration={} if identity.run is None else identity.run.properties,
        )


def _metrics(kind: str, properties: Mapping[str, Any]) -> dict[str, float | int | bool]:
    if kind == _SCALARS:
        return scalars(properties)
    if kind == _CLASSIFICATION:
        return _confusion_matrix(properties.get("confusionMatrix"))
    return {}


def _confusion_matrix(matrix: Any) -> dict[str, float | int | bool]:
    """Return the cells of a confusion matrix: ``confusionMatrix.ACTUAL.PREDICTED``."""
    if not isinstance(matrix, dict):
        return {}
    try:
        names = [str(spec["displayName"]) for spec in matrix["annotationSpecs"]]
        rows = [row["row"] for row in matrix["rows"]]
        return {
            f"confusionMatrix.{actual}.{predicted}": float(value)
            for actual, row in zip(names, rows, strict=True)
            for predicted, value in zip(names, row, strict=True)
        }
    except (KeyError, TypeError, ValueError):
        return {}


def _is_dag(execution: ExecutionFacts) -> bool:
    return last_part(execution.type) == "DAGExecution"


def _parent(properties: Mapping[str, Any]) -> int | None:
    return _number(properties.get("parent_dag_id"))


def _number(value: Any, *, zero: bool = False) -> int | None:
    """Return an id or a count, which may be kept as a text; None where there is none."""
    number = int64_of(value)
    return number if number or (zero and number is not None) else None


def _parameters(properties: Mapping[str, Any], struct: str, prefix: str) -> dict[str, Any]:
    """Return parameters: 1.6 and 1.7 kept one property each, since 1.8 they are one Struct.

    A Struct's numbers are all floats, and nothing in MLMD says which were integers: they stay
    floats.
    """
    held = properties.get(struct)
    found = dict(held) if isinstance(held, dict) else {}
    for name, value in properties.items():
        if name.startswith(prefix):
            found.setdefault(name.removeprefix(prefix), value)
    return dict(sorted(found.items()))


def _unwrapped(value: Any) -> Any:
    """Return a list or a dict that was wrapped to become a Struct."""
    if isinstance(value, dict) and len(value) == 1:
        for key, kind in (("list", list), ("struct", dict)):
            if isinstance(value.get(key), kind):
                return value[key]
    return value
