"""The values of one run in a comparison: its parameters, its metrics, and its inputs."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlmd_lineage.post_execution.compare import content_identity, value_text
from mlmd_lineage.post_execution.step_metrics import metrics_of
from mlmd_lineage.snapshot.tables import INPUT_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.post_execution.loading.run_assembly import Run, Step
    from mlmd_lineage.post_execution.loading.run_index import RunIndex


class RunColumns:
    """The values of a run by their columns' names.

    Attributes:
        found: The values.
        from_outside: The names of the inputs that no step of the run made.
        steps: The paths of its steps.
        paths: For each value the path of its step.
        duration: How long the run took; None while it is running.
    """

    def __init__(self, run_index: RunIndex, run: Run) -> None:
        self._run_index = run_index
        self.found: dict[str, Any] = {}
        self.from_outside: set[str] = set()
        self.paths: dict[str, str] = {}
        self.duration: dt.timedelta | None = None
        if run.started is not None and run.finished is not None:
            self.duration = dt.timedelta(milliseconds=run.finished - run.started)
        # Of several attempts at a step the last one counts.
        steps = {step.path: step for step in run.steps.values()}
        self.steps = frozenset(steps)
        made = self._made_in(steps.values())
        for path, step in steps.items():
            for name, value in self._of_step(path, step, made):
                self.found[name] = value
                self.paths[name] = path

    def _of_step(self, path: str, step: Step, made: set[int]) -> Iterator[tuple[str, Any]]:
        record = step.record
        # What a group was given it hands on to its steps; that of the root is the run's own.
        if record.is_root or not record.is_dag:
            yield from self._parameters(path, step)
        if record.is_dag:
            return
        for name, value in metrics_of(self._run_index, record).items():
            yield f"metrics.{path}.{name}", value
        for key, artifacts in record.inputs.items():
            column = f"inputs.{path}.{key}"
            if not made.issuperset(artifacts):
                self.from_outside.add(column)
            yield column, ", ".join(self._identified(n, record.dialect) for n in artifacts)

    def _identified(self, artifact: int, dialect: str) -> str:
        """Return an artifact's key, and what identifies its contents: ``artifact/33 (span 4)``."""
        key = f"artifact/{artifact}"
        record = self._run_index.artifact(artifact, dialect)
        facts = self._run_index.store_image.artifact(artifact)
        contents = content_identity.contents_of(
            {} if record is None else record.properties, None if facts is None else facts.uri
        )
        told = ", ".join(f"{name} {value_text.in_full(value)}" for name, value in contents.items())
        return f"{key} ({told})" if told else key

    def _made_in(self, steps: Any) -> set[int]:
        """Return the artifacts that steps of a run made, or handed out from a cache."""
        numbers = [step.record.id for step in steps]
        return {
            event.artifact_id
            for facts in self._run_index.store_image.executions(numbers).values()
            for event in facts.events
            if event.role not in {"resolves", "uses"} and event.type not in INPUT_EVENTS
        }

    def _parameters(self, path: str, step: Step) -> Iterator[tuple[str, Any]]:
        own = dict(step.record.parameters)
        original = None if step.record.is_dag else self._run_index.original(step.record.id)
        if original is not None:
            own = {**self._run_index.step(original)[1].record.parameters, **own}
        for name, value in sorted(content_identity.user_parameters(own).items()):
            for leaf, part in content_identity.flattened(name, value).items():
                yield f"parameters.{path}.{leaf}", _simple(part)


def _simple(value: Any) -> Any:
    """Return numbers and texts as they are, and what else there is as JSON."""
    if value is None:
        return pd.NA
    return value if isinstance(value, (str, int, float, bool)) else value_text.in_full(value)
