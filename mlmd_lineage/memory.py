"""Memory that is no longer used, which allocators keep for later."""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable


def release() -> None:
    """Give memory that nothing uses back to the system.

    Where many large buffers come and go between others that stay, as when a store is read, much of
    what was given back to an allocator is kept by it.
    """
    pa.default_memory_pool().release_unused()
    trim = _trim()
    if trim is not None:
        trim(0)


@functools.cache
def _trim() -> Callable[[int], int] | None:
    """Return ``malloc_trim`` of the GNU C library, or None where the library is another one."""
    if sys.platform != "linux":
        return None
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return found
