"""The plan to which a call of a step is added, while a pipeline's function runs."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import inspect


class Planner(Protocol):
    """What takes the calls of steps, rather than have them run: a ``Plan``."""

    def add(self, step: Any, given: inspect.BoundArguments) -> Any:
        """Plan a call of a step, and return what stands for its outputs."""


CURRENT: contextvars.ContextVar[Planner | None] = contextvars.ContextVar("plan", default=None)
"""The plan that is being made; None where steps are called as functions."""
