"""Breadth-first search over the graph's index: the one loop whose speed matters.

It is compiled from ``_bfs.c`` when the package is built. Where there was no compiler, the same
loop runs as plain Python, and is some fifty times slower.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import mmap
import operator
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.compiled import compiled_library

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Array = np.ndarray[Any, np.dtype[Any]]

NO_LIMIT = 2**31 - 1
BLOCK_BITS = 12
"""A block of nodes has two to the power of this."""

STOP = 1
"""A node of this type is reached, and not passed."""
CLOSED = 2
"""A node of this type is not entered."""


def sparse_zeros(count: int, kind: Any) -> Array:
    """Return an array of zeros of which a small part is written to: the rest takes no memory.

    NumPy's own arrays are given memory in pages of 2 MiB.
    """
    size = count * np.dtype(kind).itemsize
    if not size:
        return np.zeros(count, kind)
    if sys.platform == "win32":
        memory = mmap.mmap(-1, size)
    else:  # pages of private memory that are only read share one of zeros
        memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        with contextlib.suppress(OSError):  # of a kernel that has none
            memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, kind)


class Scratch:
    """What walks over one graph write to, one walk after the other."""

    def __init__(self, nodes: int, again: int = 0, *, sparse: bool = False) -> None:
        """Make room for a graph.

        Args:
            nodes: The number of its nodes.
            again: How often nodes can be reached again with more edges to follow, at most.
            sparse: Walks touch a small part of the nodes.
        """
        zeros: Callable[[int, Any], Array] = sparse_zeros if sparse else np.zeros
        # Pages that no walk touches are never given memory.
        self.seen = zeros(nodes, np.int32)
        self.queue = zeros(nodes + again, np.int32)
        self.hops = zeros(nodes + again, np.int32)
        self.opens = np.empty(nodes if again else 0, np.int32)
        self.opened = np.empty(nodes if again else 0, np.int32)
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
        passes: For each edge how many edges of the node that it leads to may be followed after
            it: the first so many. Without, all may.
        present: For each block of nodes whether its edges are there; a node of another block is
            reached, and not passed. Without, all are.
        kinds: How many types there are; without, they are counted.
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
        passes: Array | None = None,
        present: Array | None = None,
        kinds: int | None = None,
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
        limits: list[Array] = []
        if passes is not None:
            limits = [np.ascontiguousarray(passes, np.int32), scratch.opens, scratch.opened]
        blocks = [] if present is None else [present]
        self._alive = parts + limits + blocks  # C knows but their addresses
        nothing = (None,) * 3
        compiled = None if plain else _compiled()
        if compiled is None:
            self._step: Callable[..., int] = _search
            views = tuple(part.data for part in parts)
            last = None if present is None else present.data
            self._unlimited: Any = (*views, *nothing, last)
            self._limited: Any = (
                (*views, *(part.data for part in limits), last) if limits else self._unlimited
            )
            self._point: Callable[[Array], Any] = operator.attrgetter("data")
        else:
            self._step = compiled
            addresses = [part.ctypes.data for part in parts]
            graph = ctypes.c_void_p * (len(parts) + 4)
            address = None if present is None else present.ctypes.data
            self._unlimited = graph(*addresses, *nothing, address)
            self._limited = graph(
                *addresses, *([part.ctypes.data for part in limits] or nothing), address
            )
            self._point = _address
        if kinds is None:
            kinds = int(node_types.max(initial=0)) + 1
        self._no_flags = np.zeros(kinds, np.uint8)
        self._no_flags_point = self._point(self._no_flags)

    def walk(
        self,
        starts: Sequence[int],
        roles: int,
        max_hops: int,
        flags: Array | None = None,
        *,
        limited: bool = True,
    ) -> tuple[Array, Array]:
        """Return what the starts reach, in the order of its distance, and that distance.

        Args:
            starts: The nodes to start from, each once; they are always entered and passed.
            roles: The roles to follow, one bit each.
            max_hops: How many edges to follow at most.
            flags: For each type STOP, CLOSED or 0; without, 0 for all.
            limited: Follow no more edges of a node than the edge that led to it lets pass.
        """
        point = self._no_flags_point if flags is None else self._point(flags)
        scratch = self._scratch
        with scratch.turn:
            for at, start in enumerate(starts):
                scratch.queue[at] = start
            scratch.ticket += 1
            graph = self._limited if limited else self._unlimited
            size = self._step(graph, len(starts), roles, point, max_hops, scratch.ticket)
            return scratch.queue[:size].copy(), scratch.hops[:size].copy()


def _search(  # noqa: C901, PLR0912, PLR0913, PLR0917 - as _bfs.c
    graph: tuple[Any, ...],
    starts: int,
    allowed_roles: int,
    type_flags: memoryview,
    max_hops: int,
    ticket: int,
) -> int:
    """Fill the queue, which begins with the starts, and return its length."""
    offsets, neighbours, roles, node_types, seen, queue, hops, *rest = graph
    passes, opens, opened, present = rest
    size = 0
    for at in range(starts):
        start = queue[at]
        if seen[start] == ticket:
            continue
        seen[start] = ticket
        queue[size], hops[size] = start, 0
        size += 1
        if passes is not None:
            opens[start], opened[start] = NO_LIMIT, 0
    first = size
    at = 0
    again = False
    while at < size:
        node = queue[at] if queue[at] >= 0 else ~queue[at]
        hop = hops[at]
        at += 1
        if present is not None and not present[node >> BLOCK_BITS]:
            continue
        if hop >= max_hops or (at > first and type_flags[node_types[node]] & STOP):
            continue
        begin, end = offsets[node], offsets[node + 1]
        if passes is not None:
            begin, end = min(begin + opened[node], end), min(begin + opens[node], end)
            opened[node] = opens[node]
        for edge in range(begin, end):
            neighbour = neighbours[edge]
            if not (allowed_roles >> roles[edge]) & 1 or type_flags[node_types[neighbour]] & CLOSED:
                continue
            if seen[neighbour] != ticket:
                seen[neighbour] = ticket
                queue[size], hops[size] = neighbour, hop + 1
                size += 1
                if passes is not None:
                    opens[neighbour], opened[neighbour] = passes[edge], 0
            elif passes is not None and passes[edge] > opens[neighbour]:
                if opened[neighbour] == opens[neighbour]:
                    queue[size], hops[size] = ~neighbour, hop + 1
                    size += 1
                    again = True
                opens[neighbour] = passes[edge]
    if again:
        once = [(queue[at], hops[at]) for at in range(size) if queue[at] >= 0]
        for at, (node, hop) in enumerate(once):
            queue[at], hops[at] = node, hop
        size = len(once)
    return size


@functools.cache
def _compiled() -> Callable[..., int] | None:
    """Return the search of ``_bfs.c``, or None where it was not compiled."""
    library = compiled_library(__file__, "_bfs")
    compiled: Callable[..., int] | None = getattr(library, "search_blocks", None)
    return compiled


def _address(array: Array) -> ctypes.c_void_p:
    """Return an array's address, which keeps the array alive."""
    return array.ctypes.data_as(ctypes.c_void_p)
