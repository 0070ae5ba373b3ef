"""A connection to an SQLite file that stays open between questions.

Only a file with a rollback journal is kept open: between two transactions, a connection to it holds
no lock, so that no writer waits for it and no other copy of SQLite can drop one (``locks``). A file
in write-ahead mode, or one that a dead writer left half-done, is opened anew by ``files``.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mlmd_lineage.readers.sqlite import driver_errors, files, locks, session

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage.readers.sql import SQLSession

T = TypeVar("T")


class KeptConnection:
    """A connection to a file, and what tells whether the file may still be read through it.

    Whoever has it holds the lock of ``locks.taken`` on the file while it opens, uses and closes it.
    """

    def __init__(self, path: Path, real: Path) -> None:
        self._path = path
        self._real = real
        self._process = os.getpid()
        self._descriptors: set[int] = set()
        self._is_closed = True
        with contextlib.ExitStack() as stack:
            # Its own, as closing a second one would drop the locks of the first.
            self._file = os.open(real, os.O_RDONLY)
            stack.callback(os.close, self._file)
            self._connection = session.connected(files.shared_uri(real), path)
            stack.pop_all()
        status = os.fstat(self._file)
        self._inode = (status.st_dev, status.st_ino)
        self._descriptors = locks.descriptors_of(status)
        locks.idle_descriptors.update(self._descriptors)
        self._is_closed = False

    @classmethod
    def opened(cls, path: Path) -> KeptConnection | None:
        """Return a connection to a file; None where it cannot be kept open as it is.

        Raises:
            StoreError: The file cannot be read.
        """
        real = Path(os.path.realpath(path))
        if not hasattr(os, "pread"):
            return None
        try:
            if files.checked_header(real, path) or not files.is_alone(real):
                return None
            return cls(path, real)
        except OSError as error:
            raise driver_errors.unreadable(error, path) from None

    def is_current(self) -> bool:
        """Tell whether the file is still there, and still has a rollback journal."""
        if self._process != os.getpid():
            return False
        try:
            status = os.stat(self._path)  # noqa: PTH116 - it is looked at before each question
            return (
                (status.st_dev, status.st_ino) == self._inode
                and files.is_alone(self._real)
                and files.is_whole(os.pread(self._file, files.HEADER_BYTES, 0), status.st_size)
            )
        except OSError:
            return False

    def ask(self, busy_timeout: float, question: Callable[[SQLSession], T]) -> T:
        """Answer a question in one transaction.

        Raises:
            StoreError: The file cannot be read.
            HotJournalError: A writer died in mid-transaction.
        """
        with session.transaction(self._connection, self._path, busy_timeout) as opened:
            return question(opened)

    def close(self) -> None:
        """Close it."""
        if self._is_closed or self._process != os.getpid():
            return  # a forked child's is its parent's
        self._is_closed = True
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        os.close(self._file)
        locks.idle_descriptors.difference_update(self._descriptors)

    def __del__(self) -> None:
        # Its numbers must not be taken for idle when they are those of other files.
        self.close()
