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
from mlmd_lineage.lineage.graph_tables import narrowed
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.text_states import execution_states_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.lineage.index import Index
    from mlmd_lineage.snapshot.tables import Tables

    Array = np.ndarray[Any, np.dtype[Any]]

BLOCKS, NODES = "graph.blocks", "graph.nodes"
INCOMING, OUTGOING = "graph.incoming", "graph.outgoing"
VERSION = 2
"""To be raised when roles or limits mean something else: others' are built anew."""
BLOCK = 1 << BLOCK_BITS
"""How many nodes a block has; the last one may have fewer."""
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
    """Return the files' schemas and record batches for the graph of a snapshot."""
    index = index_building.build(_needed(tables))
    memory.release()
    layout = Layout(
        version=VERSION,
        nodes=index.nodes,
        artifacts=index.artifacts,
        edges=index.size,
        first_ids=_first_ids(index),
        timed=index.orders is not None,
        selected=index.size < tables["Event"].num_rows,
    )
    ids = np.concatenate([index.artifact_ids, index.execution_ids]).astype(np.int64, copy=False)
    kept = json.dumps(dataclasses.asdict(layout)).encode()
    found = schemas(layout)
    found[BLOCKS] = found[BLOCKS].with_metadata({LAYOUT_KEY: kept})
    batches = {
        BLOCKS: iter([_blocks(index, ids, found[BLOCKS])]),
        NODES: _nodes(index, ids),
        INCOMING: _edges(index, found[INCOMING], up=True),
        OUTGOING: _edges(index, found[OUTGOING], up=False),
    }
    return {name: (schema, batches[name]) for name, schema in found.items()}


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


def starts_of(index: Index, *, up: bool) -> Array:
    """Return where the edges of each block begin, and where the last ones end."""
    offsets = index.edges(up=up).offsets
    return np.append(offsets[: index.nodes : BLOCK], offsets[-1]).astype(np.int64)


def _blocks(index: Index, ids: Array, schema: pa.Schema) -> pa.RecordBatch:
    count = 1 - (-index.nodes // BLOCK)
    columns = {"id": _before(ids, np.minimum(np.arange(count) * BLOCK, index.nodes))}
    for name, up in (("in", True), ("out", False)):
        edges, starts = index.edges(up=up), starts_of(index, up=up)
        columns["incoming" if up else "outgoing"] = starts
        columns[f"{name}_neighbour"] = _before(edges.neighbours, starts)
        columns[f"{name}_edge"] = _before(edges.edges, starts)
    return _batch(columns, schema)


def _before(values: Array, starts: Array) -> Array:
    """Return the number before each of some places, 0 before the first one."""
    made = np.zeros(len(starts), np.int64)
    later = starts > 0
    made[later] = values[starts[later] - 1]
    return made


def _first_ids(index: Index) -> tuple[int, int] | None:
    found = []
    for ids in (index.artifact_ids, index.execution_ids):
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


def _nodes(index: Index, ids: Array) -> Iterator[pa.RecordBatch]:
    only_cached = np.zeros(index.nodes, bool)
    only_cached[index.only_cached] = True
    for start in range(0, index.nodes, BLOCK):
        end = min(start + BLOCK, index.nodes)
        part = slice(start, end)
        columns = {
            "id": _differences(ids, start, end),
            "type_id": index.type_ids[part],
            "missing": index.missing[part],
            "only_cached": only_cached[part],
            "incoming": np.diff(index.incoming.offsets[start : end + 1]),
            "outgoing": np.diff(index.outgoing.offsets[start : end + 1]),
        }
        yield _batch(columns, _NODE_SCHEMA)


def _edges(index: Index, schema: pa.Schema, *, up: bool) -> Iterator[pa.RecordBatch]:
    edges, starts = index.edges(up=up), starts_of(index, up=up).tolist()
    event_rows = index.event_rows if "event_row" in schema.names else None
    for start, end in itertools.pairwise(starts):
        part = slice(start, end)
        columns = {
            "neighbour": _differences(edges.neighbours, start, end),
            "edge": _differences(edges.edges, start, end),
            "role": edges.roles[part],
        }
        if edges.passes is not None:
            columns["passes"] = edges.passes[part]
        if "order" in schema.names and index.orders is not None:
            columns["order"] = index.orders[edges.edges[part]]
        if event_rows is not None:
            columns["event_row"] = event_rows[edges.edges[part]]
        yield _batch(columns, schema)


def _differences(values: Array, start: int, end: int) -> Array:
    """Return what each number of a part is more than the one before it."""
    if start == 0:
        return np.diff(values[:end], prepend=np.zeros(1, values.dtype))
    return np.diff(values[start - 1 : end])


def _batch(columns: dict[str, Array], schema: pa.Schema) -> pa.RecordBatch:
    made = [
        arrays.from_numpy(columns[field.name].astype(arrays.dtype_of(field.type), copy=False))
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(made, schema=schema)
