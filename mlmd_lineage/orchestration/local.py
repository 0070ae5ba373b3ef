"""Local orchestration: steps in this process one by one, or side by side in worker processes."""

from __future__ import annotations

import contextlib
import graphlib
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from mlmd_lineage.orchestration.tasks import skipped
from mlmd_lineage.orchestration.worker_processes import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.orchestration.tasks import RunTasks, StepOutcome, StepTask

_TIME_TO_RECORD = 30.0
"""How many seconds interrupted steps have to record that they were, before they are ended."""
_LONGEST_WAIT = 1.0
"""After how many seconds of waiting for steps an interrupt is looked for."""


def run_locally(run: RunTasks, jobs: int) -> Mapping[str, StepOutcome]:
    """Run the steps of a run on this machine.

    Args:
        run: The steps.
        jobs: How many run at the same time. One runs them in this process, one after the other;
            more, each in one of as many processes, which are started when they are needed.

    Returns:
        The outcome of each step, by its name.
    """
    if jobs == 1:
        return run.in_order(lambda task: task.run())
    return _SideBySide(run, jobs).run()


class _SideBySide:
    """A run whose independent steps run at the same time."""

    def __init__(self, run: RunTasks, jobs: int) -> None:
        self._run = run
        self._jobs = jobs
        self._tasks = {task.name: task for task in run.tasks}
        self._outcomes: dict[str, StepOutcome] = {}
        self._order = graphlib.TopologicalSorter({task.name: task.waits_for for task in run.tasks})
        self._workers: list[Worker] = []

    def run(self) -> Mapping[str, StepOutcome]:
        """Run all steps, and return how each ended."""
        self._order.prepare()
        ready: list[StepTask] = []
        try:
            while self._order.is_active():
                ready += [self._tasks[name] for name in self._order.get_ready()]
                ready = self._without_skipped(ready)
                self._start_workers(len(ready))
                while ready and (worker := self._idle()) is not None:
                    task = ready.pop(0)
                    self._run.reporter.started(task)
                    worker.start(task)
                for worker in self._next_to_end():
                    self._end(worker.outcome())
        except BaseException:
            self._interrupt()
            raise
        finally:
            for worker in self._workers:
                worker.close()
        return {task.name: self._outcomes[task.name] for task in self._run.tasks}

    def _without_skipped(self, ready: list[StepTask]) -> list[StepTask]:
        """Return the steps that can run; what waits for a step that failed ends here."""
        kept = []
        for task in ready:
            missing = sorted(n for n in task.waits_for if not self._outcomes[n].succeeded)
            if missing:
                self._end(skipped(task, missing))
            else:
                kept.append(task)
        return kept

    def _start_workers(self, wanted: int) -> None:
        """Start as many processes as are missing; they start at the same time."""
        self._workers = [worker for worker in self._workers if not worker.is_gone]
        idle = sum(not worker.is_busy for worker in self._workers)
        missing = min(wanted - idle, self._jobs - len(self._workers))
        self._workers += [Worker() for _ in range(missing)]

    def _idle(self) -> Worker | None:
        return next((worker for worker in self._workers if not worker.is_busy), None)

    def _next_to_end(self) -> list[Worker]:
        """Wait for at least one of the steps that run, and return the workers that have ended."""
        busy = {worker.connection: worker for worker in self._workers if worker.is_busy}
        found: list[object] = []
        # Python sees an interrupt that comes just before a wait begins only when that ends.
        while busy and not found:
            found = list(wait(list(busy), _LONGEST_WAIT))
        return [worker for connection, worker in busy.items() if connection in found]

    def _end(self, outcome: StepOutcome) -> None:
        self._outcomes[outcome.step] = outcome
        self._order.done(outcome.step)
        self._run.reporter.finished(outcome)

    def _interrupt(self) -> None:
        """Interrupt the steps that run, and give them time to record it."""
        busy = [worker for worker in self._workers if worker.is_busy]
        for worker in busy:
            worker.interrupt()
        with contextlib.suppress(KeyboardInterrupt):  # a second one ends them at once
            for worker in busy:
                if worker.connection.poll(_TIME_TO_RECORD):
                    self._run.reporter.finished(worker.outcome())
