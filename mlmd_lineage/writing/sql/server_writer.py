"""Writing to database servers: a transaction that fails is retried, and none is committed twice."""

from __future__ import annotations

import contextlib
import enum
import functools
import random
import threading
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mlmd_lineage import deadline, errors
from mlmd_lineage.readers.database_servers import Kept
from mlmd_lineage.writing.conflicts import NodesExistError
from mlmd_lineage.writing.sql.server_session import ServerWriteSession
from mlmd_lineage.writing.sql.writer import SQLWriter, method_of, nothing_written, put_in
from mlmd_lineage.writing.transaction import RaceLostError, Transaction

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from mlmd_lineage.writing.sql.limits import Limits

LOCK_SECONDS = 30
"""For how long to wait for a lock of another writer."""
PATIENCE = 60.0
"""For how many seconds to try again what another writer, or the network, kept from being done."""
_MOST_PAUSE = 1.0
_RACES = 5
"""How often another writer may have inserted first what was to be inserted."""

C = TypeVar("C")
S = TypeVar("S", bound=ServerWriteSession)


class Failure(enum.Enum):
    """What an error of a driver means for a transaction."""

    AGAIN = "again"
    """It was rolled back, by a deadlock or for a lock, and may be tried again."""
    LOST = "lost"
    """Its connection was lost."""
    FINAL = "final"
    """It would fail again."""


class ServerWriter(SQLWriter, Generic[C, S]):
    """The base of the writers of database servers; threads may share one.

    Connections are kept from one put to the next.
    """

    driver_errors: tuple[type[Exception], ...]

    def __init__(self, source: str) -> None:
        self.source = source
        self._lock = threading.Lock()
        self._limits: Limits | None = None
        self._kept: Kept[C] = Kept(lambda connection: connection.close())  # type: ignore[attr-defined]  # every driver's has it

    @abstractmethod
    def open(self) -> tuple[C, Limits]:
        """Return a new connection, and what its tables can hold."""

    @abstractmethod
    def begin(self, connection: C, limits: Limits) -> S:
        """Begin a transaction, and check that the store may be written to."""

    @abstractmethod
    def commit(self, connection: C) -> None:
        """Commit the transaction."""

    @abstractmethod
    def roll_back(self, connection: C) -> None:
        """Roll the transaction back."""

    @abstractmethod
    def was_committed(self, session: S) -> bool:
        """Tell whether a transaction was committed whose COMMIT nobody answered."""

    @abstractmethod
    def failure_of(self, error: Exception) -> Failure:
        """Return what an error of the driver means for a transaction."""

    @abstractmethod
    def explained(self, error: Exception) -> errors.StoreError:
        """Return the error of ours that an error of the driver means."""

    @abstractmethod
    def make_tables(self, connection: C) -> bool:
        """Make MLMD's tables where there are none; return whether that was so."""

    @abstractmethod
    def stop(self, connection: C) -> None:
        """Stop the statement that runs on a connection, from another thread."""

    def put(self, request: Message) -> Any:
        """Put all of a request, or nothing of it, and return MLMD's response to it."""
        method = method_of(request)
        try:
            with nothing_written():
                return self._put_patiently(request)
        except NodesExistError as error:
            exist = error
        raise self._named(exist, method)

    def _put_patiently(self, request: Message) -> Any:
        """Put a request, and try it again where another writer or the network was in the way."""
        end, pause, races = time.monotonic() + PATIENCE, 0.01, 0
        while True:
            failure: errors.MLMDLineageError
            deadline.check()
            try:
                return self._put_once(request)
            except RaceLostError as error:
                races += 1
                if races == _RACES:
                    raise error.error from None
            except _AgainError as error:
                failure = error.failure
                if time.monotonic() > end:
                    raise failure from None
            left = deadline.remaining()
            wait = random.uniform(pause / 2, pause)  # noqa: S311 - so that two do not meet again
            time.sleep(wait if left is None else min(wait, left))
            pause = min(2 * pause, _MOST_PAUSE)

    def _named(self, error: NodesExistError, method: str) -> errors.AlreadyExistsError:
        """Return an error with the name of the node that is there already."""
        connection = None
        try:
            connection = self._connection()
            assert self._limits is not None
            return error.named(self.begin(connection, self._limits), method)
        except errors.MLMDLineageError:
            return errors.AlreadyExistsError(str(error))
        except self.driver_errors:
            return errors.AlreadyExistsError(str(error))
        finally:
            self._give_back(connection)

    def create(self) -> bool:
        """Make MLMD's tables where there are none; return whether that was so."""
        failure: errors.StoreError
        self.close()  # what was read of the tables before is outdated
        try:
            connection, _ = self.open()
            try:
                return self.make_tables(connection)
            finally:
                connection.close()  # type: ignore[attr-defined]  # every driver's has it
        except self.driver_errors as error:
            if isinstance(error, errors.MLMDLineageError):
                raise
            failure = self._failed(error)
        raise failure

    def close(self) -> None:
        """Close what is open; a later put opens it again."""
        self._kept.drop()

    def _put_once(self, request: Message) -> Any:
        """Put a request in one transaction.

        Raises:
            _AgainError: It may be tried again, and nothing was written.
        """
        committing, connection, session = False, None, None
        failure: Exception
        try:
            connection = self._connection()
            assert self._limits is not None
            with deadline.stopping(functools.partial(self.stop, connection)):
                session = self.begin(connection, self._limits)
                answer = put_in(Transaction(session, int(time.time() * 1000)), request)
            deadline.check()  # what was to stop the last statement may not have come to it yet
            committing = True
            self.commit(connection)
        except (errors.DeadlineExceededError, errors.CancelledError):
            self._drop(connection)
            raise
        except (errors.MLMDLineageError, RaceLostError):
            self._give_back(connection)
            raise
        except self.driver_errors as error:
            what, failure = self.failure_of(error), self._failed(error)
        except BaseException:
            self._drop(connection)
            raise
        else:
            self._kept.give(connection)
            return answer
        if what is Failure.AGAIN:
            self._give_back(connection)
            raise _AgainError(failure)
        self._drop(connection)
        if what is Failure.FINAL:
            raise failure
        self._kept.drop()  # where one connection was lost, the others may be too
        proven = committing and session is not None and session.proof is not None
        if proven and session is not None and self._was_committed(session):
            return answer
        raise _AgainError(failure)

    def _was_committed(self, session: S) -> bool:
        left = deadline.remaining()
        end, failure = time.monotonic() + (PATIENCE if left is None else min(PATIENCE, left)), ""
        while time.monotonic() < end:
            try:
                return self.was_committed(session)
            except errors.StoreError as error:
                failure = str(error)
            except self.driver_errors as error:
                failure = str(self._failed(error))
            time.sleep(_MOST_PAUSE)
        message = (
            f"The connection to {self.source} was lost while a write was committed, and whether it "
            f"was cannot be known ({failure}). Read the store to see before you write it again."
        )
        raise errors.UncertainWriteError(message)

    def _connection(self) -> C:
        connection = self._kept.take()
        if connection is None:
            connection, limits = self.open()
            with self._lock:
                self._limits = limits
        return connection

    def _give_back(self, connection: C | None) -> None:
        """Keep a connection whose transaction was not committed, if it can be rolled back."""
        if connection is None:
            return
        try:
            self.roll_back(connection)
        except self.driver_errors:
            self._drop(connection)
        else:
            self._kept.give(connection)

    def _drop(self, connection: C | None) -> None:
        if connection is None:
            return
        with contextlib.suppress(*self.driver_errors):
            connection.close()  # type: ignore[attr-defined]  # every driver's has it

    def _failed(self, error: Exception) -> errors.StoreError:
        """Return the error of ours that an error of the driver means in the midst of a write."""
        found = self.explained(error)
        if isinstance(found, errors.ReadError):
            said = str(found).replace("Reading", "Writing", 1).replace("was read", "was written to")
            return errors.WriteError(f"{said.rstrip('.')}. Nothing was written.")
        return found


class _AgainError(Exception):
    """Nothing was written, and it may be tried again."""

    def __init__(self, failure: errors.StoreError) -> None:
        super().__init__(str(failure))
        self.failure = failure
