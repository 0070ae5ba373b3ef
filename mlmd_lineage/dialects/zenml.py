"""The dialect of ZenML 0.5 to 0.13, which ran its steps as TFX components, with TFX's contexts.

Sources: ``zenml/metadata_stores/base_metadata_store.py`` and ``zenml/steps/utils.py`` of 0.5.0 to
0.13.2. What 0.13.2 itself says wrongly of a store is listed in ``docs/dialects.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.dialects.base import first, from_json, last_part, merged, split_properties
from mlmd_lineage.dialects.platform_properties import is_internal
from mlmd_lineage.dialects.records import ArtifactRecord, RunDetails
from mlmd_lineage.dialects.tfx import TFX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.dialects.facts import ArtifactFacts, ExecutionFacts
    from mlmd_lineage.dialects.records import RunIdentity, StepRecord

_PREFIX = "zenml-"
# "zenml" since 0.11; before it "stack" and "pipeline_requirements".
_CONTEXTS = ("zenml", "stack", "pipeline_requirements")


class ZenML(TFX):
    """ZenML on MLMD: TFX's contexts, and parameters as JSON."""

    name = "zenml"
    platform = "ZenML"
    membership_properties = (f"{_PREFIX}*",)
    outline_properties = (f"{_PREFIX}*",)

    def claims(self, execution: ExecutionFacts) -> bool:
        """Tell ZenML's executions from TFX's by its own properties, or by its own contexts."""
        for name, value in execution.custom_properties.items():
            if name.startswith(_PREFIX) and isinstance(value, str):
                return True
        return first(execution.contexts, *_CONTEXTS) is not None

    def step_name(self, execution: ExecutionFacts, identity: RunIdentity) -> str:
        """Return the name that the step has as an argument of its pipeline.

        Before 0.5.4 ZenML did not keep it: then it is the step's class.
        """
        del identity
        name = from_json(execution.custom_properties.get(f"{_PREFIX}pipeline_parameter_name"))
        return name if isinstance(name, str) and name else last_part(execution.type)

    def details(self, execution: ExecutionFacts) -> dict[str, Any]:
        """Return parameters and internal properties; all are custom properties in JSON."""
        own, internal = split_properties(
            merged(execution), lambda name: name.startswith(_PREFIX) or is_internal(name)
        )
        return {
            "parameters": {name: from_json(value) for name, value in own.items()},
            "internal_properties": {name: from_json(value) for name, value in internal.items()},
        }

    def artifact(self, artifact: ArtifactFacts) -> ArtifactRecord:
        """Return an artifact with the class that it holds and the materializer that wrote it."""
        properties = merged(artifact)
        return ArtifactRecord(
            name=artifact.name or properties.get("name"),
            properties=properties,
            data_type=properties.get("datatype"),
            materializer=properties.get("materializer"),
        )

    def run(
        self,
        identity: RunIdentity,
        steps: Sequence[tuple[ExecutionFacts, StepRecord]],
        artifacts: Sequence[ArtifactFacts] = (),
    ) -> RunDetails:
        """Return the runtime configuration, which ZenML keeps on a context of each step."""
        del artifacts
        for execution, _ in steps:
            context = first(execution.contexts, *_CONTEXTS)
            found = from_json(context.properties.get("runtime_configuration")) if context else None
            if isinstance(found, dict):
                name = identity.run.name if identity.run is not None else None
                return RunDetails(runtime_configuration={**found, "run_name": name})
        return RunDetails()
