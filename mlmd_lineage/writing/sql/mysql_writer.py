"""Writing MLMD to a MySQL or MariaDB database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import ER

from mlmd_lineage.readers.mysql.connection import begin_question, explained, opened, stop
from mlmd_lineage.writing import schema
from mlmd_lineage.writing.sql import versions
from mlmd_lineage.writing.sql.mysql_session import MySQLWriteSession, limits_of, rows_of
from mlmd_lineage.writing.sql.server_writer import LOCK_SECONDS, Failure, ServerWriter

if TYPE_CHECKING:
    from pymysql.connections import Connection

    from mlmd_lineage import errors
    from mlmd_lineage.stores import MySQLMetadataStore
    from mlmd_lineage.writing.sql.limits import Limits

_SETTINGS = (
    # A duplicate, a number out of range or a text too long is an error, whatever the server's
    # settings, and a backslash in a text escapes.
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION sql_select_limit = 18446744073709551615",
    f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}",
    f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}",
)
# Without autocommit it begins the transaction. The second column is by how much the ids of one
# statement's rows differ, in a cluster.
_BEGIN = "SELECT schema_version, @@SESSION.auto_increment_increment FROM `MLMDEnv`"
_OLD_ROWS = "REPEATABLE READ"
_TABLES = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
# A deadlock, a lock that was waited for, a row that another changed after the snapshot was taken.
_AGAIN = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT, 1020}
# As in mlmd_lineage.readers.mysql.connection; 4031 is a session that was idle for too long.
_LOST = {0, 1053, 1927, 2006, 2013, 3169, 4031}


class MySQLWriter(ServerWriter["Connection[Any]", MySQLWriteSession]):
    """Writes to one MySQL or MariaDB database; threads may share it."""

    driver_errors = (pymysql.Error, OSError)

    def __init__(self, store: MySQLMetadataStore) -> None:
        super().__init__(store.location())
        self._store = store
        self._reads_old_rows = False

    def open(self) -> tuple[Connection[Any], Limits]:
        """Return a new connection, and what its tables can hold."""
        connection = opened(self._store)
        try:
            for statement in _SETTINGS:
                rows_of(connection, statement)
            level = _isolation(connection)
            self._reads_old_rows = level == _OLD_ROWS
            rows_of(connection, f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")
            limits = limits_of(connection, self.source)
            connection.autocommit(False)  # noqa: FBT003 - PyMySQL's way
        except BaseException:
            connection.close()
            raise
        return connection, limits

    def begin(self, connection: Connection[Any], limits: Limits) -> MySQLWriteSession:
        """Begin a transaction, and check that the store may be written to."""
        begin_question(connection, self._store)
        try:
            found = rows_of(connection, _BEGIN)
        except pymysql.Error as error:
            if error.args[0] != ER.NO_SUCH_TABLE:
                raise
            tables = [name for (name,) in rows_of(connection, _TABLES)]
            versions.refuse_without_environment(tables, self.source)
        else:
            versions.check([version for version, _ in found], self.source)
        session = MySQLWriteSession(connection, self.source, limits, found[0][1])
        session.reads_old_rows = self._reads_old_rows
        return session

    def commit(self, connection: Connection[Any]) -> None:
        """Commit the transaction."""
        connection.commit()

    def roll_back(self, connection: Connection[Any]) -> None:
        """Roll the transaction back."""
        connection.rollback()

    def stop(self, connection: Connection[Any]) -> None:
        """Stop the statement that runs on a connection, from another thread."""
        stop(self._store, connection)

    def was_committed(self, session: MySQLWriteSession) -> bool:
        """Tell whether a transaction was committed whose COMMIT nobody answered.

        The look-up waits where the server has not ended the transaction yet.
        """
        assert session.proof is not None
        table, columns, row = session.proof
        connection, limits = self.open()
        try:
            looking = MySQLWriteSession(connection, self.source, limits)
            conditions = " AND ".join(
                f"{looking.quote(column)} <=> {looking.literal(value)}"
                for column, value in zip(columns, looking.checked(table, columns, row), strict=True)
            )
            start = f"SELECT 1 FROM {looking.quote(table)} WHERE "  # noqa: S608 - a table's name
            return bool(looking.run(f"{start}{conditions} LOCK IN SHARE MODE"))
        finally:
            connection.close()

    def failure_of(self, error: Exception) -> Failure:
        """Return what an error of the driver means for a transaction."""
        number = error.args[0] if isinstance(error, pymysql.Error) and error.args else None
        if number in _LOST or (number is None and isinstance(error, OSError)):
            return Failure.LOST
        return Failure.AGAIN if number in _AGAIN else Failure.FINAL

    def explained(self, error: Exception) -> errors.StoreError:
        """Return the error of ours that an error of the driver means."""
        assert isinstance(error, (pymysql.Error, OSError))
        return explained(error, self._store)

    def make_tables(self, connection: Connection[Any]) -> bool:
        """Make MLMD's tables where there are none; return whether that was so."""
        rows_of(connection, f"SELECT GET_LOCK(CONCAT('mlmd.', DATABASE()), {LOCK_SECONDS})")
        tables = {name.lower() for (name,) in rows_of(connection, _TABLES)}
        if "mlmdenv" in tables and rows_of(connection, "SELECT 1 FROM `MLMDEnv`"):
            found = rows_of(connection, "SELECT schema_version FROM `MLMDEnv`")
            versions.check([number for (number,) in found], self.source)
            return False
        # MySQL commits every table: what was begun and not ended is empty, and is gone on with.
        if tables and any(
            rows_of(connection, f"SELECT 1 FROM `{name}` LIMIT 1")  # noqa: S608 - a table's name
            for (name,) in rows_of(connection, _TABLES)
        ):
            versions.refuse_without_environment(tables, self.source)
        for statement in schema.creating("mysql"):
            rows_of(connection, statement)
        rows_of(connection, "START TRANSACTION")
        for number, (name, kind) in enumerate(schema.BASE_TYPES, 1):
            rows_of(
                connection,
                f"INSERT INTO `Type` (id, `name`, type_kind) VALUES ({number}, '{name}', {kind})",  # noqa: S608 - names of MLMD's
            )
        rows_of(
            connection,
            f"INSERT INTO `MLMDEnv` (schema_version) VALUES ({schema.SCHEMA_VERSION})",  # noqa: S608 - a constant
        )
        connection.commit()
        return True


def _isolation(connection: Connection[Any]) -> str:
    """Return the isolation level: what is looked up after a lock is as the last writer left it.

    A server that logs statements and not rows allows nothing below REPEATABLE READ:
    https://dev.mysql.com/doc/refman/8.0/en/binary-log-setting.html
    """
    try:
        [(logs, form)] = rows_of(connection, "SELECT @@log_bin, @@binlog_format")
    except pymysql.Error:  # a server that has no choice any more logs rows
        return "READ COMMITTED"
    return _OLD_ROWS if logs and form == "STATEMENT" else "READ COMMITTED"
