"""The supervisor process: starts the workers, watches them and replaces those that end.

It holds the port and answers no calls, so that no call can end it. Workers are forked, which gives
them the store's password without writing it anywhere; the supervisor has no threads and imports
neither gRPC nor ``ml_metadata``, which do not work after a fork.
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
from mlmd_lineage.server import worker as worker_process
from mlmd_lineage.server.settings import target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mlmd_lineage.server.settings import ServerSettings
    from mlmd_lineage.store import Store

_STABLE_SECONDS = 30.0
"""A worker that ran for this long did not end because of how it was started."""
_MAX_PAUSE = 10.0
"""The longest pause before a worker is started again, in seconds."""
_EXIT_SECONDS = 5.0
"""How long a worker may take to exit after the grace is over."""


@dataclasses.dataclass
class _Worker:
    process: Any
    pipe: Any
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
        """Serve until SIGTERM or SIGINT; a second signal ends calls in flight.

        Args:
            announce: Called with the address once every worker accepts calls.

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
            self._workers.append(self._start_worker())

    def _start_worker(self) -> _Worker:
        fork = multiprocessing.get_context("fork")
        ours, theirs = fork.Pipe()
        to_close = [ours, *(other.pipe for other in self._workers)]
        arguments = (self._store, self._settings, self._address, theirs, to_close)
        process = fork.Process(target=_run_worker, args=arguments)
        sys.stdout.flush()
        process.start()
        theirs.close()
        return _Worker(process, ours, time.monotonic())

    def _wait(self, signals: socket.socket) -> None:
        """Wait for a signal, a message or the end of a worker, and act on it."""
        now = time.monotonic()
        until = [self._deadline] if self._deadline is not None else []
        if len(self._workers) < self._settings.workers and self._deadline is None:
            until.append(self._next_start)
        timeout = max(0.0, min(until) - now) if until else None
        pipes = [w.pipe for w in self._workers if not w.ready]
        sentinels = [w.process.sentinel for w in self._workers]
        ready = set(connection.wait([signals, *pipes, *sentinels], timeout))
        if signals in ready:
            signals.recv(64)
            self._stop(hurry=self._deadline is not None)
        elif self._deadline is not None and time.monotonic() >= self._deadline:
            self._log("stopping: the time for calls in flight is over")
            self._stop(hurry=True)
        for worker in list(self._workers):
            if worker.pipe in ready:
                self._receive(worker)
            if worker.process.sentinel in ready:
                self._remove(worker)

    def _receive(self, worker: _Worker) -> None:
        try:
            received = worker.pipe.recv()
        except (EOFError, OSError):  # it ended; its sentinel is handled next
            return
        if received == worker_process.READY:
            worker.ready = True
            if self._announce is not None and all(w.ready for w in self._workers):
                self._announce(target(*self._address))
                self._announce = None
            return
        error, message = received
        self._fail(error(message))

    def _remove(self, worker: _Worker) -> None:
        worker.process.join()
        code = worker.process.exitcode
        pid = worker.process.pid
        if worker.pipe.poll():  # its last message
            self._receive(worker)
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.close()
        if self._deadline is not None:
            return
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        lived = time.monotonic() - worker.started
        self._pause = 0.0 if lived >= _STABLE_SECONDS else min(_MAX_PAUSE, self._pause * 2 + 0.1)
        self._next_start = time.monotonic() + self._pause
        self._log(f"worker {pid} {how}; another one takes its place in {self._pause:.1f} s")
        if self._announce is not None:
            message = (
                f"The process that opened {self._store.location} {how}. Its settings may be such "
                "that ml_metadata fails on them; --read-only serves without it."
            )
            self._fail(errors.NativeLibraryError(message))

    def _fail(self, error: errors.MLMDLineageError) -> None:
        """Stop where the server has not started yet, otherwise log why a worker could not start."""
        if self._announce is None:
            self._log(f"a worker could not start: {type(error).__name__}")
            return
        if self._failure is None:
            self._failure = error
            self._stop(hurry=True)

    def _stop(self, *, hurry: bool) -> None:
        if self._deadline is None and self._failure is None:
            self._log("stopping: calls in flight are finished")
        self._deadline = time.monotonic() + (0 if hurry else self._settings.grace) + _EXIT_SECONDS
        self._signal(signal.SIGKILL if hurry else signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        for worker in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.process.pid, number)


def _run_worker(
    store: Store,
    settings: ServerSettings,
    address: tuple[str, int],
    pipe: Any,
    to_close: Sequence[Any],
) -> None:
    for end in to_close:
        end.close()
    worker_process.run(store, settings, address, pipe)


@contextlib.contextmanager
def _held_port(settings: ServerSettings) -> Iterator[tuple[str, int]]:
    """Reserve a port for the workers, also while none of them runs; accept no calls on it."""
    if not hasattr(socket, "SO_REUSEPORT") or not hasattr(socket, "AF_UNIX"):
        message = "This system cannot share a port between processes; serve on Linux or macOS."
        raise errors.ConfigurationError(message)
    family, host = settings.address
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Without SO_REUSEPORT this fails where any process listens, also one of this user.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, settings.port))
            port = probe.getsockname()[1]
            probe.listen()
        held = socket.socket(family, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, port))
    except OSError as error:
        raise errors.ConfigurationError(_listen_error(error, host, settings.port)) from None
    with held:
        yield host, port


def _listen_error(error: OSError, host: str, port: int) -> str:
    where = target(host, port)
    if error.errno == errno.EADDRINUSE:
        return f"Another program listens at {where}; give another port, or 0 to have one chosen."
    if error.errno == errno.EACCES:
        return f"This user may not listen at {where}; give a port of 1024 or above."
    return f"This machine cannot listen at {where}: {error.strerror}. Give one of its addresses."


@contextlib.contextmanager
def _signals() -> Iterator[socket.socket]:
    """Receive SIGTERM and SIGINT through a socket only."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)  # noqa: FBT003
    before = signal.set_wakeup_fd(writing.fileno())
    handlers = {
        number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        with reading, writing:
            yield reading
    finally:
        signal.set_wakeup_fd(before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
