"""The views: a pipeline, its runs, their steps, and the artifacts of these.

Each view leads to the others, so that all four are in one module; what a view says of itself is
in its fields: ``pipeline_fields``, ``run_fields``, ``step_fields`` and ``artifact_fields``.
"""

from __future__ import annotations

import operator
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, SupportsIndex

from mlmd_lineage import errors
from mlmd_lineage.post_execution import materializers, view_lookup
from mlmd_lineage.post_execution.artifact_fields import ArtifactFields
from mlmd_lineage.post_execution.artifact_files import MAX_BYTES
from mlmd_lineage.post_execution.pipeline_fields import PipelineFields
from mlmd_lineage.post_execution.run_fields import RunFields
from mlmd_lineage.post_execution.step_fields import StepFields
from mlmd_lineage.post_execution.step_metrics import metrics_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mlmd_lineage.lineage.graph import Trace
    from mlmd_lineage.lineage.question import Time
    from mlmd_lineage.post_execution.compare.run_comparison import RunComparison


class PipelineView(PipelineFields):
    """A pipeline: what its runs have in common.

    >>> pipeline = store.get_pipeline("iris_training")
    >>> [run.status for run in pipeline.runs]
    >>> pipeline.last_run.get_step("trainer").output
    """

    __slots__ = ()

    @property
    def runs(self) -> tuple[PipelineRunView, ...]:
        """Its runs from the oldest to the newest."""
        index = self._run_index
        return tuple(PipelineRunView(index, key) for key in index.runs_of(self._key))

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
        return PipelineRunView(self._run_index, keys[-1])

    def get_run(self, name: str) -> PipelineRunView:
        """Return the newest run of a name, also of one that people gave it in Kubeflow.

        Raises:
            NotFoundError: The pipeline has no such run; the message suggests near names.
        """
        index = self._run_index
        keys = index.runs_of(self._key)
        titled = [key for key in reversed(keys) if index.run_title(key) == name]
        if titled:
            return PipelineRunView(index, titled[0])
        runs = {key: index.membership.runs[key] for key in keys}
        return PipelineRunView(index, view_lookup.find_run(self.name, runs, name))

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
        read_artifacts: bool = False,
    ) -> RunComparison:
        """Return runs beside each other: parameters, metrics, status, duration and inputs.

        >>> pipeline.compare_runs(last=20).to_pandas()
        >>> pipeline.compare_runs(runs=["churn-1", "churn-7"], only_changes=True).to_pandas()

        Args:
            last: Only the newest runs, so many; all where None is given.
            runs: Only these, views or names.
            only_changes: Only the columns whose values differ.
            read_artifacts: Read artifacts that are a single number each (ZenML, TFX) as metrics.

        Raises:
            NotFoundError: The pipeline has no such run.
            ConfigurationError: An argument cannot be right.
        """
        from mlmd_lineage.post_execution.compare.run_comparison import RunComparison

        is_number = isinstance(last, SupportsIndex) and not isinstance(last, bool)
        if last is not None and (not is_number or operator.index(last) < 1):
            message = f"last is {last!r}; give the number of runs to compare, 1 or more."
            raise errors.ConfigurationError(message)
        keys = self._run_index.runs_of(self._key)
        if runs is not None:
            wanted = self._keys_of(runs)
            keys = [key for key in keys if key in wanted]
        chosen = keys if last is None else keys[-last:]
        return RunComparison(
            self.name,
            self._run_index,
            chosen,
            only_changes=only_changes,
            read_artifacts=read_artifacts,
        )

    def _keys_of(self, runs: Collection[str | PipelineRunView]) -> set[str]:
        if isinstance(runs, str):
            message = f"runs is the text {runs!r}; give a list of runs or of their names."
            raise errors.ConfigurationError(message)
        keys = {(self.get_run(run) if isinstance(run, str) else run).node_key for run in runs}
        unknown = keys - set(self._run_index.runs_of(self._key))
        if unknown:
            named = ", ".join(sorted(unknown))
            message = f"The pipeline {self.name!r} has no run {named}."
            raise errors.NotFoundError(message)
        return keys


class PipelineRunView(RunFields):
    """A run: the steps that were executed together.

    >>> run = store.get_run("iris-001-base")
    >>> run.status, run.get_step_names()
    ('completed', ['importer', 'splitter', 'trainer', 'evaluator'])
    """

    __slots__ = ()

    @property
    def pipeline(self) -> PipelineView:
        """Its pipeline."""
        return PipelineView(self._run_index, self._run_index.membership.runs[self._key].pipeline)

    @property
    def steps(self) -> tuple[StepView, ...]:
        """Its steps in topological order, groups of steps and repeated attempts among them."""
        index, run = self._run_index, self._key
        return tuple(StepView(index, number, run) for number in self._run.steps)

    def get_step(self, name: str) -> StepView:
        """Return a step by its name, its path or the end of it, or its key.

        Of several attempts at a step, which have the same name, it is the last.

        >>> run.get_step("trainer")
        >>> run.get_step("exit-handler-1/for-loop-2/1/train")
        >>> run.get_step("for-loop-2/1/train")

        Raises:
            NotFoundError: The run has no such step; the message suggests near names.
            AmbiguousNameError: Several steps have this name, and are not attempts at one step; the
                message lists their paths or keys.
            ConfigurationError: It is not a text.
        """
        number = view_lookup.find_step(self.name, self._run.steps, name)
        return StepView(self._run_index, number, self._key)

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
            StepView(self._run_index, maker, None)
            for maker in sorted(maker for maker in makers if maker is not None)
            if maker not in run.steps
        )


class StepView(StepFields):
    """A step: an execution in its run.

    >>> step = run.get_step("trainer")
    >>> step.status, step.parameters["lr"], step.inputs["data"].uri

    A group of steps, such as a DAG or a loop of Kubeflow, is a step too; it has ``children``.
    """

    __slots__ = ()

    @property
    def metrics(self) -> Mapping[str, float | int | bool]:
        """The scalar metrics among its outputs.

        A name that two outputs have comes with the output's key before it: ``eval.accuracy``.
        """
        return MappingProxyType(metrics_of(self._run_index, self._step.record))

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

    @property
    def run(self) -> PipelineRunView:
        """The run that it belongs to."""
        return PipelineRunView(self._run_index, self._run)

    @property
    def parent_steps(self) -> tuple[StepView, ...]:
        """The steps of the same run that passed it its inputs, in the order of their ids."""
        return tuple(StepView(self._run_index, number, self._run) for number in self._step.parents)

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

    def _views(
        self, found: Mapping[str, tuple[int, ...]]
    ) -> Mapping[str, tuple[ArtifactView, ...]]:
        index = self._run_index
        return MappingProxyType(
            {
                key: tuple(ArtifactView(index, number, self) for number in ids)
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


class ArtifactView(ArtifactFields):
    """An artifact, as an input or an output of a step.

    >>> model = run.get_step("Trainer").outputs["model"]
    >>> model.uri, model.producer_step.name
    >>> model.upstream().nodes
    """

    __slots__ = ()

    _step: StepView | None

    @property
    def step(self) -> StepView:
        """The step whose input or output this is.

        Raises:
            NotFoundError: No step took it or made it; ``store.get_artifact()`` gives such ones.
        """
        if self._step is None:
            message = f"No step took or made {self.node_key}."
            raise errors.NotFoundError(message)
        return self._step

    @property
    def producer_step(self) -> StepView | None:
        """The step that really made it, in whatever run; None where nobody did.

        A cached step only claims what another made, and a resolver passes it on.

        Raises:
            NotLoadedError: The step was read for the sake of another run, and who made its
                inputs was not.
        """
        maker = self._run_index.producer(self.id)
        return None if maker is None else StepView(self._run_index, maker, None)

    def read(
        self,
        *,
        file: str | None = None,
        allow_pickle: bool = False,
        max_bytes: int = MAX_BYTES,
        root: str | None = None,
    ) -> Any:
        """Return what it holds: JSON, text, CSV, Parquet, NumPy, or what a materializer reads.

        >>> run.get_step("evaluator").outputs["accuracy"].read()
        0.97

        A function that was registered for its type or its ``data_type`` goes first; see
        ``register_materializer``. Local paths, ``s3://``, ``gs://`` and ``az://`` are read;
        ``register_scheme`` lists others, such as ``minio://``.

        Args:
            file: Which file, where its URI is a folder of several.
            allow_pickle: Unpickle files. A pickle may run any code of whoever wrote it: allow it
                only for artifacts whose origin you trust.
            max_bytes: How many bytes a file may hold, also when it is unpacked: 1 GiB.
            root: A folder in which it has to lie, such as the artifact store's; that of the
                active stack, for ``connect()`` without a target.

        Raises:
            ArtifactReadError: There is nothing at its URI, or nothing that can be read.
        """
        return materializers.read(
            self,
            file=file,
            allow_pickle=allow_pickle,
            max_bytes=max_bytes,
            root=root if root is not None else self._run_index.artifact_root,
        )

    def upstream(  # noqa: PLR0913 - each stands alone
        self,
        *,
        max_hops: int | None = None,
        until: str | Collection[str] | None = None,
        types: str | Collection[str] | None = None,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
        timeout: float | None = None,
    ) -> Trace:
        """Ask the store what it came from; the arguments are those of ``store.upstream()``."""
        return self._run_index.lineage.upstream(
            self._key,
            max_hops=max_hops,
            until=until,
            types=types,
            reuse=reuse,
            internal=internal,
            later=later,
            as_of=as_of,
            timeout=timeout,
        )

    def downstream(  # noqa: PLR0913 - each stands alone
        self,
        *,
        max_hops: int | None = None,
        until: str | Collection[str] | None = None,
        types: str | Collection[str] | None = None,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
        timeout: float | None = None,
    ) -> Trace:
        """Ask the store what came from it; the arguments are those of ``store.downstream()``."""
        return self._run_index.lineage.downstream(
            self._key,
            max_hops=max_hops,
            until=until,
            types=types,
            reuse=reuse,
            internal=internal,
            later=later,
            as_of=as_of,
            timeout=timeout,
        )


def _single(
    found: Mapping[str, tuple[ArtifactView, ...]],
) -> Mapping[str, ArtifactView | tuple[ArtifactView, ...]]:
    return MappingProxyType(
        {key: some[0] if len(some) == 1 else some for key, some in found.items()}
    )
