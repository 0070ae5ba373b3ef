"""A run of a pipeline."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.post_execution.base_view import BaseView, moment

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from mlmd_lineage.dialects.records import Status
    from mlmd_lineage.post_execution.loading.run_assembly import Run
    from mlmd_lineage.post_execution.pipelines import PipelineView
    from mlmd_lineage.post_execution.steps import StepView


class PipelineRunView(BaseView):
    """A run: the steps that were executed together.

    >>> run = store.get_run("iris-001-base")
    >>> run.status, run.get_step_names()
    ('completed', ['importer', 'splitter', 'trainer', 'evaluator'])
    """

    __slots__ = ()

    @property
    def _run(self) -> Run:
        return self._run_index.run(self._key)

    @property
    def id(self) -> int:
        """The id of the context that stands for it, or of the execution that is all of it."""
        return int(self._key.partition("/")[2])

    @property
    def node_key(self) -> str:
        """The key of that context or execution."""
        return self._key

    @property
    def name(self) -> str:
        """Its name."""
        return self._run_index.membership.runs[self._key].name

    @property
    def dialect(self) -> str:
        """The dialect that reads it, such as ``tfx``."""
        return self._run.dialect

    @property
    def pipeline(self) -> PipelineView:
        """Its pipeline."""
        return self._run_index.views.pipeline(
            self._run_index, self._run_index.membership.runs[self._key].pipeline
        )

    @property
    def pipeline_name(self) -> str:
        """The name of its pipeline."""
        membership = self._run_index.membership
        return membership.pipelines[membership.runs[self._key].pipeline].name

    @property
    def status(self) -> Status:
        """``completed``, ``failed``, ``running`` or ``canceled``, from its steps.

        One failed step fails a run, unless it was tried again; one running step keeps it running.
        A run whose steps were all cached has completed; see ``is_cached``.
        """
        return self._run.status

    @property
    def is_cached(self) -> bool:
        """Whether all of its steps were cached, so that nothing was executed."""
        return self._run.is_cached

    @property
    def state(self) -> str | None:
        """The state as MLMD holds it, for platforms whose runs have one of their own."""
        return next((s.record.state for s in self._run.steps.values() if s.record.is_root), None)

    @property
    def steps(self) -> tuple[StepView, ...]:
        """Its steps in topological order, groups of steps and repeated attempts among them."""
        make = self._run_index.views.step
        return tuple(make(self._run_index, number, self._key) for number in self._run.steps)

    def get_step_names(self) -> list[str]:
        """Return the names of the steps in their order, each once."""
        return list(dict.fromkeys(s.record.name for s in self._run.steps.values()))

    def get_step(self, name: str) -> StepView:
        """Return a step by its name or its path.

        Of several attempts at a step, which have the same name, it is the last.

        >>> run.get_step("trainer")
        >>> run.get_step("exit-handler-1/for-loop-2/1/train")

        Raises:
            NotFoundError: The run has no such step; the message suggests near names.
            AmbiguousNameError: Several steps in different groups have this name; the message
                lists their paths.
        """
        steps = self._run.steps
        found = [n for n, s in steps.items() if name in {s.record.name, s.path, f"execution/{n}"}]
        exact = [n for n in found if steps[n].path == name]
        places = {(steps[n].record.parent_dag, steps[n].record.iteration) for n in exact or found}
        if not found:
            names = self.get_step_names()
            near = errors.did_you_mean(name, [*names, *(s.path for s in steps.values())])
            held = ", ".join(map(repr, names)) if names else "none at all"
            message = f"The run {self.name!r} has no step {name!r}.{near} Its steps: {held}."
            raise errors.NotFoundError(message)
        if len(places) > 1:
            paths = ", ".join(repr(steps[n].path) for n in found)
            message = (
                f"The run {self.name!r} has {len(found)} steps {name!r}; name one by its path: "
                f"{paths}."
            )
            raise errors.AmbiguousNameError(message)
        return self._run_index.views.step(self._run_index, max(exact or found), self._key)

    @property
    def borrowed_steps(self) -> tuple[StepView, ...]:
        """The steps of other runs whose results this one took, though none of its own claims them.

        In Kubeflow Pipelines 1 these are its cached steps, which write nothing.
        """
        run = self._run
        taken = {
            artifact
            for number, step in run.steps.items()
            for found in step.record.inputs.values()
            for artifact in found
            if not run.publishers.get((number, artifact))
        }
        makers = {self._run_index.producer(artifact) for artifact in taken}
        return tuple(
            self._run_index.views.step(self._run_index, maker, None)
            for maker in sorted(maker for maker in makers if maker is not None)
            if maker not in run.steps
        )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What the run as a whole was given (Kubeflow 2); elsewhere the steps have parameters."""
        return MappingProxyType(dict(self._run.details.parameters))

    @property
    def runtime_configuration(self) -> Mapping[str, Any]:
        """How it was started, where the platform says so (ZenML, Kubeflow 2)."""
        return MappingProxyType(dict(self._run.details.runtime_configuration))

    @property
    def started(self) -> dt.datetime | None:
        """When its first step was recorded, in UTC."""
        return moment(self._run.started)

    @property
    def finished(self) -> dt.datetime | None:
        """When its last step was recorded last, in UTC; None while it is running."""
        return moment(self._run.finished)

    def _shown(self) -> Mapping[str, Any]:
        shown: dict[str, Any] = {"name": self.name, "pipeline": self.pipeline_name}
        if self._run_index.holds_run(self._key):
            shown |= {
                "status": self.status,
                "steps": len(self._run.steps),
                "started": self.started,
            }
        return shown
