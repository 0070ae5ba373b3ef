"""The statements of a transaction on a MySQL or MariaDB server."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import ER

from mlmd_lineage.errors import AlreadyExistsError, PutRefusedError
from mlmd_lineage.readers.mysql import double_encoding
from mlmd_lineage.writing.sql.limits import ColumnLimit, Limits, check_doubles
from mlmd_lineage.writing.sql.server_session import ServerWriteSession

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pymysql.connections import Connection

    from mlmd_lineage.writing.sql.session import Columns, PropertyColumns

    Row = tuple[Any, ...]

_COLUMNS = """
    SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, CHARACTER_OCTET_LENGTH
    FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
"""
# https://dev.mysql.com/doc/refman/8.0/en/string-literals.html
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\0": "\\0", "\x1a": "\\Z"})
# What a server says of values that its columns cannot hold, where it counts otherwise than we do.
_TOO_MUCH = {
    ER.DATA_TOO_LONG,
    ER.WARN_DATA_OUT_OF_RANGE,
    ER.TRUNCATED_WRONG_VALUE_FOR_FIELD,
    1153,  # a packet larger than max_allowed_packet
    1301,  # a result larger than it
    3988,  # letters that the column's character set has not
}


def limits_of(connection: Connection[Any], source: str) -> Limits:
    """Return what the columns of the database can hold."""
    return Limits(
        source,
        [
            (table, column, ColumnLimit.of(kind, characters, octets))
            for table, column, kind, characters, octets in rows_of(connection, _COLUMNS)
        ],
    )


def rows_of(connection: Connection[Any], statement: str) -> list[Row]:
    """Run a statement, and return its rows with their texts as they were put."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [tuple(map(double_encoding.readable, row)) for row in cursor.fetchall()]


class MySQLWriteSession(ServerWriteSession):
    """An open transaction on a MySQL or MariaDB server.

    Texts stand in the database as MLMD's own client puts them there, which is twice encoded.
    """

    dialect = "mysql"
    escaped = re.compile(r"[\\'\0\x1a]")

    def __init__(
        self, connection: Connection[Any], source: str, limits: Limits, stride: int = 1
    ) -> None:
        super().__init__()
        self._connection = connection
        self.source = source
        self.limits = limits
        self._stride = stride

    def run(self, statement: str) -> list[Row]:
        """Run a statement without parameters, and return its rows."""
        try:
            return rows_of(self._connection, statement)
        except pymysql.Error as error:
            number, said = (*error.args, "", "")[:2]
            if number == ER.DUP_ENTRY:
                message = f"{self.source} refuses it: {said}."
                raise AlreadyExistsError(message) from None
            if number in _TOO_MUCH:
                message = f"{self.source} cannot hold this: {said}."
                raise PutRefusedError(message) from None
            raise

    def insert_new(self, table: str, data: Columns) -> Sequence[int]:
        """Insert rows into a table with ids, and return these.

        The rows of one statement get consecutive numbers, from the first that the server tells:
        https://dev.mysql.com/doc/refman/8.0/en/innodb-auto-increment-handling.html
        """
        ids: list[int] = []
        for statement, number in self.inserting(table, data):
            self.run(statement)
            first: int = self._connection.insert_id()  # type: ignore[no-untyped-call]  # none there
            ids += range(first, first + number * self._stride, self._stride)
        last = tuple(column[-1] for column in data.values())
        self.proof = (table, (*data, "id"), (*last, ids[-1]))
        return ids

    def insert_missing(self, table: str, data: Columns) -> None:
        """Insert the rows whose unique key is not there yet."""
        for statement, _ in self.inserting(table, data, " ON DUPLICATE KEY UPDATE id = id"):
            self.run(statement)

    def delete_property(
        self, table: str, owner: str, number: int, name: str, *, custom: bool
    ) -> None:
        """Delete one property, whichever way its name is spelled."""
        names = ", ".join(self.literal(way) for way in self.spellings([name]))
        self.run(
            f"DELETE FROM {self.quote(table)} WHERE {owner} = {number} AND `name` IN ({names}) "  # noqa: S608 - literals
            f"AND is_custom_property = {self.literal(custom)}"
        )

    def lock_types(self) -> None:
        """Keep other writers from inserting types until the transaction ends.

        Every store has rows in it, and of two writers that lock them one waits.
        """
        self.run("SELECT id FROM `Type` FOR UPDATE")

    def text_key(self, text: str) -> str:
        """Return what is the same for two texts that the usual collations take for equal."""
        return text.rstrip(" ").casefold()

    def spellings(self, texts: Collection[Any]) -> Collection[Any]:
        """Return all ways in which values may stand in the database."""
        return double_encoding.spellings(texts)

    def stored_text(self, text: str) -> str:
        """Return how a text stands in the database."""
        return double_encoding.twice_encoded(text)

    def held(self, column: str, properties: PropertyColumns) -> list[Any]:
        """Return the values of properties as their column takes them."""
        values = properties.values
        if column == "double_value":
            named = zip(properties.names, values, strict=True)
            check_doubles(named, self.source, infinite=True)
        if column == "proto_value":
            return [base64.b64encode(value).decode() for value in values]
        return values

    def literal(self, value: Any) -> str:
        """Return a value as it stands in a statement."""
        if value is None:
            return "NULL"
        if isinstance(value, str):
            return f"'{value.translate(_ESCAPES)}'"
        if isinstance(value, float):
            text = repr(value)
            return text if "e" in text else f"{text}e0"  # else it would be a decimal number
        return str(int(value))
