"""Writing MLMD to an SQLite file.

Where this process itself may have the file open with another copy of SQLite, such as the one in
``ml_metadata``, another process does the writing: see ``mlmd_lineage.readers.sqlite.locks``.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from mlmd_lineage.readers.sqlite import locks
from mlmd_lineage.writing.sql import sqlite_subprocess_client
from mlmd_lineage.writing.sql.sqlite_connection import SQLiteWriteConnection, inode_of
from mlmd_lineage.writing.sql.writer import SQLWriter, method_of, nothing_written
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from mlmd_lineage.stores import SQLiteMetadataStore


class SQLiteWriter(SQLWriter):
    """Writes to one SQLite file; threads may share it."""

    def __init__(self, store: SQLiteMetadataStore) -> None:
        self._path = store.path
        self._busy_timeout = store.busy_timeout
        self._lock = threading.Lock()
        self._kept: tuple[int, SQLiteWriteConnection, frozenset[int]] | None = None

    def __del__(self) -> None:
        # Its descriptors must not be taken for idle when they are those of other files.
        self._close()

    def put(self, request: Message) -> Any:
        """Put all of a request, or nothing of it, and return MLMD's response to it."""
        method = method_of(request)
        with self._lock, locks.taken(self._path, self._busy_timeout) as here:
            if here:
                connection = self._connection()
                try:
                    with nothing_written():
                        return connection.put(self._busy_timeout, request)
                finally:
                    if not connection.may_stay:
                        self._close()
            if here is not None:
                self._close()
        with sqlite_subprocess_client.client_for(self._path) as client:
            answer = client.put(self._busy_timeout, method, request.SerializeToString())
        return message(f"{method}Response").FromString(answer)

    def create(self) -> bool:
        """Make the file and MLMD's tables where there are none; return whether that was so."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, locks.taken(self._path, self._busy_timeout) as here:
            if here:
                connection = SQLiteWriteConnection(self._path, create=True)
                try:
                    return connection.create(self._busy_timeout)
                finally:
                    connection.close()
        with sqlite_subprocess_client.client_for(self._path) as client:
            return client.create(self._busy_timeout)

    def close(self) -> None:
        """Close the connection that is kept open from one put to the next."""
        with self._lock, locks.taken(self._path, self._busy_timeout) as here:
            if here is not None:
                self._close()

    def _connection(self) -> SQLiteWriteConnection:
        """Return a connection to the file that is there now."""
        if self._kept is not None:
            process, connection, _ = self._kept
            if process == os.getpid() and connection.inode == inode_of(self._path):
                return connection
            self._close()
        connection = SQLiteWriteConnection(self._path)
        descriptors: frozenset[int] = frozenset()
        if sys.platform != "win32":
            descriptors = frozenset(locks.descriptors_of(self._path.stat()))
            locks.idle_descriptors.update(descriptors)
        self._kept = (os.getpid(), connection, descriptors)
        return connection

    def _close(self) -> None:
        if self._kept is None:
            return
        process, connection, descriptors = self._kept
        self._kept = None
        if process == os.getpid():  # a forked child's is its parent's, and SQLite's to leave alone
            locks.idle_descriptors.difference_update(descriptors)
            connection.close()
