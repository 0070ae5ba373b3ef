"""The dialect of Kubeflow Model Registry, which kept its tables in MLMD up to 0.2.

Source: ``internal/mlmdtypes`` and ``internal/converter`` of kubeflow/model-registry, whose types
began with ``odh.`` at first and with ``kf.`` since. It writes no events: models, versions,
services, experiments and their runs are contexts, and what belongs to them is attributed to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.dialects.base import Dialect, merged
from mlmd_lineage.dialects.records import ArtifactRecord, RunDetails, RunIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.dialects.facts import ArtifactFacts, ContextFacts, ExecutionFacts
    from mlmd_lineage.dialects.records import Status, StepRecord

PREFIXES = ("kf.", "odh.")
_STATUSES: Mapping[str, Status] = {
    "FINISHED": "completed",
    "FAILED": "failed",
    "KILLED": "canceled",
    "RUNNING": "running",
    "SCHEDULED": "running",
}


class ModelRegistry(Dialect):
    """Kubeflow Model Registry."""

    name = "model_registry"
    platform = "Kubeflow Model Registry"
    membership_properties = ()
    derived_names = tuple(f"{prefix}ExperimentRun" for prefix in PREFIXES)
    outline_properties = ()
    attributed_types = tuple(f"{prefix}ExperimentRun" for prefix in PREFIXES)

    def identify_runs(self, contexts: Sequence[ContextFacts]) -> tuple[RunIdentity, ...] | None:
        """Return experiment runs; other contexts of the registry are neither runs nor pipelines."""
        kinds = {kind_of(context.type): context for context in contexts}
        kinds.pop(None, None)
        if not kinds:
            return None
        run = kinds.get("ExperimentRun")
        if run is not None:
            pipeline = next((p for p in run.parents if kind_of(p.type) == "Experiment"), None)
            name = pipeline.name if pipeline is not None else run.type
            return (RunIdentity(run, pipeline, name, run_name=own_name(run.name)),)
        experiment = kinds.get("Experiment")
        if experiment is not None:
            return (RunIdentity(experiment, experiment, experiment.name),)
        return ()

    def step_name(self, execution: ExecutionFacts, identity: RunIdentity) -> str:
        """Return the execution's name, without the id of what it belongs to."""
        return own_name(super().step_name(execution, identity))

    def artifact(self, artifact: ArtifactFacts) -> ArtifactRecord:
        """Return an artifact; the number in a metric's property ``value`` is its metric."""
        properties = merged(artifact)
        name = own_name(artifact.name or "") or None
        value = _value(properties) if kind_of(artifact.type) == "Metric" else None
        is_number = isinstance(value, (int, float)) and name is not None
        return ArtifactRecord(
            name=name,
            properties=properties,
            metrics={str(name): value} if is_number else {},  # type: ignore[dict-item]
        )

    def may_measure(self, type_name: str, base_type: str | None) -> bool:
        """Tell whether a type is that of a metric."""
        del base_type
        return kind_of(type_name) == "Metric"

    def run(
        self,
        identity: RunIdentity,
        steps: Sequence[tuple[ExecutionFacts, StepRecord]],
        artifacts: Sequence[ArtifactFacts] = (),
    ) -> RunDetails:
        """Return the parameters and metrics that are attributed to an experiment run."""
        del steps
        records = [(artifact, self.artifact(artifact)) for artifact in artifacts]
        return RunDetails(
            parameters={
                str(record.name): _value(record.properties)
                for artifact, record in records
                if kind_of(artifact.type) == "Parameter"
            },
            metrics={artifact.id: record.metrics for artifact, record in records if record.metrics},
            status=self.run_outline(identity).status,
        )

    def run_outline(self, identity: RunIdentity) -> RunDetails:
        """Return the status of an experiment run."""
        held = {} if identity.run is None else identity.run.properties
        return RunDetails(status=_STATUSES.get(str(held.get("status")), "completed"))


def kind_of(type_name: str) -> str | None:
    """Return the registry's name of a type, None for a type that is not the registry's.

    >>> kind_of("kf.RegisteredModel"), kind_of("system.Model")
    ('RegisteredModel', None)
    """
    for prefix in PREFIXES:
        if type_name.startswith(prefix):
            return type_name.removeprefix(prefix)
    return None


def own_name(name: str) -> str:
    """Return a name without the id of what it belongs to, with which the registry prefixes it.

    >>> own_name("3:fraud"), own_name("fraud")
    ('fraud', 'fraud')
    """
    prefix, separator, rest = name.partition(":")
    return rest if separator and rest and prefix.isdecimal() else name


def _value(properties: Mapping[str, Any]) -> Any:
    """Return a parameter's or a metric's value; the registry keeps parameters as texts."""
    value = properties.get("value")
    if properties.get("parameter_type") in {"number", "NUMBER"} and isinstance(value, str):
        try:
            return float(value) if not value.lstrip("-").isdecimal() else int(value)
        except ValueError:
            return value
    return value
