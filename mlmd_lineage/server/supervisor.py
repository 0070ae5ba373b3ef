"""The supervisor process: starts the other processes, watches them and replaces those that end.

It holds the port and answers no calls, so that no call can end it. Processes are forked, which
gives them the store's password without writing it anywhere; the supervisor has no threads and
imports neither gRPC nor ``ml_metadata``, which do not work after a fork.

Workers run the gRPC server. Our own engine answers within them; for MLMD's library there is one
worker, and native processes that the supervisor assigns to it.
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
from multiprocessing import connection, reduction
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.server import native_process, worker
from mlmd_lineage.server.own_backend import create_store
from mlmd_lineage.server.process_messages import Failed, Kill, NativeProcess, Ready
from mlmd_lineage.server.settings import target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mlmd_lineage.server.settings import ServerSettings
    from mlmd_lineage.store import Store

_MAX_PAUSE = 10.0
"""The longest pause before a process that could not start is started again, in seconds."""
_EXIT_SECONDS = 5.0
"""How long a worker may take to exit after the grace is over."""


@dataclasses.dataclass(eq=False)
class _ServerProcess:
    """A process, as seen from the supervisor."""

    process: Any
    pipe: Any
    channel: socket.socket | None = None
    """The end of a native process's socket that is sent to the worker."""
    is_native: bool = False
    is_ready: bool = False

    @property
    def pid(self) -> int:
        pid: int = self.process.pid
        return pid

    @property
    def name(self) -> str:
        return f"{'native process' if self.is_native else 'worker'} {self.pid}"

    def close(self) -> None:
        """Close what the supervisor holds of it."""
        self.pipe.close()
        if self.channel is not None:
            self.channel.close()


class Supervisor:
    """Runs the processes that serve a store until it is told to stop."""

    def __init__(self, store: Store, settings: ServerSettings, log: Callable[[str], None]) -> None:
        self._store = store
        self._settings = settings
        self._log = log
        self._processes: list[_ServerProcess] = []
        self._address = ("", 0)
        self._announce: Callable[[str], None] | None = None
        self._failure: errors.MLMDLineageError | None = None
        self._deadline: float | None = None
        self._pause = 0.0
        self._next_start = 0.0

    def run(self, announce: Callable[[str], None]) -> None:
        """Serve until SIGTERM or SIGINT; a second signal ends calls in flight.

        Args:
            announce: Called with the address once every process is ready.

        Raises:
            MLMDLineageError: The server could not start.
        """
        self._announce = announce
        if self._settings.create:
            _create_tables(self._store)
        with _held_port(self._settings) as self._address, _signals() as signals:
            try:
                while self._deadline is None or self._workers:
                    self._start_missing()
                    self._wait(signals)
            finally:
                self._signal(signal.SIGKILL, self._processes)
        if self._failure is not None:
            raise self._failure

    @property
    def _workers(self) -> list[_ServerProcess]:
        return [process for process in self._processes if not process.is_native]

    @property
    def _native(self) -> list[_ServerProcess]:
        return [process for process in self._processes if process.is_native]

    def _is_missing(self, *, native: bool) -> bool:
        if native:
            wanted = self._settings.workers + 1 if self._settings.is_native else 0
            return len(self._native) < wanted
        return len(self._workers) < (1 if self._settings.is_native else self._settings.workers)

    def _start_missing(self) -> None:
        if self._deadline is not None or time.monotonic() < self._next_start:
            return
        for native in (False, True):
            while self._is_missing(native=native):
                self._processes.append(self._start(native=native))

    def _start(self, *, native: bool) -> _ServerProcess:
        fork = multiprocessing.get_context("fork")
        ours, theirs = fork.Pipe()
        our_channel, their_channel = socket.socketpair() if native else (None, None)
        to_close: list[Any] = [ours, our_channel]
        for other in self._processes:
            to_close += [other.pipe, other.channel]
        function: Callable[..., None]
        arguments: tuple[Any, ...]
        if native:
            function, arguments = native_process.run, (self._store, theirs, their_channel)
        else:
            function = worker.run
            arguments = (self._store, self._settings, self._address, theirs)
        process = fork.Process(target=_run, args=(to_close, function, arguments))
        sys.stdout.flush()
        process.start()
        theirs.close()
        if their_channel is not None:
            their_channel.close()
        return _ServerProcess(process, ours, our_channel, is_native=native)

    def _wait(self, signals: socket.socket) -> None:
        """Wait for a signal, a message or the end of a process, and act on it."""
        until = [self._deadline] if self._deadline is not None else []
        if self._deadline is None and (
            self._is_missing(native=False) or self._is_missing(native=True)
        ):
            until.append(self._next_start)
        timeout = max(0.0, min(until) - time.monotonic()) if until else None
        pipes = [process.pipe for process in self._processes if not process.pipe.closed]
        sentinels = [process.process.sentinel for process in self._processes]
        ready = set(connection.wait([signals, *pipes, *sentinels], timeout))
        if signals in ready:
            signals.recv(64)
            self._stop(hurry=self._deadline is not None)
        elif self._deadline is not None and time.monotonic() >= self._deadline:
            self._log("stopping: the time for calls in flight is over")
            self._stop(hurry=True)
        for process in list(self._processes):
            if process.pipe in ready:
                self._receive(process)
            if process.process.sentinel in ready:
                self._remove(process)

    def _receive(self, process: _ServerProcess) -> None:
        try:
            message = process.pipe.recv()
        except (EOFError, OSError):  # it ends; its sentinel is handled next
            process.pipe.close()
            return
        if isinstance(message, Failed):
            self._fail(message.error(message.message))
        elif isinstance(message, Kill):
            self._signal(signal.SIGKILL, [p for p in self._native if p.pid == message.pid])
        else:
            process.is_ready = True
            self._pause = 0.0
            self._hand_over()
            if self._announce is not None and all(p.is_ready for p in self._processes):
                self._announce(target(*self._address))
                self._announce = None

    def _hand_over(self) -> None:
        """Hand the sockets of native processes that are ready over to the worker."""
        for worker_ in self._workers:
            for native in self._native:
                if worker_.is_ready and native.is_ready and native.channel is not None:
                    with contextlib.suppress(OSError):  # the worker ended, and so will the other
                        worker_.pipe.send(NativeProcess(native.pid))
                        reduction.send_handle(
                            worker_.pipe, native.channel.fileno(), worker_.process.pid
                        )
                    native.channel.close()
                    native.channel = None

    def _remove(self, process: _ServerProcess) -> None:
        process.process.join()
        code = process.process.exitcode
        name = process.name
        while not process.pipe.closed and process.pipe.poll():  # its last messages
            self._receive(process)
        self._processes.remove(process)
        process.close()
        process.process.close()
        if self._deadline is not None:
            return
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        if not process.is_ready:
            self._pause = min(_MAX_PAUSE, self._pause * 2 + 0.1)
        self._next_start = time.monotonic() + self._pause
        self._log(f"{name} {how}; another one takes its place in {self._pause:.1f} s")
        if self._announce is not None:
            message = (
                f"The process that opened {self._store.location} {how}. Its settings may be such "
                "that ml_metadata fails on them; --engine own serves without it."
            )
            self._fail(errors.NativeLibraryError(message))

    def _fail(self, error: errors.MLMDLineageError) -> None:
        """Stop where the server has not started yet, otherwise log why a process cannot start."""
        if self._announce is None:
            self._log(f"a process could not start: {type(error).__name__}: {error}")
            return
        if self._failure is None:
            self._failure = error
            self._stop(hurry=True)

    def _stop(self, *, hurry: bool) -> None:
        if self._deadline is None and self._failure is None:
            self._log("stopping: calls in flight are finished")
        self._deadline = time.monotonic() + (0 if hurry else self._settings.grace) + _EXIT_SECONDS
        self._signal(signal.SIGKILL if hurry else signal.SIGTERM, self._workers)

    def _signal(self, number: signal.Signals, processes: Iterable[_ServerProcess]) -> None:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


def _run(
    to_close: Iterable[Any], function: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    """Run a process: close the inherited ends of other pipes and sockets, then call a function."""
    for end in to_close:
        if end is not None:
            end.close()
    function(*arguments)


def _create_tables(store: Store) -> None:
    """Make MLMD's tables where there are none, in a process of its own.

    Raises:
        MLMDLineageError: They cannot be made.
    """
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    process = fork.Process(target=_run, args=((ours,), _report_creation, (store, theirs)))
    process.start()
    theirs.close()
    try:
        message = ours.recv()
    except EOFError:
        message = Failed(errors.StoreError, f"MLMD's tables could not be made in {store.location}.")
    process.join()
    if isinstance(message, Failed):
        raise message.error(message.message)


def _report_creation(store: Store, pipe: Any) -> None:
    try:
        create_store(store)
    except errors.MLMDLineageError as error:
        pipe.send(Failed(type(error), str(error)))
    else:
        pipe.send(Ready())


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
