"""The index of a lineage graph as tables that an archive holds, so that it need not be built.

Nodes, artifacts before executions, each kind by its ids::

    id, type_id (-1 where it has none), missing, only_cached
    incoming, outgoing      the numbers of its edges that end and that begin there

Ids, neighbours and edges stand as differences from the row before, which take less space.

Edges, twice: sorted by the nodes at which they end, and by those at which they begin::

    in_neighbour, out_neighbour     the position of the node at the other end
    in_edge, out_edge               the edge's number in the order of the events
    in_role, out_role               its role: a number in ``ROLES``
    in_passes, out_passes           see ``Edges``; only where there are such limits
    order                           see ``Index.orders``; likewise, in the order of the events
    event_row                       the row of its event, only where some events are no edges

The C code that walks over them trusts them, so that whatever lies out of bounds is refused here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlmd_lineage.lineage import index_building
from mlmd_lineage.lineage.graph_tables import GraphTables
from mlmd_lineage.lineage.index import Edges, Index
from mlmd_lineage.lineage.roles import ROLES
from mlmd_lineage.readers.base import GraphProvider
from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.readers.base import Reader
    from mlmd_lineage.snapshot.tables import Tables

    Array = np.ndarray[Any, np.dtype[Any]]

VERSION = b"1"
"""To be raised when roles or limits mean something else: others' are built anew."""
_DIFFERENCES = {"id", "in_neighbour", "out_neighbour", "in_edge", "out_edge"}
_VERSION_KEY = b"mlmd_lineage.graph"
_ARTIFACTS_KEY = b"mlmd_lineage.artifacts"


def tables_of(tables: Tables) -> dict[str, pa.Table]:
    """Return the tables ``graph.nodes`` and ``graph.edges`` for the graph of a snapshot."""
    index = index_building.build(GraphTables(tables))
    only_cached = np.zeros(index.nodes, bool)
    only_cached[index.only_cached] = True
    nodes = {
        "id": np.concatenate([index.artifact_ids, index.execution_ids]).astype(np.int64),
        "type_id": index.type_ids.astype(np.int64, copy=False),
        "missing": index.missing,
        "only_cached": only_cached,
        "incoming": np.diff(index.incoming.offsets),
        "outgoing": np.diff(index.outgoing.offsets),
    }
    edges: dict[str, Array] = {}
    for name, part in (("in", index.incoming), ("out", index.outgoing)):
        edges[f"{name}_neighbour"] = part.neighbours.astype(np.int32, copy=False)
        edges[f"{name}_edge"] = part.edges.astype(np.int32, copy=False)
        edges[f"{name}_role"] = part.roles.astype(np.uint8, copy=False)
        if part.passes is not None:
            edges[f"{name}_passes"] = part.passes.astype(np.int32, copy=False)
    if index.orders is not None:
        edges["order"] = index.orders.astype(np.int32, copy=False)
    if index.size < tables["Event"].num_rows:
        edges["event_row"] = index.event_rows.astype(np.int32, copy=False)
    metadata = {_VERSION_KEY: VERSION, _ARTIFACTS_KEY: str(index.artifacts).encode()}
    return {"graph.nodes": _table(nodes, metadata), "graph.edges": _table(edges, metadata)}


def _table(columns: Mapping[str, Array], metadata: Mapping[bytes, bytes]) -> pa.Table:
    made = {
        name: arrays.from_numpy(
            np.diff(values, prepend=np.zeros(1, values.dtype)) if name in _DIFFERENCES else values
        )
        for name, values in columns.items()
    }
    return pa.table(made).replace_schema_metadata(dict(metadata))


def read(reader: Reader) -> Index | None:
    """Return the index that a store holds; None where it has to be built."""
    stored = reader.stored_graph() if isinstance(reader, GraphProvider) else None
    return None if stored is None else index_of(stored)


def index_of(stored: Mapping[str, pa.Table]) -> Index | None:
    """Return the index that tables hold; None where another release made them, or they are odd."""
    if not {"graph.nodes", "graph.edges"} <= stored.keys():
        return None
    nodes, edges = stored["graph.nodes"], stored["graph.edges"]
    metadata = nodes.schema.metadata or {}
    if metadata.get(_VERSION_KEY) != VERSION or not metadata.get(_ARTIFACTS_KEY, b"").isdigit():
        return None
    try:
        found = {name: _numbers(name, edges[name]) for name in edges.column_names}
        of_nodes = {name: _numbers(name, nodes[name]) for name in nodes.column_names}
        artifacts = int(metadata[_ARTIFACTS_KEY])
        artifact_ids, execution_ids = of_nodes["id"][:artifacts], of_nodes["id"][artifacts:]
        incoming = _edges("in", of_nodes["incoming"], found)
        outgoing = _edges("out", of_nodes["outgoing"], found)
        is_right = (
            artifacts <= nodes.num_rows
            and bool((np.diff(artifact_ids) > 0).all() and (np.diff(execution_ids) > 0).all())
            and ("order" in found) == (incoming.passes is not None) == (outgoing.passes is not None)
        )
        only_cached = np.flatnonzero(of_nodes["only_cached"][:artifacts])
        missing, type_ids = of_nodes["missing"], of_nodes["type_id"]
    except (KeyError, TypeError, ValueError):
        return None
    if not is_right:
        return None
    return Index.of_parts(
        artifact_ids=artifact_ids,
        execution_ids=execution_ids,
        missing=missing,
        type_ids=type_ids,
        only_cached=only_cached,
        orders=found.get("order"),
        incoming=incoming,
        outgoing=outgoing,
        event_rows=found.get("event_row"),
    )


def _numbers(name: str, column: pa.ChunkedArray) -> Array:
    if column.null_count:
        message = "a column of the graph has nulls"
        raise ValueError(message)
    values = arrays.to_numpy(column)
    return np.cumsum(values, dtype=values.dtype) if name in _DIFFERENCES else values


def _edges(name: str, counts: Array, found: Mapping[str, Array]) -> Edges:
    """Return the edges in one direction.

    Raises:
        KeyError, ValueError: They are not those of so many nodes.
    """
    neighbours, edges = found[f"{name}_neighbour"], found[f"{name}_edge"]
    roles, passes = found[f"{name}_role"], found.get(f"{name}_passes")
    size, nodes = len(neighbours), len(counts)
    offsets = np.zeros(nodes + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    inside = (
        (neighbours, np.int32, nodes),
        (edges, np.int32, size),
        (roles, np.uint8, len(ROLES)),
        (counts, np.int32, size + 1),
        *([] if passes is None else [(passes, np.int32, 2**31)]),
    )
    for values, kind, bound in inside:
        if values.dtype != kind or (
            len(values) and not 0 <= int(values.min()) <= int(values.max()) < bound
        ):
            message = "a column of the graph is out of bounds"
            raise ValueError(message)
    if offsets[-1] != size or (size and np.bincount(edges, minlength=size).max() != 1):
        message = "the nodes of the graph have other edges than there are"
        raise ValueError(message)
    return Edges.of_parts(offsets.astype(np.int32), neighbours, roles, edges, passes)
