"""ResponseSize: counts a response while it is built, and ends it where it grows too large."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from mlmd_lineage.server.status import StatusCode, StatusError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHUNK = 1000
"""How many rows are read at once, of which a response is built."""

_current: ContextVar[ResponseSize | None] = ContextVar("_current", default=None)


class ResponseSize:
    """How many bytes the messages have that a response has been given so far."""

    def __init__(self, method: str, limit: int) -> None:
        """Begin to count for a method; ``limit`` is in MiB."""
        self._method, self._limit = method, limit
        self._bytes = 0

    def add(self, size: int) -> None:
        """Count some more bytes.

        Raises:
            StatusError: Together they are more than the limit.
        """
        self._bytes += size
        if self._bytes > self._limit << 20:
            told = too_large(self._method, f"more than {self._limit << 20:,}", self._limit)
            raise StatusError(StatusCode.RESOURCE_EXHAUSTED, told)


def too_large(method: str, size: str, limit: int) -> str:
    """Return what a client is told whose response is larger than a limit in MiB."""
    return (
        f"The response to {method} has {size} bytes, and this server sends at most {limit} MiB. "
        "Ask for fewer nodes, or for a page: max_result_size in the options."
    )


@contextlib.contextmanager
def limited(method: str, limit: int | None) -> Iterator[None]:
    """Count what the body builds; None is no limit."""
    token = _current.set(None if limit is None else ResponseSize(method, limit))
    try:
        yield
    finally:
        _current.reset(token)


def add(message: Any) -> None:
    """Count a message that belongs to the response.

    Raises:
        StatusError: It is too large by now.
    """
    current = _current.get()
    if current is not None:
        current.add(message.ByteSize())


def chunks(values: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield some ids in parts."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
