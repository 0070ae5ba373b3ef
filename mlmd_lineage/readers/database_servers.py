"""What the readers of database servers share."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

COLUMNS_SECONDS = 10
"""For how long a reader that keeps its connections believes that no table was altered."""
LOCK_SECONDS = 30
"""How long to wait for a table that someone alters."""


class LostConnectionError(errors.ReadError):
    """The connection was lost in the midst of a read, which may be tried again."""


class Kept(Generic[T]):
    """Connections that stay open between questions, for whoever asks very many.

    A reader has none unless it is told to keep them, as a server does.
    """

    def __init__(self, close: Callable[[T], object]) -> None:
        self._close = close
        self._idle: list[T] = []
        self._lock = threading.Lock()

    def __del__(self) -> None:
        self.drop()

    def take(self) -> T | None:
        """Return one that is idle, or None."""
        with self._lock:
            return self._idle.pop() if self._idle else None

    def give(self, connection: T) -> None:
        """Hand one back that has no transaction open."""
        with self._lock:
            self._idle.append(connection)

    def drop(self) -> None:
        """Close all that are idle: where one was lost, the others may be too."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            with contextlib.suppress(Exception):
                self._close(connection)


def tried_twice(attempt: Callable[[], T]) -> T:
    """Return what an attempt returns, or a second one if the first lost its connection.

    Raises:
        ReadError: The second one lost it too.
    """
    with contextlib.suppress(LostConnectionError):
        return attempt()
    try:
        return attempt()
    except LostConnectionError as error:
        message = str(error)
    raise errors.ReadError(message)
