"""A connection to an SQLite file that writes to it in whole transactions."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mlmd_lineage import errors
from mlmd_lineage.readers.sqlite import driver_errors, files
from mlmd_lineage.readers.sqlite.interrupts import Interruptible
from mlmd_lineage.writing import schema
from mlmd_lineage.writing.conflicts import NodesExistError
from mlmd_lineage.writing.sql import versions
from mlmd_lineage.writing.sql.sqlite_session import SQLiteWriteSession
from mlmd_lineage.writing.sql.writer import method_of, put_in
from mlmd_lineage.writing.transaction import KnownRows, RaceLostError, Transaction

if TYPE_CHECKING:
    from google.protobuf.message import Message

_CACHE_KIB = 64 * 1024
"""More than the rows of a large batch, and the parts of the indexes that they go to."""
_STATEMENTS = 512
"""How many statements stay prepared: more than there are of puts of few rows each."""
_JOURNAL_BYTES = 1 << 22
"""How long the journal may stay between two transactions."""


class SQLiteWriteConnection:
    """An open connection to one file.

    Whoever has it sees to it that no other copy of SQLite uses the file in this process
    meanwhile: see ``mlmd_lineage.readers.sqlite.locks``.

    Attributes:
        path: The file.
        inode: What tells the file from another that takes its place.
        may_stay: Whether it holds no lock between two transactions: in write-ahead mode it does.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        mode = "rwc" if create else "rw"
        self._real = real = Path(os.path.realpath(path))
        try:
            if not create:
                files.checked_header(real, path)
            # What a dead writer left half-done is rolled back, or forward, by SQLite itself.
            self._connection = sqlite3.connect(
                f"file://{quote(os.fsencode(real.as_posix()))}?mode={mode}",
                uri=True,
                timeout=0,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=_STATEMENTS,
            )
        except (sqlite3.Error, OSError) as error:
            raise explained(error, path) from None
        self.inode = inode_of(real)
        self.may_stay = False
        self._leaves_journal = False
        self._guard = Interruptible(self._connection)
        self._session = SQLiteWriteSession(self._connection, str(path))
        self._data_version: int | None = None
        self._known_rows = KnownRows()

    def close(self) -> None:
        """Close it, and remove the journal that it kept."""
        # What lies under the name of another file is that one's journal.
        if self._leaves_journal and self.inode == inode_of(self._real):
            with contextlib.suppress(sqlite3.Error):  # another writes, and has it now
                self._connection.execute("PRAGMA journal_mode = DELETE").fetchall()
        self._connection.close()

    def put(self, busy_timeout: float, request: Message) -> Any:
        """Put a request in one transaction, and return its response.

        Args:
            busy_timeout: For how many seconds to wait for the locks of others.
            request: What a writer puts.

        Raises:
            PutRefusedError: MLMD's rules, or what the file can hold, refuse it.
            StoreError: The file cannot be written; nothing was.
        """
        try:
            return self._put(busy_timeout, request)
        except RaceLostError as race:  # nobody else writes: it is there for another reason
            error = race.error
        except NodesExistError as exist:
            error = exist
        if isinstance(error, NodesExistError):
            error = self._named(error, method_of(request), busy_timeout)
        raise error

    def _named(
        self, error: NodesExistError, method: str, busy_timeout: float
    ) -> errors.AlreadyExistsError:
        """Return an error with the name of the node that is there already."""
        try:
            # Others write meanwhile, and would keep a read without a transaction out.
            self._prepare(busy_timeout)
            try:
                return error.named(self._session, method)
            finally:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            return errors.AlreadyExistsError(str(error))

    def _put(self, busy_timeout: float, request: Message) -> Any:
        try:
            self._prepare(busy_timeout)
            try:
                with self._guard.statement():
                    version = self._look_at_changes()
                    now = int(time.time() * 1000)
                    transaction = Transaction(self._session, now, self._known_rows)
                    answer = put_in(transaction, request)
                files.patiently(lambda: self._connection.execute("COMMIT"), busy_timeout)
                for table, created in transaction.created.items():
                    self._known_rows.keep(table, created)
                self._data_version = version
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        except (sqlite3.Error, OSError, OverflowError) as error:
            raise explained(error, self.path) from None
        return answer

    def _look_at_changes(self) -> int:
        """Check the schema, and drop the known rows, where another has changed the file.

        Returns:
            The number of the file's state, to be kept once the transaction is committed.
        """
        # https://www.sqlite.org/pragma.html#pragma_data_version
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version != self._data_version:
            self._known_rows.clear()
            self._check_version()
        self._data_version = None  # what a transaction learns that fails does not hold
        return version

    def create(self, busy_timeout: float) -> bool:
        """Make MLMD's tables where there are none; return whether that was so.

        Raises:
            StoreError: They cannot be made, or there are tables of something else.
        """
        try:
            self._prepare(busy_timeout)
            try:
                if self._tables():
                    self._check_version()
                    return False
                for statement in schema.creating("sqlite"):
                    self._connection.execute(statement)
                names, kinds = zip(*schema.BASE_TYPES, strict=True)
                self._session.insert("Type", {"name": names, "type_kind": kinds})
                self._session.insert("MLMDEnv", {"schema_version": [schema.SCHEMA_VERSION]})
                files.patiently(lambda: self._connection.execute("COMMIT"), busy_timeout)
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        except (sqlite3.Error, OSError) as error:
            raise explained(error, self.path) from None
        return True

    def _prepare(self, busy_timeout: float) -> None:
        """Begin a transaction that no other writer can begin."""
        files.patiently(lambda: self._connection.execute("BEGIN IMMEDIATE"), busy_timeout)
        if not self.may_stay:
            # Pragmas read the schema, for which they would have to wait outside of a transaction.
            [(mode,)] = self._connection.execute("PRAGMA journal_mode").fetchall()
            self.may_stay = mode != "wal"
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            if mode == "delete":
                # Overwriting one journal costs the disk less than making one for each transaction;
                # it is as durable, and no other connection notices.
                # https://www.sqlite.org/pragma.html#pragma_journal_mode
                self._connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
                self._connection.execute("PRAGMA journal_mode = PERSIST").fetchall()
                self._leaves_journal = True

    def _tables(self) -> set[str]:
        return {
            name
            for (name,) in self._connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        }

    def _check_version(self) -> None:
        try:
            rows = self._connection.execute("SELECT schema_version FROM MLMDEnv").fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            versions.refuse_without_environment(self._tables(), str(self.path))
        else:
            versions.check([number for (number,) in rows], str(self.path))


def inode_of(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another that takes its place; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def explained(error: Exception, path: Path) -> Exception:
    """Return the error of ours that an error means in the midst of a write."""
    if isinstance(error, errors.MLMDLineageError):
        return error
    if isinstance(error, OSError):
        return driver_errors.unreadable(error, path)
    text = str(error).lower()
    if "readonly" in text or "unable to open" in text:
        return errors.StorePermissionError(
            f"{path} may not be written by this user, or its folder may not. Nothing was written. "
            "Change the permissions of both."
        )
    found = driver_errors.explained(error, path)
    if isinstance(found, errors.ReadError):
        return errors.WriteError(f"Writing {path} failed: {error}. Nothing was written.")
    return found
