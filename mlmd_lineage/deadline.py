"""Deadlines: when questions have to end, and how another thread ends them sooner."""

from __future__ import annotations

import contextlib
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

_current: ContextVar[Deadline | None] = ContextVar("_current", default=None)


class Deadline:
    """The moment when the questions asked in a ``with`` statement have to end.

    >>> with Deadline(30):
    ...     store.upstream("artifact/46")

    It holds for the thread that entered it. A deadline within another cannot be later than that.
    Readers stop the statement that runs, in the database too: SQLite by an interrupt, MySQL and
    PostgreSQL by ending the query, a gRPC service by the calls' own deadlines.

    Args:
        seconds: How long the questions may take; None for as long as it is not cancelled.
    """

    def __init__(self, seconds: float | None = None) -> None:
        """Begin to count.

        Raises:
            ConfigurationError: The seconds are not a positive number.
        """
        if seconds is not None and not 0 < seconds < threading.TIMEOUT_MAX:
            message = f"A deadline is a positive number of seconds, not {seconds!r}."
            raise errors.ConfigurationError(message)
        self.seconds = seconds
        self.end = None if seconds is None else time.monotonic() + seconds
        self.cancelled = False
        self._entered: list[tuple[Deadline | None, contextlib.ExitStack]] = []
        self._stops: dict[object, Callable[[], object]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        parent, stack = _current.get(), contextlib.ExitStack()
        if parent is not None and parent is not self:
            if parent.end is not None and (self.end is None or parent.end < self.end):
                self.seconds, self.end = parent.seconds, parent.end
            stack.enter_context(parent.when_cancelled(self.cancel))
        self._entered.append((parent, stack))
        _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        parent, stack = self._entered.pop()
        stack.close()
        _current.set(parent)

    @property
    def remaining(self) -> float | None:
        """How many seconds are left, None where there is no limit; 0 once it is over."""
        if self.cancelled:
            return 0.0
        return None if self.end is None else max(0.0, self.end - time.monotonic())

    def cancel(self) -> None:
        """End the question that is being answered, from any thread."""
        with self._lock:
            self.cancelled = True
            stops = list(self._stops.values())
        for stop in stops:
            with contextlib.suppress(Exception):  # whatever cannot be stopped ends by itself
                stop()

    def check(self) -> None:
        """Raise an error if the question has to end.

        Raises:
            DeadlineExceededError: The time is over.
            CancelledError: It was cancelled.
        """
        if self.cancelled:
            message = "The question was cancelled before its answer was complete."
            raise errors.CancelledError(message)
        if self.end is not None and time.monotonic() > self.end:
            message = (
                f"The answer took longer than the {self.seconds:g} seconds that were allowed. Ask "
                "for less, or allow more time."
            )
            raise errors.DeadlineExceededError(message)

    @contextlib.contextmanager
    def when_cancelled(self, stop: Callable[[], object]) -> Iterator[None]:
        """Call a function if the question is cancelled while the body runs, or was before."""
        key = object()
        with self._lock:
            self._stops[key] = stop
            cancelled = self.cancelled
        if cancelled:
            stop()
        try:
            yield
        finally:
            with self._lock:
                self._stops.pop(key, None)

    @contextlib.contextmanager
    def stopping(self, stop: Callable[[], object]) -> Iterator[None]:
        """Call a function, in another thread, if the question has to end while the body runs."""
        self.check()
        remaining = self.remaining
        timer = None if remaining is None else threading.Timer(remaining, _quietly(stop))
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            with self.when_cancelled(stop):
                yield
        finally:
            if timer is not None:
                timer.cancel()


def _quietly(stop: Callable[[], object]) -> Callable[[], None]:
    """Return a function that stops a statement, which may have ended by itself meanwhile."""

    def call() -> None:
        with contextlib.suppress(Exception):
            stop()

    return call


def within(timeout: float | None) -> contextlib.AbstractContextManager[object]:
    """Return the deadline of a question, or where it has none, a context that does nothing.

    Raises:
        ConfigurationError: The timeout is not a positive number of seconds.
    """
    return contextlib.nullcontext() if timeout is None else Deadline(timeout)


def current() -> Deadline | None:
    """Return the deadline of the questions that this thread asks, if there is one."""
    return _current.get()


def check() -> None:
    """Raise an error if this thread's question has to end; see ``Deadline.check``."""
    deadline = _current.get()
    if deadline is not None:
        deadline.check()


def remaining() -> float | None:
    """Return how many seconds this thread's question has left; None where there is no limit."""
    deadline = _current.get()
    return None if deadline is None else deadline.remaining


@contextlib.contextmanager
def stopping(stop: Callable[[], object]) -> Iterator[None]:
    """Call a function if this thread's question has to end while the body runs.

    Whatever the body raises then becomes the deadline's error.

    Raises:
        DeadlineExceededError: The time is over.
        CancelledError: The question was cancelled.
    """
    deadline = _current.get()
    if deadline is None:
        yield
        return
    try:
        with deadline.stopping(stop):
            yield
    except Exception:
        deadline.check()
        raise


@contextlib.contextmanager
def ignored() -> Iterator[None]:
    """Let nothing in the body end before it has to: what must not be given up half-way."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)
