"""The fields of a pipeline view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.post_execution.base_view import BaseView

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN_RUNS = 20


class PipelineFields(BaseView):
    """What the store says of a pipeline."""

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

    def get_run_names(self) -> list[str]:
        """Return the names of the runs from the oldest to the newest."""
        return [
            self._run_index.membership.runs[key].name for key in self._run_index.runs_of(self._key)
        ]

    def _repr_html_(self) -> str:
        shown = super()._repr_html_()
        if not self._run_index.holds_all_runs(self._key):
            return shown
        from mlmd_lineage.post_execution import run_picture
        from mlmd_lineage.post_execution.step_metrics import metrics_of

        index = self._run_index
        keys = index.runs_of(self._key)
        newest = keys[: -_SHOWN_RUNS - 1 : -1]
        rows = []
        for key in newest:
            run = index.run(key)
            metrics = {
                name: value
                for step in run.steps.values()
                for name, value in metrics_of(index, step.record).items()
            }
            rows.append((index.run_title(key), run, metrics))
        return shown + run_picture.runs_table(rows, len(keys) - len(newest))

    def _shown(self) -> Mapping[str, Any]:
        runs = self._run_index.membership.pipelines[self._key].runs
        whole = self._run_index.holds_all_runs(self._key)
        return {"name": self.name} | ({"runs": len(runs)} if whole else {})
