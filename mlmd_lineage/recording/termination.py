"""SIGTERM as an exception, so that a terminated process records that it was."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

from mlmd_lineage.recording.outcomes import TerminatedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXIT_CODE = 128 + signal.SIGTERM


@contextlib.contextmanager
def sigterm_raises() -> Iterator[None]:
    """Have SIGTERM raise ``TerminatedError`` in the main thread, where nothing else handles it.

    ``with`` statements and ``finally`` clauses then run, and the process ends with the code that a
    terminated one has.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return

    def terminate(_number: int, _frame: object) -> None:
        raise TerminatedError(_EXIT_CODE)

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) is terminate
        ):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
