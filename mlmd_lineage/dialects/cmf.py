"""The dialect of HPE's Common Metadata Framework: a pipeline of stages, each with its executions.

Source: ``cmflib/cmf.py`` and ``cmflib/metadata_helper.py`` of HewlettPackard/cmf. It records
neither runs nor states: all executions of a pipeline are one run of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.dialects.base import Dialect, first, merged, scalars
from mlmd_lineage.dialects.records import ArtifactRecord, RunIdentity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.dialects.facts import (
        ArtifactFacts,
        ContextFacts,
        EventFacts,
        ExecutionFacts,
    )

_PIPELINE, _STAGE = "Parent_Context", "Pipeline_Stage"
_METRICS = ("Metrics", "Step_Metrics")


class CMF(Dialect):
    """HPE CMF."""

    name = "cmf"

    def identify_runs(self, contexts: Sequence[ContextFacts]) -> tuple[RunIdentity, ...] | None:
        """Return the pipeline of an execution's stage, which is its run too."""
        stage = first(contexts, _STAGE)
        pipeline = first(stage.parents if stage else contexts, _PIPELINE)
        if pipeline is not None:
            return (RunIdentity(pipeline, pipeline, pipeline.name),)
        return None if stage is None else (RunIdentity(stage, None, stage.name.partition("/")[0]),)

    def step_name(self, execution: ExecutionFacts, identity: RunIdentity) -> str:
        """Return the name of the stage in its pipeline."""
        stage = first(execution.contexts, _STAGE)
        if stage is None:
            return super().step_name(execution, identity)
        return stage.name.removeprefix(f"{identity.pipeline_name}/")

    def details(self, execution: ExecutionFacts) -> dict[str, Any]:
        """Return parameters, which are the custom properties; declared ones are CMF's own."""
        return {
            "entrypoint_name": execution.type.rpartition("/")[2] or execution.type,
            "display_name": execution.name or None,
            "parameters": dict(execution.custom_properties),
            "internal_properties": dict(execution.properties),
        }

    def keys(self, event: EventFacts) -> Sequence[tuple[str, int]]:
        """Return the artifact's name without its hash, as most outputs have no path."""
        if event.artifact is not None and event.artifact.name:
            return [(_short(event.artifact), 0)]
        return super().keys(event)

    def artifact(self, artifact: ArtifactFacts) -> ArtifactRecord:
        """Return an artifact; the numbers among a metrics artifact's custom properties count."""
        numbers = {name: _number(value) for name, value in artifact.custom_properties.items()}
        return ArtifactRecord(
            name=_short(artifact) or None,
            properties=merged(artifact),
            metrics=scalars(numbers) if artifact.type in _METRICS else {},
        )


def _short(artifact: ArtifactFacts) -> str:
    """Return a name without the hash, which is its URI, and what follows it."""
    name = artifact.name or ""
    return (name.partition(f":{artifact.uri}")[0] if artifact.uri else name) or name


def _number(value: Any) -> Any:
    """Return the number that a text says, as older versions keep all values as texts."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
