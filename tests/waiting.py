"""Waiting until something is so, on a machine of any speed."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONG = 600.0
"""How many seconds that takes which a test ends early: far more than a busy machine is slow."""
_PATIENCE = 120.0
_PAUSE = 0.02
_HAS_PROC = Path("/proc/self/fd").exists()


def until(condition: Callable[[], object], what: object = "the condition") -> None:
    """Wait until a condition holds, and fail if it never does.

    Args:
        condition: What is asked, again and again.
        what: What is waited for, or a function that returns it for the message.
    """
    end = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > end:
            message = f"{what() if callable(what) else what} did not come in {_PATIENCE:g} seconds"
            raise AssertionError(message)
        time.sleep(_PAUSE)


@contextlib.contextmanager
def ends_early() -> Iterator[None]:
    """Check that the body does not last as ``LONG`` as it would if nothing ended it."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < LONG / 2


def processes_with(path: Path) -> set[int]:
    """Return the ids of the processes that have a file open; Linux alone tells them."""
    wanted, found = str(path.resolve()), set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) == wanted:
                        found.add(int(process.name))
    return found


@contextlib.contextmanager
def interrupted(path: Path, *, others: int = 0) -> Iterator[None]:
    """Interrupt this process, as Ctrl-C does, once so many processes have a file open.

    Enter it within what expects the ``KeyboardInterrupt``.

    Args:
        path: The file.
        others: How many processes have it open before the body opens it.
    """
    left = threading.Event()

    def interrupt() -> None:
        end = time.monotonic() + _PATIENCE
        while _HAS_PROC and len(processes_with(path)) <= others and time.monotonic() < end:
            if left.wait(_PAUSE):
                return
        if not left.wait(0.2):  # it has opened the file, and is about to wait
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join()
