"""AnswerSize: how much memory one question may take of what a server sends.

A server may send rows without end, and what was asked for says nothing of how many there are.
"""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path

from mlmd_lineage import errors

ROW = 500
"""How many bytes the Python objects of a row take beside its values."""
_PART = 2
"""One question may take this part of the memory: a half."""
_USUAL = 8 << 30
"""How many bytes of memory a machine has that does not tell."""
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where Linux tells how much memory a container may have: cgroup v2 and v1."""


class AnswerSize:
    """Counts what one question receives, and ends it where that is too much.

    >>> AnswerSize("mysql://h/d", None).add(1000)

    Args:
        location: Where the store is.
        limit: How many MiB it may be; None for half of this machine's memory.
    """

    def __init__(self, location: str, limit: int | None) -> None:
        self._location = location
        self._limit = memory() // _PART if limit is None else limit << 20
        self._received = 0

    def add(self, received: int) -> None:
        """Count some more bytes.

        Raises:
            AnswerTooLargeError: Together they are more than the limit.
        """
        self._received += received
        if self._received > self._limit:
            message = (
                f"{self._location} sent more than the {self._limit >> 20:,} MiB that one question "
                "may receive. Ask for less, or give the store a larger max_answer if the server "
                "is to be trusted."
            )
            raise errors.AnswerTooLargeError(message)


@functools.cache
def memory() -> int:
    """Return how many bytes of memory this process may have: the machine's or the container's."""
    found = [_USUAL]
    with contextlib.suppress(OSError, ValueError, AttributeError):  # Windows has no sysconf
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
            found.append(int(path.read_text(encoding="ascii")))
    return min(number for number in found if number > 0)
