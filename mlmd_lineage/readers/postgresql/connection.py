"""Connections to PostgreSQL, and explanations of their errors."""

from __future__ import annotations

import contextlib
import math
import os
import re
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
from adbc_driver_manager import Error
from adbc_driver_postgresql import dbapi

from mlmd_lineage import deadline, errors
from mlmd_lineage.readers.database_servers import (
    LOCK_SECONDS,
    NO_CREDENTIALS,
    LostConnectionError,
    stalled,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage.stores import PostgreSQLMetadataStore

_CANCEL_SECONDS = 0.5
"""How long to wait for a statement that was cancelled."""

# What libpq says when it cannot connect, and what it means: ours, and the rest of the sentence
# that begins with the store. There is no number for it, only text.
_REFUSALS: tuple[tuple[str, type[errors.StoreError], str], ...] = (
    (
        "does not support ssl",
        errors.TLSError,
        (
            "offers no TLS, and the store asks for it. Nothing was sent. Switch it on in the "
            "server, or give the store another sslmode."
        ),
    ),
    (
        "certificate verify failed|does not match host name|unknown ca",
        errors.TLSError,
        (
            "has a certificate that is not trusted ({said}). Give the authority that signed it as "
            "ssl_ca, and the host by the name that is in it."
        ),
    ),
    (
        "ssl error|certificate|private key|no encryption",
        errors.TLSError,
        "gives no secure connection: {said}.",
    ),
    (
        "authentication failed|no password supplied|role .* does not exist|not permitted to log in",
        errors.AuthenticationError,
        "refuses the user {user!r} or the password ({said}). {hint}.",
    ),
    (
        "database .* does not exist",
        errors.StoreNotFoundError,
        "is not there: the server has no database of this name. Check it.",
    ),
    (
        "permission denied|no pg_hba.conf entry|not currently accepting connections",
        errors.StorePermissionError,
        "does not let the user {user!r} in: {said}.",
    ),
    (
        "could not translate host name",
        errors.UnreachableError,
        "has a host that is not known. Check its name, and the network.",
    ),
    (
        "timeout expired",
        errors.UnreachableError,
        (
            "did not answer within {timeout:g} seconds. Check host and port, and that no "
            "firewall is in between."
        ),
    ),
    (
        "invalid response|unexpected message|expected authentication request",
        errors.UnreachableError,
        "is the address of something that is no PostgreSQL server. Check the port.",
    ),
    (
        "",
        errors.UnreachableError,
        "cannot be reached: {said}. Check host and port, and that the server runs.",
    ),
)
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_PERMISSION = {"42501"}
_LOCKED = {"55P03", "40P01"}
# The server shuts down, or is a standby that had to clean up behind the read.
_LOST = {"57P01", "57P02", "57P05", "25P03", "40001", "08006", "08003"}
_LOST_WORDS = re.compile(
    "server closed the connection|no connection to the server|terminating connection|connection "
    "reset|could not (receive|send) data|ssl connection has been closed|ssl syscall error",
    re.IGNORECASE,
)


def opened(store: PostgreSQLMetadataStore) -> dbapi.Connection:
    """Return a new connection, on which each statement is a transaction of its own.

    Raises:
        StoreError: There is none to be had.
    """
    failure: errors.StoreError
    try:
        return _opened(store)
    except Error as error:
        failure = _refused(error, store)
    except Empty:
        deadline.check()
        failure = stalled(store.location(), store.read_timeout)
    raise failure


def _opened(store: PostgreSQLMetadataStore) -> dbapi.Connection:
    """Connect in another thread: the driver asks for all types, and waits without end for them.

    Raises:
        queue.Empty: The server sends nothing any more.
    """
    made: SimpleQueue[dbapi.Connection | BaseException] = SimpleQueue()
    is_given_up = threading.Event()

    def connect() -> None:
        try:
            # The password stands in no variable, which a traceback may show.
            connection = dbapi.connect(_parameters(store), autocommit=True)
        except BaseException as error:  # noqa: BLE001 - it is raised in the other thread
            made.put(error.with_traceback(None))
            return
        if is_given_up.is_set():
            connection.close()
        else:
            made.put(connection)

    # A daemon: where the server has stopped answering, nothing ends it.
    threading.Thread(target=connect, daemon=True).start()
    try:
        found = made.get(timeout=_patience(store.connect_timeout + store.read_timeout))
    except BaseException:
        is_given_up.set()
        raise
    if isinstance(found, BaseException):
        raise found
    return found


class Stalled:
    """Connections of servers that stopped answering: they are left open, as closing one waits."""

    connections: ClassVar[list[dbapi.Connection]] = []

    @classmethod
    def holds(cls, connection: dbapi.Connection) -> bool:
        """Return whether a connection is one of them."""
        return any(other is connection for other in cls.connections)


def fetched(
    connection: dbapi.Connection,
    statement: str,
    parameters: tuple[str, ...] = (),
    read_timeout: float = 60.0,
    count: Callable[[pa.RecordBatch], object] = lambda _: None,
) -> pa.Table:
    """Run a statement and return its rows; an interrupt or a deadline cancels it.

    On the main thread the driver itself would make an interrupt an error like any other.

    Args:
        connection: Where to run it.
        statement: The statement.
        parameters: What is bound to it.
        read_timeout: For how many seconds the server may send nothing.
        count: Called with what was received; it may end the question.

    Raises:
        StalledError: The server sends nothing any more.
    """
    cursor = connection.cursor()
    received: SimpleQueue[pa.Schema | pa.RecordBatch | BaseException | None] = SimpleQueue()

    def fetch() -> None:
        try:
            cursor.execute(statement, parameters or None)
            batches = cursor.fetch_record_batch()
            received.put(batches.schema)
            for batch in batches:
                received.put(batch)
            received.put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised in the other thread
            received.put(error)

    # A daemon: where the server has stopped answering, nothing ends it.
    other_thread = threading.Thread(target=fetch, daemon=True)
    other_thread.start()
    found = []
    try:
        while (item := received.get(timeout=_patience(read_timeout))) is not None:
            if isinstance(item, BaseException):
                raise item
            if isinstance(item, pa.RecordBatch):
                count(item)
            found.append(item)
        other_thread.join()
    except Empty:
        _cancel(cursor)
        raise StalledError from None
    except (KeyboardInterrupt, errors.AnswerTooLargeError):
        _cancel(cursor)
        raise
    finally:
        other_thread.join(_CANCEL_SECONDS)
        if other_thread.is_alive():
            Stalled.connections.append(connection)
        else:
            cursor.close()
    schema, *batches = found
    return pa.Table.from_batches(batches, schema)


def _patience(read_timeout: float) -> float:
    """Return for how long to wait: where the question has ended, for the cancelled statement."""
    left = deadline.remaining()
    return read_timeout if left is None else min(read_timeout, left + 4 * _CANCEL_SECONDS)


class StalledError(Exception):
    """The server owes an answer, and sends nothing."""


def stop(connection: dbapi.Connection) -> None:
    """Cancel the statement that runs on a connection, from another thread."""
    connection.adbc_connection.cancel()


def _cancel(cursor: dbapi.Cursor) -> None:
    # It connects anew, which a server that has stopped does not answer either.
    def cancel() -> None:
        with contextlib.suppress(Error):
            cursor.adbc_cancel()

    threading.Thread(target=cancel, daemon=True).start()


def _parameters(store: PostgreSQLMetadataStore) -> str:
    """Return libpq's connection string; unlike a URI, it takes any character in any place."""
    mode = store.effective_sslmode
    parameters: dict[str, object] = {
        "host": store.host,
        "port": store.port,
        "dbname": store.database,
        "user": store.username,
        "connect_timeout": max(2, math.ceil(store.connect_timeout)),
        "client_encoding": "UTF8",
        "application_name": "mlmd-lineage",
        "sslmode": mode,
        "sslrootcert": store.ssl_ca,
        "sslcert": store.ssl_cert,
        "sslkey": store.ssl_key,
    }
    if mode == "verify-full" and store.ssl_ca is None and not _has_own_authorities():
        parameters["sslrootcert"] = "system"
    if store.password is not None:
        parameters["password"] = store.password.get_secret_value()
    return " ".join(
        "{}='{}'".format(name, str(value).replace("\\", "\\\\").replace("'", "\\'"))
        for name, value in parameters.items()
        if value is not None
    )


def _has_own_authorities() -> bool:
    """Tell whether libpq has authorities where it looks for them when it is given none."""
    if os.environ.get("PGSSLROOTCERT"):
        return True
    try:
        return (Path.home() / ".postgresql" / "root.crt").exists()
    except (OSError, RuntimeError):
        return False


def _refused(error: Error, store: PostgreSQLMetadataStore) -> errors.StoreError:
    """Return the error of ours that a failure to connect means."""
    text = str(error)
    ours, sentence = next(
        (ours, sentence)
        for words, ours, sentence in _REFUSALS
        if re.search(words, text, re.IGNORECASE)
    )
    rest = sentence.format(
        user=store.username,
        said=_said(text, store),
        hint="Check both" if store.password else NO_CREDENTIALS,
        timeout=store.connect_timeout,
    )
    return ours(f"{store.location()} {rest}")


def is_lost(error: Error) -> bool:
    """Tell whether an error means that the connection is gone, or the server going."""
    return error.sqlstate in _LOST or bool(_LOST_WORDS.search(str(error)))


def explained(error: Exception, store: PostgreSQLMetadataStore) -> errors.StoreError:
    """Return the error of ours that a failure of a statement means."""
    where = store.location()
    if isinstance(error, StalledError):
        return stalled(where, store.read_timeout)
    text = str(error)
    said = _said(text, store)
    code = error.sqlstate if isinstance(error, Error) else None
    if code in _PERMISSION:
        return errors.StorePermissionError(
            f"{where} does not let the user {store.username!r} read: {said}. Grant it SELECT on "
            "MLMD's tables."
        )
    if code in _LOCKED:
        return errors.LockedStoreError(
            f"{where}: a table stayed locked for {LOCK_SECONDS} seconds; someone alters it. Try "
            "again later."
        )
    if isinstance(error, Error) and is_lost(error):
        return LostConnectionError(
            f"{where}: the connection was lost while it was read. Try again."
        )
    return errors.ReadError(f"Reading {where} failed ({code}: {said}).")


def _said(text: str, store: PostgreSQLMetadataStore) -> str:
    """Return the server's own words in a driver's message: one line, and never the password."""
    line = text.strip().splitlines()[0]
    for mark in ("FATAL: ", "ERROR: ", " failed: ", "Failed to connect: "):
        before, found, after = line.partition(mark)
        line = after if found else before
    if store.password is not None and store.password.get_secret_value():
        line = line.replace(store.password.get_secret_value(), "***")
    return line.strip().rstrip(".")
