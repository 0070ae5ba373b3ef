"""Reads an SQLite file in this process: whole tables, and single questions.

Whole tables come through the Arrow driver (``scan``), single questions through Python's
own ``sqlite3``.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any, TypeVar

from mlmd_lineage.readers import sql
from mlmd_lineage.readers.sqlite import arrow_connections, driver_errors, files, scan, typed_values
from mlmd_lineage.readers.sqlite.interrupts import Interruptible
from mlmd_lineage.snapshot import table_building
from mlmd_lineage.snapshot.tables import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mlmd_lineage.readers.database_schema import DatabaseSchema
    from mlmd_lineage.snapshot.tables import Tables

T = TypeVar("T")

_MOST_FILES = 16
_columns: dict[Path, tuple[tuple[int, int, int], Mapping[str, Sequence[str]]]] = {}
"""The columns of the files that were read last, each with what tells whether they still are."""


def read(path: Path, busy_timeout: float, names: Collection[str]) -> Tables:
    """Read whole tables in one transaction."""
    return files.with_unchanged_file(
        path, busy_timeout, lambda uri: scan.read(uri, path, busy_timeout, names)
    )


def ask(path: Path, busy_timeout: float, question: Callable[[sql.SQLSession], T]) -> T:
    """Answer a question in one transaction; it is asked again if the file changed."""

    def answer(uri: str) -> T:
        with _session(uri, path, busy_timeout) as session:
            return question(session)

    return files.with_unchanged_file(path, busy_timeout, answer)


class SQLiteStatements(sql.SQLSession):
    """The statements of a session in SQLite's SQL."""

    placeholder = "?"

    def _head(self, table: str) -> str:
        # Columns may hold values of any type: they are read as whole tables are.
        typed = typed_values.tolerant(self.layout.columns[table], table)
        listed = ", ".join(typed.get(name, "NULL") for name in SCHEMAS[table].names)
        return f"SELECT {listed} FROM {self.layout.from_clause(table, self.quote)}"  # noqa: S608 - no user text


class SQLiteSession(SQLiteStatements):
    """Answers single questions from an open transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        guard: Interruptible,
        layout: DatabaseSchema,
        path: Path,
    ) -> None:
        self._connection = connection
        self._guard = guard
        self._path = path
        self.layout = layout
        self.source = str(path)

    def _execute(self, statement: str, parameters: tuple[str, ...]) -> Iterable[tuple[object, ...]]:
        with _explained(self._path), self._guard.statement():
            return self._connection.execute(statement, parameters).fetchall()


@contextlib.contextmanager
def _session(uri: str, path: Path, busy_timeout: float) -> Iterator[SQLiteSession]:
    """Hold one read transaction."""
    with contextlib.ExitStack() as stack:
        with _explained(path):
            connection = sqlite3.connect(
                uri,
                uri=True,
                timeout=0,
                isolation_level=None,
                check_same_thread=False,
            )
            stack.callback(connection.close)
            guard = Interruptible(connection)
            connection.text_factory = table_building.readable_text
            for statement in arrow_connections.CAUTION:
                connection.execute(statement)
            connection.execute("BEGIN")
            files.patiently(
                lambda: connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchall(),
                busy_timeout,
            )
            with guard.statement():
                layout = _layout(connection, path)
        yield SQLiteSession(connection, guard, layout, path)


def _layout(connection: sqlite3.Connection, path: Path) -> DatabaseSchema:
    """Return the layout that a transaction sees.

    The columns, which take the longest, are looked up again when the file's number for its schema
    is another (https://www.sqlite.org/pragma.html#pragma_schema_version).
    """

    def run(statement: str) -> list[tuple[Any, ...]]:
        return connection.execute(statement).fetchall()

    status = path.stat()
    [(number,)] = run("PRAGMA schema_version")
    seen = (status.st_dev, status.st_ino, number)
    known = _columns.get(path)
    if known is None or known[0] != seen:
        known = _columns[path] = (seen, scan.columns_in(run))
        if len(_columns) > _MOST_FILES:
            _columns.pop(next(iter(_columns)), None)
    return scan.layout_of(run, str(path), known[1])


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OverflowError, UnicodeError) as error:
        raise driver_errors.explained(error, path) from None
