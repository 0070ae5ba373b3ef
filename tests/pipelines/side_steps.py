"""A pipeline that tests run in other processes; it imports nothing that is slow to start."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import mlmd_lineage as ml

_PATIENCE = 120.0


@ml.step
def meet(folder: str, me: str, other: str) -> str:
    """Wait until the other step is running too: alone, it fails."""
    Path(folder, me).touch()
    end = time.monotonic() + _PATIENCE
    while not Path(folder, other).exists():
        if time.monotonic() > end:
            raise TimeoutError(other)
        time.sleep(0.005)
    return me


@ml.step
def join(names: list[str]) -> str:
    return "+".join(names)


@ml.step
def die(name: str) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return name


@ml.step
def after(name: str) -> str:
    return name


@ml.pipeline
def side_by_side(folder: str) -> None:
    left = meet.with_options(name="left")(folder, "left", "right")
    right = meet.with_options(name="right")(folder, "right", "left")
    joined = join([left, right])
    after(die(joined))
    join.with_options(name="again")([joined, joined])
