"""The statements of a transaction on a database server, with their values written into them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from mlmd_lineage.writing import values
from mlmd_lineage.writing.sql.session import PropertyColumns, WriteSession, together

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Mapping, Sequence

    from mlmd_lineage.writing.sql.limits import Limits
    from mlmd_lineage.writing.sql.session import Columns

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
    escaped: re.Pattern[str]
    """What in a text does not stand in a statement as it is."""

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

    def insert(self, table: str, data: Columns) -> None:
        """Insert rows, given as columns."""
        if table != "EventPath":
            self.proof = (table, tuple(data), tuple(column[-1] for column in data.values()))
        for statement, _ in self.inserting(table, data):
            self.run(statement)

    def insert_properties(
        self, table: str, owner: str, by_column: Mapping[str, PropertyColumns]
    ) -> None:
        """Insert properties."""
        before = self.proof  # what the owner's row proves, these need not
        if sum(len(found.owners) for found in by_column.values()) < _FEW:
            # One statement, which leaves some columns empty, is one trip to the server.
            held = {c: found._replace(values=self.held(c, found)) for c, found in by_column.items()}
            self.insert(table, together(owner, held))
        else:
            for column, found in by_column.items():
                whole = found._replace(values=self.held(column, found))
                self.insert(table, whole.named(owner, column))
        self.proof = before

    @abstractmethod
    def held(self, column: str, properties: PropertyColumns) -> list[Any]:
        """Return the values of properties as their column takes them.

        Raises:
            PutRefusedError: It cannot hold one of them.
        """

    def is_same(self, stored: Row, given: tuple[str, Any]) -> bool:
        """Tell whether the value columns of a property hold a column's value already."""
        return [_key(value) for value in stored] == [_key(v) for v in self.as_stored(given)]

    def as_stored(self, given: tuple[str, Any]) -> Row:
        """Return the value columns of a property that was given a column's value."""
        column, value = given
        [held] = self.held(column, PropertyColumns([0], [""], [False], [value]))
        return tuple(held if name == column else None for name in values.COLUMNS)

    def inserting(self, table: str, data: Columns, tail: str = "") -> Iterator[tuple[str, int]]:
        """Yield the statements that insert rows, each with how many."""
        stored = [self._stored_column(column) for column in data.values()]
        self.limits.check(table, tuple(data), stored)
        listed = ", ".join(map(self.quote, data))
        start = f"INSERT INTO {self.quote(table)} ({listed}) VALUES "  # noqa: S608 - names of MLMD's
        marks, literals = zip(*map(self._literals, stored), strict=True)
        row_of = f"({', '.join(marks)})".__mod__
        parts: list[str] = []
        size = 0
        for part in map(row_of, zip(*literals, strict=True)):
            if parts and (len(parts) == _ROWS or size + len(part) > _STATEMENT_CHARACTERS):
                yield f"{start}{', '.join(parts)}{tail}", len(parts)
                parts, size = [], 0
            parts.append(part)
            size += len(part)
        yield f"{start}{', '.join(parts)}{tail}", len(parts)

    def _stored_column(self, column: Sequence[Any]) -> Sequence[Any]:
        """Return a column's values with its texts as they stand in the database."""
        if "".join([value for value in column if type(value) is str]).isascii():
            return column
        return [
            self.stored_text(value) if type(value) is str and not value.isascii() else value
            for value in column
        ]

    def _literals(self, column: Sequence[Any]) -> tuple[str, Sequence[Any]]:
        """Return how the values of a column stand in a statement: a %-format, and what it takes."""
        kinds = set(map(type, column))
        if kinds == {int}:
            return "%d", column
        if kinds == {str} and self.escaped.search("".join(column)) is None:
            return "'%s'", column
        return "%s", [*map(self.literal, column)]

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
