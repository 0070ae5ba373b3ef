"""The place in a user's own code where an exception was raised."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_LIBRARIES = tuple(
    Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")
)


def raised_at(error: BaseException) -> str | None:
    """Return the file and line of a user's own code in which an exception arose.

    >>> raised_at(error)
    '/home/me/flavors/team.py, line 12'

    Returns:
        The innermost place outside this package and installed ones; None where there is none.
    """
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{error.filename}, line {error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.suffix != ".py" or not path.is_absolute():
            continue
        resolved = path.resolve()
        if resolved.is_relative_to(_PACKAGE):
            continue
        if not any(resolved.is_relative_to(library) for library in _LIBRARIES):
            return f"{path}, line {frame.lineno}"
    return None


def described(error: BaseException) -> str:
    """Return an exception of a user's code as text: its type, message, file and line.

    >>> described(error)
    "KeyError: 'team' (/home/me/flavors/team.py, line 12)"
    """
    place = raised_at(error)
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    text = f"{type(error).__name__}: {message}"
    return f"{text} ({place})" if place else text
