"""The origin of a component's settings: given in Python, or registered by a user or a project.

Whoever can edit a file of registrations can name the server that a store connects to. Settings of
a registered component therefore get a registered secret only where the secret was registered for
the same layer and server, and a project's never get a password or token of the environment.
"""

from __future__ import annotations

import contextlib
import contextvars
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Origin(NamedTuple):
    """The layer of registrations that settings come from.

    Attributes:
        layer: ``user`` or ``project``.
        folder: The project's folder, and empty for the user's layer.
    """

    layer: Literal["user", "project"]
    folder: str = ""


USER = Origin("user")
_current: contextvars.ContextVar[Origin | None] = contextvars.ContextVar("origin", default=None)


@contextlib.contextmanager
def made_from(origin: Origin | None) -> Iterator[None]:
    """Let components that are made inside the block have this origin.

    Args:
        origin: The layer, or None for settings that are given in Python or a variable.
    """
    token = _current.set(origin)
    try:
        yield
    finally:
        _current.reset(token)


def current_origin() -> Origin | None:
    """Return the origin of the component that is being made; None where it is given explicitly."""
    return _current.get()


def environment_allowed() -> bool:
    """Return whether passwords, tokens and keys of the environment may be used.

    Not by a project's registrations, as these name the server.
    """
    origin = _current.get()
    return origin is None or origin.layer == "user"
