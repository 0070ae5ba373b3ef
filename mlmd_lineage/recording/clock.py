"""Times as they are recorded: milliseconds since 1970-01-01 UTC, and as ISO 8601."""

from __future__ import annotations

import datetime as dt
import time

_SECONDS = len("2024-01-01T00:00:00")


def now() -> int:
    """Return the time in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def iso(milliseconds: int) -> str:
    """Return a time in ISO 8601.

    >>> iso(1704067200000)
    '2024-01-01T00:00:00.000Z'
    """
    seconds, rest = divmod(milliseconds, 1000)
    moment = dt.datetime.fromtimestamp(seconds, tz=dt.timezone.utc)
    return f"{moment.isoformat()[:_SECONDS]}.{rest:03}Z"
