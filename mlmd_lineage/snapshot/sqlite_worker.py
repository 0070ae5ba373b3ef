"""Reading an SQLite file in another process, where this one may have it open itself.

Two copies of SQLite in one process defeat each other's locks (see ``sqlite_turns``); in two
processes they respect them. The worker is a fresh interpreter, so that nothing of the user's
program runs again (``sqlite_served`` is its side). It talks through a socket that stands as its
standard input, hands whole tables over as Arrow columns in a file that has no name, and ends when
the socket does.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import subprocess
import sys
import tempfile
from multiprocessing.connection import Connection
from typing import IO, TYPE_CHECKING, Any, NoReturn, TypeVar

import pyarrow as pa

from mlmd_lineage import errors
from mlmd_lineage.snapshot.sql import SQLSession
from mlmd_lineage.snapshot.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from mlmd_lineage.snapshot.reader import Session
    from mlmd_lineage.snapshot.sql import Layout

T = TypeVar("T")

# The first entry may be the folder in which the user happens to be.
_BEGIN = """
import sys
sys.path[:] = [entry for entry in sys.path if entry]
from multiprocessing.connection import Connection
connection = Connection(0)
sys.path[:] = connection.recv()
from mlmd_lineage.snapshot import sqlite_served
sqlite_served.serve(connection)
"""
GRACE_SECONDS = 2.0
"""Seconds for the worker to put its temporary files away."""


class Worker:
    """Reads one SQLite file in a process of its own, which lives as long as a call."""

    def __init__(self, path: Path, busy_timeout: float) -> None:
        self._path = path
        self._busy_timeout = busy_timeout

    def read(self, names: Collection[str]) -> Tables:
        """Read whole tables in one transaction.

        The columns lie in a file mapped into memory, not in memory of this process.
        """
        # It has a name only until it is open, and goes when the last of its columns does.
        with tempfile.TemporaryFile(prefix="mlmd-lineage-") as file:
            with self._talking(file) as talk:
                found = talk.ask("read", tuple(names), file.fileno())
            _, loaded, version, taken_at = found
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if loaded else b""
        columns = pa.BufferReader(pa.py_buffer(mapped))
        return Tables(
            {name: pa.ipc.open_stream(columns).read_all() for name in loaded},
            schema_version=version,
            source=str(self._path),
            taken_at=taken_at,
        )

    def ask(self, question: Callable[[Session], T]) -> T:
        """Answer a question in one transaction; it is asked again if the file changed."""
        with self._talking() as talk:
            message = talk.ask("ask")
            while True:
                _, layout, source = message
                answer: list[T] = []
                failure: Exception | None = None
                try:
                    answer.append(question(_Session(talk, layout, source)))
                except Exception as error:  # noqa: BLE001 - it is raised when the worker agrees
                    failure = error
                message = talk.ask("end", failure is not None)
                if message[0] == "session":
                    continue
                if failure is not None:
                    raise failure
                return answer[0]

    @contextlib.contextmanager
    def _talking(self, file: IO[bytes] | None = None) -> Iterator[_Talk]:
        with tempfile.TemporaryFile() as told:
            ours, theirs = socket.socketpair()
            with theirs, contextlib.closing(Connection(ours.detach())) as connection:
                process = self._started(theirs, told, (file.fileno(),) if file else ())
                try:
                    theirs.close()
                    talk = _Talk(connection, process, told, self._path)
                    talk.tell(sys.path)
                    talk.tell((self._path, self._busy_timeout, os.getpid()))
                    yield talk
                finally:
                    _end(connection, process)

    def _started(
        self, theirs: socket.socket, told: IO[bytes], handed: tuple[int, ...]
    ) -> subprocess.Popen[bytes]:
        try:
            if not sys.executable or getattr(sys, "frozen", False):
                reason = "sys.executable is no Python"
                raise FileNotFoundError(reason)
            return subprocess.Popen(  # noqa: S603 - this Python, and code of ours
                [sys.executable, "-c", _BEGIN],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=told,
                pass_fds=handed,
                start_new_session=True,  # Ctrl-C is for the parent
            )
        except OSError as error:
            message = (
                f"{self._path} may be open in this process, so another one must read it, and none "
                f"can be started: {error}. Read it before ml_metadata is imported."
            )
            raise errors.ReadError(message) from None


def _end(connection: Connection, process: subprocess.Popen[bytes]) -> None:
    """End the worker, whatever happens meanwhile."""
    try:
        with contextlib.suppress(OSError):
            connection.send(("leave",))
        connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


class _Talk:
    """The parent's side of the talk."""

    def __init__(
        self,
        connection: Connection,
        process: subprocess.Popen[bytes],
        told: IO[bytes],
        path: Path,
    ) -> None:
        self._connection = connection
        self._process = process
        self._told = told
        self._path = path

    def tell(self, message: object) -> None:
        try:
            self._connection.send(message)
        except OSError:
            self._died()

    def ask(self, *message: object) -> tuple[Any, ...]:
        """Send a message and return the answer, or raise it where it is an error."""
        self.tell(message)
        try:
            answer: tuple[Any, ...] = self._connection.recv()
        except (EOFError, OSError):
            self._died()
        if answer[0] == "error":
            raise getattr(errors, answer[1])(answer[2])
        return answer

    def _died(self) -> NoReturn:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        code = self._process.poll()
        self._told.seek(0)
        lines = self._told.read().decode(errors="replace").strip().splitlines()
        said = f", saying: {lines[-1]}" if lines else ""
        how = "closed its connection" if code is None else f"ended with code {code}"
        message = f"Reading {self._path} failed: the process that read it {how}{said}."
        raise errors.ReadError(message)


class _Session(SQLSession):
    """An open transaction of the worker, as the parent sees it."""

    placeholder = "?"

    def __init__(self, talk: _Talk, layout: Layout, source: str) -> None:
        self._talk = talk
        self.layout = layout
        self.source = source

    def _execute(self, statement: str, parameters: tuple[str, ...]) -> Iterable[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._talk.ask("select", statement, parameters)[1]
        return rows

    def fetch(
        self, table: str, where: Mapping[str, Collection[int | str]]
    ) -> list[tuple[Any, ...]]:
        """Return a table's rows, each with all of its schema's columns."""
        plain = {column: list(values) for column, values in where.items()}
        rows: list[tuple[Any, ...]] = self._talk.ask("fetch", table, plain)[1]
        return rows

    def ahead(self, artifacts: Collection[int], *others: object) -> list[int]:
        """Return the artifacts to which some others lead, as ``SQLSession.ahead`` does."""
        found: list[int] = self._talk.ask("ahead", list(artifacts), *others)[1]
        return found
