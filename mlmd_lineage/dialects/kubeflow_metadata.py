"""The dialect of the Kubeflow Metadata SDK of 2019 to 2021.

Source: ``sdk/python/kubeflow/metadata/metadata.py`` of kubeflow/metadata. All executions of a
workspace share one context; the run's name is the property ``__kf_run__``. What has no property
of its own is JSON in ``ALL_META``, and the metrics of ``kubeflow.org/alpha/metrics`` in ``values``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.dialects.base import Dialect, first, from_json, merged, scalars, split_properties
from mlmd_lineage.dialects.platform_properties import is_internal
from mlmd_lineage.dialects.records import ArtifactRecord, RunIdentity
from mlmd_lineage.snapshot.enums import INPUT_EVENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.dialects.facts import ArtifactFacts, ContextFacts, ExecutionFacts

_PREFIX = "kubeflow.org/alpha/"
_WORKSPACE, _MODEL, _METRICS = (_PREFIX + name for name in ("workspace", "model", "metrics"))
_RUN = "__kf_run__"
_ALL_META = "ALL_META"
_HYPERPARAMETERS = "hyperparameters"
_OWN = {"name", "description", "owner", "create_time", "version", _ALL_META}


class KubeflowMetadata(Dialect):
    """The Kubeflow Metadata SDK."""

    name = "kubeflow_metadata"
    platform = "Kubeflow Metadata SDK"
    membership_properties = (_RUN,)
    derived_names = ()
    outline_properties = ("name", _RUN)
    parameter_types = (_MODEL,)

    def identify_runs(self, contexts: Sequence[ContextFacts]) -> tuple[RunIdentity, ...] | None:
        """Return the workspace, whose runs the executions' properties tell."""
        workspace = first(contexts, _WORKSPACE)
        if workspace is None:
            return None
        return (RunIdentity(workspace, workspace, workspace.name, run_property=_RUN),)

    def step_name(self, execution: ExecutionFacts, identity: RunIdentity) -> str:
        """Return the name that the execution was given."""
        del identity
        return str(merged(execution).get("name") or execution.name or _short(execution.type))

    def details(self, execution: ExecutionFacts) -> dict[str, Any]:
        """Return parameters: the hyperparameters of the models that the execution logged."""
        found = merged(execution)
        own, internal = split_properties(found, lambda name: is_internal(name) or name in _OWN)
        parameters = {**own, **_meta(found)}
        for event in execution.events:
            if event.type not in INPUT_EVENTS and event.artifact is not None:
                parameters |= _hyperparameters(event.artifact)
        return {
            "entrypoint_name": _short(execution.type),
            "parameters": dict(sorted(parameters.items())),
            "internal_properties": dict(sorted(internal.items())),
        }

    def artifact(self, artifact: ArtifactFacts) -> ArtifactRecord:
        """Return an artifact, with what its JSON says among its properties."""
        found = merged(artifact)
        properties = {name: value for name, value in found.items() if name != _ALL_META}
        values = from_json(found.get("values"))
        is_metrics = artifact.type == _METRICS and isinstance(values, dict)
        if is_metrics:
            properties["values"] = values
        return ArtifactRecord(
            name=str(found.get("name") or "") or artifact.name,
            properties={**properties, **_meta(found)},
            metrics=scalars(values) if is_metrics else {},
        )

    def may_measure(self, type_name: str, base_type: str | None) -> bool:
        """Tell whether a type is that of metrics."""
        del base_type
        return type_name == _METRICS


def _short(type_name: str) -> str:
    return type_name.removeprefix(_PREFIX)


def _meta(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the property ALL_META holds, a JSON object."""
    held = from_json(properties.get(_ALL_META))
    return held if isinstance(held, dict) else {}


def _hyperparameters(artifact: ArtifactFacts) -> dict[str, Any]:
    found = _meta(merged(artifact)).get(_HYPERPARAMETERS) if artifact.type == _MODEL else None
    return found if isinstance(found, dict) else {}
