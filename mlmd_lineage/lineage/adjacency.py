"""The edges of each node in one direction, as arrays (CSR), and walks along them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.lineage.bfs import Walker

if TYPE_CHECKING:
    from mlmd_lineage.lineage.bfs import Scratch
    from mlmd_lineage.lineage.edge_list import EdgeList

    Array = np.ndarray[Any, np.dtype[Any]]


class Edges:
    """Each node's edges in one direction.

    Attributes:
        offsets: Where each node's edges begin; one more than nodes.
        neighbours, roles: For each edge the node at its other end, and its role.
        edges: For each edge its number in the order of the events.
        passes: For each edge, how many edges of the node at its other end may be followed after
            it, counted from the first; None if there is no such limit for any edge.
    """

    __slots__ = ("edges", "neighbours", "offsets", "passes", "roles")

    def __init__(self, edges: EdgeList, *, up: bool) -> None:
        """Put those of each node together.

        Args:
            edges: All edges, in the order of the events.
            up: Take those that end at each node, or those that begin there.
        """
        size = len(edges.roles)
        self.offsets = np.zeros(edges.nodes + 1, np.int32)
        self.neighbours, self.edges = np.empty(size, np.int32), np.empty(size, np.int32)
        self.roles = np.empty(size, np.uint8)
        self.passes = None if edges.passes is None else np.empty(size, np.int32)
        start = 0
        for part in edges.by_node(up=up):
            end = start + len(part.edges)
            self.offsets[part.first + 1 :][: len(part.counts)] = start + np.cumsum(part.counts)
            self.neighbours[start:end], self.edges[start:end] = part.neighbours, part.edges
            self.roles[start:end] = part.roles
            if self.passes is not None and part.passes is not None:
                self.passes[start:end] = part.passes
            start = end

    @classmethod
    def of_parts(
        cls, offsets: Array, neighbours: Array, roles: Array, edges: Array, passes: Array | None
    ) -> Edges:
        """Return edges that are sorted already."""
        made = cls.__new__(cls)
        made.offsets, made.neighbours, made.roles = offsets, neighbours, roles
        made.edges, made.passes = edges, passes
        return made

    def by_event(self) -> tuple[Array, Array]:
        """Return ``neighbours`` and ``edges``, those of each node in the order of the events."""
        if self.passes is None:
            return self.neighbours, self.edges
        owners = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        order = np.lexsort((self.edges, owners))
        return self.neighbours[order], self.edges[order]

    def of(self, nodes: Array) -> tuple[Array, Array]:
        """Return the positions of some nodes' edges, and for each the number of its node."""
        starts, ends = self.offsets[nodes], self.offsets[nodes + 1]
        counts = ends - starts
        owner = np.repeat(np.arange(len(nodes)), counts)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        return np.arange(len(owner)) - first + starts[owner], owner


def walker(
    edges: Edges,
    node_types: Array,
    scratch: Scratch,
    present: Array | None = None,
    kinds: int | None = None,
) -> Walker:
    """Return what walks along edges; see ``Walker``."""
    return Walker(
        offsets=edges.offsets,
        neighbours=edges.neighbours,
        roles=edges.roles,
        node_types=node_types,
        scratch=scratch,
        passes=edges.passes,
        present=present,
        kinds=kinds,
    )


def among(values: Array, ordered: Array) -> Array:
    """Tell for each value whether it is among some that are in order."""
    if not len(ordered):
        return np.zeros(len(values), bool)
    at = ordered.searchsorted(values).clip(max=len(ordered) - 1)
    return ordered[at] == values  # type: ignore[no-any-return]  # numpy's stubs
