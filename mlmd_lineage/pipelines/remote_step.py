"""One step of a run that was started elsewhere, as an orchestrator's command runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.pipelines.pipeline_call import PipelineCall
from mlmd_lineage.pipelines.references import load_pipeline
from mlmd_lineage.pipelines.running import store_and_stack
from mlmd_lineage.pipelines.step_execution import RunSettings
from mlmd_lineage.pipelines.step_task import PipelineStepTask

if TYPE_CHECKING:
    from mlmd_lineage.orchestration.tasks import StepOutcome


def run_step(  # noqa: PLR0913 - each stands alone
    pipeline: str,
    step: str,
    *,
    run: str,
    parameters: str = "{}",
    enable_cache: bool | None = None,
    stack: str | None = None,
    store: str | None = None,
) -> StepOutcome:
    """Run and record one step here.

    Raises:
        ConfigurationError: There is no such pipeline, run or step, or the parameters are no JSON.
        StoreError: The store cannot be reached.
    """
    try:
        given = json.loads(parameters)
    except ValueError as error:
        message = f"The parameters are no JSON: {error}."
        raise errors.ConfigurationError(message) from None
    if not isinstance(given, dict):
        message = "The parameters are no JSON object."
        raise errors.ConfigurationError(message)
    loaded = load_pipeline(pipeline)
    call = PipelineCall(loaded, loaded.bound(**given))
    if step not in call.plan.steps:
        near = errors.did_you_mean(step, call.plan.steps)
        has = ", ".join(call.plan.steps)
        message = f"The pipeline {pipeline!r} has no step {step!r}; it has {has}.{near}"
        raise errors.ConfigurationError(message)
    target, used = store_and_stack(store, stack)
    settings = RunSettings(run, target, used.artifact_store, enable_cache)
    return PipelineStepTask(call, step, settings).run()
