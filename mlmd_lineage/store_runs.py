"""StoreRuns: the pipelines, runs, steps, artifacts and registered models that a store returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.deadline import within
from mlmd_lineage.store_kubeflow import StoreKubeflow

if TYPE_CHECKING:
    from mlmd_lineage.lineage.keys import Node
    from mlmd_lineage.post_execution.cache_explanation import StepCache
    from mlmd_lineage.post_execution.models import RegisteredModel
    from mlmd_lineage.post_execution.views import (
        ArtifactView,
        PipelineRunView,
        PipelineView,
        StepView,
    )


class StoreRuns(StoreKubeflow):
    """What of a ``Store`` returns views of what ran; they ask it in turn about their lineage."""

    artifact_root: str | None

    def get_pipelines(self, *, timeout: float | None = None) -> list[PipelineView]:
        """Return all pipelines, whatever platform wrote them, with all of their runs.

        >>> [pipeline.name for pipeline in store.get_pipelines()]

        It reads all of the store in one transaction; what it returns never reads it again.

        Args:
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution.loading import loader

        with within(timeout):
            return loader.pipelines(self._reader, self)

    def get_pipeline(
        self,
        name: str | None = None,
        *,
        pipeline: str | PipelineView | None = None,
        timeout: float | None = None,
    ) -> PipelineView:
        """Return a pipeline by its name, with all of its runs.

        >>> store.get_pipeline("churn").last_run.get_step("trainer").output

        Args:
            name: The pipeline's name, or its key, such as ``context/5``.
            pipeline: The same, as ZenML's ``get_pipeline()`` calls it; or a view.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            NotFoundError: There is none of this name; the message suggests near names.
            AmbiguousNameError: There are several; name one by its key, such as ``context/5``.
            ConfigurationError: It is not a text, or both arguments are given.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution import view_lookup
        from mlmd_lineage.post_execution.loading import loader

        named = view_lookup.one_name("pipeline", name, pipeline=pipeline)
        with within(timeout):
            return loader.pipeline(self._reader, named, self)

    def get_runs(self, *, timeout: float | None = None) -> list[PipelineRunView]:
        """Return all runs, by pipelines, each from the oldest to the newest.

        >>> [(run.pipeline_name, run.name, run.status) for run in store.get_runs()]

        Args:
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            StoreError: The store cannot be read.
        """
        return [run for each in self.get_pipelines(timeout=timeout) for run in each.runs]

    def get_models(self, *, timeout: float | None = None) -> list[RegisteredModel]:
        """Return the registered models of a Kubeflow Model Registry, with their versions.

        >>> [
        ...     (model.name, [version.name for version in model.versions])
        ...     for model in store.get_models()
        ... ]

        It is empty where the store holds no registry; models of pipelines are artifacts.

        Args:
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution.models import read_models

        with within(timeout):
            return self._reader.ask(read_models)

    def get_run(
        self,
        name: str | None = None,
        *,
        run_name: str | PipelineRunView | None = None,
        timeout: float | None = None,
    ) -> PipelineRunView:
        """Return a run by its name, by a fixed number of statements.

        >>> store.get_run("churn-2024-06-01").steps

        Args:
            name: The run's name, its ``run_id``, or its key, such as ``context/7``; with the
                database of runs of Kubeflow, also the name that people gave it.
            run_name: The same, as ZenML's ``get_run()`` calls it; or a view.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            NotFoundError: There is none of this name; the message suggests near names.
            AmbiguousNameError: There are several; name one by its key.
            ConfigurationError: It is not a text, or both arguments are given.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution import view_lookup
        from mlmd_lineage.post_execution.loading import loader

        named = view_lookup.one_name("run", name, run_name=run_name)
        with within(timeout):
            if self.run_names is not None:
                named = view_lookup.run_id(named, self.run_names)
            return loader.run(self._reader, named, self)

    def get_step(
        self,
        step: str | int,
        *,
        run: str | PipelineRunView | None = None,
        timeout: float | None = None,
    ) -> StepView:
        """Return a step by its key, or by its name in a run.

        >>> store.get_step("execution/7").parameters
        >>> store.get_step("trainer", run="churn-2024-06-01").output

        Args:
            step: The key or the id of an execution; with a run, also the step's name or path.
            run: The run, or its name.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            NotFoundError: There is no such execution, run or step.
            AmbiguousNameError: Several steps or runs have this name.
            ConfigurationError: It is a name, and no run is given.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution import view_lookup
        from mlmd_lineage.post_execution.loading import loader

        with within(timeout):
            if run is not None:
                return self.get_run(run_name=run).get_step(str(step))
            return loader.step(self._reader, view_lookup.execution_id(step), self)

    def get_artifact(self, artifact: Node, *, timeout: float | None = None) -> ArtifactView:
        """Return an artifact, as an output of the step that made it, else as one's input.

        >>> store.get_artifact("s3://bucket/model/7").producer_step

        Args:
            artifact: Its key, id, URI or name, or a type and a name: ``Model:churn``.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            NotFoundError: There is no such artifact; the message suggests what is near.
            AmbiguousNameError: More than one node is called so.
            ConfigurationError: It is no artifact.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution import view_lookup
        from mlmd_lineage.post_execution.loading import loader, node_resolution

        with within(timeout):
            key = node_resolution.subject(self._reader, artifact, runs=False)
            return loader.artifact(self._reader, view_lookup.artifact_id(key), self)

    @property
    def cache(self) -> StepCache:
        """What the store knows of reused results: ``store.cache.explain("execution/7")``."""
        from mlmd_lineage.post_execution.cache_explanation import StepCache

        return StepCache(self)
