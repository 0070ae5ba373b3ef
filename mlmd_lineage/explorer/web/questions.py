"""Runs the methods that pages ask for in threads, and cancels those whose page has disconnected."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Questions:
    """Answers a bounded number of questions at once; the others wait.

    Args:
        timeout: How many seconds an answer may take, waiting included; None for no limit.
        at_once: How many questions are answered at once.
        waiting: How many may wait.
    """

    def __init__(self, timeout: float | None, *, at_once: int = 4, waiting: int = 64) -> None:
        self._timeout = timeout
        self._slots = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._deadlines: set[Deadline] = set()

    async def answer(self, ask: Callable[[], Any], left: Callable[[], Awaitable[None]]) -> Any:
        """Return what a function returns that asks a store.

        Args:
            ask: Asks; it is called in another thread.
            left: Ends when whoever asked has left.

        Raises:
            CancelledError: Whoever asked has left, or the server ends.
            DeadlineExceededError: It took too long.
            UnreachableError: Too many questions wait.
        """
        if len(self._deadlines) >= self._most:
            message = "The explorer has too many questions to answer; ask again in a moment."
            raise errors.UnreachableError(message)
        deadline = Deadline(self._timeout)
        self._deadlines.add(deadline)
        watch = asyncio.ensure_future(left())
        watch.add_done_callback(lambda done: None if done.cancelled() else deadline.cancel())
        try:
            async with self._slots:
                return await _in_thread(ask, deadline)
        finally:
            watch.cancel()
            self._deadlines.discard(deadline)

    def cancel(self) -> None:
        """End all questions."""
        for deadline in list(self._deadlines):
            deadline.cancel()


async def _in_thread(ask: Callable[[], Any], deadline: Deadline) -> Any:
    """Call a function in a thread that does not keep the program from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(answer: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(answer)
        else:
            future.set_exception(error)

    def run() -> None:
        answer, failed = None, None
        try:
            with deadline:
                deadline.check()
                answer = ask()
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is awaited
            failed = error
        with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
            loop.call_soon_threadsafe(settle, answer, failed)

    threading.Thread(target=run, name="explorer question", daemon=True).start()
    return await future
