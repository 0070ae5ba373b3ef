"""The fields of a step view."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlmd_lineage.post_execution.base_view import BaseView, elapsed, moment
from mlmd_lineage.snapshot.imported import original_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from mlmd_lineage.dialects.facts import EventFacts
    from mlmd_lineage.dialects.records import Status
    from mlmd_lineage.post_execution.loading.run_assembly import Step
    from mlmd_lineage.post_execution.loading.run_index import RunIndex
    from mlmd_lineage.snapshot.imported import Original


class StepFields(BaseView):
    """What the store says of a step, which is one execution in a run."""

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

    def _arguments(self) -> tuple[Any, ...]:
        run = self._run if self._run_index.holds_run(self._run) else None
        return self._run_index, self.id, run

    @property
    def id(self) -> int:
        """The id of MLMD's execution."""
        return self._step.record.id

    @property
    def node_key(self) -> str:
        """The execution's key, by which ``store.upstream()`` and the like take it."""
        return self._key

    @property
    def original(self) -> Original | None:
        """What it was before Kubeflow imported it: its source, id and times; else None."""
        facts = self._run_index.store_image.executions([self.id])[self.id]
        return original_of(facts.custom_properties)

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
        """The properties that the platform keeps for its own use."""
        return MappingProxyType(dict(self._step.record.internal_properties))

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

    @property
    def duration(self) -> dt.timedelta | None:
        """The time between ``started`` and ``finished``; None where one of them is not known."""
        return elapsed(self._step.started, self._step.finished)

    @property
    def attempt(self) -> int:
        """Which attempt at the step it is, counted from 1."""
        return self._step.attempt

    @property
    def attempts(self) -> int:
        """How many attempts at the step there are in its run."""
        return self._step.attempts

    # Where it stands

    @property
    def run_key(self) -> str:
        """The key of its run, by which ``store.get_run()`` finds it."""
        return self._run

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
        """The ids of the steps of the same run that passed it its inputs, in order."""
        return self._step.parents

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
        """The number of its iteration of a loop, from 0."""
        return self._step.record.iteration

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

    def _shown(self) -> Mapping[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "entrypoint_name": self.entrypoint_name,
            "parameters": dict(self.parameters),
        }
