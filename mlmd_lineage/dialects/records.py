"""The records that every dialect returns: run identities, steps, artifacts and run details."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.dialects.facts import ContextFacts

Status: TypeAlias = Literal["completed", "failed", "running", "cached", "canceled"]


@dataclasses.dataclass(frozen=True, slots=True)
class RunIdentity:
    """The run to which an execution belongs, and that run's pipeline.

    Attributes:
        run: The context that stands for the run; None where the execution is a run of its own.
        pipeline: The context that stands for the pipeline, if there is one.
        pipeline_name: The pipeline's name.
        run_name: The run's name, unless it is that of its context.
        is_group: The context need not be one run, as an experiment is none: where several of its
            executions have the same type, each of them is a run of its own.
        run_property: The property that names an execution's run, where the context holds several.
    """

    run: ContextFacts | None
    pipeline: ContextFacts | None
    pipeline_name: str
    run_name: str | None = None
    is_group: bool = False
    run_property: str | None = None


class StepOutline(NamedTuple):
    """What of a step tells its name, and what the status of its run follows from.

    All but the last two are as in ``StepRecord``.

    Attributes:
        step_id, parent_step_id: The names that the platform itself gives the step and the group
            that holds it, where it links them by those.
    """

    name: str
    state: str | None
    status: Status | None
    is_cached: bool
    started: int | None
    finished: int | None
    is_dag: bool = False
    is_root: bool = False
    parent_dag: int | None = None
    iteration: int | None = None
    expected_children: int | None = None
    step_id: str | None = None
    parent_step_id: str | None = None


OUTLINE_FIELDS = StepOutline._fields[:11]
"""The fields of an outline that a record has too."""


@dataclasses.dataclass(frozen=True, slots=True)
class StepRecord:
    """One execution as a step of a run.

    Attributes:
        id: The execution's id.
        name: Its name in the pipeline.
        entrypoint_name: The class or function that it runs.
        type: The name of MLMD's execution type.
        dialect: The name of the dialect that reads it.
        state: The state that MLMD holds, ``None`` where it holds none.
        status: The status that follows from it; None for a DAG, whose status follows from its
            children.
        is_cached: Whether another execution made its outputs.
        inputs, outputs: The ids of the artifacts by their keys.
        parameters: What it was given, as Python values.
        output_parameters: The values that it returned, other than artifacts.
        internal_properties: The properties that the platform keeps for its own use.
        display_name: The name that the platform shows, where that is another.
        incidental_outputs: The keys of outputs that are the platform's, such as logs.
        cached_from: The id of the execution whose results it reuses, where the platform says so.
        is_dag, is_root: Whether it is a group of steps; and that of all steps of its run.
        parent_dag: The id of the execution of the group that holds it.
        iteration: The number of its iteration of a loop.
        expected_children: How many steps a group should have, where the platform says so.
        started, finished: Milliseconds since 1970-01-01 UTC; None where it is not known.
    """

    id: int
    name: str
    entrypoint_name: str
    type: str
    dialect: str
    state: str | None
    status: Status | None
    is_cached: bool
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    output_parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    internal_properties: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    display_name: str | None = None
    incidental_outputs: frozenset[str] = frozenset()
    cached_from: int | None = None
    is_dag: bool = False
    is_root: bool = False
    parent_dag: int | None = None
    iteration: int | None = None
    expected_children: int | None = None
    started: int | None = None
    finished: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """What a dialect knows of an artifact.

    Attributes:
        name: The name that the platform gives it.
        properties: All of its properties, as Python values.
        data_type: The Python class of what it holds, where the platform says so.
        materializer: What wrote it, where the platform says so.
        metrics: The scalar metrics that it holds.
        created: When it was made, in milliseconds since 1970-01-01 UTC, where the platform itself
            says so.
    """

    name: str | None
    properties: Mapping[str, Any]
    data_type: str | None = None
    materializer: str | None = None
    metrics: Mapping[str, float | int | bool] = dataclasses.field(default_factory=dict)
    created: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class RunDetails:
    """What a dialect knows of a run beyond its steps.

    Attributes:
        parameters: What the run as a whole was given.
        runtime_configuration: How it was started.
        metrics: For each artifact with metrics of the run as a whole its id, and these metrics.
        status: The status of a run that has no steps, where the platform keeps it.
        own_status: The status of what ran the steps, where the platform keeps it: it counts where
            it is worse than theirs.
    """

    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    runtime_configuration: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    metrics: Mapping[int, Mapping[str, float | int | bool]] = dataclasses.field(
        default_factory=dict
    )
    status: Status | None = None
    own_status: Status | None = None
