"""Progress of a run on a terminal: a line for each step that ended, and what is running."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.status import Status

    from mlmd_lineage.orchestration.tasks import RunReporter, StepOutcome, StepTask

_STYLES = {
    "completed": "green",
    "cached": "cyan",
    "failed": "red",
    "canceled": "yellow",
    "skipped": "yellow",
}


class SilentReporter:
    """Tells nothing."""

    def started(self, task: StepTask) -> None:
        """Do nothing."""

    def finished(self, outcome: StepOutcome) -> None:
        """Do nothing."""


class TerminalReporter:
    """Prints a line for each step that ended, and shows below them which ones are running."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._running: list[str] = []

    def started(self, task: StepTask) -> None:
        """Show that a step is running."""
        self._running.append(task.name)
        self._show()

    def finished(self, outcome: StepOutcome) -> None:
        """Print how a step ended."""
        from rich.text import Text

        if outcome.step in self._running:
            self._running.remove(outcome.step)
        line = Text("  ")
        line.append(f"{outcome.status:<9}", _STYLES[outcome.status])
        line.append(f"  {outcome.step}")
        if outcome.status in {"completed", "failed"}:
            line.append(f"  {outcome.seconds:.1f} s", "dim")
        if outcome.reason:
            line.append(f"  {outcome.reason}", "dim")
        self._status.console.print(line, soft_wrap=True)
        self._show()

    def _show(self) -> None:
        from rich.text import Text

        self._status.update(Text(", ".join(self._running) or "..."))


@contextlib.contextmanager
def reporter(*, progress: bool | None) -> Iterator[RunReporter]:
    """Give what tells of a run: on a terminal, or where it is asked for; else nothing is told."""
    if not (sys.stderr.isatty() if progress is None else progress):
        yield SilentReporter()
        return
    from rich.console import Console

    with Console(stderr=True).status("...") as status:
        yield TerminalReporter(status)
