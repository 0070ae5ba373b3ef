"""The dialect of executions that no known platform wrote: they are grouped by their contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.dialects.base import (
    METRICS_BASE_TYPE,
    Dialect,
    last_part,
    merged,
    scalars,
    split_properties,
)
from mlmd_lineage.dialects.platform_properties import is_internal
from mlmd_lineage.dialects.records import ArtifactRecord, RunIdentity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.dialects.facts import ArtifactFacts, ContextFacts, ExecutionFacts

_RUN_WORDS = ("run", "trial", "job")
_PIPELINE_WORDS = ("pipeline", "experiment", "project", "workflow", "workspace")
# The order of Kubeflow's user interface.
_NAMES = ("display_name", "task_name", "name", "component_id", "task_id", "kfp_pod_name")


class Plain(Dialect):
    """Whatever no other dialect claims."""

    name = "plain"
    platform = "other code"
    membership_properties = ()
    derived_names = ()
    outline_properties = _NAMES

    def identify_runs(self, contexts: Sequence[ContextFacts]) -> tuple[RunIdentity, ...]:
        """Return the context that is most like a run, and the one that is most like its pipeline.

        A context is like a run if its type is named so, or if it has a parent; its pipeline is
        its parent, else another context of the execution whose type is named like one, else all
        runs of its type are taken together. A context that only groups executions, such as an
        experiment, is the pipeline of these where several are of one type. An execution without
        any context is a run of its own, and belongs with the others of its type.
        """
        if not contexts:
            return ()
        run = min(contexts, key=_rank)
        others = [context for context in contexts if context is not run]
        pipeline = next(
            iter([*run.parents, *(c for c in others if _like(c, _PIPELINE_WORDS))]), None
        )
        name = pipeline.name if pipeline else run.type
        # An experiment, a project or a workspace groups runs, and is none.
        return (RunIdentity(run, pipeline, name, is_group=_rank(run)[0] > 1),)

    def step_name(self, execution: ExecutionFacts, identity: RunIdentity) -> str:
        """Return the first name that the execution has, in the order of Kubeflow's interface."""
        del identity
        found = merged(execution)
        named = next((str(found[name]) for name in _NAMES if found.get(name)), None)
        return named or execution.name or last_part(execution.type)

    def details(self, execution: ExecutionFacts) -> dict[str, Any]:
        """Return parameters: all properties but those named ``__like_this__``."""
        own, internal = split_properties(merged(execution), is_internal)
        return {
            "parameters": dict(sorted(own.items())),
            "internal_properties": dict(sorted(internal.items())),
        }

    def artifact(self, artifact: ArtifactFacts) -> ArtifactRecord:
        """Return an artifact; the numbers among the properties of metrics are its metrics."""
        properties = merged(artifact)
        is_metrics = self.may_measure(artifact.type, artifact.base_type)
        return ArtifactRecord(
            name=artifact.name or properties.get("display_name") or properties.get("name"),
            properties=properties,
            metrics=scalars(properties) if is_metrics else {},
        )

    def may_measure(self, type_name: str, base_type: str | None) -> bool:
        """Tell whether a type, or what it extends, is that of metrics."""
        is_metrics = METRICS_BASE_TYPE in {base_type, type_name}
        return is_metrics or last_part(type_name) == "Metrics"


def _like(context: ContextFacts, words: Sequence[str]) -> bool:
    return any(word in context.type.lower() for word in words)


def _rank(context: ContextFacts) -> tuple[int, int]:
    # "PipelineRun" and "ExperimentRun" are runs.
    if _like(context, _RUN_WORDS):
        return 0, context.id
    if _like(context, _PIPELINE_WORDS):
        return 3, context.id
    return (1 if context.parents else 2), context.id
