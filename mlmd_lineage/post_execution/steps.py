"""A step of a run: one execution."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.post_execution.base_view import BaseView, moment

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from mlmd_lineage.dialects.facts import EventFacts
    from mlmd_lineage.dialects.records import Status
    from mlmd_lineage.post_execution.artifacts import ArtifactView
    from mlmd_lineage.post_execution.loading.run_assembly import Step
    from mlmd_lineage.post_execution.loading.run_index import RunIndex
    from mlmd_lineage.post_execution.runs import PipelineRunView


class StepView(BaseView):
    """A step: an execution in its run.

    >>> step = run.get_step("trainer")
    >>> step.status, step.parameters["lr"], step.inputs["data"].uri

    A group of steps, such as a DAG or a loop of Kubeflow, is a step too; it has ``children``.
    """

    __slots__ = ("_run", "_step")

    _run: str
    _step: Step

    def __init__(self, run_index: RunIndex, number: int, run: str | None = None) -> None:
        """Views are made by the store; ``run`` is a run's key, or None for the innermost."""
        super().__init__(run_index, f"execution/{number}")
        if run is None:
            run, step = run_index.step(number)
        else:
            step = run_index.run(run).steps[number]
        object.__setattr__(self, "_run", run)
        object.__setattr__(self, "_step", step)

    @property
    def id(self) -> int:
        """The id of MLMD's execution."""
        return self._step.record.id

    @property
    def node_key(self) -> str:
        """The execution's key, by which ``store.upstream()`` and the like take it."""
        return self._key

    @property
    def name(self) -> str:
        """Its name in the pipeline."""
        return self._step.record.name

    @property
    def path(self) -> str:
        """Its name with those of the groups that hold it: ``for-loop-2/1/train``."""
        return self._step.path

    @property
    def display_name(self) -> str:
        """The name that the platform shows."""
        return self._step.record.display_name or self.name

    @property
    def entrypoint_name(self) -> str:
        """The class or function that it runs."""
        return self._step.record.entrypoint_name

    @property
    def type(self) -> str:
        """The name of its execution type."""
        return self._step.record.type

    @property
    def dialect(self) -> str:
        """The dialect that reads it, such as ``tfx``."""
        return self._step.record.dialect

    # What it was given and gave

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What it was given, as Python values."""
        return MappingProxyType(dict(self._step.record.parameters))

    @property
    def output_parameters(self) -> Mapping[str, Any]:
        """The values that it returned, other than artifacts (Kubeflow)."""
        return MappingProxyType(dict(self._step.record.output_parameters))

    @property
    def internal_properties(self) -> Mapping[str, Any]:
        """The properties that are the platform's own affair."""
        return MappingProxyType(dict(self._step.record.internal_properties))

    @property
    def metrics(self) -> Mapping[str, float | int | bool]:
        """The scalar metrics among its outputs.

        A name that two outputs have comes with the output's key before it: ``eval.accuracy``.
        """
        found: dict[str, dict[str, Any]] = {}
        for key, artifacts in self.output_artifacts.items():
            for artifact in artifacts:
                for name, value in artifact.metrics.items():
                    found.setdefault(name, {})[key] = value
        return MappingProxyType(
            {
                (name if len(values) == 1 else f"{key}.{name}"): value
                for name, values in sorted(found.items())
                for key, value in sorted(values.items())
            }
        )

    @property
    def input_artifacts(self) -> Mapping[str, tuple[ArtifactView, ...]]:
        """The artifacts that it took, by their keys: always tuples."""
        return self._views(self._step.record.inputs)

    @property
    def output_artifacts(self) -> Mapping[str, tuple[ArtifactView, ...]]:
        """The artifacts that it made, by their keys: always tuples."""
        return self._views(self._step.record.outputs)

    @property
    def inputs(self) -> Mapping[str, ArtifactView | tuple[ArtifactView, ...]]:
        """The artifacts that it took, by their keys; a tuple where a key has several."""
        return _single(self.input_artifacts)

    @property
    def outputs(self) -> Mapping[str, ArtifactView | tuple[ArtifactView, ...]]:
        """The artifacts that it made, by their keys; a tuple where a key has several."""
        return _single(self.output_artifacts)

    @property
    def input(self) -> ArtifactView:
        """The artifact that it took.

        Raises:
            NotSingleError: It took none, or several.
        """
        return self._only("input", self.input_artifacts)

    @property
    def output(self) -> ArtifactView:
        """The artifact that it made; logs that the platform adds do not count.

        Raises:
            NotSingleError: It made none, or several.
        """
        extra = self._step.record.incidental_outputs
        made = {key: found for key, found in self.output_artifacts.items() if key not in extra}
        return self._only("output", made or self.output_artifacts)

    # How it went

    @property
    def status(self) -> Status:
        """``completed``, ``failed``, ``running``, ``cached`` or ``canceled``.

        For a group of steps it follows from them. MLMD cannot tell a step that was killed from
        one that is still running: both are ``running``.
        """
        return self._step.status

    @property
    def state(self) -> str | None:
        """The state as MLMD holds it, such as ``COMPLETE``; None where it holds none."""
        return self._step.record.state

    @property
    def is_cached(self) -> bool:
        """Whether it reuses what another execution made; for a group, whether all in it do."""
        return self._step.is_cached

    @property
    def is_completed(self) -> bool:
        """Whether it ran and succeeded; a cached step did not run."""
        return self.status == "completed"

    @property
    def started(self) -> dt.datetime | None:
        """When it was recorded first, in UTC."""
        return moment(self._step.started)

    @property
    def finished(self) -> dt.datetime | None:
        """When it was recorded last, in UTC; None while it is running."""
        return moment(self._step.finished)

    # Where it stands

    @property
    def run(self) -> PipelineRunView:
        """The run that it belongs to."""
        return self._run_index.views.run(self._run_index, self._run)

    @property
    def run_name(self) -> str:
        """The name of that run, which is known also where the run itself was not read."""
        return self._run_index.membership.runs[self._run].name

    @property
    def pipeline_name(self) -> str:
        """The name of that run's pipeline."""
        membership = self._run_index.membership
        return membership.pipelines[membership.runs[self._run].pipeline].name

    @property
    def parents_step_ids(self) -> tuple[int, ...]:
        """The ids of the steps of the same run that handed it its inputs, in order."""
        return self._step.parents

    @property
    def parent_steps(self) -> tuple[StepView, ...]:
        """The steps of the same run that handed it its inputs, in the order of their ids."""
        return tuple(StepView(self._run_index, number, self._run) for number in self._step.parents)

    @property
    def is_dag(self) -> bool:
        """Whether it is a group of steps."""
        return self._step.record.is_dag

    @property
    def is_root(self) -> bool:
        """Whether it is the group of all steps of its run."""
        return self._step.record.is_root

    @property
    def iteration(self) -> int | None:
        """The number of the pass through a loop that it stands for, from 0."""
        return self._step.record.iteration

    @property
    def children(self) -> tuple[StepView, ...]:
        """The steps in this group, in the order of their ids."""
        return tuple(StepView(self._run_index, number, self._run) for number in self._step.children)

    @property
    def parent_dag(self) -> StepView | None:
        """The group that holds it."""
        parent = self._step.record.parent_dag
        if parent is None or parent not in self._run_index.run(self._run).steps:
            return None
        return StepView(self._run_index, parent, self._run)

    @property
    def original_step(self) -> StepView | None:
        """The step that made what this cached one reuses, in whatever run.

        None for a step that is not cached, and where the store does not tell.
        """
        number = None if self.is_dag else self._run_index.original(self.id)
        return None if number is None else StepView(self._run_index, number)

    # For the artifacts

    def handed_on(self, artifact: int) -> int | None:
        """Return the id of the step of this run that handed an artifact to this one."""
        record = self._step.record
        if not any(artifact in found for found in record.inputs.values()):
            return self.id
        run_index = self._run_index
        if not run_index.holds_run(self._run):
            return None
        found = run_index.run(self._run).publishers.get((self.id, artifact), ())
        return found[-1] if found else None

    def events_of(self, artifact: int) -> tuple[EventFacts, ...]:
        """Return the events between this step and an artifact."""
        facts = self._run_index.store_image.executions([self.id])[self.id]
        return tuple(event for event in facts.events if event.artifact_id == artifact)

    def _views(
        self, found: Mapping[str, tuple[int, ...]]
    ) -> Mapping[str, tuple[ArtifactView, ...]]:
        make, run_index = self._run_index.views.artifact, self._run_index
        return MappingProxyType(
            {
                key: tuple(make(run_index, number, self) for number in ids)
                for key, ids in found.items()
            }
        )

    def _only(self, what: str, found: Mapping[str, tuple[ArtifactView, ...]]) -> ArtifactView:
        distinct = list(dict.fromkeys(a for artifacts in found.values() for a in artifacts))
        if len(distinct) == 1 and len(found) == 1:
            return distinct[0]
        held = f"{len(distinct)}: {', '.join(map(repr, found))}" if found else "none"
        message = f"The step {self.name!r} has not exactly one {what}, but {held}. Use .{what}s."
        raise errors.NotSingleError(message)

    def _shown(self) -> Mapping[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "entrypoint_name": self.entrypoint_name,
            "parameters": dict(self.parameters),
        }


def _single(
    found: Mapping[str, tuple[ArtifactView, ...]],
) -> Mapping[str, ArtifactView | tuple[ArtifactView, ...]]:
    return MappingProxyType(
        {key: some[0] if len(some) == 1 else some for key, some in found.items()}
    )
