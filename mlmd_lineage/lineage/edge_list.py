"""The edges of a graph in the order of the events, and the edges of some nodes after the other.

What is done to the edges of all nodes takes several times the memory of what it is given, so it is
done to those of some nodes at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlmd_lineage.lineage import event_order
from mlmd_lineage.lineage.bfs import NO_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, np.dtype[Any]]

_FEW_NODES = 1 << 17
"""A multiple of the size of the blocks that an index is saved in."""
_MOST_PARTS = 16


_UNLIMITED = -1


class NodeEdges(NamedTuple):
    """The edges of some nodes in one direction, those of each node together.

    Attributes:
        first: The first of the nodes.
        counts: How many edges each has.
        edges, neighbours, roles, passes: As of ``Edges``.
    """

    first: int
    counts: Array
    edges: Array
    neighbours: Array
    roles: Array
    passes: Array | None


class EdgeList(NamedTuple):
    """The edges of a graph, in the order of the events.

    Attributes:
        artifacts, nodes: How many there are.
        sources, targets: The nodes where each edge begins and ends.
        roles: Its role.
        orders: The rank of an output or the limit of an input, see ``event_order``, in as few
            bytes as hold them; None where all outputs count for all inputs.
        passes: For each input the number of outputs that a walk may follow after it, for each
            output that of inputs, and -1 for no limit; only where there are ``orders``.
    """

    artifacts: int
    nodes: int
    sources: Array
    targets: Array
    roles: Array
    orders: Array | None
    passes: Array | None = None

    def limited(self) -> EdgeList:
        """Return the edges with their ``passes``, and with the producers that were later."""
        if self.orders is None:
            return self
        roles, passes = self.roles.copy(), np.full(len(self.roles), _UNLIMITED, np.int8)
        is_input = self.sources < self.artifacts
        owners = np.where(is_input, self.sources, self.targets)
        limited = False
        for first, _, rows in parts(owners, self.artifacts):
            orders, artifacts = self.orders[rows], owners[rows] - np.int32(first)
            roles[rows] = event_order.with_later(roles[rows], orders, artifacts)
            found = event_order.passes(orders, is_input[rows], artifacts)
            if found is not None:
                limits = np.where(found == NO_LIMIT, _UNLIMITED, found)
                passes, limited = with_values(passes, rows, limits), True
        if not limited:
            return self._replace(roles=roles, orders=None)
        return self._replace(roles=roles, passes=passes)

    def by_node(self, *, up: bool) -> Iterator[NodeEdges]:
        """Yield the edges of all nodes, in the order of the nodes.

        Each node's edges stand in the order of the events, or where there are limits so that those
        that are followed first come first.

        Args:
            up: Those that end at each node, or those that begin there.
        """
        at, other = (self.targets, self.sources) if up else (self.sources, self.targets)
        for first, end, rows in parts(at, self.nodes):
            owners = at[rows] - np.int32(first)
            is_input = self.sources[rows] < self.artifacts
            # Limits are those of artifacts: up, of the outputs that end there.
            keys = [owners]
            if self.orders is not None:
                orders = self.orders[rows]
                keys = [
                    np.where(is_input, 0, orders) if up else np.where(is_input, ~orders, 0),
                    owners,
                ]
            order = np.lexsort(keys)
            edges = rows[order].astype(np.int32)
            passes = None
            if self.passes is not None:
                given = self.passes[rows]
                is_limit = (is_input == up) & (given != _UNLIMITED)
                passes = np.where(is_limit, given, np.int32(NO_LIMIT))[order]
            yield NodeEdges(
                first,
                np.bincount(owners, minlength=end - first),
                edges,
                other[edges],
                self.roles[edges],
                passes,
            )


def with_values(column: Array, rows: Array | slice, values: Array) -> Array:
    """Return a column of whole numbers with other values in some rows.

    It is changed where its numbers are large enough for them, else copied.
    """
    # The least number of a type is further from zero than its greatest, by one.
    bound = min(int(values.min(initial=0)), -1 - int(values.max(initial=0)))
    needed = np.promote_types(column.dtype, np.min_scalar_type(bound))
    column = column.astype(needed, copy=False)
    column[rows] = values
    return column


def parts(nodes: Array, count: int) -> Iterator[tuple[int, int, Array]]:
    """Yield some nodes after the other: the first, the end, and the rows that are theirs.

    >>> [(first, end, rows.tolist()) for first, end, rows in parts(np.array([1, 0, 1]), 2)]
    [(0, 2, [0, 1, 2])]

    Args:
        nodes: The node to which each row belongs.
        count: How many nodes there are.
    """
    together = max(1, -(-count // (_MOST_PARTS * _FEW_NODES))) * _FEW_NODES
    for first in range(0, count, together):
        end = min(first + together, count)
        yield first, end, np.flatnonzero((nodes >= first) & (nodes < end))
