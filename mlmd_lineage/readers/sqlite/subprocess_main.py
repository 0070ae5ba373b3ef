"""Main loop of the process that ``subprocess_client`` starts to read SQLite files."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import threading
import time
from multiprocessing import reduction
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa

from mlmd_lineage import errors
from mlmd_lineage.readers.base import Selection
from mlmd_lineage.readers.sqlite import session as sqlite_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

    from mlmd_lineage.readers.sql import SQLSession
    from mlmd_lineage.snapshot.tables import Tables

LINGER_SECONDS = 60.0
"""How long an idle worker waits for the next request before it ends."""
_WATCH_SECONDS = 1.0
"""Between two looks whether the parent is still there."""
_GRACE_SECONDS = 1.0
"""How long to wait before exiting by force: a driver that waits for a lock handles no signal."""


class _QuestionFailedError(Exception):
    """The question raised an error in the parent."""


def serve(connection: Connection) -> NoReturn:
    """Do what the parent asks for, until it leaves: the whole life of a worker."""
    code = 1
    try:
        parent = connection.recv()
        requests: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        signal.signal(signal.SIGTERM, _leave)
        listener = threading.Thread(
            target=_listen, args=(connection, requests, parent), daemon=True
        )
        listener.start()
        while True:
            _serve(connection, requests)
    except (SystemExit, EOFError, OSError, Empty):
        code = 0
    except BaseException:  # noqa: BLE001 - it is printed, and nobody else would
        sys.excepthook(*sys.exc_info())
    sys.stderr.flush()
    os._exit(code)  # all temporary files are gone; the interpreter needs no clean-up


def _leave(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
    raise SystemExit


def _listen(connection: Connection, requests: SimpleQueue[tuple[Any, ...]], parent: int) -> None:
    """Hand requests on; make the main thread leave when the parent wants it to, or is gone."""
    with contextlib.suppress(EOFError, OSError):
        while os.getppid() == parent:
            if connection.poll(_WATCH_SECONDS):
                message = connection.recv()
                if message == ("leave",):
                    break
                if message[0] == "read":
                    message += (reduction.recv_handle(connection),)
                requests.put(message)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    # A driver that waits for a lock does not handle the signal: exit without it.
    time.sleep(_GRACE_SECONDS)
    os._exit(1)


def _serve(connection: Connection, requests: SimpleQueue[tuple[Any, ...]]) -> None:
    """Do one thing that the parent asks for."""
    kind, *arguments = requests.get(timeout=LINGER_SECONDS)
    if kind == "ping":
        connection.send(("done",))
        return
    path, busy_timeout, *rest = arguments
    try:
        if kind == "read":
            done = _read(path, busy_timeout, *rest)
        else:

            def answer(session: SQLSession) -> None:
                _answer(session, connection, requests)

            done = ()
            with contextlib.suppress(_QuestionFailedError):
                sqlite_session.ask(path, busy_timeout, answer)
    except errors.MLMDLineageError as error:
        connection.send(("failed", type(error).__name__, str(error)))
    else:
        connection.send(("done", *done))


def _read(path: Path, busy_timeout: float, names: tuple[str, ...], file: int) -> tuple[Any, ...]:
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, file)
        tables = sqlite_session.read(path, busy_timeout, Selection(names)).tables
        try:
            _write(tables, file)
        except OSError as error:
            message = (
                f"{path} was read, and its columns could not be written to a temporary file: "
                f"{error.strerror or error}. Free some space in {tempfile.gettempdir()}."
            )
            raise errors.ReadError(message) from None
    return tables.names, tables.schema_version, tables.taken_at


def _write(tables: Tables, file: int) -> None:
    with os.fdopen(file, "wb", closefd=False) as sink:
        for name in tables.names:
            with pa.ipc.new_stream(sink, tables[name].schema) as writer:
                writer.write_table(tables[name])


def _answer(
    session: SQLSession, connection: Connection, requests: SimpleQueue[tuple[Any, ...]]
) -> None:
    """Answer what the parent asks in one transaction."""
    connection.send(("session", session.layout, session.source))
    while True:
        kind, *arguments = requests.get()
        if kind == "end":
            if arguments[0]:
                raise _QuestionFailedError
            return
        try:
            answers: dict[str, Callable[..., list[Any]]] = {
                "fetch": session.fetch,
                "select": session.select,
            }
            rows = answers[kind](*arguments)
        except Exception as error:  # noqa: BLE001 - the parent's question is what it fails
            ours = isinstance(error, errors.MLMDLineageError)
            name = type(error).__name__ if ours else errors.ReadError.__name__
            connection.send(("error", name, str(error)))
        else:
            connection.send(("rows", rows))
