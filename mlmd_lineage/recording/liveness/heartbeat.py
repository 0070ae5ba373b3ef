"""The heartbeat of running steps and runs: their time of last update, written at intervals."""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Callable


class Heartbeat:
    """A thread that calls a function at an interval, until it is stopped."""

    def __init__(self, beat: Callable[[], None], interval: float) -> None:
        self._beat = beat
        self._interval = interval
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._failed = False

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(
            target=self._run, name="mlmd-lineage heartbeat", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and wait for it."""
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                self._beat()
                self._failed = False
            except errors.MLMDLineageError as error:
                # What is recorded fails loudly where it is recorded; a sign of life may fail.
                if not self._failed:
                    message = f"The run's sign of life could not be recorded: {error}"
                    warnings.warn(errors.RecordingWarning(message), stacklevel=2)
                self._failed = True
