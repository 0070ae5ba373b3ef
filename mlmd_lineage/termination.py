"""Termination by SIGTERM, as an exception, so that temporary files are removed."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def as_exception() -> Iterator[None]:
    """Have SIGTERM raise ``SystemExit`` while the body runs, unless a program handles it.

    Only the main thread can do so; in others the body just runs.

    >>> with as_exception():
    ...     write(draft)
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    received: list[int] = []

    def leave(number: int, _: object) -> None:
        received.append(number)
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    except BaseException:
        if received:  # a driver that calls back may have made another error of it
            raise SystemExit(128 + received[0]) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
