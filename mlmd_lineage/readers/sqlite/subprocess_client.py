"""A process that reads SQLite files for this one, and the messages to it.

It is a fresh interpreter, so that nothing of the user's program runs again (``subprocess_main`` is
its side), and it ends when the socket that stands as its standard input does.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NoReturn

from mlmd_lineage import errors

if TYPE_CHECKING:
    from pathlib import Path

# The first entry may be the folder in which the user happens to be.
_BEGIN = """
import sys
sys.path[:] = [entry for entry in sys.path if entry]
from multiprocessing.connection import Connection
connection = Connection(0)
sys.path[:] = connection.recv()
import importlib
importlib.import_module({main!r}).serve(connection)
"""
GRACE_SECONDS = 2.0
"""Seconds for the process to put its temporary files away."""


class SubprocessClient:
    """The parent's side of the connection to one process, which is started for it."""

    main = "mlmd_lineage.readers.sqlite.subprocess_main"
    """The module whose ``serve`` is the other side."""
    resting = False
    """Whether the process has done what it was asked for, and waits for more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        """The file that is being read, for what is said of errors."""
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        ours, theirs = socket.socketpair()
        self._connection = Connection(ours.detach())
        with theirs:
            try:
                self._process = self._started(theirs)
            except BaseException:
                self._connection.close()
                self._told.close()
                raise
        try:
            self.send(sys.path)
            self.send(os.getpid())
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def send(self, message: object) -> None:
        """Send a message."""
        try:
            self._connection.send(message)
        except OSError:
            self._died()

    def send_fd(self, file: int) -> None:
        """Send an open file."""
        try:
            reduction.send_handle(self._connection, file, self.pid)
        except OSError:
            self._died()

    def answer(self) -> tuple[Any, ...]:
        """Return the answer to what was said, or raise it where it is an error."""
        self.resting = False
        try:
            answer: tuple[Any, ...] = self._connection.recv()
        except (EOFError, OSError):
            self._died()
        self.resting = answer[0] in ("done", "failed")
        if answer[0] in ("failed", "error"):
            raise getattr(errors, answer[1])(*answer[2:])
        return answer

    def ask(self, *message: object) -> tuple[Any, ...]:
        """Send a message and return the answer, or raise it where it is an error."""
        self.resting = False
        self.send(message)
        return self.answer()

    def is_there(self) -> bool:
        """Say whether the process still listens."""
        try:
            self.ask("ping")
        except errors.ReadError:
            return False
        return True

    def end(self) -> None:
        """End the process, whatever happens meanwhile."""
        try:
            with contextlib.suppress(OSError):
                self._connection.send(("leave",))
            self._connection.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_SECONDS)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._told.close()

    def detach(self) -> None:
        """Let go of a process that is another's child, which a forked copy of this one has."""
        self._process.returncode = 0
        self._connection.close()
        self._told.close()

    def _started(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        try:
            if not sys.executable or getattr(sys, "frozen", False):
                reason = "sys.executable is no Python"
                raise FileNotFoundError(reason)
            return subprocess.Popen(  # noqa: S603 - this Python, and code of ours
                [sys.executable, "-c", _BEGIN.format(main=self.main)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._told,
                start_new_session=True,  # Ctrl-C is for the parent
            )
        except OSError as error:
            message = (
                f"{self.path} may be open in this process, so another one must read it, and none "
                f"can be started: {error}. Read it before ml_metadata is imported."
            )
            raise errors.ReadError(message) from None

    def _died(self) -> NoReturn:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        code = self._process.poll()
        self._told.seek(0)
        lines = self._told.read().decode(errors="replace").strip().splitlines()
        said = f", saying: {lines[-1]}" if lines else ""
        how = "closed its connection" if code is None else f"ended with code {code}"
        message = f"Reading {self.path} failed: the process that read it {how}{said}."
        raise errors.ReadError(message)
