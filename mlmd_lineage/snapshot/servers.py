"""What the readers of database servers share."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

LOCK_SECONDS = 30
"""How long to wait for a table that someone alters."""


class LostConnectionError(errors.ReadError):
    """The connection was lost in the midst of a read, which may be tried again."""


def tried_twice(attempt: Callable[[], T]) -> T:
    """Return what an attempt returns, or a second one if the first lost its connection.

    Raises:
        ReadError: The second one lost it too.
    """
    with contextlib.suppress(LostConnectionError):
        return attempt()
    try:
        return attempt()
    except LostConnectionError as error:
        message = str(error)
    raise errors.ReadError(message)
