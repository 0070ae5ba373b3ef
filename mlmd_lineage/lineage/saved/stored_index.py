"""Reads the index of a lineage graph from an archive: of its blocks those that a walk reaches.

``index_saving`` describes the files. They are divided into blocks of nodes: a walk is repeated
until no node that it reached is in a block that was not read, so that an answer costs the blocks
that it touches. Whoever asks for an array of all nodes or edges has all of them read.

Each block is checked by ``stored_blocks`` when it is read.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage import deadline
from mlmd_lineage.lineage.adjacency import Edges, walker
from mlmd_lineage.lineage.bfs import Scratch, Walker, sparse_zeros
from mlmd_lineage.lineage.index import ArtifactEdges, Index
from mlmd_lineage.lineage.roles import ROLES
from mlmd_lineage.lineage.saved import stored_blocks
from mlmd_lineage.lineage.saved.index_saving import (
    BLOCK,
    BLOCKS,
    INCOMING,
    LAYOUT_KEY,
    NODES,
    OUTGOING,
    VERSION,
    Layout,
    schemas,
)
from mlmd_lineage.readers.base import GraphProvider
from mlmd_lineage.untrusted_text import json_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mlmd_lineage.lineage.question import Question
    from mlmd_lineage.readers.base import GraphFile, Reader

    Array = np.ndarray[Any, np.dtype[Any]]

_OF_NODES = ("artifact_ids", "execution_ids", "missing", "type_ids", "only_cached")
_OF_INCOMING = ("incoming", "orders", "_event_rows")
_OF_OUTGOING = ("outgoing",)


def read(reader: Reader) -> StoredIndex | None:
    """Return the index that a store holds; None where it has to be built.

    Raises:
        DamagedStoreError: It is damaged.
    """
    files = reader.stored_graph() if isinstance(reader, GraphProvider) else None
    if files is None or not {BLOCKS, NODES, INCOMING, OUTGOING} <= files.keys():
        return None
    try:
        layout = Layout(**json_of((files[BLOCKS].schema.metadata or {}).get(LAYOUT_KEY, b"")))
    except (ValueError, TypeError):
        return None
    return StoredIndex(files, layout) if layout.version == VERSION else None


class _Direction:
    """The edges in one direction, as far as they were read."""

    def __init__(
        self, name: str, file: GraphFile, blocks: Mapping[str, Array], layout: Layout
    ) -> None:
        self.file = file
        self.starts = blocks["incoming" if name == "in" else "outgoing"]
        self.before = {end: blocks[f"{name}_{end}"] for end in ("neighbour", "edge")}
        self.present = np.zeros(len(self.starts) - 1, np.uint8)
        size = layout.edges
        self.edges = Edges.of_parts(
            sparse_zeros(layout.nodes + 1, np.int32),
            sparse_zeros(size, np.int32),
            sparse_zeros(size, np.uint8),
            sparse_zeros(size, np.int32),
            sparse_zeros(size, np.int32) if layout.timed else None,
        )


class StoredIndex(Index):
    """An index of which blocks are read when they are needed.

    Raises:
        DamagedStoreError: Its files hold what cannot be.
    """

    def __init__(self, files: Mapping[str, GraphFile], layout: Layout) -> None:
        """Read what is told of the blocks."""
        stored_blocks.check_layout(layout)
        for name, schema in schemas(layout).items():
            if not files[name].schema.equals(schema):
                stored_blocks.refuse(f"{name} has other columns than it should")
        blocks = stored_blocks.columns(files[BLOCKS].batch(0))
        stored_blocks.check_blocks(layout, blocks)
        self._layout = layout
        self._blocks = blocks
        self._file = files[NODES]
        self._lock = threading.RLock()
        self._counts: dict[int, tuple[Array, Array]] = {}
        """For each block that was read the numbers of its nodes' edges, outgoing and incoming."""
        self._claimed: list[Array] = []
        self._directions = (
            _Direction("out", files[OUTGOING], blocks, layout),
            _Direction("in", files[INCOMING], blocks, layout),
        )
        self._ids = sparse_zeros(layout.nodes, np.int64)
        self._part = Index.of_parts(
            artifact_ids=self._ids[: layout.artifacts],
            execution_ids=self._ids[layout.artifacts :],
            missing=sparse_zeros(layout.nodes, bool),
            type_ids=sparse_zeros(layout.nodes, np.int64),
            only_cached=np.zeros(0, np.int64),
            orders=sparse_zeros(layout.edges, np.int32) if layout.timed else None,
            incoming=self._directions[True].edges,
            outgoing=self._directions[False].edges,
            event_rows=sparse_zeros(layout.edges, np.int32) if layout.selected else None,
        )
        self._block_walkers = self._made_walkers()

    def _made_walkers(self) -> tuple[Walker, Walker]:
        """Return what walks over the blocks that were read, downstream and upstream.

        A walk without limits by types looks at none.
        """
        nodes = self._layout.nodes
        scratch = Scratch(nodes, self._layout.edges if self._layout.timed else 0, sparse=True)
        types = sparse_zeros(nodes, np.int32)
        out, into = (walker(d.edges, types, scratch, d.present, kinds=1) for d in self._directions)
        return out, into

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of an index, for which everything is read that it needs."""
        if name in _OF_NODES:
            vars(self)[name] = self._whole_nodes[name]
        elif name in _OF_INCOMING:
            self._read_all(up=True)
        elif name in _OF_OUTGOING:
            self._read_all(up=False)
        else:
            raise AttributeError(name)
        return vars(self)[name]

    def __reduce__(self) -> tuple[Any, ...]:
        """Read everything, as an open file cannot be pickled."""
        names = (*_OF_NODES, *_OF_INCOMING, *_OF_OUTGOING)
        parts = {name.removeprefix("_"): getattr(self, name) for name in names}
        return _remade, (parts,)

    @property
    def artifacts(self) -> int:
        """The number of artifacts."""
        return self._layout.artifacts

    @property
    def nodes(self) -> int:
        """The number of nodes."""
        return self._layout.nodes

    @property
    def size(self) -> int:
        """The number of edges."""
        return self._layout.edges

    def position(self, kind: str, number: int) -> int | None:
        """Return where a node stands, or None where the graph does not hold it."""
        if self._layout.first_ids is None:
            return super().position(kind, number)
        is_execution = kind == "execution"
        before = self.artifacts if is_execution else 0
        count = self.nodes - self.artifacts if is_execution else self.artifacts
        at = number - self._layout.first_ids[is_execution]
        return before + at if 0 <= at < count else None

    def artifact_positions(self, ids: Array) -> Array:
        """Return where artifacts stand that the graph holds."""
        first_ids = self._layout.first_ids
        return super().artifact_positions(ids) if first_ids is None else ids - first_ids[0]

    def key(self, position: int) -> str:
        """Return a node's key."""
        with self._lock:
            self._read_nodes([position // BLOCK])
            return self._part.key(position)

    def reach(
        self,
        starts: Sequence[int],
        *,
        up: bool,
        question: Question,
        type_flags: dict[int, int] | None = None,
    ) -> tuple[Array, Array]:
        """Return the nodes that a walk reaches, as ``Index.reach`` does."""
        if type_flags:
            return super().reach(starts, up=up, question=question, type_flags=type_flags)
        walk, direction = self._block_walkers[up].walk, self._directions[up]
        with self._lock:
            while True:
                found, hops = walk(
                    starts, question.roles, question.hop_limit, limited=not question.later
                )
                if not self._read_edges(found, direction):
                    return found, hops

    def part(
        self,
        nodes: Array,
        question: Question,
        *,
        above: Collection[int] | None = None,
        below: Collection[int] | None = None,
    ) -> tuple[Index, Array]:
        """Return the index of a part of the graph, as ``Index.part`` does."""
        with self._lock:
            self._read_edges(nodes, self._directions[True])
            return self._part.part(nodes, question, above=above, below=below)

    def of_artifacts(self, positions: Array) -> ArtifactEdges:
        """Return all edges of some artifacts, as ``Index.of_artifacts`` does."""
        outgoing, incoming = self._directions
        with self._lock:
            self._read_edges(positions, incoming)
            self._read_edges(positions, outgoing)
            if self._layout.selected:  # the rows of events stand where their edges end
                at, _ = outgoing.edges.of(positions)
                self._read_edges(outgoing.edges.neighbours[at], incoming)
            return self._part.of_artifacts(positions)

    def _read_edges(self, nodes: Array, direction: _Direction) -> bool:
        """Read the edges of some nodes; return whether any had not been read."""
        touched = np.zeros(len(direction.present), bool)
        touched[nodes // BLOCK] = True
        new = np.flatnonzero(touched & (direction.present == 0)).tolist()
        with self._lock:
            self._read_nodes(new)
            for number in new:
                deadline.check()
                self._read_block(direction, number)
        return bool(new)

    def _read_nodes(self, blocks: Collection[int]) -> None:
        """Read blocks of nodes."""
        claims = len(self._claimed)
        for number in blocks:
            if number in self._counts:
                continue
            deadline.check()
            start, end = number * BLOCK, min((number + 1) * BLOCK, self.nodes)
            found = stored_blocks.columns(self._file.batch(number))
            self._check_nodes(found, start, end)
            self._ids[start:end] = found["id"]
            self._part.type_ids[start:end] = found["type_id"]
            self._part.missing[start:end] = found["missing"]
            if found["only_cached"].any():
                self._claimed.append(np.flatnonzero(found["only_cached"]) + start)
            self._counts[number] = found["outgoing"], found["incoming"]
        if len(self._claimed) > claims:
            self._part.only_cached = np.sort(np.concatenate(self._claimed))

    @functools.cached_property
    def _whole_nodes(self) -> dict[str, Array]:
        """The columns of all nodes."""
        with self._lock:
            deadline.check()
            found = stored_blocks.columns(self._file.all())
            self._check_nodes(found, 0, self.nodes)
            return {
                "artifact_ids": found["id"][: self.artifacts],
                "execution_ids": found["id"][self.artifacts :],
                "missing": found["missing"],
                "type_ids": found["type_id"],
                "only_cached": np.flatnonzero(found["only_cached"]),
                "incoming": found["incoming"],
                "outgoing": found["outgoing"],
            }

    def _check_nodes(self, found: dict[str, Array], start: int, end: int) -> None:
        """Check the nodes from one position to another, and sum the differences of their ids."""
        if len(found["id"]) != end - start:
            stored_blocks.refuse("a block does not have the nodes that it says")
        ids = found["id"] = stored_blocks.summed(found["id"], self._blocks["id"][start // BLOCK])
        cut = min(max(self.artifacts - start, 0), len(ids))
        first = self._layout.first_ids
        kinds = ((ids[:cut], 0, start), (ids[cut:], 1, start + cut - self.artifacts))
        for part, kind, before in kinds:
            if (np.diff(part) <= 0).any():
                stored_blocks.refuse("its ids are not in order")
            # As they are in order, the first and the last are enough.
            if first is not None and len(part):
                least = first[kind] + before
                if part[0] != least or part[-1] != least + len(part) - 1:
                    stored_blocks.refuse("its ids are not those that it says")
        if found["only_cached"][cut:].any():
            stored_blocks.refuse("an execution is no artifact")
        for name in ("incoming", "outgoing"):
            stored_blocks.check_bounds(name, found[name], np.int32, self.size + 1)

    def _read_block(self, direction: _Direction, number: int) -> None:
        """Read the edges of a block of nodes."""
        counts = self._counts[number][direction is self._directions[True]]
        first = number * BLOCK
        found = stored_blocks.columns(direction.file.batch(number))
        start, end = direction.starts[number : number + 2].tolist()
        offsets = start + np.cumsum(counts, dtype=np.int64)
        if len(found["edge"]) != end - start or offsets[-1] != end:
            stored_blocks.refuse("its nodes have other edges than there are")
        self._take(direction, found, number)
        whole = direction.edges
        whole.offsets[first] = start
        whole.offsets[first + 1 : first + len(counts) + 1] = offsets
        part = slice(start, end)
        for name, to in (("neighbour", whole.neighbours), ("edge", whole.edges)):
            to[part] = found[name]
        whole.roles[part] = found["role"]
        if whole.passes is not None:
            whole.passes[part] = found["passes"]
        direction.present[number] = 1

    def _read_all(self, *, up: bool) -> None:
        """Read all edges in one direction, each of which has to be there once."""
        with self._lock:
            deadline.check()
            direction = self._directions[up]
            counts = self._whole_nodes["incoming" if up else "outgoing"]
            found = stored_blocks.columns(direction.file.all())
            offsets = np.zeros(self.nodes + 1, np.int64)
            np.cumsum(counts, out=offsets[1:])
            if len(found["edge"]) != self.size or offsets[-1] != self.size:
                stored_blocks.refuse("its nodes have other edges than there are")
            self._take(direction, found, 0)
            is_there = np.zeros(self.size, bool)
            is_there[found["edge"]] = True
            if not is_there.all():
                stored_blocks.refuse("an edge is missing")
            made = Edges.of_parts(
                offsets.astype(np.int32),
                found["neighbour"],
                found["role"],
                found["edge"],
                found.get("passes"),
            )
            vars(self)["incoming" if up else "outgoing"] = made
            if up:
                vars(self).update(orders=self._part.orders, _event_rows=self._part._event_rows)  # noqa: SLF001 - a part of this

    def _take(self, direction: _Direction, found: dict[str, Array], number: int) -> None:
        """Check the edges of blocks, the first of which has a number, and sum their differences."""
        for name in ("neighbour", "edge"):
            before = direction.before[name][number]
            found[name] = stored_blocks.summed(found[name], found[name].dtype.type(before))
        stored_blocks.check_bounds("neighbour", found["neighbour"], np.int32, self.nodes)
        stored_blocks.check_bounds("edge", found["edge"], np.int32, self.size)
        stored_blocks.check_bounds("role", found["role"], np.uint8, len(ROLES))
        if self._layout.timed:
            stored_blocks.check_bounds("passes", found["passes"], np.int32, 2**31)
        if direction is not self._directions[True]:
            return
        kept = (("order", self._part.orders), ("event_row", self._part._event_rows))  # noqa: SLF001 - a part of this
        for name, values in kept:
            if values is not None:
                stored_blocks.check_bounds(name, found[name], np.int32, 2**31)
                values[found["edge"]] = found[name]


def _remade(parts: dict[str, Any]) -> Index:
    return Index.of_parts(**parts)
