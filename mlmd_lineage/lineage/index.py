"""The graph as arrays: the nodes in order, and each node's edges in both directions (CSR).

Artifacts come first, by id, then executions, by id. Edges run in the direction of the data.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlmd_lineage.lineage.adjacency import Edges, among, walker
from mlmd_lineage.lineage.bfs import NO_LIMIT, Scratch
from mlmd_lineage.lineage.edge_list import EdgeList
from mlmd_lineage.lineage.roles import PRODUCES
from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mlmd_lineage.lineage.bfs import Walker
    from mlmd_lineage.lineage.question import Question

    Array = np.ndarray[Any, np.dtype[Any]]


_OF_MEMORY = {"_places", "_walkers"}
"""What of an index holds addresses in memory."""


class ArtifactEdges(NamedTuple):
    """All edges of some artifacts, in the order of the events.

    Attributes:
        nodes: The artifact of each.
        neighbours: The execution of each.
        roles: Its role.
        rows: The row of its event in the Event table.
    """

    nodes: Array
    neighbours: Array
    roles: Array
    rows: Array


class Index:
    """The nodes and edges of one graph.

    Attributes:
        artifact_ids, execution_ids: The ids in order, those that only events name included.
        missing: For each node whether no row has its id.
        type_ids: For each node its type's id, -1 where it has none.
        only_cached: The artifacts that only cached executions claim.
        orders: For each edge, in the order of the events, the rank of an output or the limit of
            an input, see ``event_order``; None where all outputs count for all inputs.
        incoming: The edges that end at each node: what it came from.
        outgoing: The edges that begin at each node: what came from it.
    """

    def __init__(  # noqa: D417, PLR0913 - the class says what they are
        self,
        *,
        artifact_ids: Array,
        execution_ids: Array,
        missing: Array,
        type_ids: Array,
        only_cached: Array,
        edges: EdgeList,
        event_rows: Array | None = None,
    ) -> None:
        """Index edges.

        Args:
            edges: The edges.
            event_rows: For each edge the row of its event in the Event table, where some events
                are no edges.
        """
        self.artifact_ids = artifact_ids
        self.execution_ids = execution_ids
        self.missing = missing
        self.type_ids = type_ids
        self.only_cached = only_cached
        self.orders = None if edges.orders is None else edges.orders.astype(np.int32, copy=False)
        self.incoming = Edges(edges, up=True)
        self.outgoing = Edges(edges, up=False)
        self._event_rows = event_rows

    @classmethod
    def of_parts(cls, *, event_rows: Array | None, **parts: Any) -> Index:
        """Return the index whose attributes were kept."""
        made = cls.__new__(cls)
        vars(made).update(parts, _event_rows=event_rows)
        return made

    @property
    def artifacts(self) -> int:
        """The number of artifacts."""
        return len(self.artifact_ids)

    @property
    def nodes(self) -> int:
        """The number of nodes."""
        return len(self.artifact_ids) + len(self.execution_ids)

    @property
    def size(self) -> int:
        """The number of edges."""
        return len(self.incoming.edges)

    @property
    def event_rows(self) -> Array:
        """For each edge the row of its event in the Event table; in the order of the events."""
        return np.arange(self.size) if self._event_rows is None else self._event_rows

    @property
    def sources(self) -> Array:
        """For each edge, in the order of the events, the node where it begins."""
        return self._by_event(self.incoming.neighbours)

    @property
    def targets(self) -> Array:
        """For each edge, in the order of the events, the node where it ends."""
        made = np.empty(self.size, np.int32)
        made[self.outgoing.edges] = self.outgoing.neighbours
        return made

    @property
    def roles(self) -> Array:
        """For each edge, in the order of the events, its role: a number in ``ROLES``."""
        return self._by_event(self.incoming.roles)

    def ends(self) -> tuple[Array, Array]:
        """Return the artifact and the execution of each edge, in the order of the events."""
        sources, targets = self.sources, self.targets
        is_input = sources < self.artifacts
        return np.where(is_input, sources, targets), np.where(is_input, targets, sources)

    def _by_event(self, values: Array) -> Array:
        made = np.empty(self.size, values.dtype)
        made[self.incoming.edges] = values
        return made

    def edges(self, *, up: bool) -> Edges:
        """Return the edges of a walk upstream, or downstream."""
        return self.incoming if up else self.outgoing

    def position(self, kind: str, number: int) -> int | None:
        """Return where a node stands, or None where the graph does not hold it."""
        ids, low, before = self._places[kind]
        guess = number - low  # MLMD counts without gaps, where nobody deleted anything
        if guess < 0:
            return None
        if guess < len(ids) and ids[guess] == number:
            return before + guess
        at = bisect_left(ids, number, 0, min(guess, len(ids)))
        return before + at if at < len(ids) and ids[at] == number else None

    def artifact_positions(self, ids: Array) -> Array:
        """Return where artifacts stand that the graph holds."""
        return self.artifact_ids.searchsorted(ids)

    @functools.cached_property
    def _places(self) -> dict[str, tuple[memoryview, int, int]]:
        """Each kind's ids, the least of them, and how many nodes come before."""
        return {
            kind: (ids.data, int(ids[0]) if len(ids) else 0, before)
            for kind, ids, before in (
                ("artifact", self.artifact_ids, 0),
                ("execution", self.execution_ids, self.artifacts),
            )
        }

    def key(self, position: int) -> str:
        """Return a node's key."""
        if position < self.artifacts:
            return f"artifact/{self.artifact_ids[position]}"
        return f"execution/{self.execution_ids[position - self.artifacts]}"

    def keys(self, positions: Array) -> list[str]:
        """Return nodes' keys."""
        return [self.key(position) for position in positions.tolist()]

    @functools.cached_property
    def _types(self) -> tuple[Array, Array]:
        """The types' ids, and each node's type as its position among them."""
        types = arrays.from_numpy(self.type_ids).dictionary_encode()
        return arrays.to_numpy(types.dictionary), arrays.to_numpy(types.indices)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what holds addresses in memory: it is made again when it is asked for."""
        return {name: value for name, value in vars(self).items() if name not in _OF_MEMORY}

    @functools.cached_property
    def _walkers(self) -> tuple[Walker, Walker]:
        """For walks downstream, and upstream."""
        _, node_types = self._types
        # A walk follows each edge once, so no more nodes are reached again than there are edges.
        scratch = Scratch(self.nodes, self.size if self.incoming.passes is not None else 0)
        downstream, upstream = (
            walker(edges, node_types, scratch) for edges in (self.outgoing, self.incoming)
        )
        return downstream, upstream

    def reach(
        self,
        starts: Sequence[int],
        *,
        up: bool,
        question: Question,
        type_flags: dict[int, int] | None = None,
    ) -> tuple[Array, Array]:
        """Return the nodes that a walk reaches, in the order of their distance, and that distance.

        Args:
            starts: Where to begin.
            up: Against the direction of the data, or along it.
            question: Which edges to follow, and how many at most.
            type_flags: For each type's id STOP, CLOSED or 0.
        """
        flags = None
        if type_flags:
            ids, _ = self._types
            flags = np.array([type_flags.get(type_id, 0) for type_id in ids.tolist()], np.uint8)
        return self._walkers[up].walk(
            starts, question.roles, question.hop_limit, flags, limited=not question.later
        )

    def of_artifacts(self, positions: Array) -> ArtifactEdges:
        """Return all edges of some artifacts."""
        found: list[tuple[Array, ...]] = []
        for up in (True, False):
            edges = self.edges(up=up)
            at, owner = edges.of(positions)
            columns = edges.edges, edges.neighbours, edges.roles
            found.append((positions[owner], *(column[at] for column in columns)))
        nodes, numbers, neighbours, roles = (
            np.concatenate(pair) for pair in zip(*found, strict=True)
        )
        order = np.argsort(numbers)
        numbers = numbers[order]
        rows = numbers if self._event_rows is None else self._event_rows[numbers]
        return ArtifactEdges(nodes[order], neighbours[order], roles[order], rows)

    def producers(self, artifact: int) -> tuple[str, ...]:
        """Return the keys of the executions that made an artifact, in order."""
        edges = self.of_artifacts(np.array([artifact]))
        made_by = np.sort(edges.neighbours[edges.roles == PRODUCES])
        return tuple(self.key(position) for position in made_by.tolist())

    def part(
        self,
        nodes: Array,
        question: Question,
        *,
        above: Collection[int] | None = None,
        below: Collection[int] | None = None,
    ) -> tuple[Index, Array]:
        """Return the index of a part of the graph, and the rows of its events in order.

        Args:
            nodes: Its nodes, in order.
            question: Which edges between them are followed, and so belong to it.
            above: If the part is what lies upstream of some nodes, those nodes. An output is kept
                only if its artifact is one of them, or if it counts for an input of the part.
            below: If the part is what lies downstream of some nodes, those nodes. An input is kept
                only if its artifact is one of them, or if an output of the part counts for it.
        """
        at, targets = self.incoming.of(nodes)
        inside = among(self.incoming.neighbours[at], nodes) & (
            (question.roles >> self.incoming.roles[at]) & 1 == 1
        )
        at, targets = at[inside], targets[inside]
        if self.orders is not None and not question.later:
            counts = self._counting(at, nodes[targets], above, below)
            at, targets = at[counts], targets[counts]
        by_event = np.argsort(self.incoming.edges[at])
        at, targets = at[by_event], targets[by_event]
        edges = self.incoming.edges[at]
        cut = int(nodes.searchsorted(self.artifacts))
        index = Index(
            artifact_ids=self.artifact_ids[nodes[:cut]],
            execution_ids=self.execution_ids[nodes[cut:] - self.artifacts],
            missing=self.missing[nodes],
            type_ids=self.type_ids[nodes],
            only_cached=np.flatnonzero(np.isin(nodes[:cut], self.only_cached)),
            edges=EdgeList(
                artifacts=cut,
                nodes=len(nodes),
                sources=nodes.searchsorted(self.incoming.neighbours[at]).astype(np.int32),
                targets=targets.astype(np.int32),
                roles=self.incoming.roles[at],
                orders=None if self.orders is None else self.orders[edges],
            ).limited(),
        )
        return index, edges if self._event_rows is None else self._event_rows[edges]

    def on_a_way(
        self,
        nodes: Array,
        both: Array,
        question: Question,
        starts: Sequence[int],
        ends: Sequence[int],
    ) -> Array:
        """Return which nodes lie on a path from a start to an end.

        An artifact that is reached from a start, and from which an end is reached, may still lie
        on no such path: the execution that wrote it may have done so after it was taken.

        Args:
            nodes: Some nodes.
            both: Which of them are reached from a start, and lead to an end.
            question: Which edges are followed.
            starts: Where ways begin.
            ends: Where they end.
        """
        ordered = np.sort(nodes[both])
        part, _ = self.part(ordered, question, above=ends, below=starts)
        is_reached = (np.diff(part.incoming.offsets) > 0) | np.isin(ordered, starts)
        leads_on = (np.diff(part.outgoing.offsets) > 0) | np.isin(ordered, ends)
        way = ordered[(ordered >= self.artifacts) | (is_reached & leads_on)]
        return among(nodes, way)

    def _counting(
        self,
        at: Array,
        targets: Array,
        above: Collection[int] | None,
        below: Collection[int] | None,
    ) -> Array:
        """Return which edges of a part count by their times; see ``part``."""
        assert self.orders is not None
        sources, orders = self.incoming.neighbours[at], self.orders[self.incoming.edges[at]]
        is_input = sources < self.artifacts
        artifacts = np.where(is_input, sources, targets)
        counts = np.ones(len(at), bool)
        if above is not None:
            greatest = np.full(self.nodes, -1, np.int32)
            np.maximum.at(greatest, artifacts[is_input], orders[is_input])
            greatest[list(above)] = NO_LIMIT
            counts &= is_input | (orders < greatest[artifacts])
        if below is not None:
            least = np.full(self.nodes, NO_LIMIT, np.int32)
            np.minimum.at(least, artifacts[~is_input], orders[~is_input])
            least[list(below)] = -1
            counts &= ~is_input | (orders > least[artifacts])
        return counts
