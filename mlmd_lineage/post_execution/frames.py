"""Pipelines, runs, steps, parameters and metrics as DataFrames: ``docs/post-execution.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mlmd_lineage import deadline
from mlmd_lineage.deadline import within
from mlmd_lineage.dialects.registry import dialects
from mlmd_lineage.post_execution import models, step_metrics
from mlmd_lineage.post_execution.base_view import table
from mlmd_lineage.post_execution.frame_rows import (
    METRICS,
    OF_RECORD,
    OF_STEP,
    PARAMETERS,
    PIPELINES,
    RUNS,
    STEPS,
    maker,
    makers,
    of_attempt,
    of_record,
    of_run,
    row_frame,
)
from mlmd_lineage.post_execution.loading.row_values import without_gc
from mlmd_lineage.post_execution.loading.run_index import RunIndex
from mlmd_lineage.post_execution.loading.run_outlines import (
    MAKER_TABLES,
    RunOutline,
    RunOutlines,
    needed_properties,
    outline_of,
)
from mlmd_lineage.post_execution.loading.run_outlines import TABLES as OUTLINE_TABLES
from mlmd_lineage.post_execution.loading.step_images import step_image
from mlmd_lineage.post_execution.loading.store_image import (
    ATTRIBUTION,
    TABLES,
    StoreImage,
    read_tables,
)
from mlmd_lineage.snapshot.frames import Frames
from mlmd_lineage.snapshot.imported import ORIGINAL, SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from typing_extensions import Self

    from mlmd_lineage.kubeflow.run_names import RunNames
    from mlmd_lineage.post_execution.loading.run_assembly import Run
    from mlmd_lineage.post_execution.loading.run_membership import RunEntry, RunMembership
    from mlmd_lineage.post_execution.loading.step_images import Part
    from mlmd_lineage.snapshot.tables import Tables

_OFFERED = (
    "pipelines",
    "runs",
    "steps",
    "parameters",
    "metrics",
    "models",
    "artifacts",
    "executions",
    "contexts",
    "events",
    "types",
)
_KEPT = 200
"""The number of runs after which assembled runs are freed."""


class StoreFrames(Frames):
    """A store's tables, and its pipelines, runs and steps, as pandas DataFrames.

    >>> store.frames.runs()
    >>> store.frames.metrics().pivot_table(index="run_name", columns="name", values="value")

    Each frame reads what it needs in one transaction.
    """

    _run_names: RunNames | None = None
    _writing_types: frozenset[int] = frozenset()

    def with_run_names(self, names: RunNames | None) -> Self:
        """Return these frames, in which runs have the names that people gave them in Kubeflow."""
        self._run_names = names
        return self

    def with_writing_types(self, types: frozenset[int]) -> Self:
        """Return these frames of a part of a store, where other executions wrote artifacts.

        Args:
            types: The ids of the types of executions that wrote artifacts anywhere in the store.
        """
        self._writing_types = types
        return self

    def __repr__(self) -> str:
        return f"<StoreFrames: {', '.join(f'{name}()' for name in _OFFERED)}>"

    def _repr_html_(self) -> str:
        rows = [(f"{n}()", str(getattr(type(self), n).__doc__).split("\n")[0]) for n in _OFFERED]
        return table("frames", rows)

    def pipelines(self, *, timeout: float | None = None) -> pd.DataFrame:
        """Return the pipelines, in the order of their oldest runs.

        Index: ``pipeline``, the key. Columns: ``name``, ``id`` (of its context), ``dialect``,
        ``runs`` (how many), ``last_run`` (a name), ``last_status``, ``started`` (of the first),
        ``finished`` (of the last).

        Args:
            timeout: How many seconds the answer may take; None for no limit.
        """
        with within(timeout):
            membership, runs = self._outlines(_first_and_last)
            rows = []
            for key, entry in membership.pipelines.items():
                first = runs[entry.runs[0]] if entry.runs else None
                last = runs[entry.runs[-1]] if entry.runs else None
                rows.append(
                    (
                        key,
                        entry.name,
                        entry.id,
                        last.dialect if last else None,
                        len(entry.runs),
                        membership.runs[entry.runs[-1]].name if last else None,
                        last.status if last else None,
                        first.started if first else None,
                        last.finished if last else None,
                    )
                )
            return row_frame(rows, PIPELINES, "pipeline")

    def runs(self, *, timeout: float | None = None) -> pd.DataFrame:
        """Return the runs, by pipelines, each from the oldest to the newest.

        Index: ``run``, the key. Columns: ``name``, ``pipeline`` (its key), ``pipeline_name``,
        ``dialect``, ``status``, ``state`` (MLMD's own), ``is_cached``, ``steps`` (how many),
        ``started``, ``finished``; where Kubeflow's database of runs is known also
        ``display_name``, ``experiment``, ``schedule``, ``namespace`` and ``recorded_state``.

        Args:
            timeout: How many seconds the answer may take; None for no limit.
        """
        with within(timeout):
            rows, names = [], self._run_names
            membership, outlines = self._outlines()
            for key, run in outlines.items():
                entry = membership.runs[key]
                rows.append(
                    (
                        entry.key,
                        entry.name,
                        entry.pipeline,
                        membership.pipelines[entry.pipeline].name,
                        run.dialect,
                        run.status,
                        run.state,
                        run.is_cached,
                        run.steps,
                        run.started,
                        run.finished,
                        *(() if names is None else of_record(entry, names)),
                    )
                )
            return row_frame(rows, RUNS if names is None else RUNS | OF_RECORD, "run")

    def steps(self, *, timeout: float | None = None) -> pd.DataFrame:
        """Return the steps of all runs, each run's in topological order.

        Index: ``execution_id``; an execution that belongs to several runs, as in TFX's pipelines
        in pipelines, has a row in each. Columns: ``name``, ``path``, ``display_name``,
        ``entrypoint_name``, ``type``, ``status``, ``state``, ``is_cached``,
        ``original_execution_id`` (which made what a cached step reuses), ``run``, ``run_name``,
        ``pipeline``, ``pipeline_name``, ``dialect``, ``is_dag``, ``parent_dag_id``, ``iteration``,
        ``attempt`` (counted from 1) and ``attempts`` (how many), ``started``, ``finished``.

        Args:
            timeout: How many seconds the answer may take; None for no limit.
        """
        with within(timeout), without_gc():
            rows = []
            for run_index, entry, run in self._runs("steps"):
                for number, step in run.steps.items():
                    record = step.record
                    rows.append(
                        (
                            number,
                            record.name,
                            step.path,
                            record.display_name or record.name,
                            record.entrypoint_name,
                            record.type,
                            step.status,
                            record.state,
                            step.is_cached,
                            run_index.original(number) if record.is_cached else None,
                            *of_run(run_index, entry),
                            record.dialect,
                            record.is_dag,
                            record.parent_dag,
                            record.iteration,
                            step.attempt,
                            step.attempts,
                            step.started,
                            step.finished,
                        )
                    )
            return row_frame(rows, STEPS, "execution_id")

    def parameters(self, *, timeout: float | None = None) -> pd.DataFrame:
        """Return the parameters of all steps, one row a parameter.

        Columns: ``execution_id``, ``step``, ``path``, ``attempt``, ``run``, ``run_name``,
        ``pipeline``, ``pipeline_name``, ``name``, ``value`` (a Python object). The parameters of a
        run as a whole are those of its step ``root`` (Kubeflow 2), or have no step.

        Args:
            timeout: How many seconds the answer may take; None for no limit.
        """
        with within(timeout), without_gc():
            rows = []
            for run_index, entry, run in self._runs("parameters"):
                for step in run.steps.values():
                    own = of_attempt(run_index, entry, step)
                    rows += [(*own, *item) for item in sorted(step.record.parameters.items())]
                if not run.steps:
                    own = of_attempt(run_index, entry, None)
                    rows += [(*own, *item) for item in sorted(run.details.parameters.items())]
            return row_frame(rows, PARAMETERS)

    def metrics(
        self, *, read_artifacts: bool = False, timeout: float | None = None
    ) -> pd.DataFrame:
        """Return the scalar metrics of all steps, one row a metric.

        Columns: ``execution_id``, ``step``, ``path``, ``attempt``, ``run``, ``run_name``,
        ``pipeline``, ``pipeline_name``, ``artifact_id``, ``key`` (of the output), ``name``,
        ``value``. Metrics of a run as a whole have no step.

        Args:
            read_artifacts: Read the artifacts that are a single number each, as the floats and
                integers of ZenML and TFX, from where they lie; the output's key is the name. One
                that cannot be read has the value NA.
            timeout: How many seconds the answer may take; None for no limit.
        """
        with within(timeout), without_gc():
            rows: list[tuple[Any, ...]] = []
            for run_index, entry, run in self._runs(None if read_artifacts else "metrics"):
                for step in run.steps.values():
                    if not step.record.is_dag:  # a group passes on the outputs of its steps
                        own = of_attempt(run_index, entry, step)
                        found = step_metrics.rows_of(
                            run_index, step.record, read_artifacts=read_artifacts
                        )
                        rows += [(*own, *row) for row in found]
                own = of_attempt(run_index, entry, None)
                for artifact, metrics in sorted(run.details.metrics.items()):
                    rows += [
                        (*own, artifact, None, n, float(v)) for n, v in sorted(metrics.items())
                    ]
            return row_frame(rows, METRICS)

    def models(self, *, timeout: float | None = None) -> pd.DataFrame:
        """Return the registered models (Kubeflow Model Registry), a row for each artifact.

        Columns: ``model`` and ``model_key``, ``version`` and ``version_key`` (of its context),
        ``state``, ``author``, ``artifact`` (its key), ``name``, ``uri``, ``deployments`` (the
        names of the services that serve the version), ``created``.

        Args:
            timeout: How many seconds the answer may take; None for no limit.
        """
        with within(timeout):
            tables = self._read((*TABLES, ATTRIBUTION))
            return models.models_frame(list(models.RegisteredModels(StoreImage(tables)).models()))

    def artifacts(
        self,
        *,
        type: str | Collection[str] | None = None,  # noqa: A002 - MLMD's word
        properties: bool = False,
        runs: bool = True,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """Return the artifacts, with the step, the run and the pipeline that made each.

        Columns: ``type``, ``type_version``, ``name``, ``uri``, ``state``, ``external_id``,
        ``create_time_since_epoch``, ``last_update_time_since_epoch``, ``type_id``; of who made it
        ``execution_id``, ``step``, ``run``, ``run_name``, ``pipeline``, ``pipeline_name``; with
        ``properties`` one more for each property, ``properties.NAME`` or
        ``custom_properties.NAME``.

        Args:
            type: Only those of this type or of one of these, in any version, or with such a base
                type.
            properties: Read the properties too.
            runs: Tell who made each. That takes reading all of the store; without, only the
                artifacts are read.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            NotFoundError: The store has no such type.
        """
        with within(timeout):
            if not runs:
                return super().artifacts(type=type, properties=properties)
            names = needed_properties(dialects())
            if names is None:
                tables = self._tables()
            else:
                if not properties:
                    names["ArtifactProperty"] = (ORIGINAL, SOURCE)
                tables = self._read_properties((*MAKER_TABLES, "ArtifactProperty"), names)
            frame = Frames.of(tables).artifacts(type=type, properties=properties)
            if names is None:
                run_index = RunIndex(StoreImage(tables), dialects())
                made = [maker(run_index, number) for number in frame.index.tolist()]
                columns = row_frame(made, OF_STEP).set_axis(frame.index)
            else:
                columns = makers(RunOutlines(tables, dialects()), frame.index)
            at = frame.columns.get_loc("type_id")
            assert isinstance(at, int)  # it is there once
            return pd.concat([frame.iloc[:, : at + 1], columns, frame.iloc[:, at + 1 :]], axis=1)

    def _tables(self) -> Tables:
        return read_tables(self._read, dialects())

    def _run_index(self) -> RunIndex:
        image = StoreImage(self._tables(), writing_types=self._writing_types)
        return RunIndex(image, dialects())

    def _outlines(
        self, choose: Callable[[RunMembership], Collection[str]] | None = None
    ) -> tuple[RunMembership, Mapping[str, RunOutline]]:
        """Return runs in outline, in the order of pipelines; all, unless some are chosen."""
        names = needed_properties(dialects())
        if names is not None:
            tables = self._read_properties(OUTLINE_TABLES, names)
            outlines = RunOutlines(tables, dialects(), writing_types=self._writing_types)
            membership = outlines.membership
            found = outlines.runs(None if choose is None else choose(membership))
            if found is not None:
                return membership, found
        run_index = self._run_index()
        membership = run_index.membership
        keys = _all_runs(membership) if choose is None else choose(membership)
        return membership, {key: outline_of(run) for key, run in _assembled(run_index, keys)}

    def _runs(self, part: Part | None) -> Iterator[tuple[RunIndex, RunEntry, Run]]:
        """Yield all runs, by pipelines; the memory of those before is freed at intervals.

        They hold what one frame needs, or all of it; for metrics, they are those that took or made
        an artifact that may hold any.
        """
        names, image = needed_properties(dialects()), None
        if part is not None and names is not None:
            image = step_image(
                self._read_properties, part, dialects(), names, writing_types=self._writing_types
            )
        run_index = self._run_index() if image is None else RunIndex(image, dialects())
        keys = _all_runs(run_index.membership)
        if image is not None and part == "metrics":
            measured = image.show_measured(run_index.membership, dialects())
            keys = [key for key in keys if key in measured]
        for key, run in _assembled(run_index, keys):
            yield run_index, run_index.membership.runs[key], run


def _assembled(run_index: RunIndex, keys: Collection[str]) -> Iterator[tuple[str, Run]]:
    for count, key in enumerate(keys, 1):
        deadline.check()
        yield key, run_index.run(key)
        if count % _KEPT == 0:
            run_index.release()


def _all_runs(membership: RunMembership) -> list[str]:
    return [key for entry in membership.pipelines.values() for key in entry.runs]


def _first_and_last(membership: RunMembership) -> list[str]:
    runs = (entry.runs for entry in membership.pipelines.values())
    return list(dict.fromkeys(key for keys in runs for key in (*keys[:1], *keys[-1:])))
