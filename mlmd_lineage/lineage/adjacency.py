"""The edges of each node in one direction, as arrays (CSR), and walks along them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.lineage.bfs import Walker

if TYPE_CHECKING:
    from mlmd_lineage.lineage.bfs import Scratch

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

    def __init__(
        self,
        at: Array,
        other: Array,
        roles: Array,
        nodes: int,
        limits: tuple[Array, Array] | None = None,
    ) -> None:
        """Sort edges by their nodes.

        Args:
            at: The node to which each edge belongs.
            other: The node at its other end.
            roles: Its role.
            nodes: The number of nodes.
            limits: By what each node's edges are ordered, and for each edge its ``passes``;
                without, they stand in the order of the events.
        """
        self.passes = None
        if limits is None:
            self.edges = np.argsort(at, kind="stable").astype(np.int32)
        else:
            order, passes = limits
            self.edges = np.lexsort((order, at)).astype(np.int32)
            self.passes = passes[self.edges]
        self.neighbours = other[self.edges]
        self.roles = roles[self.edges]
        self.offsets = np.zeros(nodes + 1, np.int32)
        np.cumsum(np.bincount(at, minlength=nodes), out=self.offsets[1:])

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
    edges: Edges, node_types: Array, scratch: Scratch, present: Array | None = None
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
    )


def among(values: Array, ordered: Array) -> Array:
    """Tell for each value whether it is among some that are in order."""
    if not len(ordered):
        return np.zeros(len(values), bool)
    at = ordered.searchsorted(values).clip(max=len(ordered) - 1)
    return ordered[at] == values  # type: ignore[no-any-return]  # numpy's stubs
