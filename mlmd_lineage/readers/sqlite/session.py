"""Reads an SQLite file in this process: whole tables, and single questions.

Whole tables come through the Arrow driver (``scan``), single questions through Python's
own ``sqlite3``.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mlmd_lineage.readers import sql
from mlmd_lineage.readers.sqlite import arrow_connections, driver_errors, files, scan, typed_values
from mlmd_lineage.readers.sqlite.interrupts import Interruptible
from mlmd_lineage.snapshot import table_building
from mlmd_lineage.snapshot.tables import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mlmd_lineage.readers.base import Selected, Selection
    from mlmd_lineage.readers.database_schema import DatabaseSchema
    from mlmd_lineage.snapshot.tables import Tables

T = TypeVar("T")

_MOST_FILES = 16


class _Known(NamedTuple):
    """What is known of a file that was read."""

    seen: tuple[int, int, int]
    """What tells whether its columns are still the same."""
    columns: Mapping[str, Sequence[str]]
    layout: DatabaseSchema


_layouts: dict[Path, _Known] = {}
"""The layouts of the files that were read last."""


def read(
    path: Path,
    busy_timeout: float,
    selection: Selection,
    meanwhile: Callable[[Tables], object] | None = None,
) -> Selected:
    """Read a selection in one transaction; see ``Selector.read_selected``."""
    return files.with_unchanged_file(
        path, busy_timeout, lambda uri: scan.read(uri, path, busy_timeout, selection, meanwhile)
    )


def ask(path: Path, busy_timeout: float, question: Callable[[sql.SQLSession], T]) -> T:
    """Answer a question in one transaction; it is asked again if the file changed."""

    def answer(uri: str) -> T:
        with (
            contextlib.closing(connected(uri, path)) as connection,
            transaction(connection, path, busy_timeout) as session,
        ):
            return question(session)

    return files.with_unchanged_file(path, busy_timeout, answer)


class SQLiteStatements(sql.SQLSession):
    """The statements of a session in SQLite's SQL."""

    placeholder = "?"

    def _head(self, table: str) -> str:
        listed = _selected(self.layout.columns[table], table)
        return f"SELECT {listed} FROM {self.layout.from_clause(table, self.quote)}"  # noqa: S608 - no user text


@functools.lru_cache(256)
def _selected(columns: tuple[str, ...], table: str) -> str:
    """Return the columns of a SELECT for a table, which has some of them.

    They may hold values of any type: they are read as whole tables are.
    """
    typed = typed_values.tolerant(columns, table)
    return ", ".join(typed.get(name, "NULL") for name in SCHEMAS[table].names)


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


def connected(uri: str, path: Path) -> sqlite3.Connection:
    """Return a connection that reads a file, and has not touched it yet."""
    with _explained(path):
        connection = sqlite3.connect(
            uri,
            uri=True,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.text_factory = table_building.readable_text
        for statement in arrow_connections.CAUTION:
            connection.execute(statement)
    return connection


@contextlib.contextmanager
def transaction(
    connection: sqlite3.Connection, path: Path, busy_timeout: float
) -> Iterator[SQLiteSession]:
    """Hold one read transaction on a connection."""
    with contextlib.ExitStack() as stack:
        with _explained(path):
            guard = Interruptible(connection)
            connection.execute("BEGIN")
            stack.callback(_end, connection)
            [(number,)] = files.patiently(
                lambda: connection.execute("PRAGMA schema_version").fetchall(), busy_timeout
            )
            with guard.statement():
                layout = _layout(connection, path, number)
        yield SQLiteSession(connection, guard, layout, path)


def _end(connection: sqlite3.Connection) -> None:
    """End a transaction, unless an error of SQLite's has."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _layout(connection: sqlite3.Connection, path: Path, number: int) -> DatabaseSchema:
    """Return the layout that a transaction sees.

    The columns, which take the longest, are looked up again when the file's number for its schema
    is another (https://www.sqlite.org/pragma.html#pragma_schema_version).
    """

    def run(statement: str) -> list[tuple[Any, ...]]:
        return connection.execute(statement).fetchall()

    status = path.stat()
    seen = (status.st_dev, status.st_ino, number)
    known = _layouts.get(path)
    if known is not None and known.seen == seen:
        table, columns = known.layout.environment, known.columns
        versions = () if table is None else scan.versions_in(run, table, columns[table])
        if versions == known.layout.stated:
            return known.layout
    else:
        columns = scan.columns_in(run)
    known = _layouts[path] = _Known(seen, columns, scan.layout_of(run, str(path), columns))
    if len(_layouts) > _MOST_FILES:
        _layouts.pop(next(iter(_layouts)), None)
    return known.layout


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OverflowError, UnicodeError) as error:
        raise driver_errors.explained(error, path) from None
