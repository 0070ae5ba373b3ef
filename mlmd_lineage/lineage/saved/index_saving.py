"""Saves the index of a lineage graph as Arrow record batches for an archive.

Nodes stand in blocks of 4,096, artifacts before executions, each kind by its ids. Three files
have one record batch for each block. ``graph.nodes``::

    id, type_id (-1 where it has none), missing, only_cached
    incoming, outgoing      the numbers of its edges that end and that begin there

``graph.incoming`` has the edges that end at the nodes of a block, ``graph.outgoing`` those that
begin there, sorted by those nodes::

    neighbour   the position of the node at the other end
    edge        the edge's number in the order of the events
    role        its role: a number in ``ROLES``
    passes      see ``Edges``; only where there are such limits
    order       see ``Index.orders``; likewise, beside incoming edges
    event_row   the row of its event, only where some events are no edges, beside incoming edges

Ids, neighbours and edges stand as differences from the row before, which take less space.
``graph.blocks`` has a row for each block, and one for their end::

    incoming, outgoing      the first of its edges
    id, in_neighbour, in_edge, out_neighbour, out_edge      the number before its first one

Its metadata holds a ``Layout``.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlmd_lineage import memory
from mlmd_lineage.lineage import index_building
from mlmd_lineage.lineage.bfs import BLOCK_BITS
from mlmd_lineage.lineage.edge_list import with_values
from mlmd_lineage.lineage.graph_tables import narrowed
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.text_states import execution_states_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.lineage.edge_list import NodeEdges
    from mlmd_lineage.lineage.index_building import GraphColumns
    from mlmd_lineage.snapshot.tables import Tables

    Array = np.ndarray[Any, np.dtype[Any]]

BLOCKS, NODES = "graph.blocks", "graph.nodes"
INCOMING, OUTGOING = "graph.incoming", "graph.outgoing"
VERSION = 2
"""To be raised when roles or limits mean something else: others' are built anew."""
BLOCK = 1 << BLOCK_BITS
"""How many nodes a block has; the last one may have fewer."""
_MANY_EDGES = 1 << 16
LAYOUT_KEY = b"mlmd_lineage.graph"

_OF_BLOCKS = ("incoming", "outgoing", "id", "in_neighbour", "in_edge", "out_neighbour", "out_edge")
_BLOCK_SCHEMA = pa.schema([(name, pa.int64()) for name in _OF_BLOCKS])
_NODE_SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("type_id", pa.int64()),
        ("missing", pa.bool_()),
        ("only_cached", pa.bool_()),
        ("incoming", pa.int32()),
        ("outgoing", pa.int32()),
    ]
)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What is told of an index as a whole.

    Attributes:
        version: ``VERSION``.
        nodes, artifacts, edges: How many there are.
        first_ids: The first artifact's and the first execution's id, where each kind's ids have no
            gaps.
        timed: Whether there are ``passes`` and ``order``.
        selected: Whether there is ``event_row``.
    """

    version: int
    nodes: int
    artifacts: int
    edges: int
    first_ids: tuple[int, int] | None
    timed: bool
    selected: bool


def batches_of(tables: Tables) -> dict[str, tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """Return the files' schemas and record batches for the graph of a snapshot.

    The batches are to be taken in the order of the files: what those of nodes and of blocks hold is
    found out where the edges are put in order.
    """
    graph = index_building.columns_of(_needed(tables))
    memory.release()
    layout = Layout(
        version=VERSION,
        nodes=graph.edges.nodes,
        artifacts=graph.edges.artifacts,
        edges=len(graph.edges.roles),
        first_ids=_first_ids(graph),
        timed=graph.edges.orders is not None,
        selected=graph.event_rows is not None,
    )
    kept = json.dumps(dataclasses.asdict(layout)).encode()
    found = schemas(layout)
    found[BLOCKS] = found[BLOCKS].with_metadata({LAYOUT_KEY: kept})
    incoming, outgoing = _SavedEdges(graph, up=True), _SavedEdges(graph, up=False)
    batches = {
        INCOMING: incoming.batches(found[INCOMING]),
        OUTGOING: outgoing.batches(found[OUTGOING]),
        NODES: _nodes(graph, incoming, outgoing),
        BLOCKS: _blocks(graph, incoming, outgoing, found[BLOCKS]),
    }
    return {name: (found[name], made) for name, made in batches.items()}


def _needed(tables: Tables) -> dict[str, pa.Table]:
    """Return what of a snapshot's tables an index is built from, in as few bytes as hold it."""
    executions = tables["Execution"].select(["id", "type_id"])
    states = execution_states_of(tables)
    return {
        "Artifact": narrowed(tables["Artifact"].select(["id", "type_id", "state"])),
        "Execution": narrowed(executions.append_column("last_known_state", states)),
        "Event": tables["Event"],
    }


def schemas(layout: Layout) -> dict[str, pa.Schema]:
    """Return the columns of each file."""
    return {
        BLOCKS: _BLOCK_SCHEMA,
        NODES: _NODE_SCHEMA,
        INCOMING: _edge_schema(layout, up=True),
        OUTGOING: _edge_schema(layout, up=False),
    }


class _SavedEdges:
    """The edges in one direction, block by block, and what is told of the blocks.

    Attributes:
        counts: For each node how many edges it has.
        starts: The first of each block's edges, and the number of all.
        neighbours, edges: The numbers before the first of each block's, and the last ones.
    """

    def __init__(self, graph: GraphColumns, *, up: bool) -> None:
        self.counts: Array = np.zeros(graph.edges.nodes, np.int8)
        self.starts = [0]
        self.neighbours = [0]
        self.edges = [0]
        self._graph = graph
        self._up = up

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield a record batch for each block."""
        for part in self._graph.edges.by_node(up=self._up):
            nodes = slice(part.first, part.first + len(part.counts))
            self.counts = with_values(self.counts, nodes, part.counts)
            offsets = np.append(0, np.cumsum(part.counts))
            bounds = np.append(offsets[:-1:BLOCK], offsets[-1]).tolist()
            for start, end in itertools.pairwise(bounds):
                yield _batch(self._columns(part, slice(start, end), schema), schema)
            if len(part.edges) > _MANY_EDGES:
                memory.release()

    def _columns(self, part: NodeEdges, rows: slice, schema: pa.Schema) -> dict[str, Array]:
        """Return the columns of a block, and take up what comes before the next one."""
        neighbours, edges = part.neighbours[rows], part.edges[rows]
        columns = {
            "neighbour": np.diff(neighbours, prepend=np.int32(self.neighbours[-1])),
            "edge": np.diff(edges, prepend=np.int32(self.edges[-1])),
            "role": part.roles[rows],
        }
        if part.passes is not None:
            columns["passes"] = part.passes[rows]
        if "order" in schema.names and self._graph.edges.orders is not None:
            columns["order"] = self._graph.edges.orders[edges]
        if "event_row" in schema.names and self._graph.event_rows is not None:
            columns["event_row"] = self._graph.event_rows[edges]
        self.starts.append(self.starts[-1] + len(edges))
        self.neighbours.append(int(neighbours[-1]) if len(edges) else self.neighbours[-1])
        self.edges.append(int(edges[-1]) if len(edges) else self.edges[-1])
        return columns


def _blocks(
    graph: GraphColumns, incoming: _SavedEdges, outgoing: _SavedEdges, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    ends = (min(start + BLOCK, graph.edges.nodes) for start in range(0, graph.edges.nodes, BLOCK))
    ids = [0, *(int(_ids(graph, end - 1, 1)[0]) for end in ends)]
    columns = {
        "incoming": incoming.starts,
        "outgoing": outgoing.starts,
        "id": ids,
        "in_neighbour": incoming.neighbours,
        "in_edge": incoming.edges,
        "out_neighbour": outgoing.neighbours,
        "out_edge": outgoing.edges,
    }
    yield _batch({name: np.array(column, np.int64) for name, column in columns.items()}, schema)


def _ids(graph: GraphColumns, start: int, count: int) -> Array:
    """Return the ids of some nodes that stand beside each other."""
    end = start + count
    before = len(graph.artifact_ids)
    artifacts = graph.artifact_ids[start:end]
    executions = graph.execution_ids[max(start - before, 0) : max(end - before, 0)]
    return np.concatenate([artifacts, executions]).astype(np.int64, copy=False)


def _first_ids(graph: GraphColumns) -> tuple[int, int] | None:
    found = []
    for ids in (graph.artifact_ids, graph.execution_ids):
        if len(ids) and int(ids[-1]) - int(ids[0]) != len(ids) - 1:
            return None
        found.append(int(ids[0]) if len(ids) else 0)
    return found[0], found[1]


def _edge_schema(layout: Layout, *, up: bool) -> pa.Schema:
    columns = [("neighbour", pa.int32()), ("edge", pa.int32()), ("role", pa.uint8())]
    columns += [("passes", pa.int32())] if layout.timed else []
    columns += [("order", pa.int32())] if layout.timed and up else []
    columns += [("event_row", pa.int32())] if layout.selected and up else []
    return pa.schema(columns)


def _nodes(
    graph: GraphColumns, incoming: _SavedEdges, outgoing: _SavedEdges
) -> Iterator[pa.RecordBatch]:
    only_cached = np.zeros(graph.edges.nodes, bool)
    only_cached[graph.only_cached] = True
    last = 0
    for start in range(0, graph.edges.nodes, BLOCK):
        part = slice(start, min(start + BLOCK, graph.edges.nodes))
        ids = _ids(graph, start, part.stop - start)
        columns = {
            "id": np.diff(ids, prepend=last),
            "type_id": graph.type_ids[part],
            "missing": graph.missing[part],
            "only_cached": only_cached[part],
            "incoming": incoming.counts[part],
            "outgoing": outgoing.counts[part],
        }
        last = int(ids[-1])
        yield _batch(columns, _NODE_SCHEMA)


def _batch(columns: dict[str, Array], schema: pa.Schema) -> pa.RecordBatch:
    made = [
        arrays.from_numpy(columns[field.name].astype(arrays.dtype_of(field.type), copy=False))
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(made, schema=schema)
