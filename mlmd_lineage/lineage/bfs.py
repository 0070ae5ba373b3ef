"""Breadth-first search over the graph's index: the one loop whose speed matters.

It is compiled from ``_bfs.c`` when the package is built. Where there was no compiler, the same
loop runs as plain Python, and is some fifty times slower.
"""

from __future__ import annotations

import ctypes
import functools
import operator
import threading
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Array = np.ndarray[Any, np.dtype[Any]]

NO_LIMIT = 2**31 - 1

STOP = 1
"""A node of this type is reached, and not passed."""
CLOSED = 2
"""A node of this type is not entered."""


class Scratch:
    """What walks over one graph write to, one walk after the other."""

    def __init__(self, nodes: int) -> None:
        # Pages that no walk touches are never given memory.
        self.seen = np.zeros(nodes, np.int32)
        self.queue = np.empty(nodes, np.int32)
        self.hops = np.empty(nodes, np.int32)
        self.ticket = 0
        self.turn = threading.Lock()


class Walker:
    """Walks over a graph in one direction.

    Args:
        offsets: Where each node's edges begin, as in a CSR matrix; one more than nodes.
        neighbours: The node at the other end of each edge.
        roles: Each edge's role.
        node_types: Each node's type: its position in the flags of a walk.
        scratch: Shared by the walkers over one graph.
        plain: Never use what is compiled.
    """

    def __init__(  # noqa: PLR0913 - what a graph is
        self,
        *,
        offsets: Array,
        neighbours: Array,
        roles: Array,
        node_types: Array,
        scratch: Scratch,
        plain: bool = False,
    ) -> None:
        """Take the graph as arrays: numbers of 32 bits, roles of 8."""
        self._scratch = scratch
        parts: list[Array] = [
            np.ascontiguousarray(offsets, np.int32),
            np.ascontiguousarray(neighbours, np.int32),
            np.ascontiguousarray(roles, np.uint8),
            np.ascontiguousarray(node_types, np.int32),
            *(scratch.seen, scratch.queue, scratch.hops),
        ]
        self._alive = parts  # C knows but their addresses
        compiled = None if plain else _compiled()
        if compiled is None:
            self._step: Callable[..., int] = _walk
            self._graph: Any = tuple(part.data for part in parts)
            self._point: Callable[[Array], Any] = operator.attrgetter("data")
        else:
            self._step = compiled
            addresses = [part.ctypes.data for part in parts]
            self._graph = (ctypes.c_void_p * len(parts))(*addresses)
            self._point = _address
        self._no_flags = np.zeros(int(node_types.max(initial=0)) + 1, np.uint8)
        self._no_flags_point = self._point(self._no_flags)

    def walk(
        self, starts: Sequence[int], roles: int, max_hops: int, flags: Array | None = None
    ) -> tuple[Array, Array]:
        """Return what the starts reach, in the order of its distance, and that distance.

        Args:
            starts: The nodes to start from, each once; they are always entered and passed.
            roles: The roles to follow, one bit each.
            max_hops: How many edges to follow at most.
            flags: For each type STOP, CLOSED or 0; without, 0 for all.
        """
        point = self._no_flags_point if flags is None else self._point(flags)
        scratch = self._scratch
        with scratch.turn:
            for at, start in enumerate(starts):
                scratch.queue[at] = start
            scratch.ticket += 1
            size = self._step(self._graph, len(starts), roles, point, max_hops, scratch.ticket)
            return scratch.queue[:size].copy(), scratch.hops[:size].copy()


def _walk(  # noqa: PLR0913, PLR0917 - as _bfs.c
    graph: tuple[memoryview, ...],
    starts: int,
    allowed_roles: int,
    type_flags: memoryview,
    max_hops: int,
    ticket: int,
) -> int:
    """Fill the queue, which begins with the starts, and return its length."""
    offsets, neighbours, roles, node_types, seen, queue, hops = graph
    size = 0
    for at in range(starts):
        start = queue[at]
        if seen[start] != ticket:
            seen[start] = ticket
            queue[size] = start
            hops[size] = 0
            size += 1
    first = size
    at = 0
    while at < size:
        node = queue[at]
        hop = hops[at]
        at += 1
        if hop >= max_hops or (at > first and type_flags[node_types[node]] & STOP):
            continue
        for edge in range(offsets[node], offsets[node + 1]):
            neighbour = neighbours[edge]
            if (
                not (allowed_roles >> roles[edge]) & 1
                or seen[neighbour] == ticket
                or type_flags[node_types[neighbour]] & CLOSED
            ):
                continue
            seen[neighbour] = ticket
            queue[size] = neighbour
            hops[size] = hop + 1
            size += 1
    return size


@functools.cache
def _compiled() -> Callable[..., int] | None:
    """Return the walk of ``_bfs.c``, or None where it was not compiled."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_bfs{suffix}")
        if path.exists():
            try:
                library = ctypes.CDLL(str(path))
            except OSError:  # built for another machine
                return None
            compiled: Callable[..., int] = library.walk
            return compiled
    return None


def _address(array: Array) -> ctypes.c_void_p:
    """Return an array's address, which keeps the array alive."""
    return array.ctypes.data_as(ctypes.c_void_p)
