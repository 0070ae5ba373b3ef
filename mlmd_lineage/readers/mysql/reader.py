"""Reads MLMD from a MySQL or MariaDB database.

All is read on one connection in one transaction, which sees the state of its beginning
(https://dev.mysql.com/doc/refman/8.0/en/innodb-consistent-read.html). It takes no lock that
a writer would notice, changes nothing, and needs no privilege but SELECT.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pymysql
from pymysql.constants import ER
from pymysql.cursors import SSCursor

from mlmd_lineage.readers.database_schema import DatabaseSchema
from mlmd_lineage.readers.database_servers import (
    COLUMNS_SECONDS,
    LOCK_SECONDS,
    ServerReader,
    ServerSession,
    stalled,
)
from mlmd_lineage.readers.mysql import connection, row_decoder
from mlmd_lineage.readers.mysql.double_encoding import once_encoded, readable, spellings
from mlmd_lineage.readers.mysql.text_columns import name_column, text_column
from mlmd_lineage.snapshot import notes, table_building
from mlmd_lineage.snapshot.tables import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from pymysql.connections import Connection

    from mlmd_lineage import errors
    from mlmd_lineage.stores import MySQLMetadataStore

_BEGIN = (
    # A server may be set to cut every answer, or to refuse large ones.
    "SET SESSION sql_select_limit = 18446744073709551615",
    "SET SESSION sql_big_selects = 1",
    f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
_COLUMNS = """
    SELECT TABLE_NAME, COLUMN_NAME, CHARACTER_SET_NAME, COLLATION_NAME
    FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
"""
_ALWAYS = ("Type", "Artifact", "Execution", "Event", "MLMDEnv")
# Proxies may know no prepared statements, and a server may have too many of them.
_NO_PREPARED_STATEMENTS = {1047, 1295, 1461, 1615}
_ROWS_AT_ONCE = 20_000


class MySQLReader(ServerReader["Connection[Any]", "MySQLSession"]):
    """Reads one MySQL or MariaDB database, and never changes it."""

    _driver_errors = (pymysql.Error, OSError)

    def __init__(self, store: MySQLMetadataStore) -> None:
        super().__init__()
        self._store = store
        self._columns: tuple[float, Sequence[tuple[Any, ...]]] = (-math.inf, ())

    def _open(self) -> Connection[Any]:
        return connection.opened(self._store)

    def _session(self, link: Connection[Any]) -> MySQLSession:
        with connection.protocol_errors(self._store):
            self._begin(link)
            return MySQLSession(link, self._store, self._columns_in(link))

    def _begin(self, link: Connection[Any]) -> None:
        connection.begin_question(link, self._store)
        for statement in _BEGIN:
            _rows(link, statement)

    def _end_transaction(self, link: Connection[Any]) -> None:
        link.rollback()

    def _close(self, link: Connection[Any]) -> None:
        link.close()

    def _stop(self, link: Connection[Any]) -> None:
        connection.stop(self._store, link)

    def _explained(self, error: Exception) -> errors.StoreError:
        if isinstance(error, TimeoutError) or "timed out" in str(error):
            return stalled(self._store.location(), self._store.read_timeout)
        return connection.explained(error, self._store)

    def _columns_in(self, link: Connection[Any]) -> Sequence[tuple[Any, ...]]:
        read, columns = self._columns
        if self._kept is None or time.monotonic() > read + COLUMNS_SECONDS:
            columns = _rows(link, _COLUMNS)
            self._columns = (time.monotonic(), columns)
        return columns


class MySQLSession(ServerSession):
    """Answers single questions from an open transaction, and reads whole tables in it."""

    dialect = "mysql"

    def __init__(
        self, link: Connection[Any], store: MySQLMetadataStore, columns: Sequence[tuple[Any, ...]]
    ) -> None:
        self._connection = link
        self._store = store
        self.source = store.location()
        self.layout = _layout(link, columns, self.source)
        self._letters = {
            (table.lower(), column.lower()): (charset, collation)
            for table, column, charset, collation in columns
            if charset not in {None, "utf8mb4"}
        }

    def quote(self, name: str) -> str:
        """Return a name as it stands in a statement."""
        return _quoted(name)

    def fetch(
        self, table: str, where: Mapping[str, Collection[int | str]]
    ) -> list[tuple[Any, ...]]:
        """Return a table's rows, each with all of its schema's columns."""
        rows = super().fetch(table, {c: spellings(values) for c, values in where.items()})
        # MySQL takes texts for equal that differ in case, accents or spaces at their end.
        names = SCHEMAS[table].names
        for column, values in where.items():
            if any(isinstance(value, str) for value in values):
                place, exact = names.index(column), frozenset(values)
                rows = [row for row in rows if row[place] in exact]
        return rows

    def text_placeholder(self, table: str, column: str) -> str:
        """Return what stands for a text that a column is compared with."""
        letters = self._letters.get((table.lower(), column.lower()))
        if letters is None:
            return self.placeholder
        # A column is compared with no text that holds letters which it cannot hold.
        charset, collation = letters
        return f"CONVERT({self.placeholder} USING {charset}) COLLATE {collation}"

    def reachable(
        self,
        artifacts: Collection[int],
        first: Collection[int],
        second: Collection[int],
        hops: int,
        most: int,
    ) -> list[int] | None:
        """Return the artifacts to which others lead; MySQL 5.7 has no recursive statements."""
        try:
            return super().reachable(artifacts, first, second, hops, most)
        except pymysql.Error as error:
            if error.args[0] != ER.PARSE_ERROR:
                raise
            return None

    def spellings(self, text: str) -> list[str]:
        """Return all ways in which a text may stand in the database."""
        return [way for way in map(str, spellings([text])) if once_encoded(way) == text]

    def _execute(self, statement: str, parameters: tuple[str, ...]) -> Iterable[tuple[Any, ...]]:
        with connection.protocol_errors(self._store):
            return _rows(self._connection, statement, parameters)

    def _present(self, table: str, columns: Sequence[str], rows: str) -> pa.Table:
        listed = ", ".join(map(_quoted, columns))
        statement = f"SELECT {listed} FROM {rows}"  # noqa: S608 - no user text
        parts = [
            _finished(table, dict(zip(columns, arrays, strict=True)), length)
            for length, arrays in self._blocks(statement)
        ]
        if not parts:
            return table_building.finished(table, {}, 0)
        return table_building.ordered(table, notes.joined(parts).unify_dictionaries())

    def _blocks(self, statement: str) -> Iterator[tuple[int, list[pa.Array | None]]]:
        with connection.protocol_errors(self._store):
            yield from self._rows_of(statement)

    def _rows_of(self, statement: str) -> Iterator[tuple[int, list[pa.Array | None]]]:
        if row_decoder.can_read(self._connection):
            try:
                yield from row_decoder.blocks(self._connection, statement)
            except pymysql.Error as error:
                if error.args[0] not in _NO_PREPARED_STATEMENTS:
                    raise
            else:
                return
        yield from _row_blocks(self._connection, statement)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _layout(
    connection: Connection[Any], columns: Iterable[tuple[Any, ...]], where: str
) -> DatabaseSchema:
    found: dict[str, list[str]] = {}
    for table, column, *_ in columns:
        found.setdefault(table, []).append(column)

    def versions(table: str) -> list[int]:
        return [v for (v,) in _rows(connection, f"SELECT schema_version FROM {_quoted(table)}")]  # noqa: S608

    for table in _ALWAYS:
        if not any(name.lower() == table.lower() for name in found):
            _probe(connection, table)
    layout = DatabaseSchema.of(found, versions, where)
    for table in layout.missing:
        _probe(connection, table)
    return layout


def _probe(connection: Connection[Any], table: str) -> None:
    """Fail if it is for want of a privilege that the server does not show a table."""
    try:
        _rows(connection, f"SELECT 1 FROM {_quoted(table)} LIMIT 0")  # noqa: S608
    except pymysql.Error as error:
        if error.args[0] != ER.NO_SUCH_TABLE:
            raise


def _rows(
    connection: Connection[Any], statement: str, parameters: tuple[str, ...] = ()
) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return [tuple(map(readable, row)) for row in cursor.fetchall()]


def _row_blocks(
    connection: Connection[Any], statement: str
) -> Iterator[tuple[int, list[pa.Array | None]]]:
    """Yield what ``row_decoder.blocks`` does, row by row."""
    cursor: Any = connection.cursor(SSCursor)
    with cursor:
        try:
            cursor.execute(statement)
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                yield len(rows), [_array(values) for values in zip(*rows, strict=True)]
        except BaseException:
            # The connection is closed next; the cursor would read all the rest before that.
            if cursor._result is not None:  # noqa: SLF001 - it has no public way to give up
                cursor._result.unbuffered_active = False  # noqa: SLF001
            raise


def _array(values: tuple[Any, ...]) -> pa.Array | None:
    is_bytes = any(isinstance(value, bytes) for value in values)
    array = pa.array(values, pa.large_binary() if is_bytes else None)
    return None if array.null_count == len(values) else array


def _finished(table: str, columns: Mapping[str, Any], rows: int) -> pa.Table:
    texts = {}
    for field in SCHEMAS[table]:
        raw = columns.get(field.name)
        if raw is None:
            continue
        if pa.types.is_dictionary(field.type):
            texts[field.name] = name_column(raw)
        elif pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            texts[field.name] = text_column(raw, field.type)
    return table_building.finished(table, {**columns, **texts}, rows, trim=False)
