"""Builds the index of a lineage graph from the tables of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage import memory
from mlmd_lineage.lineage import event_order
from mlmd_lineage.lineage import roles as role_rules
from mlmd_lineage.lineage.index import Index
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.arrays import pc
from mlmd_lineage.snapshot.enums import INPUT_EVENTS, EventType

if TYPE_CHECKING:
    import pyarrow as pa

    from mlmd_lineage.snapshot.tables import HasTables

    Array = np.ndarray[Any, np.dtype[Any]]

_MANY_EVENTS = 1 << 16


def build(tables: HasTables, whole: tuple[Index, Array] | None = None) -> Index:
    """Return the index of the graph that a store's tables hold.

    Events that are neither inputs nor outputs are no edges; the snapshot's findings list them.

    Args:
        tables: The nodes and events.
        whole: Where they are only a part of a graph, the index of the whole and the ids of its
            edges' events: what an event means may depend on others.
    """
    events = tables["Event"]
    _release_memory(events)
    types = _small(events["type"])
    is_edge = (types > 0) & (types < len(EventType))
    event_rows = None
    if not is_edge.all():
        event_rows = np.flatnonzero(is_edge).astype(np.int32)
        events, types = events.take(arrays.from_numpy(event_rows)), types[event_rows]
    artifact_ids, artifacts, no_artifact = _numbered(tables["Artifact"], events["artifact_id"])
    execution_ids, executions, no_execution = _numbered(tables["Execution"], events["execution_id"])
    is_input = np.isin(np.arange(len(EventType)), INPUT_EVENTS)[types]

    def times(rows: Array) -> Array:
        moments = events["milliseconds_since_epoch"]
        return arrays.to_numpy(moments.take(arrays.from_numpy(rows)))

    if whole is None:
        roles, only_cached = role_rules.roles_of(
            types,
            artifacts,
            _spread(_small(tables["Artifact"]["state"]), no_artifact, 0)[artifacts],
            _spread(_small(tables["Execution"]["last_known_state"]), no_execution, 0)[executions],
            times,
        )
        orders = event_order.orders(is_input, artifacts, roles, times)
    else:
        index, event_ids = whole
        at = event_ids.searchsorted(arrays.to_numpy(events["id"]))
        roles = index.roles[at]
        orders = None if index.orders is None else index.orders[at]
        claimed = index.artifact_ids[index.only_cached]
        only_cached = np.flatnonzero(np.isin(artifact_ids, claimed, assume_unique=True))
    executions += np.int32(len(artifact_ids))
    sources = np.where(is_input, artifacts, executions)
    targets = np.where(is_input, executions, artifacts)
    del artifacts, executions, is_input, is_edge, types  # for what comes takes the most memory
    _release_memory(events)
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
        event_rows=event_rows,
        sources=sources,
        targets=targets,
        roles=roles,
        orders=orders,
        only_cached=only_cached,
    )


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
