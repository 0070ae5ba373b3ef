"""The execution of one step: its inputs are read, its results looked up, it is run and recorded."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
from typing import TYPE_CHECKING, Any, Literal

from mlmd_lineage import errors
from mlmd_lineage.pipelines.plan import OutputReference
from mlmd_lineage.pipelines.signatures import checked
from mlmd_lineage.pipelines.step_inputs import value_of
from mlmd_lineage.recording.caching.constants import NotAConstantError, constant_text
from mlmd_lineage.recording.caching.key import CacheKey
from mlmd_lineage.recording.caching.source_digest import source_parts
from mlmd_lineage.recording.outcomes import is_termination
from mlmd_lineage.recording.saved_values import ValueSaver
from mlmd_lineage.recording.step_results import kept_value, step_outputs

if TYPE_CHECKING:
    import inspect
    from collections.abc import Mapping

    from mlmd_lineage.pipelines.pipeline_call import PipelineCall
    from mlmd_lineage.pipelines.plan import PlannedStep
    from mlmd_lineage.pipelines.step_definition import PipelineStep
    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.recording.artifacts import RecordedArtifact
    from mlmd_lineage.recording.recorder import RunRecorder
    from mlmd_lineage.recording.step_recorder import StepRecorder
    from mlmd_lineage.recording.step_results import KeptValue
    from mlmd_lineage.recording.values import SavedValue, ValuePlace
    from mlmd_lineage.stacks.artifact_stores import BaseArtifactStore
    from mlmd_lineage.store import Store


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """What the steps of a run have in common.

    Attributes:
        run: The run's name.
        store: Where it is recorded.
        artifact_store: Where values are kept.
        enable_cache: Whether results are reused, where the run says it.
        explain: Whether each step says why its results were reused or were not.
        recorder: The recorder of the run, in the process that started it; elsewhere each step
            takes part in the run by its name.
        source: The parts of the step's source, where this process cannot read it.
    """

    run: str
    store: Store
    artifact_store: BaseArtifactStore
    enable_cache: bool | None = None
    explain: bool = False
    recorder: RunRecorder | None = None
    source: Mapping[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class PipelineValueSaver:
    """Keeps the values that the steps of a pipeline return, as each of them says."""

    call: PipelineCall
    store: BaseArtifactStore

    def __call__(self, value: Any, place: ValuePlace) -> SavedValue:
        """Keep a value.

        Raises:
            MaterializerError: It cannot be kept, or only by pickle.
        """
        step = self.call.plan.steps[place.step.partition("/")[0]].step
        chosen = {
            name: declared.output.materializer
            for name, declared in step.signature.outputs.items()
            if declared.output.materializer is not None
        }
        return ValueSaver(self.store, may_pickle(step, self.call), chosen)(value, place)


def may_pickle(step: PipelineStep[Any, Any], call: PipelineCall) -> bool:
    """Return whether a step may write and read pickles."""
    return call.pipeline.allow_pickle if step.allow_pickle is None else step.allow_pickle


def max_bytes(step: PipelineStep[Any, Any], call: PipelineCall) -> int:
    """Return how many bytes a file of a step's inputs may hold."""
    return call.pipeline.max_bytes if step.max_bytes is None else step.max_bytes


def execute(
    planned: PlannedStep, call: PipelineCall, settings: RunSettings
) -> tuple[Literal["completed", "cached"], str | None]:
    """Run a step in this process, or take its results from the cache, and record it.

    Returns:
        How it ended; and why it was reused or was not, where the settings ask for it.

    Raises:
        Exception: What the step raises; it is recorded as failed then.
    """
    settings.artifact_store.list_place()
    if settings.recorder is not None:
        recorded = _record(planned, call, settings, settings.recorder)
    else:
        recorded = _take_part(planned, call, settings)
    explanation = None
    if settings.explain and recorded.node_key is not None:
        explanation = settings.store.cache.explain(recorded.node_key).text()
    return ("cached" if recorded.is_cached else "completed"), explanation


def _take_part(planned: PlannedStep, call: PipelineCall, settings: RunSettings) -> StepRecorder:
    """Record a step of a run that another process has started."""
    recorder = settings.store.record(
        call.pipeline.name,
        settings.run,
        resume=True,
        capture_code=False,
        capture_software=False,
        save_value=PipelineValueSaver(call, settings.artifact_store),
    )
    problem: Exception | None = None
    with recorder as run:
        try:
            return _record(planned, call, settings, run)
        except Exception as error:  # noqa: BLE001 - it is the step that failed, and not the run
            problem = error
    raise problem


def _record(
    planned: PlannedStep, call: PipelineCall, settings: RunSettings, run: RunRecorder
) -> StepRecorder:
    step = planned.step
    recorded = run.step(
        planned.name,
        type=f"{step.function.__module__}.{step.function.__qualname__}",
        parameters=planned.parameters,
        inputs=_sources(planned, call, run),
    )
    source = settings.source or source_parts(step.function)
    key = cache_key(step, source, planned.parameters, recorded.inputs)
    recorded.look_up(key, may_reuse=may_reuse(step, call, settings))
    with recorded:
        if not recorded.is_cached:
            given = _arguments(planned, call, recorded, settings)
            _produce(recorded, step, _called(step, given))
    return recorded


def _called(step: PipelineStep[Any, Any], given: inspect.BoundArguments) -> Any:
    try:
        return step.function(*given.args, **given.kwargs)
    except SystemExit as error:
        if is_termination(error):
            raise
        message = f"The step {step.name!r} called exit({error.code!r}) rather than return."
        raise errors.StepTypeError(message) from error


def may_reuse(step: PipelineStep[Any, Any], call: PipelineCall, settings: RunSettings) -> bool:
    """Return whether a step's results may be reused.

    Not where the step itself says no; else as the run says, then the step, then the pipeline. A
    step without outputs has no results: it is there for what it does, and is reused only where
    it says so itself.
    """
    if step.enable_cache is False or not (step.signature.outputs or step.enable_cache):
        return False
    said = (settings.enable_cache, step.enable_cache, call.pipeline.enable_cache)
    return next(each for each in said if each is not None)


def cache_key(
    step: PipelineStep[Any, Any],
    source: Mapping[str, str],
    parameters: Mapping[str, Any],
    inputs: Mapping[str, tuple[RecordedArtifact, ...]],
) -> CacheKey:
    """Return what a step's results depend on.

    Raises:
        ConfigurationError: A package of its environment is not installed.
    """
    return CacheKey.of(
        source=source,
        parameters={name: _text(value) for name, value in parameters.items()},
        inputs=inputs,
        environment={name: _version(step, name) for name in step.environment},
        outputs={
            name: f"{declared.output.type or ''} {declared.output.materializer or ''}".strip()
            for name, declared in step.signature.outputs.items()
        },
    )


def _text(value: Any) -> str:
    try:
        return constant_text(value, lambda _: None)
    except NotAConstantError:
        return repr(value)


def _version(step: PipelineStep[Any, Any], package: str) -> str:
    if package == "python":
        return platform.python_version()
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        installed = {each.name for each in importlib.metadata.distributions()}
        near = errors.did_you_mean(package, installed)
        message = (
            f"The package {package!r}, of the environment of step {step.name!r}, is not "
            f"installed.{near}"
        )
        raise errors.ConfigurationError(message) from None


def _sources(planned: PlannedStep, call: PipelineCall, run: RunRecorder) -> dict[str, list[Any]]:
    """Return what a step is given: for outputs of this run's steps the artifacts that they are."""
    used = [each for several in planned.inputs.values() for each in several]
    outputs: dict[str, Any] = {}
    steps = {each.step for each in used if isinstance(each, OutputReference)}
    if steps:
        assert run.id is not None  # it has begun

        def ask(session: Session) -> dict[str, Any]:
            return {
                step: step_outputs(session, run.id or 0, call.pipeline.name, step) for step in steps
            }

        outputs = run.access.ask(ask)
    found: dict[str, list[Any]] = {key: [] for key in planned.inputs}
    for key, sources in planned.inputs.items():
        for source in sources:
            if isinstance(source, OutputReference):
                held = outputs[source.step].get(source.key)
                if not held:
                    message = (
                        f"The step {source.step!r} has no output {source.key!r} in the run "
                        f"{run.name!r}, as it did not succeed there."
                    )
                    raise errors.NotFoundError(message)
                found[key] += held
            else:
                found[key].append(source)
    return found


def _arguments(
    planned: PlannedStep,
    call: PipelineCall,
    recorded: StepRecorder,
    settings: RunSettings,
) -> inspect.BoundArguments:
    """Return the arguments of a step's function: its parameters, and the values of its inputs."""
    signature = planned.step.signature
    arguments = dict(planned.parameters)
    for key, artifacts in recorded.inputs.items():
        is_list = key in planned.lists
        annotation = signature.annotations.get(key, Any)
        values = [
            value_of(
                artifact,
                Any if is_list else annotation,
                settings.store,
                settings.artifact_store,
                kept=_kept(recorded, artifact),
                allow_pickle=may_pickle(planned.step, call),
                max_bytes=max_bytes(planned.step, call),
            )
            for artifact in artifacts
        ]
        what = f"The input {key!r} of step {planned.name!r}"
        arguments[key] = checked(values if is_list else values[0], annotation, what)
    given = signature.signature.bind_partial()
    given.arguments.update({name: arguments[name] for name in signature.signature.parameters})
    return given


def _kept(recorded: StepRecorder, artifact: RecordedArtifact) -> KeptValue:
    assert artifact.id is not None  # the step has begun
    number = artifact.id
    return recorded.run.access.ask(lambda session: kept_value(session, number))


def _produce(recorded: StepRecorder, step: PipelineStep[Any, Any], returned: Any) -> None:
    """Record what a step's function returned; a number is a metric, too."""
    for name, value in step.signature.values_of(step.name, returned).items():
        metrics = {name: value} if type(value) in {int, float, bool} else None
        kind = step.signature.outputs[name].output.type
        recorded.produce(name, value=value, type=kind, metrics=metrics)
