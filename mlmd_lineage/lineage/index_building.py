"""Builds the index of a lineage graph from the tables of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlmd_lineage import memory
from mlmd_lineage.lineage import event_order
from mlmd_lineage.lineage import roles as role_rules
from mlmd_lineage.lineage.edge_list import EdgeList, parts, with_values
from mlmd_lineage.lineage.index import Index
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.arrays import pc
from mlmd_lineage.snapshot.enums import INPUT_EVENTS, EventType

if TYPE_CHECKING:
    import pyarrow as pa

    from mlmd_lineage.snapshot.tables import HasTables

    Array = np.ndarray[Any, np.dtype[Any]]

_MANY_EVENTS = 1 << 16
_IS_INPUT = np.isin(np.arange(len(EventType)), INPUT_EVENTS)


class GraphColumns(NamedTuple):
    """What an index is made of; the attributes are those of ``Index``."""

    artifact_ids: Array
    execution_ids: Array
    missing: Array
    type_ids: Array
    only_cached: Array
    edges: EdgeList
    event_rows: Array | None


def build(tables: HasTables, whole: tuple[Index, Array] | None = None) -> Index:
    """Return the index of the graph that a store's tables hold.

    Events that are neither inputs nor outputs are no edges; the snapshot's findings list them.

    Args:
        tables: The nodes and events.
        whole: Where they are only a part of a graph, the index of the whole and the ids of its
            edges' events: what an event means may depend on others.
    """
    return Index(**columns_of(tables, whole)._asdict())


def columns_of(tables: HasTables, whole: tuple[Index, Array] | None = None) -> GraphColumns:
    """Return what the index is made of that ``build()`` returns."""
    events = tables["Event"]
    _release_memory(events)
    types = _small(events["type"])
    is_edge = (types > 0) & (types < len(EventType))
    event_rows = None
    if not is_edge.all():
        event_rows = np.flatnonzero(is_edge).astype(np.int32)
        events, types = events.take(arrays.from_numpy(event_rows)), types[event_rows]
    del is_edge
    artifact_ids, artifacts, no_artifact = _numbered(tables["Artifact"], events["artifact_id"])
    execution_ids, executions, no_execution = _numbered(tables["Execution"], events["execution_id"])
    if whole is None:
        states = (
            _spread(_small(tables["Artifact"]["state"]), no_artifact, 0),
            _spread(_small(tables["Execution"]["last_known_state"]), no_execution, 0),
        )
        roles, orders, only_cached = _meanings(events, types, artifacts, executions, states)
    else:
        index, event_ids = whole
        at = event_ids.searchsorted(arrays.to_numpy(events["id"]))
        roles = index.roles[at]
        orders = None if index.orders is None else index.orders[at]
        claimed = index.artifact_ids[index.only_cached]
        only_cached = np.flatnonzero(np.isin(artifact_ids, claimed, assume_unique=True))
    is_input = _IS_INPUT[types]
    executions += np.int32(len(artifact_ids))
    # Inputs go from artifacts to executions; the others are turned round, with no copy of all.
    sources, targets, outputs = artifacts, executions, ~is_input
    sources[outputs], targets[outputs] = targets[outputs], sources[outputs]
    del is_input, outputs, types  # for what comes takes the most memory
    _release_memory(events)
    return GraphColumns(
        artifact_ids=artifact_ids,
        execution_ids=execution_ids,
        missing=np.concatenate([no_artifact, no_execution]),
        type_ids=np.concatenate(
            [
                _spread(_type_ids(tables["Artifact"]), no_artifact, -1),
                _spread(_type_ids(tables["Execution"]), no_execution, -1),
            ]
        ),
        only_cached=only_cached,
        edges=EdgeList(
            artifacts=len(artifact_ids),
            nodes=len(artifact_ids) + len(execution_ids),
            sources=sources,
            targets=targets,
            roles=roles,
            orders=orders,
        ).limited(),
        event_rows=event_rows,
    )


def _meanings(
    events: pa.Table, types: Array, artifacts: Array, executions: Array, states: tuple[Array, Array]
) -> tuple[Array, Array | None, Array]:
    """Return each event's role and order, and the artifacts that only cached executions claim.

    What an event means depends on the others of its artifact only.

    Args:
        events: The events.
        types: Their types.
        artifacts: The number of each event's artifact.
        executions: That of its execution.
        states: The state of each artifact and of each execution, 0 where it has none.
    """
    artifact_states, execution_states = states
    moments = events["milliseconds_since_epoch"]
    roles, orders = np.empty(len(types), np.uint8), None
    only_cached = [np.empty(0, np.int64)]
    for first, end, rows in parts(artifacts, len(artifact_states)):
        kinds, owners = types[rows], artifacts[rows] - np.int32(first)

        def times(some: Array, rows: Array = rows) -> Array:
            return _taken(moments, rows[some])

        found, claimed = role_rules.roles_of(
            kinds,
            owners,
            artifact_states[first:end][owners],
            execution_states[executions[rows]],
            times,
        )
        roles[rows] = found
        only_cached.append(claimed.astype(np.int64) + first)
        ranks = event_order.orders(_IS_INPUT[kinds], owners, found, times)
        if ranks is not None:
            # Where no output has a rival, it is the first, and each input has it for its limit.
            orders = _IS_INPUT[types].astype(np.int8) if orders is None else orders
            orders = with_values(orders, rows, ranks)
    return roles, orders, np.concatenate(only_cached)


def _taken(column: pa.ChunkedArray, rows: Array) -> Array:
    """Return a column's numbers in some rows, which are in order.

    Arrow's ``take`` of many chunks copies all of them first.
    """
    made, start = np.empty(len(rows), np.int64), 0
    for chunk in column.chunks:
        first, last = rows.searchsorted((start, start + len(chunk)))
        if first < last:
            made[first:last] = arrays.to_numpy(chunk)[rows[first:last] - start]
        start += len(chunk)
    return made


def _release_memory(events: pa.Table) -> None:
    """Let NumPy have the memory that was used before; at a million executions it is much."""
    if events.num_rows > _MANY_EVENTS:
        memory.release()


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
    """Return each number minus the first one."""
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
