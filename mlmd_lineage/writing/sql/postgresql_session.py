"""The statements of a transaction on a PostgreSQL server."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from adbc_driver_manager import Error

from mlmd_lineage.errors import AlreadyExistsError, PutRefusedError
from mlmd_lineage.writing.sql.limits import ColumnLimit, Limits
from mlmd_lineage.writing.sql.server_session import ServerWriteSession

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adbc_driver_postgresql import dbapi

    from mlmd_lineage.writing.sql.session import Columns, PropertyColumns

    Row = tuple[Any, ...]

_COLUMNS = """
    SELECT table_name::text, column_name::text, data_type::text, character_maximum_length::bigint
    FROM information_schema.columns WHERE table_schema = ANY (current_schemas(false))
"""
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNIQUE = "23505"
# A text or a number that does not fit, a character that there is not, an index that cannot hold it.
_TOO_MUCH = {"22001", "22003", "22021", "22P05", "54000"}


def limits_of(connection: dbapi.Connection, source: str) -> Limits:
    """Return what the columns of the database can hold."""
    return Limits(
        source,
        [
            (table, column, ColumnLimit.of(kind, characters, None))
            for table, column, kind, characters in rows_of(connection, _COLUMNS)
        ],
    )


def rows_of(connection: dbapi.Connection, statement: str) -> list[Row]:
    """Run a statement, and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def _said(error: Error) -> str:
    """Return the server's own words, without the statement that the driver puts before them."""
    text = str(error)
    return (text.rpartition("ERROR:")[2] or text).strip().splitlines()[0].rstrip(".")


class PostgreSQLWriteSession(ServerWriteSession):
    """An open transaction on a PostgreSQL server."""

    dialect = "postgresql"
    escaped = re.compile(r"['\0]")

    def __init__(self, connection: dbapi.Connection, source: str, limits: Limits) -> None:
        super().__init__()
        self._connection = connection
        self.source = source
        self.limits = limits
        self.number: int | None = None
        """The number of the transaction, once it is known."""

    def run(self, statement: str) -> list[Row]:
        """Run a statement without parameters, and return its rows."""
        try:
            return rows_of(self._connection, statement)
        except Error as error:
            said = _said(error)
            if error.sqlstate == _UNIQUE:
                message = f"{self.source} refuses it: {said}."
                raise AlreadyExistsError(message) from None
            if error.sqlstate in _TOO_MUCH:
                message = f"{self.source} cannot hold this: {said}."
                raise PutRefusedError(message) from None
            raise

    def insert_new(self, table: str, data: Columns) -> Sequence[int]:
        """Insert rows into a table with ids, and return these."""
        rows = len(next(iter(data.values())))
        ids = [
            number
            for (number,) in self.run(
                f"SELECT nextval(pg_get_serial_sequence('{table.lower()}', 'id')) "  # noqa: S608 - names of MLMD's
                f"FROM generate_series(1, {rows})"
            )
        ]
        self.insert(table, {"id": ids, **data})
        return ids

    def insert_missing(self, table: str, data: Columns) -> None:
        """Insert the rows whose unique key is not there yet."""
        for statement, _ in self.inserting(table, data, " ON CONFLICT DO NOTHING"):
            self.run(statement)

    def lock_types(self) -> None:
        """Keep other writers from inserting types until the transaction ends."""
        self.run("LOCK TABLE type IN SHARE ROW EXCLUSIVE MODE")

    def stored_text(self, text: str) -> str:
        """Return how a text stands in the database."""
        return text

    def held(self, column: str, properties: PropertyColumns) -> list[Any]:  # noqa: ARG002 - as the base has it
        """Return the values of properties: every column holds what it is given."""
        return properties.values

    def literal(self, value: Any) -> str:
        """Return a value as it stands in a statement."""
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, str):
            if "\0" in value:
                shown = value if len(value) <= 40 else f"{value[:40]}..."
                message = f"{self.source} cannot hold a text with NUL in it: {shown!r}. Encode it."
                raise PutRefusedError(message)
            return "'" + value.replace("'", "''") + "'"
        if isinstance(value, bytes):
            return f"'\\x{value.hex()}'::bytea"
        if isinstance(value, float):
            return f"{value!r}::float8" if math.isfinite(value) else f"'{value}'::float8"
        return str(value)
