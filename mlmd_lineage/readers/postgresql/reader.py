"""Reads MLMD from a PostgreSQL database.

All is read on one connection in one transaction, which sees the state of its beginning
(https://www.postgresql.org/docs/current/transaction-iso.html#XACT-REPEATABLE-READ). It takes no
lock that a writer would notice, changes nothing, and needs no privilege but SELECT.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from adbc_driver_manager import Error

from mlmd_lineage import deadline, errors
from mlmd_lineage.readers.answer_size import ROW, AnswerSize
from mlmd_lineage.readers.database_schema import DatabaseSchema
from mlmd_lineage.readers.database_servers import (
    COLUMNS_SECONDS,
    LOCK_SECONDS,
    ServerReader,
    ServerSession,
)
from mlmd_lineage.readers.postgresql import connection
from mlmd_lineage.snapshot import arrays, notes, table_building
from mlmd_lineage.snapshot.tables import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from adbc_driver_postgresql.dbapi import Connection

    from mlmd_lineage.stores import PostgreSQLMetadataStore

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


class PostgreSQLReader(ServerReader["Connection", "PostgreSQLSession"]):
    """Reads one PostgreSQL database, and never changes it."""

    _driver_errors = (Error, connection.StalledError)

    def __init__(self, store: PostgreSQLMetadataStore) -> None:
        super().__init__()
        self._store = store
        self._known: tuple[float, Sequence[tuple[Any, ...]], Sequence[tuple[Any, ...]]] | None = (
            None
        )

    def _open(self) -> Connection:
        return connection.opened(self._store)

    def _session(self, link: Connection) -> PostgreSQLSession:
        self._begin(link)
        where = self._store.location()
        ((encoding, longest),), columns = self._known_of(link)
        if longest == 1:
            # MLMD sends UTF-8 and says nothing, so that this is what lies there.
            _run(link, f"SET LOCAL client_encoding = '{encoding}'")
        return PostgreSQLSession(
            link, _layout(link, columns, where, self._store.table_case), self._store
        )

    @staticmethod
    def _begin(link: Connection) -> None:
        for statement in _BEGIN:
            _run(link, statement)
        left = deadline.remaining()
        if left is not None:
            _run(link, f"SET LOCAL statement_timeout = {max(1, int(left * 1000))}")

    def _end_transaction(self, link: Connection) -> None:
        _run(link, "ROLLBACK")

    def _close(self, link: Connection) -> None:
        if not connection.Stalled.holds(link):
            link.close()

    def _stop(self, link: Connection) -> None:
        connection.stop(link)

    def _explained(self, error: Exception) -> errors.StoreError:
        return connection.explained(error, self._store)

    def _known_of(
        self, link: Connection
    ) -> tuple[Sequence[tuple[Any, ...]], Sequence[tuple[Any, ...]]]:
        """Return the database's encoding, and the columns of its tables."""
        known = self._known
        if known is None or self._kept is None or time.monotonic() > known[0] + COLUMNS_SECONDS:
            encoding, columns = _rows(link, _ENCODING), _rows(link, _COLUMNS)
            known = self._known = (time.monotonic(), encoding, columns)
        return known[1:]


class PostgreSQLSession(ServerSession):
    """Answers single questions from an open transaction, and reads whole tables in it."""

    dialect = "postgresql"
    base64_protos = False

    def __init__(
        self, link: Connection, layout: DatabaseSchema, store: PostgreSQLMetadataStore
    ) -> None:
        self._connection = link
        self._read_timeout = store.read_timeout
        self._size = AnswerSize(store.location(), store.max_answer)
        self.layout = layout
        self.source = store.location()

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
        return _rows(self._connection, numbered, parameters, self._read_timeout, self._size)

    def _present(self, table: str, columns: Sequence[str], rows: str) -> pa.Table:
        listed = ", ".join(map(self.quote, columns))
        statement = f"SELECT {listed} FROM {rows}"  # noqa: S608 - no user text
        batches = connection.fetched(
            self._connection,
            statement,
            (),
            self._read_timeout,
            lambda batch: self._size.add(batch.nbytes),
        ).to_batches()
        batches.reverse()
        parts = [arrays.empty_table(SCHEMAS[table])]
        while batches:  # each is freed as soon as it is converted
            batch = batches.pop()
            values = dict(zip(columns, batch.columns, strict=True))
            parts.append(
                table_building.finished(table, values, batch.num_rows, base64_protos=False)
            )
        return table_building.ordered(table, notes.joined(parts).unify_dictionaries())


def _layout(
    link: Connection, columns: Iterable[tuple[Any, ...]], where: str, case: str | None
) -> DatabaseSchema:
    found: dict[str, list[str]] = {}
    for table, column in columns:
        found.setdefault(table, []).append(column)

    def versions(table: str) -> list[int]:
        return [v for (v,) in _rows(link, f'SELECT schema_version FROM "{table}"')]  # noqa: S608

    if "mlmdenv" not in map(str.lower, found):
        for schema, usable in _rows(link, _ELSEWHERE):
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
    return DatabaseSchema.of(found, versions, where, case)


def _run(link: Connection, statement: str) -> None:
    with link.cursor() as cursor:
        cursor.execute(statement)


def _rows(
    link: Connection,
    statement: str,
    parameters: tuple[str, ...] = (),
    read_timeout: float = 60.0,
    size: AnswerSize | None = None,
) -> list[tuple[Any, ...]]:
    received = AnswerSize("The server", None) if size is None else size

    def count(batch: pa.RecordBatch) -> None:
        received.add(batch.nbytes + ROW * batch.num_rows)

    found = connection.fetched(link, statement, parameters, read_timeout, count)
    columns = [_readable(column).to_pylist() for column in found.columns]
    return list(zip(*columns, strict=True))


def _readable(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    is_text = pa.types.is_string(column.type)
    return table_building.text_from_bytes(column, pa.large_string()) if is_text else column
