"""The dialect of runs that this library recorded itself: ``docs/record-format.md``."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

from mlmd_lineage.dialects.base import Dialect, first, merged
from mlmd_lineage.dialects.records import ArtifactRecord, RunDetails, RunIdentity
from mlmd_lineage.record_format import names
from mlmd_lineage.record_format.properties import PIECES, decode
from mlmd_lineage.untrusted_text import json_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.dialects.facts import ArtifactFacts, ContextFacts, ExecutionFacts
    from mlmd_lineage.dialects.records import Status, StepOutline, StepRecord


class Recorded(Dialect):
    """Runs of ``Store.record()``: TFX's contexts, and values that read back exactly."""

    name = "recorded"
    platform = "mlmd_lineage"
    membership_properties = ()
    derived_names = ()
    outline_properties = (
        names.ITERATION,
        names.STARTED,
        names.FINISHED,
        names.STEP_ID,
        names.PARENT,
        names.CACHED_FROM,
        names.ENCODED,
        PIECES,
    )
    metric_properties = (names.METRICS, names.ENCODED)

    def identify_runs(self, contexts: Sequence[ContextFacts]) -> tuple[RunIdentity, ...] | None:
        """Return the run whose context says that it is of this format."""
        run = first(contexts, names.RUN)
        if run is None or names.FORMAT not in run.properties:
            return None
        pipeline = first(run.parents, names.PIPELINE) or first(contexts, names.PIPELINE)
        return (RunIdentity(run, pipeline, pipeline.name if pipeline else run.name),)

    def step_name(self, execution: ExecutionFacts, identity: RunIdentity) -> str:
        """Return the last part of the path in the name of the step's node."""
        node = first(execution.contexts, names.NODE)
        if node is None:
            return super().step_name(execution, identity)
        return node.name.removeprefix(f"{identity.pipeline_name}.").rpartition("/")[2]

    def details(self, execution: ExecutionFacts) -> dict[str, Any]:
        """Return parameters as they were given, and what is the recorder's own."""
        parameters, internal = decode(merged(execution))
        cached_from = internal.get(names.CACHED_FROM)
        return {
            "parameters": dict(sorted(parameters.items())),
            "internal_properties": internal,
            "entrypoint_name": execution.type,
            "cached_from": cached_from if isinstance(cached_from, int) else None,
        }

    def outline(self, execution: ExecutionFacts, identity: RunIdentity) -> StepOutline:
        """Return a step's name, status and times, and the names by which steps are linked."""
        outline = super().outline(execution, identity)
        internal = merged(execution)
        if names.ENCODED in internal:
            _, internal = decode(internal)
        iteration = internal.get(names.ITERATION)
        begun = _milliseconds(internal.get(names.STARTED))
        ended = _milliseconds(internal.get(names.FINISHED))
        return outline._replace(
            started=outline.started if begun is None else begun,
            finished=outline.finished if ended is None else ended,
            iteration=iteration if isinstance(iteration, int) else None,
            step_id=internal.get(names.STEP_ID),
            parent_step_id=internal.get(names.PARENT, ""),
        )

    def link_outlines(self, outlines: Mapping[int, StepOutline]) -> Mapping[int, StepOutline]:
        """Return the outlines with the steps around them."""
        numbers = {outline.step_id: n for n, outline in outlines.items()}
        return {
            number: outline._replace(parent_dag=numbers.get(outline.parent_step_id))
            for number, outline in outlines.items()
        }

    def link_steps(self, steps: Mapping[int, StepRecord]) -> Mapping[int, StepRecord]:
        """Return the steps with those around them."""
        numbers = {s.internal_properties.get(names.STEP_ID): n for n, s in steps.items()}
        return {
            number: dataclasses.replace(
                step, parent_dag=numbers.get(step.internal_properties.get(names.PARENT, ""))
            )
            for number, step in steps.items()
        }

    def artifact(self, artifact: ArtifactFacts) -> ArtifactRecord:
        """Return an artifact with the metrics among its properties."""
        held, internal = decode(merged(artifact))
        measured = internal.get(names.METRICS)
        measured = sorted(measured) if isinstance(measured, list) else []
        metrics = {name: held[name] for name in measured if name in held}
        name = held.get(names.DISPLAY_NAME)
        return ArtifactRecord(
            name=artifact.name or (name if isinstance(name, str) else None),
            properties={name: value for name, value in held.items() if name not in metrics},
            data_type=held.get("datatype"),
            materializer=held.get("materializer"),
            metrics=metrics,
        )

    def run(
        self,
        identity: RunIdentity,
        steps: Sequence[tuple[ExecutionFacts, StepRecord]],
        artifacts: Sequence[ArtifactFacts] = (),
    ) -> RunDetails:
        """Return the run's parameters, how it was recorded, and how its processes ended."""
        del steps, artifacts
        if identity.run is None:
            return RunDetails()
        parameters, internal = decode(identity.run.properties)
        processes = _processes(internal)
        status = _status([process for process in processes if process])
        about = {
            name.strip("_"): value
            for name, value in sorted(internal.items())
            if not name.startswith(names.RECORDER_PREFIX) and name != names.FORMAT
        }
        return RunDetails(
            parameters=dict(sorted(parameters.items())),
            runtime_configuration={**about, "processes": processes},
            status=status,
            own_status=status,
        )

    def run_outline(self, identity: RunIdentity) -> RunDetails:
        """Return how the run's processes ended."""
        if identity.run is None:
            return RunDetails()
        _, internal = decode(identity.run.properties)
        status = _status([process for process in _processes(internal) if process])
        return RunDetails(status=status, own_status=status)


def _processes(internal: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what each process that recorded into a run says of itself; empty where it is odd."""
    return [
        _process(text)
        for name, text in sorted(internal.items())
        if name.startswith(names.RECORDER_PREFIX)
    ]


def _milliseconds(text: Any) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        moment = dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=dt.timezone.utc)
    except ValueError:
        return None
    return round(moment.timestamp() * 1000)


def _process(text: Any) -> dict[str, Any]:
    try:
        found = json_of(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _status(processes: Sequence[Mapping[str, Any]]) -> Status | None:
    """Return how the parts of a run that its processes recorded ended.

    One that failed fails the run, unless another began after it and completed: the run was
    resumed.
    """
    states = {str(process.get("state")) for process in processes}
    if "RUNNING" in states:
        return "running"
    completed = [str(p.get("started", "")) for p in processes if p.get("state") == "COMPLETE"]
    newest = max(completed, default="")
    for state, status in _WORST:
        ends = [str(p.get("finished", "")) for p in processes if p.get("state") == state]
        if ends and max(ends) >= newest:
            return status
    return "completed" if completed else None


_WORST: tuple[tuple[str, Status], ...] = (("FAILED", "failed"), ("CANCELED", "canceled"))
