"""Locks within this process, so that it never opens one SQLite file with two libraries at once.

POSIX locks belong to the process, and each copy of SQLite in it (Python's, the Arrow driver's,
the one in ``ml_metadata``) knows only of its own: a second copy neither sees the locks of the
first nor keeps them when it closes the file.
https://www.sqlite.org/howtocorrupt.html#_multiple_copies_of_sqlite_linked_into_the_same_application

One case is not detected: a thread that opens the file with a library other than ``ml_metadata``
while a read is going on. A program with such a thread has to open the file before the first read.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from mlmd_lineage import deadline

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

_NATIVE = "ml_metadata.metadata_store.pywrap"

idle_descriptors: set[int] = set()
"""Of connections of Python's ``sqlite3`` that are kept open between two transactions.

Between transactions they hold no POSIX lock that another copy of SQLite could drop. Their owner
opens, uses and closes them only while it has this module's lock on the file.
"""

_guard = threading.Lock()
_locks: WeakValueDictionary[tuple[int, int], threading.Lock] = WeakValueDictionary()


def _reset_locks() -> None:
    """Make new locks in a forked child, which has none of the threads that hold them."""
    global _guard, _locks
    _guard, _locks = threading.Lock(), WeakValueDictionary()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_reset_locks)


@contextlib.contextmanager
def taken(path: Path, seconds: float) -> Iterator[bool | None]:
    """Hold the lock on a file; give False where another process must read the file.

    There is one lock for each file. A thread that has waited for ``seconds`` gets None, which
    means the same, and that it must close nothing; otherwise two threads that each wait for the
    other's lock would wait for ever.
    """
    if sys.platform == "win32":
        yield True  # its locks belong to the handle, not to the process
        return
    try:
        status = path.stat()
    except OSError:
        yield True  # what cannot be found cannot be open either
        return
    with _guard:
        lock = _locks.setdefault((status.st_dev, status.st_ino), threading.Lock())
    left = deadline.remaining()
    if not lock.acquire(timeout=seconds if left is None else min(seconds, left)):
        deadline.check()
        yield None
        return
    try:
        yield not _may_be_open(status)
    finally:
        lock.release()


def _may_be_open(wanted: os.stat_result) -> bool:
    """Tell whether this process has the file open, or holds the library that may open it."""
    if _NATIVE in sys.modules:
        return True
    try:
        return bool(descriptors_of(wanted, idle_descriptors))
    except OSError:
        return True


def descriptors_of(wanted: os.stat_result, but: Collection[int] = ()) -> set[int]:
    """Return the numbers under which this process has a file open, but for some of them."""
    found = set()
    device, inode = wanted.st_dev, wanted.st_ino
    for number in map(int, os.listdir("/dev/fd")):  # noqa: PTH208 - names only
        if number in but:
            continue
        try:
            status = os.fstat(number)
        except OSError:  # it was the listing's own, or is closed meanwhile
            continue
        if status.st_ino == inode and status.st_dev == device:
            found.add(number)
    return found
