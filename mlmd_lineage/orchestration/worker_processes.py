"""Worker processes: each runs one step after the other, and says how it ended."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import pickle
import signal
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.orchestration.tasks import StepOutcome

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from mlmd_lineage.orchestration.tasks import StepTask

_NAME = "mlmd-lineage-step"
_READY = "ready"
_TIME_TO_EXIT = 5.0
_state = {"is_starting": True}


def refuse_start_in_worker() -> None:
    """Refuse to start a run while a worker imports the program that started it.

    Raises:
        ConfigurationError: The program starts a run whenever it is imported.
    """
    if multiprocessing.current_process().name == _NAME and _state["is_starting"]:
        raise errors.ConfigurationError(_UNGUARDED)


_UNGUARDED = (
    "The processes that run the steps import your program, which would start another run in each "
    "of them. Start the run under 'if __name__ == \"__main__\":', or with jobs=1."
)


class Worker:
    """A process of its own for steps.

    It is started afresh (``spawn``), and not forked: a copy of a process that has threads, as
    pyarrow and grpc start, may hang.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), name=_NAME, daemon=False)
        self._process.start()
        theirs.close()
        self._task: StepTask | None = None
        self._is_ready = False

    @property
    def is_busy(self) -> bool:
        """Whether it runs a step."""
        return self._task is not None

    @property
    def is_gone(self) -> bool:
        """Whether the process has ended."""
        return not self._process.is_alive()

    def start(self, task: StepTask) -> None:
        """Have it run a step.

        Raises:
            ConfigurationError: The process could not be started, or the step not be sent to it.
        """
        self._await_start()
        # Before it is sent: Ctrl-C may come as soon as it is, and finds the step then.
        self._task = task
        try:
            self.connection.send(task)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            self._task = None
            message = (
                f"The step {task.name!r} cannot be sent to another process: {error}. Use jobs=1."
            )
            raise errors.ConfigurationError(message) from error

    def _await_start(self) -> None:
        if self._is_ready:
            return
        try:
            self.connection.recv()
        except (EOFError, ConnectionError):
            self._process.join(_TIME_TO_EXIT)
            raise errors.ConfigurationError(_UNGUARDED) from None
        self._is_ready = True

    def outcome(self) -> StepOutcome:
        """Return how its step ended; waits for it."""
        task, self._task = self._task, None
        assert task is not None  # it is busy
        try:
            outcome: StepOutcome | str = self.connection.recv()
        except (EOFError, ConnectionError):
            self._process.join(_TIME_TO_EXIT)
            reason = _how_it_ended(self._process.exitcode)
            return task.ended_without_outcome(reason, self._process.pid)
        if isinstance(outcome, str):
            return task.ended_without_outcome(outcome)
        return outcome

    def interrupt(self) -> None:
        """Interrupt the step, as Ctrl-C does."""
        if os.name == "posix" and self._process.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGINT)

    def close(self) -> None:
        """End the process; a step that still runs is ended with it."""
        self.connection.close()
        if self._task is not None:
            self._process.terminate()
        self._process.join(_TIME_TO_EXIT)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _how_it_ended(code: int | None) -> str:
    if code is None:
        return "its process does not answer"
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code}"


def _work(connection: Connection) -> None:
    """Run the steps that are sent, until the connection is closed."""
    if os.name == "posix":
        # Ctrl-C goes to all processes of a terminal's group; a step gets it from who started it.
        os.setpgid(0, 0)
    _hold_interrupts()
    _state["is_starting"] = False
    connection.send(_READY)
    # The other end may be gone, with whoever started this process.
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            connection.send(_outcome_of_next(connection))


def _outcome_of_next(connection: Connection) -> StepOutcome | str:
    try:
        task: StepTask = connection.recv()
    except (EOFError, ConnectionError):
        raise
    except Exception as error:  # noqa: BLE001 - loading a step imports a user's module
        return f"its module cannot be imported in another process: {type(error).__name__}: {error}"
    try:
        try:
            _release_interrupts()
            outcome = task.run()
        finally:
            _hold_interrupts()
    except (KeyboardInterrupt, SystemExit):
        return StepOutcome(task.name, "canceled", reason="it was interrupted")
    # What a user's code raises may be impossible to send.
    return dataclasses.replace(outcome, error=None)


def _hold_interrupts() -> None:
    """Have an interrupt wait until a step runs, so that it is neither lost nor ends the process."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _release_interrupts() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
