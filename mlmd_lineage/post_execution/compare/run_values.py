"""The values of one run in a comparison: its parameters, its metrics, and its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mlmd_lineage.post_execution.compare import content_identity, value_text
from mlmd_lineage.post_execution.step_metrics import metrics_of
from mlmd_lineage.snapshot.enums import INPUT_EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlmd_lineage.dialects.records import Status
    from mlmd_lineage.post_execution.loading.run_assembly import Run, Step
    from mlmd_lineage.post_execution.loading.run_index import RunIndex


def columns_of_run(run_index: RunIndex, run: Run, name: str, *, read: bool) -> RunColumns:
    """Return the row of a run; of several attempts at a step the last one counts."""
    steps = {step.path: step for step in run.steps.values()}
    row = RunColumns(run_index, steps, name, read=read)
    row.key = run.key
    row.status, row.started, row.finished = run.status, run.started, run.finished
    if not run.steps:
        for key, value in sorted(run.details.parameters.items()):
            row.take("", f"parameters.{key}", _simple(value))
        for metrics in run.details.metrics.values():
            for key, number in sorted(metrics.items()):
                row.take("", f"metrics.{key}", number)
    return row


def columns_of_steps(run_index: RunIndex, run: Run, *, read: bool) -> list[RunColumns]:
    """Return a row for each step of a run that only groups executions."""
    rows = []
    for number, step in run.steps.items():
        name = f"{step.path} (execution/{number})"
        row = RunColumns(run_index, {step.path: step}, name, read=read)
        row.key = f"execution/{number}"
        row.status, row.started, row.finished = step.status, step.started, step.finished
        rows.append(row)
    return rows


class RunColumns:
    """The values of a row by their columns' names.

    Attributes:
        name: The name of the run.
        key: Its key, or that of the execution of a row that is a single step.
        status, started, finished: How it went; milliseconds since 1970-01-01 UTC.
        found: The values.
        from_outside: The names of the inputs that no step of the run made.
        steps: The paths of its steps.
        unread: The keys of the artifacts that should have been read and could not be, and why.
        paths: For each value the path of its step.
    """

    def __init__(
        self, run_index: RunIndex, steps: Mapping[str, Step], name: str, *, read: bool = False
    ) -> None:
        self._run_index = run_index
        self._read = read
        self.name = name
        self.key = ""
        self.status: Status | None = None
        self.started: int | None = None
        self.finished: int | None = None
        self.found: dict[str, Any] = {}
        self.from_outside: set[str] = set()
        self.paths: dict[str, str] = {}
        self.unread: dict[str, str] = {}
        self.steps = frozenset([*steps, ""])
        made = self._made_in(steps.values())
        for path, step in steps.items():
            for column, value in self._of_step(path, step, made):
                self.take(path, column, value)

    def take(self, path: str, column: str, value: Any) -> None:
        """Keep a value of a step, or of the run as a whole, whose path is empty."""
        self.found[column] = value
        self.paths[column] = path

    def _of_step(self, path: str, step: Step, made: set[int]) -> Iterator[tuple[str, Any]]:
        record = step.record
        # What a group was given it passes on to its steps; that of the root is the run's own.
        if record.is_root or not record.is_dag:
            yield from self._parameters(path, step)
        if record.is_dag:
            return
        metrics = metrics_of(self._run_index, record, read_artifacts=self._read, unread=self.unread)
        for name, value in metrics.items():
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
        """Return the artifacts that steps of a run made, or returned from a cache."""
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
