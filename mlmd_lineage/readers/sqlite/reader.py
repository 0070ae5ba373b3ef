"""Reads MLMD from an SQLite file.

Where this process itself may have the file open, another process does the reading.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from mlmd_lineage import errors
from mlmd_lineage.readers.base import Selected, Selection
from mlmd_lineage.readers.sqlite import driver_errors, locks, session
from mlmd_lineage.readers.sqlite.kept_connection import KeptConnection
from mlmd_lineage.readers.sqlite.subprocess_reader import SubprocessReader
from mlmd_lineage.snapshot.tables import wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.snapshot.tables import Tables
    from mlmd_lineage.stores import SQLiteMetadataStore
    from mlmd_lineage.stores.local_paths import LocalStore

T = TypeVar("T")


class SQLiteReader:
    """Reads one SQLite file, and never changes it."""

    def __init__(self, store: SQLiteMetadataStore | LocalStore) -> None:
        self._path = store.path
        self._busy_timeout = store.busy_timeout
        self._keeps = False
        self._kept: KeptConnection | None = None
        self._lock = threading.Lock()

    def keep_connections(self) -> None:
        """Keep a connection open from one question to the next, where the file allows it."""
        self._keeps = True

    def close(self) -> None:
        """Close the connection that is kept; a later question opens it again."""
        with locks.taken(self._path, self._busy_timeout) as here, self._lock:
            if here is not None:
                self._drop()

    def read(self, tables: Collection[str] | None = None) -> Tables:
        """Read whole tables in one transaction.

        A writer waits until the columns have been copied: on two cores about a second for every
        100 thousand executions. In write-ahead mode it does not wait at all.
        """
        return self.read_selected(Selection(wanted(tables))).tables

    def read_selected(
        self, selection: Selection, meanwhile: Callable[[Tables], object] | None = None
    ) -> Selected:
        """Read a selection in one transaction; a writer waits as for whole tables."""
        with locks.taken(self._path, self._busy_timeout) as here:
            if here:
                return session.read(self._path, self._busy_timeout, selection, meanwhile)
        every = wanted((*selection.tables, *selection.counted))
        found = Selected(SubprocessReader(self._path, self._busy_timeout).read(every), {})
        if meanwhile is not None:
            meanwhile(found.tables)
        return found

    def ask(self, question: Callable[[Session], T]) -> T:
        """Answer a question in one transaction; it may be asked again if the store changed."""
        with locks.taken(self._path, self._busy_timeout) as here:
            if here and self._keeps:
                return self._ask_kept(question)
            if here:
                return session.ask(self._path, self._busy_timeout, question)
            if here is not None:
                self._drop()
        return SubprocessReader(self._path, self._busy_timeout).ask(question)

    def _ask_kept(self, question: Callable[[Session], T]) -> T:
        with self._lock:  # Windows has no lock on the file that this process holds
            connection = self._connection()
            if connection is not None:
                try:
                    return connection.ask(self._busy_timeout, question)
                except (
                    errors.LockedStoreError,
                    errors.DeadlineExceededError,
                    errors.CancelledError,
                ):
                    raise
                except (errors.StoreError, driver_errors.HotJournalError):
                    # The file may have changed in a way that a new connection copes with.
                    self._drop()
        return session.ask(self._path, self._busy_timeout, question)

    def _connection(self) -> KeptConnection | None:
        """Return a connection to the file that is there now; None where none can be kept."""
        if self._kept is not None and not self._kept.is_current():
            self._drop()
        if self._kept is None:
            self._kept = KeptConnection.opened(self._path)
        return self._kept

    def _drop(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()
