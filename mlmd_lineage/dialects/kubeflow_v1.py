"""The dialect of Kubeflow Pipelines 1, whose metadata-writer recorded finished pods.

Source: ``backend/metadata_writer/src/`` of kubeflow/pipelines, the same from 1.0.4 on. A cached
step writes nothing: the run has a gap, and the steps after it take artifacts of another run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mlmd_lineage.dialects.base import Dialect, first, from_json, merged, split_properties
from mlmd_lineage.dialects.records import ArtifactRecord, RunIdentity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.dialects.facts import ArtifactFacts, ContextFacts, ExecutionFacts

_RUN = "KfpRun"
_INPUT = "input:"
# A recurring run is named by its job, a count and a hash in decimal digits.
_RECURRING = re.compile(r"-[0-9]+-[0-9]{6,10}$")
# Argo names another workflow by its pipeline and five characters.
_SUFFIX = re.compile(r"-[a-z0-9]{5}$")
_TYPE = re.compile(r"^components\.(?P<name>.+?)(@sha256=.*)?$", re.DOTALL)


class KubeflowV1(Dialect):
    """Kubeflow Pipelines 1."""

    name = "kubeflow_v1"
    platform = "Kubeflow Pipelines 1"
    membership_properties = ()
    derived_names = (_RUN,)
    outline_properties = ("component_id",)

    def identify_runs(self, contexts: Sequence[ContextFacts]) -> tuple[RunIdentity, ...] | None:
        """Return the run of an execution.

        What is recorded as the pipeline's name is the workflow's: without what is appended for
        each run, it is the same for all runs of a pipeline, or of a recurring job.
        """
        run = first(contexts, _RUN)
        if run is None:
            return None
        recorded = str(run.properties.get("pipeline_name") or run.name)
        stem = recorded
        if recorded == run.name:
            appended = _RECURRING if _RECURRING.search(recorded) else _SUFFIX
            stem = appended.sub("", recorded)
        return (RunIdentity(run, None, stem or recorded),)

    def step_name(self, execution: ExecutionFacts, identity: RunIdentity) -> str:
        """Return the name of the component."""
        del identity
        component = execution.properties.get("component_id")
        return str(component) if component else _component(execution.type)

    def details(self, execution: ExecutionFacts) -> dict[str, Any]:
        """Return parameters, which are the custom properties ``input:NAME`` of later versions."""
        rest, inputs = split_properties(merged(execution), lambda name: name.startswith(_INPUT))
        parameters = {name.removeprefix(_INPUT): value for name, value in inputs.items()}
        return {
            "entrypoint_name": _component(execution.type),
            "parameters": dict(sorted(parameters.items())),
            "internal_properties": dict(sorted(rest.items())),
            "incidental_outputs": frozenset(("main-logs",)),
        }

    def artifact(self, artifact: ArtifactFacts) -> ArtifactRecord:
        """Return an artifact with the name of the output that it was."""
        properties = merged(artifact)
        if "argo_artifact" in properties:
            properties["argo_artifact"] = from_json(properties["argo_artifact"])
        return ArtifactRecord(name=properties.get("name") or artifact.name, properties=properties)


def _component(type_name: str) -> str:
    match = _TYPE.match(type_name)
    return match["name"] if match else type_name
