"""One step of one run as an orchestrator's task: reads its inputs, runs it, records it."""

from __future__ import annotations

import dataclasses
import functools
import json
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.config import user_code
from mlmd_lineage.orchestration.tasks import StepOutcome
from mlmd_lineage.pipelines import component_serialization, pipeline_serialization
from mlmd_lineage.pipelines.pipeline_call import PipelineCall
from mlmd_lineage.pipelines.references import find_pipeline, found_reference_to, reference_to
from mlmd_lineage.pipelines.step_execution import RunSettings, execute
from mlmd_lineage.recording.caching.source_digest import source_parts
from mlmd_lineage.recording.liveness import dead_runs
from mlmd_lineage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlmd_lineage.pipelines.pipeline_call import PipelineFunction
    from mlmd_lineage.pipelines.plan import PlannedStep


class PipelineStepTask:
    """One step of one run.

    It is sent to another process as the module and name of its pipeline, or with its code where
    no module holds it, and with the passwords of its stores: only over a pipe, and never into a
    file.
    """

    def __init__(self, call: PipelineCall, name: str, settings: RunSettings) -> None:
        self._call = call
        self._name = name
        self._settings = settings

    @property
    def name(self) -> str:
        """The step's name in its pipeline."""
        return self._name

    @property
    def waits_for(self) -> frozenset[str]:
        """The names of the steps that have to succeed first."""
        return self._planned.waits_for

    @functools.cached_property
    def _planned(self) -> PlannedStep:
        try:
            return self._call.plan.steps[self._name]
        except KeyError:
            message = (
                f"The pipeline {self._call.pipeline.name!r} has no step {self._name!r} here: its "
                "function calls other steps than where the run was started."
            )
            raise errors.ConfigurationError(message) from None

    def __reduce__(self) -> tuple[Any, ...]:
        settings, pipeline = self._settings, self._call.pipeline
        find: Callable[..., PipelineFunction] = find_pipeline
        reference: tuple[Any, ...] | None = found_reference_to(pipeline)
        source = None
        if reference is None:
            find = pipeline_serialization.deserialized
            reference = (pipeline_serialization.serialized(pipeline),)
            # Of code that no file holds, only this process can read the source.
            source = source_parts(self._planned.step.function)
        return _task, (
            find,
            reference,
            self._call.parameters,
            self._name,
            dataclasses.replace(
                settings,
                store=None,  # type: ignore[arg-type]
                artifact_store=None,  # type: ignore[arg-type]
                recorder=None,
                source=source,
            ),
            component_serialization.serialized(settings.store.metadata_store),
            component_serialization.serialized(settings.artifact_store),
        )

    def command(self) -> Sequence[str]:
        """Return the command line that runs and records the step where it is called.

        Raises:
            ConfigurationError: The pipeline's parameters cannot be written as JSON.
        """
        module, name = reference_to(self._call.pipeline)
        if module == "__main__":
            module = str(Path(sys.modules["__main__"].__file__ or "").name)
        try:
            parameters = json.dumps(self._call.parameters)
        except (TypeError, ValueError) as error:
            message = (
                f"The parameters of the pipeline {self._call.pipeline.name!r} cannot be sent to "
                f"another machine: {error}. Give texts, numbers, lists and dicts."
            )
            raise errors.ConfigurationError(message) from None
        command = ["mlmd-lineage", "pipeline", "step", f"{module}:{name}", self._name]
        command += ["--run", self._settings.run, "--parameters", parameters]
        if self._settings.enable_cache is not None:
            command.append("--cache" if self._settings.enable_cache else "--no-cache")
        return command

    def run(self) -> StepOutcome:
        """Run the step in this process, and record it."""
        began = time.monotonic()
        try:
            status, explanation = execute(self._planned, self._call, self._settings)
        except Exception as error:  # noqa: BLE001 - a step may raise anything
            return StepOutcome(
                self._name,
                "failed",
                seconds=time.monotonic() - began,
                reason=_said(error),
                error=error,
            )
        seconds = time.monotonic() - began
        return StepOutcome(self._name, status, seconds=seconds, explanation=explanation)

    def ended_without_outcome(self, reason: str, pid: int | None = None) -> StepOutcome:
        """Record that the process in which the step ran is gone, and return that outcome."""
        recorder = self._settings.recorder
        if recorder is not None and recorder.id is not None and pid is not None:
            host = socket.gethostname()
            process = dead_runs.find_process(recorder.access, recorder.id, host, pid)
            dead_runs.mark_failed(recorder.access, process, reason)
        return StepOutcome(self._name, "failed", reason=reason)


def _task(  # noqa: PLR0913, PLR0917 - what another process needs
    find: Callable[..., PipelineFunction],
    reference: tuple[Any, ...],
    parameters: dict[str, Any],
    name: str,
    settings: RunSettings,
    metadata_store: Any,
    artifact_store: Any,
) -> PipelineStepTask:
    """Return a task in the process to which it was sent."""
    settings = dataclasses.replace(
        settings,
        store=Store(component_serialization.deserialized(metadata_store)),
        artifact_store=component_serialization.deserialized(artifact_store),
    )
    call = PipelineCall(find(*reference), parameters)
    return PipelineStepTask(call, name, settings)


def _said(error: BaseException) -> str:
    if isinstance(error, errors.MLMDLineageError):
        return str(error).rstrip(".")
    return user_code.described(error)
