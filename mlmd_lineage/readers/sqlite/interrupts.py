"""Interrupts of running SQLite statements, by Ctrl-C and by deadlines.

A statement of Python's ``sqlite3`` runs outside the interpreter, which therefore handles no signal
until it ends. SQLite calls back every some thousand steps of a statement
(https://www.sqlite.org/c3ref/progress_handler.html), where signals are handled and time is looked
at.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from mlmd_lineage import deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEPS = 20_000
"""How many steps of SQLite's virtual machine lie between two calls: about a millisecond."""


class Interruptible:
    """Lets Ctrl-C and the deadline of this thread end statements of a connection.

    >>> guard = Interruptible(connection)
    >>> with guard.statement():
    ...     connection.execute("SELECT ...").fetchall()
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._cause: BaseException | None = None
        connection.set_progress_handler(self._progress, _STEPS)

    @contextlib.contextmanager
    def statement(self) -> Iterator[None]:
        """Run statements, and raise what interrupted them.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
            DeadlineExceededError, CancelledError: The question has to end.
        """
        deadline.check()
        self._cause = None
        try:
            yield
        except sqlite3.OperationalError as error:
            if str(error) != "interrupted":
                raise
        else:
            return
        if self._cause is not None:
            raise self._cause
        # A signal's handler that ran as the callback was entered, whose error SQLite drops.
        raise KeyboardInterrupt

    def _progress(self) -> int:
        try:
            deadline.check()
        except BaseException as error:  # noqa: BLE001 - SQLite would drop it
            self._cause = error
            return 1
        return 0
