"""Reading MLMD from a PostgreSQL database.

All is read on one connection in one transaction, which sees the state of its beginning
(https://www.postgresql.org/docs/current/transaction-iso.html#XACT-REPEATABLE-READ). It takes no
lock that a writer would notice, changes nothing, and needs no privilege but SELECT.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from mlmd_lineage import errors
from mlmd_lineage.readers import sql
from mlmd_lineage.readers.database_servers import COLUMNS_SECONDS, LOCK_SECONDS, Kept, tried_twice
from mlmd_lineage.readers.postgresql.connection import fetched, with_connection
from mlmd_lineage.snapshot import arrays, notes, table_building
from mlmd_lineage.snapshot.tables import SCHEMAS, Tables, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from adbc_driver_postgresql.dbapi import Connection

    from mlmd_lineage.stores import PostgreSQLMetadataStore

T = TypeVar("T")

_BEGIN = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'",
    # Rows come in the order in which they lie, so that the steps of a path stay in theirs.
    "SET LOCAL synchronize_seqscans = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
)
_ENCODING = """
    SELECT pg_catalog.pg_encoding_to_char(encoding)::text,
    pg_catalog.pg_encoding_max_length(encoding)
    FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
"""
_COLUMNS = """
    SELECT c.relname::text, a.attname::text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
    AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    AND pg_catalog.pg_table_is_visible(c.oid)
"""
_ELSEWHERE = """
    SELECT n.nspname::text, pg_catalog.has_schema_privilege(n.oid, 'USAGE')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE pg_catalog.lower(c.relname) = 'mlmdenv' AND NOT pg_catalog.pg_table_is_visible(c.oid)
    ORDER BY 1
"""


class PostgreSQLReader:
    """Reads one PostgreSQL database, and never changes it."""

    def __init__(self, store: PostgreSQLMetadataStore) -> None:
        self._store = store
        self._kept: Kept[Connection] | None = None
        self._known: tuple[float, Sequence[tuple[Any, ...]], Sequence[tuple[Any, ...]]] | None = (
            None
        )

    def keep_connections(self) -> None:
        """Keep connections open from one question to the next."""
        self._kept = Kept(lambda connection: connection.close())

    def read(self, tables: Collection[str] | None = None) -> Tables:
        """Read whole tables in one transaction; no writer waits for it."""
        return self._answered(lambda session: session.read(wanted(tables)))

    def ask(self, question: Callable[[sql.SQLSession], T]) -> T:
        """Answer a question in one transaction."""
        return self._answered(question)

    def _answered(self, question: Callable[[PostgreSQLSession], T]) -> T:
        def answer(connection: Connection) -> T:
            for statement in _BEGIN:
                _run(connection, statement)
            where = self._store.location()
            ((encoding, longest),), columns = self._known_of(connection)
            if longest == 1:
                # MLMD sends UTF-8 and says nothing, so that this is what lies there.
                _run(connection, f"SET LOCAL client_encoding = '{encoding}'")
            return question(
                PostgreSQLSession(connection, _layout(connection, columns, where), where)
            )

        return tried_twice(lambda: with_connection(self._store, answer, self._kept))

    def _known_of(
        self, connection: Connection
    ) -> tuple[Sequence[tuple[Any, ...]], Sequence[tuple[Any, ...]]]:
        """Return the database's encoding, and the columns of its tables."""
        known = self._known
        if known is None or self._kept is None or time.monotonic() > known[0] + COLUMNS_SECONDS:
            encoding, columns = _rows(connection, _ENCODING), _rows(connection, _COLUMNS)
            known = self._known = (time.monotonic(), encoding, columns)
        return known[1:]


class PostgreSQLSession(sql.SQLSession):
    """Answers single questions from an open transaction, and reads whole tables in it."""

    dialect = "postgresql"
    base64_protos = False

    def __init__(self, connection: Connection, layout: sql.DatabaseSchema, source: str) -> None:
        self._connection = connection
        self.layout = layout
        self.source = source

    def fetch(
        self, table: str, where: Mapping[str, Collection[int | str]]
    ) -> list[tuple[Any, ...]]:
        """Return a table's rows, each with all of its schema's columns."""
        # No text of PostgreSQL holds a NUL, and it fails on one.
        possible = {
            column: [v for v in values if not isinstance(v, str) or "\0" not in v]
            for column, values in where.items()
        }
        return super().fetch(table, possible)

    def _execute(self, statement: str, parameters: tuple[str, ...]) -> Iterable[tuple[Any, ...]]:
        first, *others = statement.split(self.placeholder)
        numbered = first + "".join(f"${n}{text}" for n, text in enumerate(others, 1))
        return _rows(self._connection, numbered, parameters)

    def read(self, tables: Collection[str]) -> Tables:
        """Read whole tables."""
        return Tables(
            {table: self._table(table) for table in tables},
            schema_version=self.layout.version,
            source=self.source,
        )

    def _table(self, table: str) -> pa.Table:
        columns = self.layout.columns.get(table)
        if columns is None:
            return self.layout.absent(table)
        listed = ", ".join(map(self.quote, columns))
        statement = f"SELECT {listed} FROM {self.quote(self.layout.spelling[table])}"  # noqa: S608
        batches = fetched(self._connection, statement).to_batches()
        batches.reverse()
        parts = [arrays.empty_table(SCHEMAS[table])]
        while batches:  # each is let go as soon as it is converted
            batch = batches.pop()
            values = dict(zip(columns, batch.columns, strict=True))
            parts.append(
                table_building.finished(table, values, batch.num_rows, base64_protos=False)
            )
        return table_building.ordered(table, notes.joined(parts).unify_dictionaries())


def _layout(
    connection: Connection, columns: Iterable[tuple[Any, ...]], where: str
) -> sql.DatabaseSchema:
    found: dict[str, list[str]] = {}
    for table, column in columns:
        found.setdefault(table, []).append(column)

    def versions(table: str) -> list[int]:
        return [v for (v,) in _rows(connection, f'SELECT schema_version FROM "{table}"')]  # noqa: S608

    if "mlmdenv" not in map(str.lower, found):
        for schema, usable in _rows(connection, _ELSEWHERE):
            what = f"{where} has MLMD's tables in its schema {schema!r}, "
            if not usable:
                message = (
                    f"{what}which this user may not use. GRANT it USAGE ON SCHEMA, and SELECT."
                )
                raise errors.StorePermissionError(message)
            message = (
                f"{what}where this user does not look: ALTER ROLE ... SET search_path, or give "
                "another user."
            )
            raise errors.NotAMetadataStoreError(message)
    return sql.DatabaseSchema.of(found, versions, where)


def _run(connection: Connection, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _rows(
    connection: Connection, statement: str, parameters: tuple[str, ...] = ()
) -> list[tuple[Any, ...]]:
    columns = [_readable(c).to_pylist() for c in fetched(connection, statement, parameters).columns]
    return list(zip(*columns, strict=True))


def _readable(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    is_text = pa.types.is_string(column.type)
    return table_building.text_from_bytes(column, pa.large_string()) if is_text else column
