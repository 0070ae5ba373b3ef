"""The distinct sets of contexts that executions belong to.

The executions of a run share their contexts, so that a store has far fewer sets than executions.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Array = np.ndarray[Any, np.dtype[Any]]


class ContextSets:
    """The distinct sets of contexts, and which of them each execution belongs to.

    >>> sets = ContextSets(executions, np.array([7, 7, 8]), np.array([2, 1, 1]))
    >>> sets.contexts, sets.numbers.tolist()
    ([(), (1, 2), (1,)], [1, 2])

    Attributes:
        executions: The ids of the executions, in order.
        contexts: The ids of the contexts of each set, in order; the first set is empty.
        numbers: For each execution the place of its set in ``contexts``.
    """

    def __init__(self, executions: Array, members: Array, contexts: Array) -> None:
        """Find the sets.

        Args:
            executions: The ids of the executions, in order.
            members: One of two columns of pairs in any order: the ids of executions.
            contexts: The other: the ids of contexts that hold them.
        """
        self.executions = executions
        self.contexts: list[tuple[int, ...]] = [()]
        self.numbers: Array = np.zeros(len(executions), np.int64)
        if not len(executions) or not len(members):
            return
        if not _are_ordered(members, contexts):
            order = np.lexsort((contexts, members))
            members, contexts = members[order], contexts[order]
        starts = np.flatnonzero(np.append(True, np.diff(members) != 0))
        counts = np.diff(np.append(starts, len(members)))
        is_new = ~_same_as_before(contexts, starts, counts)
        found = _numbered(contexts[np.repeat(is_new, counts)], counts[is_new], self.contexts)
        numbers = found[np.cumsum(is_new) - 1]
        holders = members[starts]
        at = holders.searchsorted(executions).clip(max=len(holders) - 1)
        self.numbers = np.where(holders[at] == executions, numbers[at], 0)

    @functools.cached_property
    def _by_execution(self) -> dict[int, int]:
        return dict(zip(self.executions.tolist(), self.numbers.tolist(), strict=True))

    def numbers_of(self, executions: Array) -> Array:
        """Return for each of some executions the place of its set, 0 for one without a row."""
        if not len(self.executions):
            return np.zeros(len(executions), np.int64)
        at = self.executions.searchsorted(executions).clip(max=len(self.executions) - 1)
        return np.where(self.executions[at] == executions, self.numbers[at], 0)

    def number_of(self, execution: int) -> int | None:
        """Return the place of an execution's set in ``contexts``; None for one without a row."""
        return self._by_execution.get(execution)


class ExecutionRuns(Mapping[int, "list[str]"]):
    """For each execution the keys of its runs, the innermost first."""

    def __init__(self, sets: ContextSets) -> None:
        self._sets = sets
        self.of_set: dict[int, list[str]] = {}
        """The keys that all executions of a set of contexts have."""
        self.of_execution: dict[int, list[str]] = {}
        """The keys of the executions whose runs are not those of their set."""

    def __getitem__(self, execution: int) -> list[str]:
        own = self.of_execution.get(execution)
        if own is not None:
            return own
        number = self._sets.number_of(execution)
        if number is None:
            raise KeyError(execution)
        return self.of_set[number]

    def of(self, execution: int, contexts: int) -> list[str]:
        """Return the keys of an execution that has a row, given the number of its set."""
        return self.of_execution.get(execution) or self.of_set[contexts]

    def __contains__(self, execution: object) -> bool:
        return isinstance(execution, int) and self._sets.number_of(execution) is not None

    def __iter__(self) -> Iterator[int]:
        return iter(self._sets.executions.tolist())

    def __len__(self) -> int:
        return len(self._sets.executions)


def _are_ordered(members: Array, contexts: Array) -> bool:
    """Tell whether pairs are in the order of the first column and then of the second."""
    steps = np.diff(members)
    return not (steps < 0).any() and not ((steps == 0) & (np.diff(contexts) < 0)).any()


def _same_as_before(contexts: Array, starts: Array, counts: Array) -> Array:
    """Tell for each execution whether the one before it has the same contexts."""
    same = np.append(False, counts[1:] == counts[:-1])
    before = np.arange(len(contexts)) - np.repeat(counts, counts)
    equal = contexts[before.clip(min=0)] == contexts
    return same & np.logical_and.reduceat(equal, starts)


def _numbered(contexts: Array, counts: Array, sets: list[tuple[int, ...]]) -> Array:
    """Return the number of each set, given one after the other; new ones are added to ``sets``."""
    every: Sequence[int] = contexts.tolist()
    known: dict[tuple[int, ...], int] = {}
    numbers = np.empty(len(counts), np.int64)
    end = 0
    for place, count in enumerate(counts.tolist()):
        start, end = end, end + count
        one = tuple(every[start:end])
        number = known.get(one)
        if number is None:
            number = known[one] = len(sets)
            sets.append(one)
        numbers[place] = number
    return numbers
