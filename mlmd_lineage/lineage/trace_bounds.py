"""The nodes at which an argument of a question left something out."""

from __future__ import annotations

import bisect
import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlmd_lineage.lineage import keys
from mlmd_lineage.lineage.adjacency import among
from mlmd_lineage.lineage.bfs import CLOSED, STOP

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mlmd_lineage.lineage.adjacency import Edges
    from mlmd_lineage.lineage.index import Index
    from mlmd_lineage.lineage.question import Question

    Array = np.ndarray[Any, np.dtype[Any]]

_NEVER = 2**40
"""The distance on a way that goes past a node at which the walk stops."""


class Reached(NamedTuple):
    """What a walk reached."""

    nodes: Array
    """The positions of the nodes, in the order of their distance."""
    hops: Array
    """For each node how many edges away from the start it is."""
    starts: Sequence[int]
    """Where the walk began."""


def bounds(
    index: Index,
    reached: Reached,
    question: Question,
    type_flags: dict[int, int],
    *,
    up: bool,
) -> dict[str, Array]:
    """Return for each argument that left something out the nodes at which it did.

    Args:
        index: The graph in which the walk went.
        reached: What it reached.
        question: The arguments.
        type_flags: For each type's id STOP, CLOSED or 0.
        up: Whether it went against the direction of the data.
    """
    found = reached.nodes
    edges = index.edges(up=up)
    at, owner = edges.of(found)
    inside = among(edges.neighbours[at], np.sort(found))
    followed = (question.roles >> edges.roles[at]) & 1 == 1
    outside = followed & ~inside
    stops = np.isin(index.type_ids[found], _flagged(type_flags, STOP))
    stops &= ~np.isin(found, reached.starts)
    distance = reached.hops[owner].astype(np.int64)
    if edges.passes is not None and not question.later:
        ways = _Ways(edges, reached, stops)
        to_artifacts = followed & inside & (found[owner] >= index.artifacts)
        ways.add(at[to_artifacts], owner[to_artifacts])
        of_artifacts = outside & (found[owner] < index.artifacts)
        outside &= ways.set_distances(at, owner, distance, of_artifacts)
    left, beyond, distance = owner[outside], edges.neighbours[at[outside]], distance[outside]
    closed = np.isin(index.type_ids[beyond], _flagged(type_flags, CLOSED))
    far = (distance >= question.hop_limit) & (distance < _NEVER)
    made = {}
    for name, reason in (
        ("max_hops", far & ~closed),
        ("until", (stops[left] | (distance == _NEVER)) & ~far & ~closed),
        ("types", closed),
    ):
        if reason.any():
            made[name] = np.unique(found[left[reason]])
    return made


class _Ways:
    """The paths on which artifacts were reached, and how many edges may be followed after each."""

    def __init__(self, edges: Edges, reached: Reached, stops: Array) -> None:
        self._edges = edges
        self._reached = reached
        self._stops = stops
        self._ways: dict[int, list[tuple[int, int]]] = {}
        """For each artifact the paths: how many edges may follow, and the distance on it."""

    def add(self, at: Array, owner: Array) -> None:
        """Add edges from executions to artifacts, all of which were reached."""
        passes, neighbours = self._edges.passes, self._edges.neighbours
        assert passes is not None
        for edge, number in zip(at.tolist(), owner.tolist(), strict=True):
            hops = _NEVER if self._stops[number] else int(self._reached.hops[number]) + 1
            self._ways.setdefault(int(neighbours[edge]), []).append((int(passes[edge]), hops))
        for ways in self._ways.values():
            ways.sort(reverse=True)

    def set_distances(self, at: Array, owner: Array, distance: Array, wanted: Array) -> Array:
        """Set how far the artifact of each edge is on the shortest way that lets the edge pass.

        Returns:
            For each edge whether any way lets it pass.
        """
        passed = np.ones(len(at), bool)
        starts = set(self._reached.starts)
        nearest: dict[int, list[int]] = {}
        for row in np.flatnonzero(wanted).tolist():
            node = int(self._reached.nodes[owner[row]])
            if node in starts:
                continue
            ways = self._ways.get(node, [])
            if node not in nearest:
                nearest[node] = list(itertools.accumulate((hops for _, hops in ways), min))
            position = int(at[row]) - int(self._edges.offsets[node])
            count = bisect.bisect_left(ways, -position, key=lambda way: -way[0])
            passed[row] = count > 0
            if count:
                distance[row] = nearest[node][count - 1]
        return passed


def _flagged(flags: dict[int, int], flag: int) -> list[int]:
    return [type_id for type_id, value in flags.items() if value & flag]


def with_held(
    found: dict[str, Array],
    held: Mapping[str, Collection[str]],
    index: Index,
    nodes: Array,
) -> dict[str, Array]:
    """Return what bounds an answer, with what bounds the graph in which it was found.

    Args:
        found: For each argument of the question that left something out, the nodes at which it did.
        held: The same of the graph, by keys.
        index: The graph.
        nodes: The positions of the nodes of the answer.
    """
    every = dict(found)
    for name, node_keys in held.items():
        positions = [index.position(*keys.parse(key)) for key in node_keys]
        there = np.array([position for position in positions if position is not None], int)
        more = there[np.isin(there, nodes)]
        if len(more):
            every[name] = np.union1d(every[name], more) if name in every else np.sort(more)
    return every
