"""A pipeline, and its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.post_execution.base_view import BaseView

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mlmd_lineage.post_execution.compare.run_comparison import RunComparison
    from mlmd_lineage.post_execution.runs import PipelineRunView


class PipelineView(BaseView):
    """A pipeline: what its runs have in common.

    >>> pipeline = store.get_pipeline("iris_training")
    >>> [run.status for run in pipeline.runs]
    >>> pipeline.last_run.get_step("trainer").output
    """

    __slots__ = ()

    @property
    def id(self) -> int | None:
        """The id of the context that stands for it; None where none does."""
        return self._run_index.membership.pipelines[self._key].id

    @property
    def node_key(self) -> str:
        """The key of that context, or ``pipeline/NAME``."""
        return self._key

    @property
    def name(self) -> str:
        """Its name."""
        return self._run_index.membership.pipelines[self._key].name

    @property
    def runs(self) -> tuple[PipelineRunView, ...]:
        """Its runs from the oldest to the newest."""
        make = self._run_index.views.run
        return tuple(make(self._run_index, key) for key in self._run_index.runs_of(self._key))

    @property
    def last_run(self) -> PipelineRunView:
        """The newest run.

        Raises:
            NotFoundError: It has no run.
        """
        keys = self._run_index.runs_of(self._key)
        if not keys:
            message = f"The pipeline {self.name!r} has no run."
            raise errors.NotFoundError(message)
        return self._run_index.views.run(self._run_index, keys[-1])

    def get_run_names(self) -> list[str]:
        """Return the names of the runs from the oldest to the newest."""
        return [
            self._run_index.membership.runs[key].name for key in self._run_index.runs_of(self._key)
        ]

    def get_run(self, name: str) -> PipelineRunView:
        """Return a run by its name.

        Raises:
            NotFoundError: The pipeline has no such run; the message suggests near names.
        """
        runs = self._run_index.membership.runs
        keys = self._run_index.runs_of(self._key)
        for key in reversed(keys):
            if name in {runs[key].name, key, runs[key].run_id}:
                return self._run_index.views.run(self._run_index, key)
        near = errors.did_you_mean(name, [runs[key].name for key in keys])
        message = f"The pipeline {self.name!r} has no run {name!r}.{near} It has {len(keys)} runs."
        raise errors.NotFoundError(message)

    def get_run_for_completed_step(self, step_name: str) -> PipelineRunView:
        """Return the newest run in which a step was executed and succeeded, not cached.

        Raises:
            NotFoundError: There is no such run.
        """
        for run in reversed(self.runs):
            steps = self._run_index.run(run.node_key).steps.values()
            if any(s.record.name == step_name and s.status == "completed" for s in steps):
                return run
        message = f"No run of the pipeline {self.name!r} completed a step {step_name!r}."
        raise errors.NotFoundError(message)

    def compare_runs(
        self,
        *,
        last: int | None = None,
        runs: Collection[str | PipelineRunView] | None = None,
        only_changes: bool = False,
    ) -> RunComparison:
        """Return runs beside each other: parameters, metrics, status, duration and inputs.

        >>> pipeline.compare_runs(last=20).to_pandas()
        >>> pipeline.compare_runs(runs=["churn-1", "churn-7"], only_changes=True).to_pandas()

        Args:
            last: Only the newest runs, so many; all where None is given.
            runs: Only these, views or names.
            only_changes: Only the columns whose values differ.

        Raises:
            NotFoundError: The pipeline has no such run.
            ConfigurationError: An argument cannot be right.
        """
        from mlmd_lineage.post_execution.compare import run_comparison

        return run_comparison.compare(self, last=last, runs=runs, only_changes=only_changes)

    def _shown(self) -> Mapping[str, Any]:
        runs = self._run_index.membership.pipelines[self._key].runs
        whole = self._run_index.holds_all_runs(self._key)
        return {"name": self.name} | ({"runs": len(runs)} if whole else {})
