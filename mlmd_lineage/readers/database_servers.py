"""Base of the readers of database servers: connections that are kept, and repeated attempts."""

from __future__ import annotations

import abc
import contextlib
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from mlmd_lineage import deadline, errors
from mlmd_lineage.readers.base import Selected, Selection
from mlmd_lineage.readers.sql import SQLSession, chosen, named
from mlmd_lineage.readers.sql_counts import counts_in
from mlmd_lineage.snapshot.tables import Tables, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import pyarrow as pa

    from mlmd_lineage.snapshot.tables import TableCounts

T = TypeVar("T")

COLUMNS_SECONDS = 10
"""For how long a reader that keeps its connections believes that no table was altered."""
LOCK_SECONDS = 30
"""How long to wait for a table that someone alters."""
NO_CREDENTIALS = "No password was given: set MLMD_LINEAGE_PASSWORD, or register the store with one"
"""What to do where a server asks for a password and there is none."""


class LostConnectionError(errors.ReadError):
    """The connection was lost in the midst of a read, which may be tried again."""


def stalled(where: str, seconds: float) -> errors.ReadError:
    """Return the error of a server that stopped in the midst of an answer."""
    return errors.ReadError(
        f"{where} sent nothing for {seconds:g} seconds in the midst of an answer. Check the server "
        "and the network, or give the store a longer read_timeout."
    )


class Kept(Generic[T]):
    """Connections that stay open between questions.

    A reader has none unless it is told to keep them, as a server does.
    """

    def __init__(self, close: Callable[[T], object]) -> None:
        self._close = close
        self._idle: list[T] = []
        self._lock = threading.Lock()

    def __del__(self) -> None:
        self.drop()

    def take(self) -> T | None:
        """Return one that is idle, or None."""
        with self._lock:
            return self._idle.pop() if self._idle else None

    def give(self, connection: T) -> None:
        """Hand one back that has no transaction open."""
        with self._lock:
            self._idle.append(connection)

    def drop(self) -> None:
        """Close all that are idle: where one was lost, the others may be too."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            with contextlib.suppress(Exception):
                self._close(connection)


class ServerSession(SQLSession):
    """Answers single questions from an open transaction, and reads whole tables in it."""

    def read(self, selection: Selection) -> Selected:
        """Read what is selected of tables."""
        columns = selection.columns
        tables = Tables(
            {
                table: self.layout.noted(
                    table, self._table(table, selection.properties.get(table), columns.get(table))
                )
                for table in wanted(selection.tables)
            },
            schema_version=self.layout.version,
            source=self.source,
        )
        return Selected(tables, {table: self._counts(table) for table in selection.counted})

    def _counts(self, table: str) -> TableCounts:
        return counts_in(lambda text: self.select(text, ()), self.layout, table, self.quote)

    def _table(
        self, table: str, names: Collection[str] | None, columns: Collection[str] | None
    ) -> pa.Table:
        """Return a table: all of it, or the properties with some names, or some columns."""
        present = self.layout.columns.get(table)
        if present is None:
            return self.layout.absent(table)
        rows = self.layout.from_clause(table, self.quote)
        if names is not None and "name" in present:
            rows += f" WHERE {named(self.quote('name'), names)}"
        return self._present(table, chosen(table, present, columns), rows)

    @abc.abstractmethod
    def _present(self, table: str, columns: Sequence[str], rows: str) -> pa.Table:
        """Return a table that the store has, by those of its columns that are there.

        Args:
            table: MLMD's name of the table.
            columns: The columns.
            rows: What follows FROM in the statement.
        """


C = TypeVar("C")
S = TypeVar("S", bound=ServerSession)


class ServerReader(abc.ABC, Generic[C, S]):
    """Reads one database of a server, and never changes it.

    ``C`` is the driver's connection. Each kind of database says how to connect, how to end the
    transaction of a connection that is kept, and how a session begins.
    """

    def __init__(self) -> None:
        self._kept: Kept[C] | None = None

    def keep_connections(self) -> None:
        """Keep connections open from one question to the next."""
        self._kept = Kept(self._close)

    def read(self, tables: Collection[str] | None = None) -> Tables:
        """Read whole tables in one transaction; no writer waits for it."""
        selection = Selection(wanted(tables))
        return self._answered(lambda session: session.read(selection)).tables

    def read_selected(
        self, selection: Selection, meanwhile: Callable[[Tables], object] | None = None
    ) -> Selected:
        """Read a selection in one transaction; no writer waits for it."""
        found = self._answered(lambda session: session.read(selection))
        if meanwhile is not None:
            meanwhile(found.tables)
        return found

    def ask(self, question: Callable[[S], T]) -> T:
        """Answer a question in one transaction."""
        return self._answered(question)

    def _answered(self, question: Callable[[S], T]) -> T:
        """Return an answer; one that lost its connection is tried for once more.

        Raises:
            StoreError: What an error of the driver or of the server means.
        """
        with contextlib.suppress(LostConnectionError):
            return self._with_connection(question)
        try:
            return self._with_connection(question)
        except LostConnectionError as error:
            message = str(error)
        raise errors.ReadError(message)

    def _with_connection(self, question: Callable[[S], T]) -> T:
        deadline.check()
        kept = self._kept
        connection = (kept and kept.take()) or self._open()
        failure: errors.StoreError
        done = False
        try:
            with deadline.stopping(lambda: self._stop(connection)):
                answer = question(self._session(connection))
                if kept is not None:
                    self._end_transaction(connection)
                    done = True
        except errors.MLMDLineageError:
            raise
        except self._driver_errors as error:
            failure = self._explained(error)
        else:
            return answer
        finally:
            if kept is not None and done:
                kept.give(connection)
            else:
                self._close(connection)
                if kept is not None:
                    kept.drop()
        # Out here no driver's error hangs on ours, whose frames might show more than they should.
        raise failure

    _driver_errors: tuple[type[Exception], ...] = ()
    """What the driver raises."""

    @abc.abstractmethod
    def _open(self) -> C:
        """Return a new connection."""

    @abc.abstractmethod
    def _session(self, connection: C) -> S:
        """Begin a transaction and return a session in it."""

    @abc.abstractmethod
    def _end_transaction(self, connection: C) -> None:
        """End the transaction that a session began."""

    @abc.abstractmethod
    def _close(self, connection: C) -> None:
        """Close a connection."""

    @abc.abstractmethod
    def _stop(self, connection: C) -> None:
        """Stop the statement that runs on a connection, from another thread."""

    @abc.abstractmethod
    def _explained(self, error: Exception) -> errors.StoreError:
        """Return the error of ours that a driver's error means."""
