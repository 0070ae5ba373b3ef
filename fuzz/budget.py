"""The budget of one input: 5 seconds and 500 MB, and no exception but the documented ones.

The seconds are those of the processor, all threads together, so that other work on the machine
does not count. What waits without end is ended by who runs it: after ``HANG`` seconds
on the clock, so many as the process may have hardly any of a busy machine's time.
"""

from __future__ import annotations

import resource
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 5.0
MEGABYTES = 500
HANG = 240
_GUARD = 3 << 30
"""Bytes beyond which this process is given no memory, however much an input asks for."""
PACKAGE = Path(__file__).resolve().parents[1] / "mlmd_lineage"


class Outcome(NamedTuple):
    """What an input did."""

    refusals: list[str]
    """The documented errors with which it was refused."""
    problem: str = ""
    """How it broke the budget; empty where it did not."""


def measure(
    target: Callable[[bytes], list[str]],
    data: bytes,
    *,
    seconds: float = SECONDS,
    megabytes: float = MEGABYTES,
) -> Outcome:
    """Read an input, and return what it did."""
    before = peak()
    start = time.process_time()
    refusals: list[str] = []
    try:
        refusals = target(data)
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return Outcome([], f"{type(error).__name__} {_place(error)}: {str(error)[:200]}")
    took = time.process_time() - start
    if took > seconds:
        return Outcome(refusals, f"time: {took:.1f} s, where {seconds:g} are allowed")
    grown = peak() - before
    if grown > megabytes:
        return Outcome(refusals, f"memory: {grown:.0f} MB, where {megabytes:g} are allowed")
    return Outcome(refusals)


def peak() -> float:
    """Return the most memory that this process has had, in megabytes."""
    # Linux counts in KiB, macOS in bytes.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def limit_memory() -> None:
    """Protect the machine: an input that asks for far too much gets a ``MemoryError``."""
    if sys.platform != "linux":
        return  # only there does the limit count what was really asked for
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_GUARD, hard))


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
    frame = (ours or frames)[-1]
    return f"at {Path(frame.filename).name}:{frame.lineno}"
