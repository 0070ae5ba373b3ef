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
from mlmd_lineage.writing.sql.session import PropertyColumns, WriteSession, together

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlmd_lineage.writing.message_columns import Property
    from mlmd_lineage.writing.sql.session import Columns

    Row = tuple[Any, ...]

_PARAMETERS = 250
"""How many parameters a statement has at most.

More of them make a row no cheaper. Numbered ones such as ``?7`` are looked for one by one, by
SQLite when it prepares a statement, and by Python from 3.12 on for each value that it hands over.
"""
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
        rows = len(next(iter(data.values())))
        same, other = _columns_of_one_value(data) if rows > _FEW else ((), tuple(data))
        if not other:
            same, other = same[:-1], same[-1:]
        common = [data[name][0] for name in same]
        width = len(other)
        values: list[Any] = [None] * (rows * width)
        for number, name in enumerate(other):
            values[number::width] = data[name]
        place, last = 0, 0
        try:
            while place < rows:
                many = _rows_at_once(rows - place, (_PARAMETERS - len(same)) // width)
                end = place + many
                statement = _inserting(verb, table, same, other, many)
                parameters = common + values[place * width : end * width]
                made = self._connection.execute(statement, parameters)
                last = made.lastrowid or last
                place = end
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

    def insert_members(
        self, table: str, context_id: int, column: str, members: Sequence[int]
    ) -> None:
        """Insert memberships of nodes that this transaction inserted, in a context."""
        if not isinstance(members, range):
            super().insert_members(table, context_id, column, members)
            return
        # SQLite counts these ids itself, which costs less than to hand each of them over.
        node = column.removesuffix("_id").capitalize()
        self.execute(
            f"{_INSERT} INTO `{table}` (context_id, {column}) SELECT ?, id FROM `{node}` "  # noqa: S608 - no user text
            "WHERE id BETWEEN ? AND ? ORDER BY id",
            (context_id, members[0], members[-1]),
        )

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
        by_column = {column: _with_numbers(column, found) for column, found in by_column.items()}
        if sum(len(found.owners) for found in by_column.values()) <= _FEW:
            self._insert(_INSERT, table, together(owner, by_column))
            return
        for column, found in by_column.items():
            self._insert(_INSERT, table, found.named(owner, column))

    def insert_shapes(
        self, table: str, owner: str, shapes: Iterable[tuple[Sequence[int], Sequence[Property]]]
    ) -> None:
        """Insert properties of nodes that have the same ones: all of a node's together.

        So rows come in the order of the table's primary key, and a node's id and the names of the
        properties are parameters of a statement once.
        """
        others = []
        for owners, properties in shapes:
            width = len(properties) + 1
            most = (_PARAMETERS - len(properties)) // width
            if not properties or len(owners) < _FEW or most < 1:
                others.append((owners, properties))
                continue
            # In the order of the primary key, where one row goes behind the one before.
            ordered = sorted(properties, key=lambda found: (found.name, found.custom))
            names = [found.name for found in ordered]
            kinds = tuple((found.column, found.custom) for found in ordered)
            flat: list[Any] = [None] * (width * len(owners))
            flat[::width] = owners
            for place, found in enumerate(ordered, 1):
                flat[place::width] = _stored(found)
            start = 0
            try:
                while start < len(owners):
                    many = _rows_at_once(len(owners) - start, most)
                    end = start + many
                    statement = _inserting_shape(table, owner, kinds, many)
                    self._connection.execute(statement, names + flat[width * start : width * end])
                    start = end
            except sqlite3.IntegrityError as error:
                raise _already_exists(error) from None
        super().insert_shapes(table, owner, others)

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


def _columns_of_one_value(data: Columns) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the columns that hold one value in all rows, and those of the others.

    A number that only equals another, as 1 does 1.0, is another value.
    """
    same = tuple(
        name
        for name, column in data.items()
        if type(column[0]) is type(column[-1])
        and not isinstance(column[0], float)
        and column[0] == column[-1]
        and set(map(type, column)) == {type(column[0])}
        and column.count(column[0]) == len(column)
    )
    return same, tuple(name for name in data if name not in same)


@functools.lru_cache(256)
def _inserting(
    verb: str, table: str, same: tuple[str, ...], other: tuple[str, ...], rows: int
) -> str:
    """Return the statement that inserts some rows.

    Args:
        verb: How it begins.
        table: The table.
        same: The columns that hold one value in all rows: the first parameters.
        other: The other columns, whose values follow row by row.
        rows: How many rows there are.
    """
    listed = ", ".join(schema.quoted("sqlite", name) for name in (*same, *other))
    common = [f"?{number}" for number in range(1, len(same) + 1)]
    marks = [f"({', '.join([*common, *('?' * len(other))])})"] * rows
    return f"{verb} INTO `{table}` ({listed}) VALUES {', '.join(marks)}"


@functools.lru_cache(256)
def _inserting_shape(
    table: str, owner: str, kinds: tuple[tuple[str, bool], ...], owners: int
) -> str:
    """Return the statement that inserts the same properties of some nodes.

    Args:
        table: The table.
        owner: The column of the node's id.
        kinds: The column of each property's value, and whether it is custom.
        owners: How many nodes there are.

    Its parameters are the names of the properties, and for each node its id and the values.
    """
    columns = sorted({column for column, _ in kinds})
    listed = ", ".join(f"`{name}`" for name in (owner, "name", "is_custom_property", *columns))
    # A "?" is the parameter behind the last one.
    cells = []
    for name, (held, custom) in enumerate(kinds, 1):
        stored = ["?" if column == held else "NULL" for column in columns]
        cells.append(", ".join([f"?{name}", str(int(custom)), *stored]))
    node = len(kinds) + 1
    rows = [
        f"(?{number}, {cell})"
        for number in range(node, node + owners * (len(kinds) + 1), len(kinds) + 1)
        for cell in cells
    ]
    return f"{_INSERT} INTO `{table}` ({listed}) VALUES {', '.join(rows)}"


def _with_numbers(column: str, found: PropertyColumns) -> PropertyColumns:
    """Return properties with numbers for bools, which Python hands to SQLite far sooner."""
    customs: list[Any] = [*map(int, found.customs)]
    if column != "bool_value":
        return found._replace(customs=customs)
    return found._replace(customs=customs, values=[*map(int, found.values)])


def _stored(found: Property) -> list[Any]:
    """Return the values of a property as their column takes them."""
    if found.column == "double_value":
        count = len(found.values)
        _check_doubles(PropertyColumns([], [found.name] * count, [], found.values))
    if found.column == "proto_value":
        return [base64.b64encode(value).decode() for value in found.values]
    if found.column == "bool_value":
        return [*map(int, found.values)]
    return found.values


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
