"""Connections of the explorer's server, closed where a request is not complete in time.

Uvicorn closes a connection that is idle after an answer, but waits without end for the rest of a
request, so that a program of the same machine could hold all connections that the server may have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

if TYPE_CHECKING:
    import asyncio

SECONDS = 30.0
"""How long a request may take to come; after twice as long at most, its connection is closed."""


class TimedConnection(H11Protocol):
    """A connection, looked at from time to time."""

    _answered: RequestResponseCycle | None = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at it."""
        super().connection_made(transport)
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _look_later(self) -> None:
        self._timer = self.loop.call_later(SECONDS, self._look)

    def _look(self) -> None:
        """Close it where no request has come since it was made, or since the last look."""
        cycle: Any = self.cycle
        waits = cycle is None or cycle.response_complete
        if waits and cycle is self._answered:
            self.transport.close()
            return
        self._answered = cycle if waits else None
        self._look_later()
