"""Times and durations as the explorer has them: milliseconds, those of times since 1970 in UTC."""

from __future__ import annotations

import datetime as dt
from typing import Any

from mlmd_lineage.snapshot.json_values import is_missing

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_MILLISECOND = dt.timedelta(milliseconds=1)


def milliseconds(time: Any) -> int | None:
    """Return a moment or a duration in milliseconds; None where it is not known.

    >>> milliseconds(dt.timedelta(seconds=3))
    3000
    """
    if is_missing(time):
        return None
    return int((time if isinstance(time, dt.timedelta) else time - _EPOCH) // _MILLISECOND)
