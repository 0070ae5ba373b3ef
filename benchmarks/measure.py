"""Fresh processes: one for every measurement, with the memory of it and its children watched."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from job import Job, Outcome

HERE = Path(__file__).parent
LOOK_EVERY = 0.02  # seconds


class MeasureError(Exception):
    """A measuring process failed; the message holds what it said."""


def run(job: Job) -> Outcome:
    """Run a job in a process of its own.

    The peak is what the kernel says of the process itself (its high-water mark), or, where that is
    more, the largest sum of the process and its children seen by looking every 20 ms. Memory that
    two of them share is counted twice.
    """
    with tempfile.TemporaryFile("w+") as answers, tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py")],
            stdin=subprocess.PIPE,
            stdout=answers,
            stderr=complaints,
            text=True,
        )
        watch = _Watch(process.pid)
        process.communicate(json.dumps(dataclasses.asdict(job)))
        watch.stop()
        answers.seek(0)
        complaints.seek(0)
        if process.returncode:
            message = f"{job.task} ended with {process.returncode}:\n{complaints.read()[-3000:]}"
            raise MeasureError(message)
        outcome = Outcome(**json.loads(answers.read().splitlines()[-1]))
    outcome.peak_mb = watch.peak / 1024
    return outcome


class _Watch:
    """A thread that looks at the memory of a process and its children, in KiB."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            together = sum(_memory(pid, "VmRSS") for pid in (self._pid, *_children(self._pid)))
            self.peak = max(self.peak, together, _memory(self._pid, "VmHWM"))


def _memory(pid: int, field: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith(field)), 0)


def _children(pid: int) -> list[int]:
    found = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text(encoding="ascii").split()):
                found += [child, *_children(child)]
    except OSError:
        pass
    return found
