"""The life of the process that ``sqlite_subprocess_client`` starts to write SQLite files."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from mlmd_lineage import errors
from mlmd_lineage.deadline import Deadline
from mlmd_lineage.writing.sql.sqlite_connection import SQLiteWriteConnection, inode_of
from mlmd_lineage.writing.sql.writer import nothing_written
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

LINGER_SECONDS = 60.0
"""For which it waits for the next thing to do."""


def serve(connection: Connection) -> NoReturn:
    """Do what the parent asks for, until it leaves: the whole life of the process.

    Nothing but Python's ``sqlite3`` opens a file here, so the last connection stays open.
    """
    code = 1
    opened: list[SQLiteWriteConnection] = []
    try:
        connection.recv()  # the parent's process id
        while connection.poll(LINGER_SECONDS):
            kind, *arguments = connection.recv()
            if kind == "leave":
                break
            if kind == "ping":
                connection.send(("done",))
                continue
            try:
                done = _put(opened, *arguments) if kind == "put" else _create(opened, *arguments)
            except errors.MLMDLineageError as error:
                connection.send(("failed", type(error).__name__, *error.args))
            else:
                connection.send(("done", done))
        code = 0
    except (EOFError, OSError):
        code = 0
    except BaseException:  # noqa: BLE001 - told, and no one else would
        sys.excepthook(*sys.exc_info())
    while opened:
        opened.pop().close()
    sys.stderr.flush()
    os._exit(code)  # all is put away; the rest of the interpreter need not be


def _put(  # noqa: PLR0913, PLR0917 - what the parent sends
    opened: list[SQLiteWriteConnection],
    path: Path,
    busy_timeout: float,
    method: str,
    request: bytes,
    seconds: float | None,
) -> bytes:
    given: Any = message(f"{method}Request").FromString(request)
    if opened and (opened[0].path != path or opened[0].inode != inode_of(path)):
        opened.pop().close()
    if not opened:
        opened.append(SQLiteWriteConnection(path))
    with contextlib.ExitStack() as stack:
        if seconds is not None:
            stack.enter_context(Deadline(seconds))
        stack.enter_context(nothing_written())
        answer = opened[0].put(busy_timeout, given)
    return bytes(answer.SerializeToString())


def _create(opened: list[SQLiteWriteConnection], path: Path, busy_timeout: float) -> bool:
    while opened:
        opened.pop().close()
    opened.append(SQLiteWriteConnection(path, create=True))
    return opened[0].create(busy_timeout)
