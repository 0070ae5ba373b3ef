"""The event by which a walk reached each artifact: the one after which most others may follow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    Row = tuple[Any, ...]


class Approach:
    """For each artifact that a walk reached, the event after which it may follow the most events.

    Upstream that is the latest input, downstream the earliest output; see ``event_order``. The
    artifacts at which a walk begins have no such event: all of their events are followed.
    """

    def __init__(self, starts: Collection[int], *, up: bool) -> None:
        self.up = up
        self.best: dict[int, Row] = {}
        self._starts = frozenset(starts)
        self._improved: set[int] = set()

    def note(self, row: Row) -> None:
        """Add an event by which the walk reached an artifact."""
        if row[1] in self._starts:
            return
        known = self.best.get(row[1])
        if known is None or self._moment(row) > self._moment(known):
            self.best[row[1]] = row
            self._improved.add(row[1])

    def take_improved(self) -> set[int]:
        """Return the artifacts for which more counts than before, since this was last called."""
        improved, self._improved = self._improved, set()
        return improved

    def _moment(self, row: Row) -> tuple[float, int]:
        time = row[4] or math.inf
        if self.up:
            return time, row[0]
        return (-time if row[4] else math.inf), -row[0]
