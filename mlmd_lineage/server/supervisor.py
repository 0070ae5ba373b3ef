"""The process that keeps the workers running: it starts, watches and replaces them.

It holds the port and answers nothing itself, so nothing that a call does can end it. Workers are
forked, which hands them the store's password without writing it anywhere; the supervisor has no
threads and imports neither gRPC nor ``ml_metadata``, as neither of them outlives a fork.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import multiprocessing
import os
import signal
import socket
import sys
import time
from multiprocessing import connection
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.server import worker
from mlmd_lineage.server.settings import target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mlmd_lineage.server.settings import ServerSettings
    from mlmd_lineage.store import Store

_LIVED = 30.0
"""A worker that lived for so many seconds did not die of what it was started with."""
_LONGEST_PAUSE = 10.0
_AFTER_GRACE = 5.0
"""How many seconds a worker has to end by itself once its grace is over."""


@dataclasses.dataclass
class _Worker:
    process: Any
    told: Any
    started: float
    ready: bool = False


class Supervisor:
    """Runs a store's workers until it is told to stop."""

    def __init__(self, store: Store, settings: ServerSettings, log: Callable[[str], None]) -> None:
        self._store = store
        self._settings = settings
        self._log = log
        self._workers: list[_Worker] = []
        self._address = ("", 0)
        self._announce: Callable[[str], None] | None = None
        self._failure: errors.MLMDLineageError | None = None
        self._deadline: float | None = None
        self._pause = 0.0
        self._next_start = 0.0

    def run(self, announce: Callable[[str], None]) -> None:
        """Serve until SIGTERM or SIGINT; a second one does not wait for calls in flight.

        Args:
            announce: Called with the address once every worker takes calls.

        Raises:
            MLMDLineageError: The server could not start.
        """
        self._announce = announce
        with _held_port(self._settings) as self._address, _signals() as signals:
            try:
                while self._deadline is None or self._workers:
                    self._start_missing()
                    self._wait(signals)
            finally:
                self._signal(signal.SIGKILL)
        if self._failure is not None:
            raise self._failure

    def _start_missing(self) -> None:
        if self._deadline is not None or time.monotonic() < self._next_start:
            return
        while len(self._workers) < self._settings.workers:
            self._workers.append(self._started())

    def _started(self) -> _Worker:
        fork = multiprocessing.get_context("fork")
        ours, theirs = fork.Pipe()
        not_its_own = [ours, *(other.told for other in self._workers)]
        arguments = (self._store, self._settings, self._address, theirs, not_its_own)
        process = fork.Process(target=_forked, args=arguments)
        sys.stdout.flush()
        process.start()
        theirs.close()
        return _Worker(process, ours, time.monotonic())

    def _wait(self, signals: socket.socket) -> None:
        """Wait until something happens, and act on it."""
        now = time.monotonic()
        until = [self._deadline] if self._deadline is not None else []
        if len(self._workers) < self._settings.workers and self._deadline is None:
            until.append(self._next_start)
        timeout = max(0.0, min(until) - now) if until else None
        waiting = [w.told for w in self._workers if not w.ready]
        ends = [w.process.sentinel for w in self._workers]
        happened = set(connection.wait([signals, *waiting, *ends], timeout))
        if signals in happened:
            signals.recv(64)
            self._stop(hurry=self._deadline is not None)
        elif self._deadline is not None and time.monotonic() >= self._deadline:
            self._log("stopping: the time for calls in flight is over")
            self._stop(hurry=True)
        for one in list(self._workers):
            if one.told in happened:
                self._hear(one)
            if one.process.sentinel in happened:
                self._bury(one)

    def _hear(self, one: _Worker) -> None:
        try:
            said = one.told.recv()
        except (EOFError, OSError):  # it died; its sentinel says so
            return
        if said == worker.READY:
            one.ready = True
            if self._announce is not None and all(w.ready for w in self._workers):
                self._announce(target(*self._address))
                self._announce = None
            return
        name, message = said
        self._fail(getattr(errors, name)(message))

    def _bury(self, one: _Worker) -> None:
        one.process.join()
        code = one.process.exitcode
        pid = one.process.pid
        if one.told.poll():  # what it said last
            self._hear(one)
        self._workers.remove(one)
        one.told.close()
        one.process.close()
        if self._deadline is not None:
            return
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        lived = time.monotonic() - one.started
        self._pause = 0.0 if lived >= _LIVED else min(_LONGEST_PAUSE, self._pause * 2 + 0.1)
        self._next_start = time.monotonic() + self._pause
        self._log(f"worker {pid} {how}; another one takes its place in {self._pause:.1f} s")
        if self._announce is not None:
            message = (
                f"The process that opened {self._store.location} {how}. Its settings may be such "
                "that ml_metadata fails on them; --read-only serves without it."
            )
            self._fail(errors.NativeLibraryError(message))

    def _fail(self, error: errors.MLMDLineageError) -> None:
        """Give up where the server has never run, else note why a worker could not start."""
        if self._announce is None:
            self._log(f"a worker could not start: {type(error).__name__}")
            return
        if self._failure is None:
            self._failure = error
            self._stop(hurry=True)

    def _stop(self, *, hurry: bool) -> None:
        if self._deadline is None and self._failure is None:
            self._log("stopping: calls in flight are finished")
        self._deadline = time.monotonic() + (0 if hurry else self._settings.grace) + _AFTER_GRACE
        self._signal(signal.SIGKILL if hurry else signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        for one in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.process.pid, number)


def _forked(
    store: Store,
    settings: ServerSettings,
    address: tuple[str, int],
    told: Any,
    not_its_own: Sequence[Any],
) -> None:
    for end in not_its_own:
        end.close()
    worker.run(store, settings, address, told)


@contextlib.contextmanager
def _held_port(settings: ServerSettings) -> Iterator[tuple[str, int]]:
    """Keep a port for the workers, also while none of them is alive; no call comes to it here."""
    if not hasattr(socket, "SO_REUSEPORT") or not hasattr(socket, "AF_UNIX"):
        message = "This system cannot share a port between processes; serve on Linux or macOS."
        raise errors.ConfigurationError(message)
    family, host = settings.address
    try:
        with socket.socket(family, socket.SOCK_STREAM) as alone:
            # Without SO_REUSEPORT it fails where anyone listens, this user's servers too.
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind((host, settings.port))
            port = alone.getsockname()[1]
            alone.listen()
        held = socket.socket(family, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, port))
    except OSError as error:
        raise errors.ConfigurationError(_not_bound(error, host, settings.port)) from None
    with held:
        yield host, port


def _not_bound(error: OSError, host: str, port: int) -> str:
    where = target(host, port)
    if error.errno == errno.EADDRINUSE:
        return f"Another program listens at {where}; give another port, or 0 to have one chosen."
    if error.errno == errno.EACCES:
        return f"This user may not listen at {where}; give a port of 1024 or above."
    return f"This machine cannot listen at {where}: {error.strerror}. Give one of its addresses."


@contextlib.contextmanager
def _signals() -> Iterator[socket.socket]:
    """Have SIGTERM and SIGINT arrive at a socket, and at nothing else."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)  # noqa: FBT003
    before = signal.set_wakeup_fd(theirs.fileno())
    handlers = {
        number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        with ours, theirs:
            yield ours
    finally:
        signal.set_wakeup_fd(before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
