"""The process that has read or written an SQLite file, kept for the next question.

To start one takes a quarter of a second; it leaves by itself when nobody asks for long.
"""

from __future__ import annotations

import atexit
import contextlib
import os
from typing import TYPE_CHECKING, Generic, TypeVar

from mlmd_lineage.readers.sqlite.subprocess_client import SubprocessClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

C = TypeVar("C", bound=SubprocessClient)


class SpareProcess(Generic[C]):
    """At most one process that has done what it was asked for, for whoever asks next.

    Args:
        start: Starts one for a file.
    """

    def __init__(self, start: Callable[[Path], C]) -> None:
        self._start = start
        # With the user it was started by. ``list.pop`` and ``append`` need no lock.
        self._spare: list[tuple[int, C]] = []
        atexit.register(self.end)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    @contextlib.contextmanager
    def client_for(self, path: Path) -> Iterator[C]:
        """Have a process for a file, and keep it if it is well afterwards."""
        client = self._taken(path) or self._start(path)
        try:
            yield client
        finally:
            if client.resting and not self._spare:
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
        if user == _user() and client.is_there():
            return client
        client.end()
        return None

    def _forget(self) -> None:
        while self._spare:
            self._spare.pop()[1].detach()


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


_reading = SpareProcess(SubprocessClient)
client_for = _reading.client_for
end = _reading.end
