"""Client of a process that reads, or writes, SQLite files for this one.

The process is a new interpreter, so that nothing of the user's program runs again
(``subprocess_main`` is its side), and it ends when the socket that is its standard input closes. To
start one takes a quarter of a second, so one is kept for the next question; it ends by itself when
nobody asks for a minute.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from mlmd_lineage import deadline, errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
_LOOK_SECONDS = 0.1
"""How often to look whether the question has to end."""
GRACE_SECONDS = 2.0
"""How long the process may take to delete its temporary files."""


class SubprocessClient:
    """The parent's side of the connection to one process, which is started for it."""

    main = "mlmd_lineage.readers.sqlite.subprocess_main"
    """The module whose ``serve`` is the other side."""
    is_idle = False
    """Whether the process has done what it was asked for, and waits for the next request."""

    def __init__(self, path: Path) -> None:
        self.path = path
        """The file that is read, for error messages."""
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        ours, theirs = socket.socketpair()
        self._connection = Connection(ours.detach())
        with theirs:
            try:
                self._process = self._started(theirs)
            except BaseException:
                self._connection.close()
                self._stderr.close()
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
        """Return the answer to a message, or raise it where it is an error."""
        self.is_idle = False
        try:
            while deadline.current() is not None and not self._connection.poll(_LOOK_SECONDS):
                deadline.check()
            answer: tuple[Any, ...] = self._connection.recv()
        except errors.MLMDLineageError:
            raise
        except (EOFError, OSError):
            self._died()
        self.is_idle = answer[0] in ("done", "failed")
        if answer[0] in ("failed", "error"):
            raise getattr(errors, answer[1])(*answer[2:])
        return answer

    def ask(self, *message: object) -> tuple[Any, ...]:
        """Send a message and return the answer, or raise it where it is an error."""
        self.is_idle = False
        self.send(message)
        return self.answer()

    def is_alive(self) -> bool:
        """Return whether the process still answers."""
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
            self._stderr.close()

    def detach(self) -> None:
        """Close the connection in a forked copy of this process, whose child it is not."""
        self._process.returncode = 0
        self._connection.close()
        self._stderr.close()

    def _started(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        try:
            if not sys.executable or getattr(sys, "frozen", False):
                reason = "sys.executable is no Python"
                raise FileNotFoundError(reason)
            return subprocess.Popen(  # noqa: S603 - this Python, and code of ours
                [sys.executable, "-c", _BEGIN.format(main=self.main)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
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
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        error = f", with the error: {lines[-1]}" if lines else ""
        how = "closed its connection" if code is None else f"ended with code {code}"
        message = f"Reading {self.path} failed: the process that read it {how}{error}."
        raise errors.ReadError(message)


C = TypeVar("C", bound=SubprocessClient)


class SpareProcess(Generic[C]):
    """At most one idle process, kept for the next request.

    Args:
        start: Starts one for a file.
    """

    def __init__(self, start: Callable[[Path], C]) -> None:
        self._start = start
        # With the user it was started by. ``list.pop`` and ``append`` need no lock.
        self._spare: list[tuple[int, C]] = []
        atexit.register(self.end)
        if sys.platform != "win32":
            os.register_at_fork(after_in_child=self._detach)

    @contextlib.contextmanager
    def client_for(self, path: Path) -> Iterator[C]:
        """Give a process for a file, and keep it afterwards if it is idle."""
        client = self._taken(path) or self._start(path)
        try:
            yield client
        finally:
            if client.is_idle and not self._spare:
                self._spare.append((_user(), client))
            else:
                client.end()

    def end(self) -> None:
        """End the process that is kept, if there is one."""
        while self._spare:
            self._spare.pop()[1].end()

    def _taken(self, path: Path) -> C | None:
        try:
            user, client = self._spare.pop()
        except IndexError:
            return None
        client.path = path
        if user == _user() and client.is_alive():
            return client
        client.end()
        return None

    def _detach(self) -> None:
        while self._spare:
            self._spare.pop()[1].detach()


def _user() -> int:
    return os.geteuid() if sys.platform != "win32" else 0


_reading = SpareProcess(SubprocessClient)
client_for = _reading.client_for
end = _reading.end
