"""Writing MLMD to a PostgreSQL database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from adbc_driver_manager import Error

from mlmd_lineage import errors
from mlmd_lineage.readers.postgresql.connection import explained, is_lost, opened, stop
from mlmd_lineage.writing import schema
from mlmd_lineage.writing.sql import versions
from mlmd_lineage.writing.sql.postgresql_session import (
    PostgreSQLWriteSession,
    limits_of,
    rows_of,
)
from mlmd_lineage.writing.sql.server_writer import LOCK_SECONDS, Failure, ServerWriter

if TYPE_CHECKING:
    from adbc_driver_postgresql import dbapi

    from mlmd_lineage.stores import PostgreSQLMetadataStore
    from mlmd_lineage.writing.sql.limits import Limits

_SETTINGS = (
    "SET standard_conforming_strings = on",
    f"SET lock_timeout = '{LOCK_SECONDS}s'",
    # As exact as they are: older servers print fewer digits.
    "SET extra_float_digits = 3",
)
_TABLES = "SELECT tablename::text FROM pg_tables WHERE schemaname = ANY (current_schemas(false))"
# A transaction that others kept from being serialized, a deadlock, a lock that was waited for.
_AGAIN = {"40001", "40P01", "55P03"}
_NO_TABLE = "42P01"
_LOOK_SECONDS = 30.0
_LOCK_NUMBER = 0x6D6C6D64
"""Of the advisory lock under which tables are made: "mlmd"."""


class PostgreSQLWriter(ServerWriter["dbapi.Connection", PostgreSQLWriteSession]):
    """Writes to one PostgreSQL database; threads may share it."""

    driver_errors = (Error, OSError)

    def __init__(self, store: PostgreSQLMetadataStore) -> None:
        super().__init__(store.location())
        self._store = store

    def open(self) -> tuple[dbapi.Connection, Limits]:
        """Return a new connection, and what its tables can hold."""
        connection = opened(self._store)
        try:
            for statement in _SETTINGS:
                rows_of(connection, statement)
            return connection, limits_of(connection, self.source)
        except BaseException:
            connection.close()
            raise

    def begin(self, connection: dbapi.Connection, limits: Limits) -> PostgreSQLWriteSession:
        """Begin a transaction, and check that the store may be written to."""
        rows_of(connection, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        session = PostgreSQLWriteSession(connection, self.source, limits)
        try:
            found = rows_of(connection, "SELECT schema_version, txid_current() FROM mlmdenv")
        except Error as error:
            if error.sqlstate != _NO_TABLE:
                raise
            rows_of(connection, "ROLLBACK")
            tables = [name for (name,) in rows_of(connection, _TABLES)]
            versions.refuse_without_environment(tables, self.source)
        else:
            versions.check([version for version, _ in found], self.source)
            session.number = found[0][1]
        return session

    def commit(self, connection: dbapi.Connection) -> None:
        """Commit the transaction."""
        rows_of(connection, "COMMIT")

    def roll_back(self, connection: dbapi.Connection) -> None:
        """Roll the transaction back."""
        rows_of(connection, "ROLLBACK")

    def stop(self, connection: dbapi.Connection) -> None:
        """Stop the statement that runs on a connection, from another thread."""
        stop(connection)

    def was_committed(self, session: PostgreSQLWriteSession) -> bool:
        """Tell whether a transaction was committed whose COMMIT nobody answered.

        The server knows by its number:
        https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT
        """
        connection, _ = self.open()
        try:
            end = time.monotonic() + _LOOK_SECONDS
            while time.monotonic() < end:
                [(status,)] = rows_of(connection, f"SELECT txid_status({session.number})::text")
                if status == "committed":
                    return True
                if status == "aborted":
                    return False
                time.sleep(0.1)
        finally:
            connection.close()
        message = f"{self.source} has not ended the transaction yet"
        raise errors.LockedStoreError(message)

    def failure_of(self, error: Exception) -> Failure:
        """Return what an error of the driver means for a transaction."""
        if not isinstance(error, Error):
            return Failure.LOST
        if error.sqlstate in _AGAIN:
            return Failure.AGAIN
        return Failure.LOST if is_lost(error) else Failure.FINAL

    def explained(self, error: Exception) -> errors.StoreError:
        """Return the error of ours that an error of the driver means."""
        if isinstance(error, Error):
            return explained(error, self._store)
        return errors.ReadError(f"Reading {self.source} failed: {error}.")

    def make_tables(self, connection: dbapi.Connection) -> bool:
        """Make MLMD's tables where there are none; return whether that was so."""
        rows_of(connection, "BEGIN")
        rows_of(connection, f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})::text")
        tables = {name for (name,) in rows_of(connection, _TABLES)}
        if "mlmdenv" in tables:
            found = rows_of(connection, "SELECT schema_version FROM mlmdenv")
            versions.check([number for (number,) in found], self.source)
            return False
        if tables & {name.lower() for name in schema.TABLES}:
            versions.refuse_without_environment(tables, self.source)
        for statement in schema.creating("postgresql"):
            rows_of(connection, statement)
        types = ", ".join(f"('{name}', {kind})" for name, kind in schema.BASE_TYPES)
        rows_of(connection, f"INSERT INTO type (name, type_kind) VALUES {types}")  # noqa: S608 - names of MLMD's
        rows_of(connection, f"INSERT INTO mlmdenv VALUES ({schema.SCHEMA_VERSION})")  # noqa: S608 - a constant
        rows_of(connection, "COMMIT")
        return True
