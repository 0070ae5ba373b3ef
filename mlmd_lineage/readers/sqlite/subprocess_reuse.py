"""The process that has read an SQLite file, kept for the next question.

To start one takes a quarter of a second; it leaves by itself when nobody asks for long.
"""

from __future__ import annotations

import atexit
import contextlib
import os
from typing import TYPE_CHECKING

from mlmd_lineage.readers.sqlite.subprocess_client import Talk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_spare: list[tuple[int, Talk]] = []
"""At most one, with the user it was started by: ``list.pop`` and ``append`` need no lock."""


@contextlib.contextmanager
def talking(path: Path) -> Iterator[Talk]:
    """Have a process to read a file, and keep it if it is well afterwards."""
    talk = _taken(path) or Talk(path)
    try:
        yield talk
    finally:
        if talk.resting and not _spare:
            _spare.append((_user(), talk))
        else:
            talk.end()


def end() -> None:
    """End the process that is kept, if there is one."""
    while _spare:
        _spare.pop()[1].end()


def _taken(path: Path) -> Talk | None:
    try:
        user, talk = _spare.pop()
    except IndexError:
        return None
    talk.path = path
    if user == _user() and talk.is_there():
        return talk
    talk.end()
    return None


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _forget() -> None:
    while _spare:
        _spare.pop()[1].forget()


atexit.register(end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
