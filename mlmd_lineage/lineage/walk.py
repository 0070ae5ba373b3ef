"""The walk over the graph's index: the one loop whose speed matters.

It is written once, as plain Python over NumPy arrays. Where numba is installed it runs compiled,
once so many nodes have been visited that compiling costs less than going on.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Ints = np.ndarray[Any, np.dtype[np.int32]]
    Flags = np.ndarray[Any, np.dtype[np.uint8]]

PLAIN_NODES = 100_000
"""How many nodes walks visit before they are compiled: as long as numba takes to start."""
NO_LIMIT = np.iinfo(np.int32).max

STOP = 1
"""A node of this type is reached, and not passed."""
CLOSED = 2
"""A node of this type is not entered."""


def walk(  # noqa: PLR0913, PLR0917 - numba compiles positional arrays only
    starts: Ints,
    offsets: Ints,
    neighbours: Ints,
    roles: Flags,
    allowed_roles: int,
    node_types: Ints,
    type_flags: Flags,
    max_hops: int,
    seen: Ints,
    ticket: int,
    queue: Ints,
    hops: Ints,
    budget: int,
) -> int:
    """Visit in breadth what the starts reach, and return how many nodes that are.

    Where they are more than ``budget`` it gives up and returns -1.

    Args:
        starts: The nodes to start from; they are always entered and passed.
        offsets: Where each node's edges begin, as in a CSR matrix; one more than nodes.
        neighbours: The node at the other end of each edge.
        roles: Each edge's role.
        allowed_roles: The roles to follow, one bit each.
        node_types: Each node's type.
        type_flags: For each type STOP, CLOSED or 0.
        max_hops: How many edges to follow at most.
        seen: Scratch, one number a node: ``ticket`` marks those visited in this walk.
        ticket: A number that no earlier walk used.
        queue: Filled with the visited nodes in order; has room for all nodes.
        hops: Filled with each visited node's distance, beside ``queue``.
        budget: How many nodes to visit at most.
    """
    size = 0
    for start in starts:
        if seen[start] != ticket:
            seen[start] = ticket
            queue[size] = start
            hops[size] = 0
            size += 1
    first = size
    at = 0
    while at < size:
        if size > budget:
            return -1
        node = queue[at]
        hop = hops[at]
        at += 1
        if hop >= max_hops:
            continue
        if at > first and type_flags[node_types[node]] & 1:
            continue
        for edge in range(offsets[node], offsets[node + 1]):
            if not (allowed_roles >> roles[edge]) & 1:
                continue
            neighbour = neighbours[edge]
            if seen[neighbour] == ticket or type_flags[node_types[neighbour]] & 2:
                continue
            seen[neighbour] = ticket
            queue[size] = neighbour
            hops[size] = hop + 1
            size += 1
    return size


@functools.cache
def compiled() -> Callable[..., int]:
    """Return the walk compiled by numba, or as it is where numba cannot be had."""
    try:
        import numba
    except ImportError:
        return walk
    try:
        return numba.njit(cache=True, nogil=True)(walk)
    except RuntimeError:  # no folder to cache in
        return numba.njit(nogil=True)(walk)
