"""The process that has read an SQLite file, kept for the next question.

To start one takes a quarter of a second; it leaves by itself when nobody asks for long.
"""

from __future__ import annotations

import atexit
import contextlib
import os
from typing import TYPE_CHECKING

from mlmd_lineage.readers.sqlite.subprocess_client import SubprocessClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_spare: list[tuple[int, SubprocessClient]] = []
"""At most one, with the user it was started by: ``list.pop`` and ``append`` need no lock."""


@contextlib.contextmanager
def client_for(path: Path) -> Iterator[SubprocessClient]:
    """Have a process to read a file, and keep it if it is well afterwards."""
    client = _taken(path) or SubprocessClient(path)
    try:
        yield client
    finally:
        if client.resting and not _spare:
            _spare.append((_user(), client))
        else:
            client.end()


def end() -> None:
    """End the process that is kept, if there is one."""
    while _spare:
        _spare.pop()[1].end()


def _taken(path: Path) -> SubprocessClient | None:
    try:
        user, client = _spare.pop()
    except IndexError:
        return None
    client.path = path
    if user == _user() and client.is_there():
        return client
    client.end()
    return None


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _forget() -> None:
    while _spare:
        _spare.pop()[1].detach()


atexit.register(end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
