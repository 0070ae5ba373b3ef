"""Reads MLMD from an SQLite file.

Where this process itself may have the file open, another process does the reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from mlmd_lineage.readers.sqlite import locks, session
from mlmd_lineage.readers.sqlite.subprocess_reader import SubprocessReader
from mlmd_lineage.snapshot.tables import wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.snapshot.tables import Tables
    from mlmd_lineage.stores import SQLiteMetadataStore

T = TypeVar("T")


class SQLiteReader:
    """Reads one SQLite file, and never changes it."""

    def __init__(self, store: SQLiteMetadataStore) -> None:
        self._path = store.path
        self._busy_timeout = store.busy_timeout

    def read(self, tables: Collection[str] | None = None) -> Tables:
        """Read whole tables in one transaction.

        A writer waits until the columns have been copied: on two cores about a second for every
        100 thousand executions. In write-ahead mode it does not wait at all.
        """
        names = wanted(tables)
        with locks.taken(self._path, self._busy_timeout) as here:
            if here:
                return session.read(self._path, self._busy_timeout, names)
        return SubprocessReader(self._path, self._busy_timeout).read(names)

    def ask(self, question: Callable[[Session], T]) -> T:
        """Answer a question in one transaction; it may be asked again if the store changed."""
        with locks.taken(self._path, self._busy_timeout) as here:
            if here:
                return session.ask(self._path, self._busy_timeout, question)
        return SubprocessReader(self._path, self._busy_timeout).ask(question)
