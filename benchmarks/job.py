"""What a measuring process is asked for, and what it answers."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


ROUNDS = 5
"""How often the closures are walked again."""


@dataclass(frozen=True)
class Job:
    """One measurement, as it is sent to a fresh process."""

    task: str
    target: str
    """What ``mlmd_lineage.connect`` takes: the path of a file, or a URL."""
    twin: str
    """The SQLite file with the same rows as the target."""
    starts: tuple[int, ...] = ()
    """The ids of the artifacts whose upstream is asked for."""


@dataclass
class Outcome:
    """What a process measured."""

    seconds: dict[str, float] = field(default_factory=dict)
    """Wall times, by what was timed."""
    counts: dict[str, int] = field(default_factory=dict)
    """How much there was, to be compared with what the other side saw."""
    cpu_seconds: float = 0.0
    """What the process and its children took of the processors, imports included."""
    peak_mb: float = 0.0
    """The most memory that the process and its children held at one time."""

    @contextlib.contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """Measure the wall time of a block."""
        start = time.perf_counter()
        yield
        self.seconds[what] = time.perf_counter() - start


def best_of(times: int, call: Callable[[], object]) -> float:
    """Return the shortest wall time of several calls."""
    shortest = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        call()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest
