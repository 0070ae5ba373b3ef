"""Connections of the Arrow driver to an SQLite file that all see the same state."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import adbc_driver_sqlite
import pyarrow as pa
from adbc_driver_manager import AdbcConnection, AdbcStatement

from mlmd_lineage.readers.sqlite import files

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

_BATCH_ROWS = 65536
_ATTEMPTS = 3

CAUTION = ("PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON")
"""For untrusted files: https://www.sqlite.org/security.html"""


class Connection:
    """A connection of the Arrow driver.

    Not through its ``dbapi``, whose import takes three times as long.
    """

    def __init__(self, uri: str) -> None:
        with contextlib.ExitStack() as stack:
            database = stack.enter_context(adbc_driver_sqlite.connect(uri))
            self._connection = stack.enter_context(AdbcConnection(database))
            self._stack = stack.pop_all()
        for statement in CAUTION:
            self.rows(statement)

    def close(self) -> None:
        """Close it; no batches may be waiting to be read."""
        self._stack.close()

    def batches(self, statement: str) -> Generator[pa.RecordBatch]:
        """Run a statement and yield its rows; the types of a column are those of its first ones."""
        with AdbcStatement(self._connection) as prepared:
            prepared.set_options(**{"adbc.sqlite.query.batch_rows": str(_BATCH_ROWS)})
            prepared.set_sql_query(statement)
            stream, _ = prepared.execute_query()
            with pa.RecordBatchReader.from_stream(stream) as reader:
                yield from reader

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        found: list[tuple[Any, ...]] = []
        for batch in self.batches(statement):
            found += zip(*(column.to_pylist() for column in batch.columns), strict=True)
        return found


def same_state(uri: str, busy_timeout: float, stack: contextlib.ExitStack) -> list[Connection]:
    """Open two read transactions that see the same state, or one where that cannot be had."""

    def connect() -> Connection:
        return stack.enter_context(contextlib.closing(Connection(uri)))

    def begin(connection: Connection) -> None:
        connection.rows("BEGIN")
        files.patiently(lambda: connection.rows("SELECT COUNT(*) FROM sqlite_master"), busy_timeout)

    def commits(connection: Connection) -> list[tuple[Any, ...]]:
        """Return what changes with every commit of another connection."""
        return files.patiently(lambda: connection.rows("PRAGMA data_version"), busy_timeout)

    first, second = connect(), connect()
    begin(first)
    if first.rows("PRAGMA journal_mode") != [("wal",)]:
        begin(second)  # nobody can commit while the first has its lock
        return [first, second]
    watcher = connect()
    for _ in range(_ATTEMPTS):
        first.rows("ROLLBACK")
        version = commits(watcher)
        begin(first)
        begin(second)
        if commits(watcher) == version:
            return [first, second]
        second.rows("ROLLBACK")
    return [first]
