"""Runs a pipeline: plans it, records the run, and has the stack's orchestrator run the steps."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.orchestration.tasks import RunTasks
from mlmd_lineage.orchestration.worker_processes import refuse_start_in_worker
from mlmd_lineage.pipelines import pipeline_serialization
from mlmd_lineage.pipelines.progress import reporter
from mlmd_lineage.pipelines.references import found_reference_to
from mlmd_lineage.pipelines.step_execution import PipelineValueSaver, RunSettings
from mlmd_lineage.pipelines.step_task import PipelineStepTask
from mlmd_lineage.post_execution.views import ArtifactView
from mlmd_lineage.record_format.properties import encode
from mlmd_lineage.recording.sources import Source
from mlmd_lineage.stacks.orchestrators import BaseOrchestrator, LocalOrchestrator
from mlmd_lineage.stacks.stack import Stack
from mlmd_lineage.store import Store, connect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.orchestration.tasks import StepOutcome
    from mlmd_lineage.pipelines.pipeline_call import PipelineCall
    from mlmd_lineage.post_execution.views import PipelineRunView


def run_pipeline(  # noqa: PLR0913 - each stands alone
    call: PipelineCall,
    *,
    run_name: str | None,
    enable_cache: bool | None,
    jobs: int | None,
    explain: bool,
    stack: Stack | str | None,
    store: Store | str | None,
    progress: bool | None,
) -> PipelineRunView:
    """Run a pipeline; see ``PipelineCall.run()``."""
    run, outcomes = run_with_outcomes(
        call,
        run_name=run_name,
        enable_cache=enable_cache,
        jobs=jobs,
        explain=explain,
        stack=stack,
        store=store,
        progress=progress,
    )
    if explain:
        for outcome in outcomes.values():
            if outcome.explanation:
                sys.stdout.write(f"{outcome.explanation}\n")
    _raise_failed(call.pipeline.name, run, outcomes)
    return run


def run_with_outcomes(  # noqa: PLR0913 - each stands alone
    call: PipelineCall,
    *,
    run_name: str | None = None,
    enable_cache: bool | None = None,
    jobs: int | None = None,
    explain: bool = False,
    stack: Stack | str | None = None,
    store: Store | str | None = None,
    progress: bool | None = None,
) -> tuple[PipelineRunView, Mapping[str, StepOutcome]]:
    """Run a pipeline; return the run, and how each step ended, failed ones too."""
    refuse_start_in_worker()
    if jobs is not None and (isinstance(jobs, bool) or jobs < 1):
        message = f"jobs is {jobs!r}; give the number of steps that run at the same time, from 1."
        raise errors.ConfigurationError(message)
    plan = call.plan
    target, used = store_and_stack(store, stack)
    _check_orchestrator(used, call, jobs)
    _check_parameters(call)
    _warn_of_files(call)
    recorder = target.record(
        call.pipeline.name,
        run_name,
        parameters=recorded_parameters(call.parameters),
        enable_cache=enable_cache,
        save_value=PipelineValueSaver(call, used.artifact_store),
    )
    with recorder as run, reporter(progress=progress) as told:
        settings = RunSettings(
            run.name, target, used.artifact_store, enable_cache, explain, recorder=run
        )
        tasks = tuple(PipelineStepTask(call, name, settings) for name in plan.steps)
        outcomes = used.orchestrator.run(RunTasks(call.pipeline.name, run.name, tasks, jobs, told))
        if not all(outcome.succeeded for outcome in outcomes.values()):
            run.end("failed")
    return target.get_run(run.node_key or run.name), outcomes


def _check_orchestrator(stack: Stack, call: PipelineCall, jobs: int | None) -> None:
    """Refuse what cannot be run, before anything is recorded.

    Raises:
        ConfigurationError: The orchestrator runs no pipelines of this library, or this one cannot
            be sent to other processes.
    """
    orchestrator = stack.orchestrator
    if type(orchestrator).run is BaseOrchestrator.run:
        message = (
            f"The orchestrator {orchestrator.name or orchestrator.FLAVOR!r} of flavor "
            f"{orchestrator.FLAVOR!r} does not run pipelines of this library, such as "
            f"{call.pipeline.name!r}. Use the flavor 'local', or one of your own that has run()."
        )
        raise errors.ConfigurationError(message)
    is_parallel = isinstance(orchestrator, LocalOrchestrator) and (jobs or orchestrator.jobs) > 1
    if is_parallel and found_reference_to(call.pipeline) is None:
        pipeline_serialization.serialized(call.pipeline)


def _check_parameters(call: PipelineCall) -> None:
    """Refuse parameters that cannot be recorded, before any step runs.

    Raises:
        ConfigurationError: One of them cannot.
    """
    for step in call.plan.steps.values():
        try:
            encode(step.parameters)
        except errors.MLMDLineageError as error:
            message = f"The step {step.name!r} cannot be run: {error}"
            raise errors.ConfigurationError(message) from None


def _warn_of_files(call: PipelineCall) -> None:
    """Warn of parameters that are paths of files, whose contents are neither recorded nor in a key.

    A ``pathlib.Path`` is an input, and needs no warning.
    """
    for step in call.plan.steps.values():
        for name, value in step.parameters.items():
            if isinstance(value, str) and _is_file(value):
                message = (
                    f"The parameter {name!r} of step {step.name!r} is the path of a file, "
                    f"{value!r}. What it holds is not recorded, and the step is reused when it "
                    "changes. Give pathlib.Path(...) or ml.external_artifact(...) to have it "
                    "tracked as an input."
                )
                warnings.warn(errors.RecordingWarning(message), stacklevel=4)


def _is_file(text: str) -> bool:
    try:
        return os.path.isfile(text)  # noqa: PTH113 - a text
    except ValueError:
        return False


def store_and_stack(store: Store | str | None, stack: Stack | str | None) -> tuple[Store, Stack]:
    """Return where a run is recorded, which is made where there is nothing, and its stack."""
    used = stack if isinstance(stack, Stack) else Stack(**({"name": stack} if stack else {}))
    if isinstance(store, Store):
        return store, used
    return connect(used.metadata_store if store is None else store, create=True), used


def recorded_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pipeline's parameters as they are recorded: an artifact by its key or URI."""
    return {
        name: value.node_key
        if isinstance(value, ArtifactView)
        else str(value.given)
        if isinstance(value, Source)
        else value
        for name, value in parameters.items()
    }


def _raise_failed(pipeline: str, run: PipelineRunView, outcomes: Mapping[str, StepOutcome]) -> None:
    failed = [each for each in outcomes.values() if each.status in {"failed", "canceled"}]
    if not failed:
        return
    said = "; ".join(f"{each.step}: {each.reason}" for each in failed)
    left = [each.step for each in outcomes.values() if each.status == "skipped"]
    not_run = f" Not started, as they wait for it: {', '.join(left)}." if left else ""
    message = f"The run {run.name!r} of the pipeline {pipeline!r} failed. {said}.{not_run}"
    error = errors.PipelineFailedError(message)
    error.run = run
    raise error from next((each.error for each in failed if each.error is not None), None)
