"""The fields of a run view."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlmd_lineage.post_execution.base_view import BaseView, elapsed, moment
from mlmd_lineage.post_execution.loading.run_membership import node_of_run

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping

    from mlmd_lineage.dialects.records import Status
    from mlmd_lineage.kubeflow.run_records import RunRecord
    from mlmd_lineage.lineage.render.scene import Scene
    from mlmd_lineage.post_execution.loading.run_assembly import Run


class RunFields(BaseView):
    """What the store says of a run."""

    __slots__ = ()

    @property
    def _run(self) -> Run:
        return self._run_index.run(self._key)

    @property
    def id(self) -> int:
        """The id of the context that stands for it, or of the execution that is all of it."""
        node = node_of_run(self._key)
        assert node is not None  # it is the key of a run
        return node[1]

    @property
    def node_key(self) -> str:
        """The key of that context or execution."""
        return self._key

    @property
    def node_keys(self) -> tuple[str, ...]:
        """The keys of the executions of its steps, by which ``store.upstream()`` takes it."""
        return tuple(f"execution/{number}" for number in sorted(self._run.steps))

    @property
    def name(self) -> str:
        """Its name."""
        return self._run_index.membership.runs[self._key].name

    @property
    def record(self) -> RunRecord | None:
        """What Kubeflow's own database says of it; None where that is not known.

        See ``runs`` of ``connect()``.
        """
        return self._run_index.run_record(self._key)

    @property
    def display_name(self) -> str:
        """The name that people gave it in Kubeflow, where that is known; else its name."""
        return self._run_index.run_title(self._key)

    @property
    def experiment(self) -> str | None:
        """The name of its experiment in Kubeflow, where that is known."""
        record = self.record
        return None if record is None else record.experiment

    @property
    def schedule(self) -> str | None:
        """The name of the schedule that started it in Kubeflow, where that is known."""
        record = self.record
        return None if record is None else record.schedule

    @property
    def dialect(self) -> str:
        """The dialect that reads it, such as ``tfx``."""
        return self._run.dialect

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

    def get_step_names(self) -> list[str]:
        """Return the names of the steps in their order, each once."""
        return list(dict.fromkeys(s.record.name for s in self._run.steps.values()))

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters of the run as a whole (Kubeflow 2, Model Registry), beside its steps'."""
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

    @property
    def duration(self) -> dt.timedelta | None:
        """The time between ``started`` and ``finished``; None where one of them is not known."""
        return elapsed(self._run.started, self._run.finished)

    @property
    def metrics(self) -> Mapping[str, float | int | bool]:
        """The scalar metrics of the run as a whole (Model Registry); elsewhere steps have them."""
        found = self._run.details.metrics.values()
        return MappingProxyType({name: value for some in found for name, value in some.items()})

    def to_svg(self, *, fold: bool = True) -> str:
        """Return the run drawn as an SVG image: its steps, their order, status and duration.

        >>> Path("run.svg").write_text(run.to_svg(), encoding="utf-8")

        Args:
            fold: In a run of more than 40 steps draw groups of steps, such as a DAG or a loop of
                Kubeflow, as one box each; with False draw every step.
        """
        from mlmd_lineage.post_execution import run_picture

        return run_picture.run_svg(self._run, self._caption, fold=fold)

    def scene(self, *, fold: bool = True, opened: Collection[int] = ()) -> Scene:
        """Return the boxes and lines of its picture, for who draws it; it is not public.

        Args:
            fold: That of ``to_svg()``.
            opened: The ids of groups of steps that are drawn opened in any case.
        """
        from mlmd_lineage.post_execution import run_picture

        return run_picture.run_scene(self._run, fold=fold, opened=opened)

    def _repr_html_(self) -> str:
        from mlmd_lineage.post_execution import run_picture

        shown = super()._repr_html_()
        if not self._run_index.holds_run(self._key):
            return shown
        return f"{shown}{run_picture.run_html(self._run, self._caption)}"

    @property
    def _caption(self) -> str:
        """What stands below its picture."""
        parts = [self.display_name]
        parts += [f"experiment {self.experiment}"] if self.experiment else []
        parts += [f"schedule {self.schedule}"] if self.schedule else []
        return ", ".join(parts)

    def _shown(self) -> Mapping[str, Any]:
        shown: dict[str, Any] = {"name": self.name, "pipeline": self.pipeline_name}
        record = self.record
        if record is not None:
            known = {
                "display_name": record.display_name,
                "experiment": record.experiment,
                "schedule": record.schedule,
            }
            shown |= {name: value for name, value in known.items() if value}
        if self._run_index.holds_run(self._key):
            shown |= {
                "status": self.status,
                "steps": len(self._run.steps),
                "started": self.started,
            }
        return shown
