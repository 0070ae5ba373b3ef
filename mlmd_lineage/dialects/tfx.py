"""The dialect of TensorFlow Extended: that of the IR of TFX 1.0 and later, and the legacy one.

The IR is written by LocalDagRunner, of Beam since 1.0 and of Kubeflow; the legacy form by
InteractiveContext, where each cell of a notebook is a run of its own, and of BeamDagRunner before
1.0. Sources: ``tfx/dsl/compiler/compiler.py`` and ``tfx/orchestration/portable/mlmd/`` for the
first, ``tfx/orchestration/metadata.py`` of TFX 0.15 to 0.30 for the second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.dialects.base import (
    Dialect,
    first,
    from_json,
    last_part,
    of_types,
    split_properties,
)
from mlmd_lineage.dialects.platform_properties import is_internal
from mlmd_lineage.dialects.records import RunIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.dialects.facts import ContextFacts, ExecutionFacts

_PIPELINE, _RUN, _NODE = "pipeline", "pipeline_run", "node"
_LEGACY_RUN, _LEGACY_NODE = "run", "component_run"
_RESERVED = {
    "state",
    "pipeline_name",
    "pipeline_root",
    "run_id",
    "component_id",
    "checksum_md5",
}


class TFX(Dialect):
    """TFX, in both of its forms."""

    name = "tfx"
    platform = "TFX"
    membership_properties: tuple[str, ...] = ()
    derived_names: tuple[str, ...] = ()
    outline_properties: tuple[str, ...] = ("component_id",)

    def identify_runs(self, contexts: Sequence[ContextFacts]) -> tuple[RunIdentity, ...] | None:
        """Return the runs of an execution, the innermost pipeline's first.

        The executions of a sub-pipeline carry the contexts of all pipelines around it.
        """
        pipelines = of_types(contexts, _PIPELINE)
        runs = of_types(contexts, _RUN, _LEGACY_RUN)
        if not runs and not pipelines:
            return None
        if not runs:
            # Continuous pipelines of the IR have no runs.
            return tuple(RunIdentity(p, p, p.name) for p in _innermost_first(pipelines, contexts))
        if len(runs) == 1 and len(pipelines) == 1:
            return (RunIdentity(runs[0], pipelines[0], pipelines[0].name),)
        identities = _paired(runs, pipelines)
        innermost = _innermost_first(pipelines, contexts)
        order = {pipeline.id: number for number, pipeline in enumerate(innermost)}
        identities.sort(key=lambda p: order.get(p.pipeline.id if p.pipeline else -1, len(order)))
        return tuple(identities)

    def step_name(self, execution: ExecutionFacts, identity: RunIdentity) -> str:
        """Return the id of the step's node in its pipeline, ``sub.node`` where that is another."""
        node = first(execution.contexts, _NODE)
        if node is not None:
            return node.name.removeprefix(f"{identity.pipeline_name}.")
        component = execution.properties.get("component_id")
        if not component:
            legacy = first(execution.contexts, _LEGACY_NODE)
            component = legacy and legacy.properties.get("component_id")
        if component:
            return str(component)
        return last_part(execution.type)

    def details(self, execution: ExecutionFacts) -> dict[str, Any]:
        """Return parameters and internal properties.

        The IR keeps parameters as custom properties, the legacy dialect as declared ones, whose
        values are Python's ``str()`` of what they were, beside a few names that are its own.
        """
        custom = execution.custom_properties
        own, internal = split_properties(custom, is_internal)
        parameters = {name: _typed(name, value, custom) for name, value in own.items()}
        legacy = first(execution.contexts, _LEGACY_RUN) or "pipeline_root" in execution.properties
        typed, reserved = split_properties(
            execution.properties, lambda name: is_internal(name) or (legacy and name in _RESERVED)
        )
        for name, value in typed.items():
            parameters[name] = None if legacy and value == "None" else value
        return {
            "parameters": dict(sorted(parameters.items())),
            "internal_properties": dict(sorted({**internal, **reserved}.items())),
        }


def _typed(name: str, value: Any, properties: Mapping[str, Any]) -> Any:
    """Return a parameter's value.

    Lists and booleans are kept as JSON, and so says a property ``__schema__NAME__`` beside them:
    ``tfx/orchestration/data_types_utils.py``. Protos stay the text that they are.
    """
    schema = from_json(properties.get(f"__schema__{name}__"))
    kind = schema.get("value_type") if isinstance(schema, dict) else None
    if isinstance(kind, dict) and ("list_type" in kind or "boolean_type" in kind):
        return from_json(value)
    return value


def _innermost_first(
    pipelines: Sequence[ContextFacts], contexts: Sequence[ContextFacts]
) -> list[ContextFacts]:
    """Order pipelines so that the one whose node it is comes first, the outermost last."""
    nodes = [context.name for context in of_types(contexts, _NODE)]

    def depth(pipeline: ContextFacts) -> tuple[bool, int]:
        holds = any(node.startswith(f"{pipeline.name}.") for node in nodes)
        return (not holds, -pipeline.id)

    return sorted(pipelines, key=depth)


def _paired(runs: Sequence[ContextFacts], pipelines: Sequence[ContextFacts]) -> list[RunIdentity]:
    """Pair each run with its pipeline: by its parents, properties or name, else in their order."""
    identities: dict[int, RunIdentity] = {}
    left = {pipeline.id: pipeline for pipeline in pipelines}
    rules = (
        lambda run, pipeline: pipeline.id in [parent.id for parent in run.parents],
        lambda run, pipeline: run.properties.get("pipeline_name") == pipeline.name,
        lambda run, pipeline: run.name.startswith((f"{pipeline.name}_", f"{pipeline.name}.")),
        lambda run, pipeline: True,  # noqa: ARG005 - contexts are made in pairs
    )
    for rule in rules:
        for run in runs:
            if run.id not in identities:
                pipeline = next((p for p in left.values() if rule(run, p)), None)
                if pipeline is not None:
                    identities[run.id] = RunIdentity(run, pipeline, pipeline.name)
                    del left[pipeline.id]
    for run in runs:
        if run.id not in identities:
            pipeline = first(run.parents, _PIPELINE)
            name = pipeline.name if pipeline else run.properties.get("pipeline_name")
            identities[run.id] = RunIdentity(run, pipeline, str(name or run.name))
    return [identities[run.id] for run in runs]
