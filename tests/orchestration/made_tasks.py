"""Tasks as an orchestrator gets them, which other processes can import."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from mlmd_lineage.orchestration.tasks import StepOutcome

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE = 60.0


def wait_for(path: Path) -> bool:
    """Wait until there is a file; return whether it came."""
    end = time.monotonic() + _PATIENCE
    while not path.exists():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


@dataclasses.dataclass(frozen=True)
class Task:
    """A task that writes its name into a folder, and then does what its ``action`` says."""

    name: str
    folder: Path
    waits_for: frozenset[str] = frozenset()
    action: str = "complete"

    def run(self) -> StepOutcome:
        (self.folder / self.name).write_text(str(os.getpid()))
        if self.action == "fail":
            return StepOutcome(self.name, "failed", reason="it was told to")
        if self.action == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.action.startswith("meet "):
            met = wait_for(self.folder / self.action.removeprefix("meet "))
            return StepOutcome(self.name, "completed" if met else "failed")
        if self.action == "wait":
            threading.Event().wait(_PATIENCE)
            return StepOutcome(self.name, "failed", reason="nobody interrupted it")
        return StepOutcome(self.name, "completed")

    def command(self) -> list[str]:
        return ["true", self.name]

    def ended_without_outcome(self, reason: str, pid: int | None = None) -> StepOutcome:
        del pid
        return StepOutcome(self.name, "failed", reason=reason)


class Unloadable(Task):
    """A task that cannot be loaded where it is sent."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _not_there, ()


def _not_there() -> None:
    raise ModuleNotFoundError("there is no such module here")  # noqa: EM101, TRY003 - a test's


class Listener:
    """What is told of a run, kept."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def started(self, task: Task) -> None:
        self.told.append(f"{task.name} started")

    def finished(self, outcome: StepOutcome) -> None:
        self.told.append(f"{outcome.step} {outcome.status}")
