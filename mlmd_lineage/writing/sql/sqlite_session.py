"""The statements of a transaction on an SQLite file."""

from __future__ import annotations

import base64
import math
import re
import sqlite3
from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import AlreadyExistsError, PutRefusedError
from mlmd_lineage.writing import values
from mlmd_lineage.writing.sql.session import WriteSession

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Row = tuple[Any, ...]

_UNIQUE = re.compile(r"UNIQUE constraint failed: (\w+)\.(.*)")


class SQLiteWriteSession(WriteSession):
    """An open transaction that has the file's write lock.

    It is the only one that writes, so ids follow one another, and nothing that was looked up can
    be inserted by another.
    """

    dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection, source: str) -> None:
        self._connection = connection
        self.source = source

    def select(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a SELECT."""
        return self._connection.execute(statement, parameters).fetchall()

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement that returns no rows."""
        try:
            self._connection.execute(statement, parameters)
        except sqlite3.IntegrityError as error:
            raise _already_exists(error) from None

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert rows."""
        if not rows:
            return
        try:
            self._connection.executemany(self._inserting(table, columns), rows)
        except sqlite3.IntegrityError as error:
            raise _already_exists(error) from None

    def insert_new(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> list[int]:
        """Insert rows into a table with ids, and return these."""
        if not rows:
            return []
        self.insert(table, columns, rows)
        [(last,)] = self.select("SELECT last_insert_rowid()")
        return list(range(last - len(rows) + 1, last + 1))

    def insert_missing(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert the rows whose unique key is not there yet."""
        statement = self._inserting(table, columns, "INSERT OR IGNORE")
        self._connection.executemany(statement, rows)

    def insert_properties(
        self, table: str, owner: str, rows: Iterable[tuple[int, str, bool, str, Any]]
    ) -> None:
        """Insert properties: the owner's id, name, whether custom, column and value."""
        by_column: dict[str, list[Row]] = {}
        for number, name, custom, column, value in rows:
            by_column.setdefault(column, []).append((number, name, custom, value))
        for column, found in by_column.items():
            if column == "double_value":
                _check_doubles(found)
            elif column == "proto_value":
                found[:] = [(*key, base64.b64encode(value).decode()) for *key, value in found]
            self.insert(table, (owner, "name", "is_custom_property", column), found)

    def is_same(self, stored: Row, given: tuple[str, Any]) -> bool:
        """Tell whether the value columns of a property hold a column's value already."""
        return _identity(stored) == _identity(self.as_stored(given))

    def as_stored(self, given: tuple[str, Any]) -> Row:
        """Return the value columns of a property that was given a column's value."""
        column, value = given
        if column == "proto_value":
            value = base64.b64encode(value).decode()
        return tuple(value if name == column else None for name in values.COLUMNS)

    def _inserting(self, table: str, columns: Sequence[str], verb: str = "INSERT") -> str:
        listed = ", ".join(map(self.quote, columns))
        marks = ", ".join("?" * len(columns))
        return f"{verb} INTO {self.quote(table)} ({listed}) VALUES ({marks})"


def _identity(row: Row) -> tuple[Any, ...]:
    """Return what tells 1 from 1.0, and 0.0 from -0.0."""
    return tuple(
        value.hex() if isinstance(value, float) else int(value) if value in {0, 1} else value
        for value in row
    )


def _check_doubles(rows: Iterable[Row]) -> None:
    for _, name, _, value in rows:
        if math.isnan(value):
            message = (
                f"The property {name!r} is NaN, which SQLite keeps as NULL. Put it as a text, or "
                "leave it out."
            )
            raise PutRefusedError(message)


def _already_exists(error: sqlite3.IntegrityError) -> AlreadyExistsError | PutRefusedError:
    found = _UNIQUE.match(str(error))
    if found is None:
        return PutRefusedError(f"SQLite refuses what was put: {error}.", "INTERNAL")
    table, columns = found[1], found[2].replace(f"{found[1]}.", "")
    return AlreadyExistsError(
        f"There is a row of {table} with the same {columns.replace(', ', ' and ')}. These must be "
        "unique."
    )
