"""The graph as arrays: the nodes in order, and each node's edges in both directions (CSR).

Artifacts come first, by id, then executions, by id. Edges run in the direction of the data.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlmd_lineage.lineage import roles as role_rules
from mlmd_lineage.lineage.bfs import Scratch, Walker
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.tables import EVENT_TYPES, INPUT_EVENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.lineage.graph_tables import TableSource

    Array = np.ndarray[Any, np.dtype[Any]]


class Edges:
    """Each node's edges in one direction.

    Attributes:
        offsets: Where each node's edges begin; one more than nodes.
        neighbours, roles: For each edge the node at its other end, and its role.
        edges: For each edge its number in the order of the events.
    """

    __slots__ = ("edges", "neighbours", "offsets", "roles")

    def __init__(self, at: Array, other: Array, roles: Array, nodes: int) -> None:
        self.edges = np.argsort(at, kind="stable").astype(np.int32)
        self.neighbours = other[self.edges]
        self.roles = roles[self.edges]
        self.offsets = np.zeros(nodes + 1, np.int32)
        np.cumsum(np.bincount(at, minlength=nodes), out=self.offsets[1:])

    def of(self, nodes: Array) -> tuple[Array, Array]:
        """Return the positions of some nodes' edges, and for each the number of its node."""
        starts, ends = self.offsets[nodes], self.offsets[nodes + 1]
        counts = ends - starts
        owner = np.repeat(np.arange(len(nodes)), counts)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        return np.arange(len(owner)) - first + starts[owner], owner


class Index:
    """The nodes and edges of one graph.

    Attributes:
        artifact_ids, execution_ids: The ids in order, those that only events name included.
        missing: For each node whether no row has its id.
        type_ids: For each node its type's id, -1 where it has none.
        only_cached: The artifacts that only cached executions claim.
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
        sources: Array,
        targets: Array,
        roles: Array,
        event_rows: Array | None = None,
    ) -> None:
        """Index edges that are given by their nodes, positions of which count from 0.

        Args:
            event_rows: For each edge the row of its event in the Event table, where some events
                are no edges.
        """
        self.artifact_ids = artifact_ids
        self.execution_ids = execution_ids
        self.missing = missing
        self.type_ids = type_ids
        self.only_cached = only_cached
        self.incoming = Edges(targets, sources, roles, self.nodes)
        self.outgoing = Edges(sources, targets, roles, self.nodes)
        self._event_rows = event_rows

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

    @functools.cached_property
    def _walkers(self) -> tuple[Walker, Walker]:
        """For walks downstream, and upstream."""
        _, node_types = self._types
        scratch = Scratch(self.nodes)
        downstream, upstream = (
            Walker(
                offsets=edges.offsets,
                neighbours=edges.neighbours,
                roles=edges.roles,
                node_types=node_types,
                scratch=scratch,
            )
            for edges in (self.outgoing, self.incoming)
        )
        return downstream, upstream

    def reach(
        self,
        starts: Sequence[int],
        *,
        up: bool,
        roles: int,
        max_hops: int,
        type_flags: dict[int, int] | None = None,
    ) -> tuple[Array, Array]:
        """Return the nodes that a walk reaches, in the order of their distance, and that distance.

        Args:
            starts: Where to begin.
            up: Against the direction of the data, or along it.
            roles: The roles to follow, one bit each.
            max_hops: How many edges to follow at most.
            type_flags: For each type's id STOP, CLOSED or 0.
        """
        flags = None
        if type_flags:
            ids, _ = self._types
            flags = np.array([type_flags.get(type_id, 0) for type_id in ids.tolist()], np.uint8)
        return self._walkers[up].walk(starts, roles, max_hops, flags)

    def part(self, nodes: Array, roles: int) -> tuple[Index, Array]:
        """Return the index of a part of the graph, and the rows of its events in order.

        Args:
            nodes: Its nodes, in order.
            roles: The roles of the edges between them that belong to it, one bit each.
        """
        at, targets = self.incoming.of(nodes)
        inside = among(self.incoming.neighbours[at], nodes) & (
            (roles >> self.incoming.roles[at]) & 1 == 1
        )
        at, targets = at[inside], targets[inside]
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
            sources=nodes.searchsorted(self.incoming.neighbours[at]).astype(np.int32),
            targets=targets.astype(np.int32),
            roles=self.incoming.roles[at],
        )
        return index, edges if self._event_rows is None else self._event_rows[edges]


def among(values: Array, ordered: Array) -> Array:
    """Tell for each value whether it is among some that are in order."""
    if not len(ordered):
        return np.zeros(len(values), bool)
    at = ordered.searchsorted(values).clip(max=len(ordered) - 1)
    return ordered[at] == values  # type: ignore[no-any-return]  # numpy's stubs


def build(tables: TableSource, whole: tuple[Index, Array] | None = None) -> Index:
    """Return the index of the graph that a store's tables hold.

    Events that are neither inputs nor outputs are no edges; the snapshot's findings list them.

    Args:
        tables: The nodes and events.
        whole: Where they are only a part of a graph, the index of the whole and the ids of its
            edges' events: what an event means may depend on others.
    """
    events = tables["Event"]
    _release_memory()
    types = _small(events["type"])
    event_rows = np.flatnonzero((types > 0) & (types < len(EVENT_TYPES))).astype(np.int32)
    if len(event_rows) < len(types):
        events, types = events.take(arrays.from_numpy(event_rows)), types[event_rows]
    artifact_ids, artifacts, no_artifact = _numbered(tables["Artifact"], events["artifact_id"])
    execution_ids, executions, no_execution = _numbered(tables["Execution"], events["execution_id"])
    if whole is None:
        roles, only_cached = role_rules.roles_of(
            types,
            artifacts,
            _spread(_small(tables["Artifact"]["state"]), no_artifact, 0)[artifacts],
            _spread(_small(tables["Execution"]["last_known_state"]), no_execution, 0)[executions],
            lambda rows: arrays.to_numpy(
                events["milliseconds_since_epoch"].take(arrays.from_numpy(rows))
            ),
        )
    else:
        index, event_ids = whole
        roles = index.roles[event_ids.searchsorted(arrays.to_numpy(events["id"]))]
        claimed = index.artifact_ids[index.only_cached]
        only_cached = np.flatnonzero(np.isin(artifact_ids, claimed, assume_unique=True))
    executions += np.int32(len(artifact_ids))
    is_input = np.isin(np.arange(len(EVENT_TYPES)), INPUT_EVENTS)[types]
    _release_memory()
    return Index(
        artifact_ids=artifact_ids,
        execution_ids=execution_ids,
        missing=np.concatenate([no_artifact, no_execution]),
        type_ids=np.concatenate(
            [
                _spread(_type_ids(tables["Artifact"]), no_artifact, -1),
                _spread(_type_ids(tables["Execution"]), no_execution, -1),
            ]
        ),
        event_rows=None if len(event_rows) == tables["Event"].num_rows else event_rows,
        sources=np.where(is_input, artifacts, executions),
        targets=np.where(is_input, executions, artifacts),
        roles=roles,
        only_cached=only_cached,
    )


def _release_memory() -> None:
    """Let NumPy have the memory that Arrow has done with; at a million executions it is much."""
    pa.default_memory_pool().release_unused()


def _small(column: pa.ChunkedArray) -> Array:
    """Return an enum's numbers in one byte each; those that MLMD does not know become 0."""
    parts = []
    for chunk in column.chunks:
        numbers = arrays.to_numpy(chunk)
        known = (numbers > 0) & (numbers < role_rules.UNKNOWN_STATE)
        parts.append(np.where(known, numbers, 0).astype(np.int8))
    return np.concatenate([*parts, np.empty(0, np.int8)])


def _type_ids(table: pa.Table) -> Array:
    return arrays.to_numpy(table["type_id"], -1)


def _numbered(table: pa.Table, named: pa.ChunkedArray) -> tuple[Array, Array, Array]:
    """Return all ids in order, where each named one stands among them, and which have no row."""
    ids = arrays.to_numpy(table["id"])
    if len(ids) and len(named) and int(ids[-1]) - int(ids[0]) == len(ids) - 1:
        bounds = pc.min_max(named)
        if ids[0] <= bounds["min"].as_py() and bounds["max"].as_py() <= ids[-1]:
            return ids, _less(named, int(ids[0])), np.zeros(len(ids), bool)
    names = arrays.to_numpy(named)
    everything = np.union1d(ids, names)
    return (
        everything,
        everything.searchsorted(names).astype(np.int32),
        ~np.isin(everything, ids, assume_unique=True),
    )


def _less(column: pa.ChunkedArray, first: int) -> Array:
    """Return how much more than the first each number is."""
    made = np.empty(len(column), np.int32)
    start = 0
    for chunk in column.chunks:
        numbers = arrays.to_numpy(chunk).astype(np.int64, copy=False)
        np.subtract(numbers, first, out=made[start : start + len(chunk)], casting="unsafe")
        start += len(chunk)
    return made


def _spread(values: Array, missing: Array, fill: int) -> Array:
    """Return a node column that also has entries for the nodes without a row."""
    if len(values) == len(missing):
        return values
    spread = np.full(len(missing), fill, values.dtype)
    spread[~missing] = values
    return spread
