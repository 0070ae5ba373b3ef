"""The statements of an open transaction on any database, among them inserts that return new ids."""

from __future__ import annotations

import functools
import itertools
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

from mlmd_lineage.writing import schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from mlmd_lineage.writing.message_columns import Property

    Row = tuple[Any, ...]
    Columns = Mapping[str, Sequence[Any]]
    """The values of some rows by their columns, all of one length."""

CHUNK = 500
"""How many values one look-up asks for."""


class PropertyColumns(NamedTuple):
    """The columns of some properties, all of one length."""

    owners: list[int]
    names: list[str]
    customs: list[bool]
    values: list[Any]

    @classmethod
    def empty(cls) -> PropertyColumns:
        """Return the columns of no properties."""
        return cls([], [], [], [])

    def add(self, owner: int, name: str, custom: bool, value: Any) -> None:  # noqa: FBT001 - a column
        """Add a property."""
        self.owners.append(owner)
        self.names.append(name)
        self.customs.append(custom)
        self.values.append(value)

    def named(self, owner: str, column: str) -> dict[str, list[Any]]:
        """Return them with the names of their table's columns."""
        return {
            owner: self.owners,
            "name": self.names,
            "is_custom_property": self.customs,
            column: self.values,
        }


def together(owner: str, by_column: Mapping[str, PropertyColumns]) -> dict[str, list[Any]]:
    """Return properties of all kinds as columns of one table, which leave some cells empty."""
    owners: list[int] = []
    names: list[str] = []
    customs: list[bool] = []
    data: dict[str, list[Any]] = {owner: owners, "name": names, "is_custom_property": customs}
    for column, found in by_column.items():
        data[column] = [None] * len(owners)
        owners += found.owners
        names += found.names
        customs += found.customs
        data[column] += found.values
    for column in by_column:
        data[column] += [None] * (len(owners) - len(data[column]))
    return data


class WriteSession(ABC):
    """An open transaction on a database.

    Attributes:
        dialect: The database's.
        source: Where it is, without any secret.
        locking: The last words of a SELECT that locks its rows, such as ``FOR UPDATE``.
        reads_old_rows: Whether a SELECT without them may return rows as they were when the
            transaction began.
    """

    dialect: schema.Dialect
    source: str
    locking = ""
    reads_old_rows = False

    @abstractmethod
    def select(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a SELECT, each text and number as it was put."""

    @abstractmethod
    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement that returns no rows.

        Raises:
            AlreadyExistsError: A key must be unique, and is there already.
        """

    @abstractmethod
    def insert(self, table: str, data: Columns) -> None:
        """Insert rows, given as columns.

        Raises:
            AlreadyExistsError: A key must be unique, and is there already.
        """

    @abstractmethod
    def insert_new(self, table: str, data: Columns) -> Sequence[int]:
        """Insert rows into a table with ids, and return these.

        Raises:
            AlreadyExistsError: A key must be unique, and is there already.
        """

    @abstractmethod
    def insert_missing(self, table: str, data: Columns) -> None:
        """Insert the rows whose unique key is not there yet."""

    def insert_members(
        self, table: str, context_id: int, column: str, members: Sequence[int]
    ) -> None:
        """Insert memberships of nodes that this transaction inserted, in a context.

        Args:
            table: ``Attribution`` or ``Association``.
            context_id: The id of the context.
            column: The column of the nodes' ids.
            members: These.

        Raises:
            AlreadyExistsError: A node is a member already.
        """
        self.insert(table, {"context_id": [context_id] * len(members), column: members})

    @abstractmethod
    def insert_properties(
        self, table: str, owner: str, by_column: Mapping[str, PropertyColumns]
    ) -> None:
        """Insert properties, by the column that takes their values.

        Args:
            table: MLMD's name of the table.
            owner: The column of the owner's id.
            by_column: The properties with values as ``values.column_and_value`` has them.
        """

    def insert_shapes(
        self, table: str, owner: str, shapes: Iterable[tuple[Sequence[int], Sequence[Property]]]
    ) -> None:
        """Insert properties of nodes that have the same ones.

        Args:
            table: MLMD's name of the table.
            owner: The column of the owner's id.
            shapes: The ids of some nodes, and their properties.
        """
        by_column: dict[str, PropertyColumns] = {}
        for owners, properties in shapes:
            for found in properties:
                columns = by_column.setdefault(found.column, PropertyColumns.empty())
                columns.owners.extend(owners)
                columns.names.extend([found.name] * len(owners))
                columns.customs.extend([found.custom] * len(owners))
                columns.values.extend(found.values)
        if by_column:
            self.insert_properties(table, owner, by_column)

    @abstractmethod
    def is_same(self, stored: Row, given: tuple[str, Any]) -> bool:
        """Tell whether the value columns of a property hold a column's value already."""

    @abstractmethod
    def as_stored(self, given: tuple[str, Any]) -> Row:
        """Return the value columns of a property that was given a column's value."""

    def lock_types(self) -> None:  # noqa: B027 - nothing to do where one writes at a time
        """Keep other writers from inserting types until the transaction ends."""

    def text_key(self, text: str) -> str:
        """Return what is the same for two texts that the database takes for equal."""
        return text

    def spellings(self, texts: Collection[Any]) -> Collection[Any]:
        """Return all ways in which values may stand in the database."""
        return texts

    def quote(self, name: str) -> str:
        """Return the name of a table or a column as it stands in a statement."""
        return schema.quoted(self.dialect, name)

    def fetch(  # noqa: PLR0913 - the parts of a statement
        self,
        table: str,
        columns: Sequence[str],
        by: str,
        wanted: Collection[Any],
        *,
        and_equal: tuple[str, Any] | None = None,
        lock: bool = False,
    ) -> list[Row]:
        """Return the rows in which a column has one of some values, however many.

        Args:
            table: MLMD's name of the table.
            columns: What to return.
            by: The column.
            wanted: Its values.
            and_equal: Another column, and the one value that it must have.
            lock: Keep other writers from these rows until the transaction ends.
        """
        rows: list[Row] = []
        if not wanted:
            return rows
        extra, more = (None, ()) if and_equal is None else (and_equal[0], and_equal[1:])
        tail = self.locking if lock else ""
        # In one order, so that two writers that lock the same rows do not wait for each other.
        for chunk in _chunks(sorted(self.spellings(wanted)), CHUNK):
            statement = _selecting(self.dialect, table, tuple(columns), by, len(chunk), extra)
            rows += self.select(statement + tail, (*chunk, *more))
        return rows

    def update(self, table: str, columns: Sequence[str], row: Sequence[Any], number: int) -> None:
        """Set columns of the row with an id.

        Raises:
            PutRefusedError: A key must be unique, and another row has it; MLMD calls it INTERNAL.
        """
        from mlmd_lineage.errors import AlreadyExistsError, PutRefusedError

        settings = ", ".join(f"{self.quote(column)} = ?" for column in columns)
        statement = f"UPDATE {self.quote(table)} SET {settings} WHERE id = ?"  # noqa: S608 - no user text
        try:
            self.execute(statement, (*self.checked(table, columns, row), number))
        except AlreadyExistsError as error:
            raise PutRefusedError(str(error), "INTERNAL") from None

    def delete_property(
        self, table: str, owner: str, number: int, name: str, *, custom: bool
    ) -> None:
        """Delete one property."""
        self.execute(
            f"DELETE FROM {self.quote(table)} WHERE {owner} = ? AND {self.quote('name')} = ? "  # noqa: S608 - no user text
            "AND is_custom_property = ?",
            (number, name, custom),
        )

    def checked(self, table: str, columns: Sequence[str], row: Sequence[Any]) -> Sequence[Any]:  # noqa: ARG002 - SQLite's columns hold whatever they are given
        """Return a row as the columns take it.

        Raises:
            PutRefusedError: A column cannot hold its value.
        """
        return row


@functools.lru_cache(512)
def _selecting(  # noqa: PLR0913, PLR0917 - the parts of a statement
    dialect: schema.Dialect,
    table: str,
    columns: tuple[str, ...],
    by: str,
    values: int,
    and_equal: str | None,
) -> str:
    """Return the statement that selects rows in which a column has one of some values."""

    def quote(name: str) -> str:
        return schema.quoted(dialect, name)

    more = "" if and_equal is None else f" AND {quote(and_equal)} = ?"
    marks = ", ".join("?" * values)
    return (
        f"SELECT {', '.join(map(quote, columns))} FROM {quote(table)} "  # noqa: S608 - no user text
        f"WHERE {quote(by)} IN ({marks}){more}"
    )


def _chunks(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in itertools.count(0, size):
        if start >= len(values):
            return
        yield values[start : start + size]
