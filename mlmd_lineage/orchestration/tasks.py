"""Step tasks: what an orchestrator is given to run, and what it returns of each.

A task records what it does itself, in the metadata store. An orchestrator only decides when and
where each one runs.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

OutcomeStatus: TypeAlias = Literal["completed", "cached", "failed", "canceled", "skipped"]


@dataclasses.dataclass(frozen=True)
class StepOutcome:
    """How a step ended.

    Attributes:
        step: Its name in the pipeline.
        status: ``skipped`` says that it was not started, as one that it waits for did not succeed.
        seconds: How long it took.
        reason: Why it failed, was canceled or was skipped.
        explanation: Why it was taken from the cache or was not, line by line.
        error: The exception that its code raised, where it ran in this process.
    """

    step: str
    status: OutcomeStatus
    seconds: float = 0.0
    reason: str | None = None
    explanation: str | None = None
    error: BaseException | None = dataclasses.field(default=None, compare=False)

    @property
    def succeeded(self) -> bool:
        """Whether the steps that wait for it can run."""
        return self.status in {"completed", "cached"}


@runtime_checkable
class StepTask(Protocol):
    """One step of one run, ready to be run anywhere."""

    @property
    def name(self) -> str:
        """The step's name in its pipeline."""

    @property
    def waits_for(self) -> frozenset[str]:
        """The names of the steps that have to succeed first."""

    def run(self) -> StepOutcome:
        """Run the step in this process, and record it. A step that fails is an outcome too."""

    def command(self) -> Sequence[str]:
        """Return the command line that runs and records the step where it is called.

        It exits with 0 if the step succeeded. The machine needs this library, the module of the
        pipeline, and a metadata store and an artifact store that it can reach.
        """

    def ended_without_outcome(self, reason: str, pid: int | None = None) -> StepOutcome:
        """Record that the process in which the step ran is gone, and return that outcome.

        Args:
            reason: Why, in words.
            pid: The number of the process, where it ran on this machine.
        """


class RunReporter(Protocol):
    """What is told how far a run has come."""

    def started(self, task: StepTask) -> None:
        """A step was started."""

    def finished(self, outcome: StepOutcome) -> None:
        """A step has ended, or will not be started."""


@dataclasses.dataclass(frozen=True)
class RunTasks:
    """The steps of one run, as an orchestrator is given them.

    Attributes:
        pipeline: The pipeline's name.
        run: The run's name.
        tasks: Its steps, each after those that it waits for.
        jobs: How many may run at the same time; None where the caller does not say.
        reporter: What is told of each step.
    """

    pipeline: str
    run: str
    tasks: tuple[StepTask, ...]
    jobs: int | None
    reporter: RunReporter

    def in_order(self, execute: Callable[[StepTask], StepOutcome]) -> Mapping[str, StepOutcome]:
        """Run one step after the other by a function, which is enough for many orchestrators.

        A step that waits for one that did not succeed is skipped.

        >>> run.in_order(lambda task: outcome_of(subprocess.run(["srun", *task.command()])))
        """
        outcomes: dict[str, StepOutcome] = {}
        for task in self.tasks:
            missing = sorted(name for name in task.waits_for if not outcomes[name].succeeded)
            if missing:
                outcomes[task.name] = skipped(task, missing)
            else:
                self.reporter.started(task)
                outcomes[task.name] = execute(task)
            self.reporter.finished(outcomes[task.name])
        return outcomes


def skipped(task: StepTask, missing: Sequence[str]) -> StepOutcome:
    """Return the outcome of a step that is not started, as others did not succeed."""
    return StepOutcome(task.name, "skipped", reason=f"{', '.join(missing)} did not succeed")
