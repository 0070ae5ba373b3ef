"""The statements of a transaction on a database server, with their values written into them."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from mlmd_lineage.writing import values
from mlmd_lineage.writing.sql.session import WriteSession

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mlmd_lineage.writing.sql.limits import Limits

    Row = tuple[Any, ...]

_ROWS = 1000
"""How many rows one statement inserts at most."""
_FEW = 100
"""Fewer properties than that are inserted by one statement, whatever their kinds."""
_STATEMENT_CHARACTERS = 1 << 20
"""How long a statement becomes before another is begun; every server takes as much."""


class ServerWriteSession(WriteSession):
    """An open transaction on a server, beside those of other writers.

    Attributes:
        limits: What the columns can hold.
        proof: A row that is there if the transaction was committed, and only then: its table,
            columns and values. None where putting all of it again changes nothing more.
    """

    locking = " FOR UPDATE"
    limits: Limits

    def __init__(self) -> None:
        self.proof: tuple[str, Sequence[str], Sequence[Any]] | None = None

    @abstractmethod
    def run(self, statement: str) -> list[Row]:
        """Run a statement without parameters, and return its rows.

        Raises:
            AlreadyExistsError: A key must be unique, and is there already.
        """

    @abstractmethod
    def literal(self, value: Any) -> str:
        """Return a value as it stands in a statement.

        Raises:
            PutRefusedError: The database cannot hold it.
        """

    @abstractmethod
    def stored_text(self, text: str) -> str:
        """Return how a text stands in the database."""

    def select(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a SELECT."""
        return self.run(self._filled(statement, parameters))

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement that returns no rows."""
        self.run(self._filled(statement, parameters))

    def _filled(self, statement: str, parameters: Sequence[Any]) -> str:
        parts = statement.split("?")
        literals = [*map(self.literal, parameters), ""]
        return "".join(text for pair in zip(parts, literals, strict=True) for text in pair)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert rows."""
        if rows:
            self.proof = (table, columns, rows[-1]) if table != "EventPath" else self.proof
        for statement, _ in self.inserting(table, columns, rows):
            self.run(statement)

    def insert_properties(
        self, table: str, owner: str, rows: Iterable[tuple[int, str, bool, str, Any]]
    ) -> None:
        """Insert properties: the owner's id, name, whether custom, column and value."""
        by_column: dict[str, list[Row]] = {}
        for number, name, custom, column, value in rows:
            held = self.held(name, column, value)
            by_column.setdefault(column, []).append((number, name, custom, held))
        before = self.proof  # what the owner's row proves, these need not
        key = (owner, "name", "is_custom_property")
        if sum(map(len, by_column.values())) < _FEW:
            # One statement, which leaves some columns empty, is one trip to the server.
            empty = dict.fromkeys(values.COLUMNS)
            self.insert(
                table,
                (*key, *values.COLUMNS),
                [
                    (*row[:3], *{**empty, column: row[3]}.values())
                    for column, found in by_column.items()
                    for row in found
                ],
            )
        else:
            for column, found in by_column.items():
                self.insert(table, (*key, column), found)
        self.proof = before

    @abstractmethod
    def held(self, name: str, column: str, value: Any) -> Any:
        """Return a property's value as its column takes it.

        Raises:
            PutRefusedError: It cannot hold it.
        """

    def is_same(self, stored: Row, given: tuple[str, Any]) -> bool:
        """Tell whether the value columns of a property hold a column's value already."""
        return [_key(value) for value in stored] == [_key(v) for v in self.as_stored(given)]

    def as_stored(self, given: tuple[str, Any]) -> Row:
        """Return the value columns of a property that was given a column's value."""
        column, value = given
        held = self.held("", column, value)
        return tuple(held if name == column else None for name in values.COLUMNS)

    def inserting(
        self, table: str, columns: Sequence[str], rows: Sequence[Row], tail: str = ""
    ) -> Iterator[tuple[str, int]]:
        """Yield the statements that insert rows, each with how many."""
        if not rows:
            return
        places = zip(*rows, strict=True)
        stored = [self._stored_column(column) for column in places]
        self.limits.check(table, columns, stored)
        listed = ", ".join(map(self.quote, columns))
        start = f"INSERT INTO {self.quote(table)} ({listed}) VALUES "  # noqa: S608 - names of MLMD's
        literals = [self._literals(column) for column in stored]
        parts: list[str] = []
        size = 0
        for row in zip(*literals, strict=True):
            part = f"({', '.join(row)})"
            if parts and (len(parts) == _ROWS or size + len(part) > _STATEMENT_CHARACTERS):
                yield f"{start}{', '.join(parts)}{tail}", len(parts)
                parts, size = [], 0
            parts.append(part)
            size += len(part)
        yield f"{start}{', '.join(parts)}{tail}", len(parts)

    def _stored_column(self, column: Sequence[Any]) -> Sequence[Any]:
        """Return a column's values with its texts as they stand in the database."""
        if all(type(value) is not str or value.isascii() for value in column):
            return column
        return [
            self.stored_text(value) if type(value) is str and not value.isascii() else value
            for value in column
        ]

    def _literals(self, column: Sequence[Any]) -> Iterable[str]:
        """Return a column's values as they stand in a statement."""
        kinds = set(map(type, column))
        if kinds == {int}:
            return map(str, column)
        if kinds == {type(None)}:
            return itertools.repeat("NULL", len(column))
        return map(self.literal, column)

    def checked(self, table: str, columns: Sequence[str], row: Sequence[Any]) -> Sequence[Any]:  # noqa: ARG002 - as the base has it
        """Return a row with its texts as they stand in the database."""
        return tuple(
            self.stored_text(value) if type(value) is str and not value.isascii() else value
            for value in row
        )

    def update(self, table: str, columns: Sequence[str], row: Sequence[Any], number: int) -> None:
        """Set columns of the row with an id."""
        stored = [[value] for value in self.checked(table, columns, row)]
        self.limits.check(table, columns, stored)
        super().update(table, columns, row, number)
        self.proof = (table, (*columns, "id"), (*row, number))


def _key(value: Any) -> Any:
    """Return what tells 1 from 1.0 and 0.0 from -0.0, and takes True for 1."""
    if isinstance(value, float):
        return value.hex()
    return int(value) if isinstance(value, bool) else value
