"""One run as the values of a row: its parameters, its metrics, and what it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mlmd_lineage.post_execution.compare import content_identity, text_report

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from mlmd_lineage.post_execution.artifacts import ArtifactView
    from mlmd_lineage.post_execution.runs import PipelineRunView
    from mlmd_lineage.post_execution.steps import StepView


class RunColumns:
    """The values of a run by their columns' names.

    Attributes:
        found: The values.
        from_outside: The names of the inputs that no step of the run made.
        steps: The paths of its steps.
        paths: For each value the path of its step.
        duration: How long the run took; None while it is running.
    """

    def __init__(self, run: PipelineRunView) -> None:
        self.found: dict[str, Any] = {}
        self.from_outside: set[str] = set()
        self.duration: dt.timedelta | None = None
        if run.started is not None and run.finished is not None:
            self.duration = run.finished - run.started
        # Of several attempts at a step the last one counts.
        steps = {step.path: step for step in run.steps}
        inside = _made_in(steps.values())
        self.paths: dict[str, str] = {}
        self.steps = frozenset(steps)
        for path, step in steps.items():
            before = set(self.found)
            self._take(path, step, inside)
            self.paths.update(dict.fromkeys(set(self.found) - before, path))

    def _take(self, path: str, step: StepView, inside: set[int]) -> None:
        # What a group was given it hands on to its steps; that of the root is the run's own.
        if step.is_root or not step.is_dag:
            self.found.update(_parameters(path, step))
        if not step.is_dag:
            for name, value in step.metrics.items():
                self.found[f"metrics.{path}.{name}"] = value
            for key, artifacts in step.input_artifacts.items():
                column = f"inputs.{path}.{key}"
                self.found[column] = ", ".join(map(identified, artifacts))
                if any(artifact.id not in inside for artifact in artifacts):
                    self.from_outside.add(column)


def identified(artifact: ArtifactView) -> str:
    """Return an artifact's key, and what identifies its contents where the store has that.

    >>> identified(step.input)
    'artifact/33 (span 4)'
    """
    contents = content_identity.contents_of(artifact.properties, artifact.uri)
    told = ", ".join(f"{name} {text_report.in_full(value)}" for name, value in contents.items())
    return f"{artifact.node_key} ({told})" if told else artifact.node_key


def _made_in(steps: Any) -> set[int]:
    """Return the artifacts that steps of a run made, or handed out from a cache."""
    return {
        artifact.id
        for step in steps
        for artifacts in step.output_artifacts.values()
        for artifact in artifacts
        if not {event.role for event in step.events_of(artifact.id)} <= {"resolves", "uses"}
    }


def _parameters(path: str, step: StepView) -> Iterator[tuple[str, Any]]:
    own = dict(step.parameters)
    original = step.original_step
    if original is not None:
        own = {**original.parameters, **own}
    for name, value in sorted(content_identity.user_parameters(own).items()):
        for leaf, part in content_identity.flattened(name, value).items():
            yield f"parameters.{path}.{leaf}", _simple(part)


def _simple(value: Any) -> Any:
    """Return numbers and texts as they are, and what else there is as JSON."""
    if value is None:
        return pd.NA
    return value if isinstance(value, (str, int, float, bool)) else text_report.in_full(value)
