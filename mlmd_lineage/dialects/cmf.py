"""The dialect of HPE's Common Metadata Framework: a pipeline of stages, each with its executions.

Source: ``cmflib/cmf.py`` and ``cmflib/metadata_helper.py`` of HewlettPackard/cmf. It records
neither runs nor states: all executions of a pipeline are one run of it, and those of one stage are
not attempts at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.dialects.base import Dialect, first, merged, scalars, split_properties
from mlmd_lineage.dialects.platform_properties import is_internal
from mlmd_lineage.dialects.records import ArtifactRecord, RunIdentity, StepOutline
from mlmd_lineage.untrusted_text import int64_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.dialects.facts import (
        ArtifactFacts,
        ContextFacts,
        EventFacts,
        ExecutionFacts,
    )

_PIPELINE, _STAGE = "Parent_Context", "Pipeline_Stage"
_METRICS = ("Metrics", "Step_Metrics")
_ORIGINAL_TIME = "original_create_time_since_epoch"


class CMF(Dialect):
    """HPE CMF."""

    name = "cmf"
    platform = "HPE CMF"
    membership_properties = ()
    derived_names = (_STAGE,)
    outline_properties = (_ORIGINAL_TIME,)
    repeats_are_attempts = False

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
        own, internal = split_properties(execution.custom_properties, is_internal)
        return {
            "entrypoint_name": execution.type.rpartition("/")[2] or execution.type,
            "display_name": execution.name or None,
            "parameters": own,
            "internal_properties": {**internal, **execution.properties},
        }

    def outline(self, execution: ExecutionFacts, identity: RunIdentity) -> StepOutline:
        """Return what of a step tells its name and status, with its own time of beginning."""
        outline = super().outline(execution, identity)
        original = _original_time(execution.custom_properties)
        if original is None:
            return outline
        # The times of MLMD's rows are those of the last push: when it ended is not known.
        return outline._replace(started=original, finished=None)

    def keys(self, event: EventFacts) -> Sequence[tuple[str, int]]:
        """Return the event's path, or else the artifact's name, without the artifact's hash."""
        artifact = event.artifact
        if artifact is None:
            return super().keys(event)
        if event.keys:
            return [(_without_hash(key, artifact.uri), index) for key, index in event.keys]
        if artifact.name:
            return [(_without_hash(artifact.name, artifact.uri), 0)]
        return super().keys(event)

    def artifact(self, artifact: ArtifactFacts) -> ArtifactRecord:
        """Return an artifact; the numbers among a metrics artifact's custom properties count."""
        own, internal = split_properties(merged(artifact), is_internal)
        numbers = {
            name: _number(value)
            for name, value in artifact.custom_properties.items()
            if name not in internal
        }
        return ArtifactRecord(
            name=_without_hash(artifact.name or "", artifact.uri) or None,
            properties=own,
            metrics=scalars(numbers) if artifact.type in _METRICS else {},
            created=_original_time(internal),
        )

    def may_measure(self, type_name: str, base_type: str | None) -> bool:
        """Tell whether a type is that of metrics."""
        del base_type
        return type_name in _METRICS


def _without_hash(name: str, uri: str | None) -> str:
    """Return a name without the artifact's hash, which is its URI, and what follows it."""
    return (name.partition(f":{uri}")[0] if uri else name) or name


def _original_time(properties: Mapping[str, Any]) -> int | None:
    """Return when a CMF client recorded something; MLMD's own time is that of the last push."""
    return int64_of(properties.get(_ORIGINAL_TIME))


def _number(value: Any) -> Any:
    """Return the number that a text says, as older versions keep all values as texts."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value
