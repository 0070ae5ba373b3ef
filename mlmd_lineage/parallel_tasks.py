"""Work that Arrow and NumPy do without Python's lock, in two threads."""

from __future__ import annotations

import contextvars
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from mlmd_lineage import deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

_THREADS = 2


def results_of(tasks: Iterable[Callable[[], T]]) -> list[T]:
    """Do some tasks, two at a time, and return their results in the order of the tasks.

    >>> results_of([lambda: 1, lambda: 2])
    [1, 2]

    Where one fails, or this thread is interrupted, those that have not begun are left out, and
    those that run are cancelled: they end where they look at their deadline.

    Raises:
        Exception: What the first of the tasks that failed raised.
    """
    with deadline.Deadline() as limit, ThreadPoolExecutor(_THREADS) as pool:
        try:
            running = [pool.submit(contextvars.copy_context().run, task) for task in tasks]
            done, _ = wait(running, return_when=FIRST_EXCEPTION)
            for task_done in running:
                if task_done in done:
                    task_done.result()
            return [task_done.result() for task_done in running]
        except BaseException:
            limit.cancel()
            pool.shutdown(cancel_futures=True)
            raise
