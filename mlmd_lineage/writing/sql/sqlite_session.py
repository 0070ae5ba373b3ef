"""The statements of a transaction on an SQLite file."""

from __future__ import annotations

import base64
import functools
import math
import re
import sqlite3
from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import AlreadyExistsError, PutRefusedError
from mlmd_lineage.writing import schema, values
from mlmd_lineage.writing.sql.session import WriteSession, together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.writing.sql.session import Columns, PropertyColumns

    Row = tuple[Any, ...]

_PARAMETERS = 999
"""How many parameters a statement has at most, as older copies of SQLite take no more."""
_FEW = 16
"""Up to how many rows are inserted by a statement for just so many, which SQLite keeps prepared."""
_INSERT = "INSERT OR FAIL"
"""Refused rows end the transaction, so SQLite need not be able to undo the statement alone."""
_PLACES = {column: place for place, column in enumerate(values.COLUMNS)}
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

    def insert(self, table: str, data: Columns) -> None:
        """Insert rows, given as columns."""
        self._insert(_INSERT, table, data)

    def _insert(self, verb: str, table: str, data: Columns) -> int:
        """Insert rows, many at a time, which costs less for each; return the id of the last."""
        names, columns = tuple(data), list(data.values())
        width, rows = len(columns), len(columns[0])
        place, last = 0, 0
        try:
            while place < rows:
                many = _rows_at_once(rows - place, _PARAMETERS // width)
                values: list[Any] = [None] * (many * width)
                for number, column in enumerate(columns):
                    values[number::width] = column[place : place + many]
                made = self._connection.execute(_inserting(verb, table, names, many), values)
                last = made.lastrowid or last
                place += many
        except sqlite3.IntegrityError as error:
            raise _already_exists(error) from None
        return last

    def insert_new(self, table: str, data: Columns) -> Sequence[int]:
        """Insert rows into a table with ids, and return these."""
        last = self._insert(_INSERT, table, data)
        rows = len(next(iter(data.values())))
        return range(last - rows + 1, last + 1)

    def insert_missing(self, table: str, data: Columns) -> None:
        """Insert the rows whose unique key is not there yet."""
        self._insert("INSERT OR IGNORE", table, data)

    def insert_properties(
        self, table: str, owner: str, by_column: Mapping[str, PropertyColumns]
    ) -> None:
        """Insert properties."""
        if "double_value" in by_column:
            _check_doubles(by_column["double_value"])
        if "proto_value" in by_column:
            protos = by_column["proto_value"]
            texts = [base64.b64encode(value).decode() for value in protos.values]
            by_column = {**by_column, "proto_value": protos._replace(values=texts)}
        if sum(len(found.owners) for found in by_column.values()) <= _FEW:
            self._insert(_INSERT, table, together(owner, by_column))
            return
        for column, found in by_column.items():
            self._insert(_INSERT, table, found.named(owner, column))

    def is_same(self, stored: Row, given: tuple[str, Any]) -> bool:
        """Tell whether the value columns of a property hold a column's value already."""
        row = self.as_stored(given)
        # Only numbers can be equal and another: 1 and 1.0, 0.0 and -0.0.
        return stored == row and (isinstance(given[1], str) or _identity(stored) == _identity(row))

    def as_stored(self, given: tuple[str, Any]) -> Row:
        """Return the value columns of a property that was given a column's value."""
        column, value = given
        if column == "proto_value":
            value = base64.b64encode(value).decode()
        row = [None] * len(values.COLUMNS)
        row[_PLACES[column]] = value
        return tuple(row)


def _rows_at_once(rows: int, most: int) -> int:
    """Return how many rows to insert next: one of few numbers, so that statements stay prepared."""
    if rows >= most:
        return most
    return rows if rows <= _FEW else 1 << (rows.bit_length() - 1)


@functools.lru_cache(256)
def _inserting(verb: str, table: str, columns: tuple[str, ...], rows: int) -> str:
    """Return the statement that inserts some rows."""
    listed = ", ".join(schema.quoted("sqlite", name) for name in columns)
    marks = f"({', '.join('?' * len(columns))})"
    return f"{verb} INTO `{table}` ({listed}) VALUES {', '.join([marks] * rows)}"


def _identity(row: Row) -> tuple[Any, ...]:
    """Return what tells 1 from 1.0, and 0.0 from -0.0."""
    return tuple(
        value.hex() if isinstance(value, float) else int(value) if value in {0, 1} else value
        for value in row
    )


def _check_doubles(properties: PropertyColumns) -> None:
    if any(map(math.isnan, properties.values)):
        name = next(
            name
            for name, value in zip(properties.names, properties.values, strict=True)
            if math.isnan(value)
        )
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
