"""The nodes and edges of a graph as pandas DataFrames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlmd_lineage.lineage.roles import ROLES
from mlmd_lineage.snapshot import columns, imported
from mlmd_lineage.snapshot.enums import ArtifactState, EventType, ExecutionState

if TYPE_CHECKING:
    from mlmd_lineage.lineage.graph_data import GraphData


def nodes(graph: GraphData) -> pd.DataFrame:
    """Return a graph's nodes: artifacts by id, then executions by id.

    The index, ``node``, holds their keys. Columns: ``kind``, ``id``, ``type``, ``name``, ``uri``,
    ``state``, ``external_id``, ``create_time_since_epoch``, ``last_update_time_since_epoch``,
    ``missing`` (no row has its id), and for a trace ``hops`` from the start. Where
    Kubeflow imported some of them, ``original_id`` and ``imported_from`` say which, and times are
    those that they had.
    """
    index, tables = graph.index, graph.tables
    ids = np.concatenate([index.artifact_ids, index.execution_ids]).astype(np.int64)
    artifacts = columns.node_columns(tables["Artifact"], tables["Type"], "state", ArtifactState)
    executions = columns.node_columns(
        tables["Execution"], tables["Type"], "last_known_state", ExecutionState
    )
    both = pd.concat(
        [
            artifacts.reindex(index.artifact_ids),
            executions.reindex(index.execution_ids),
        ],
        ignore_index=True,  # pandas 2 warns where one of two indexes is empty
    )
    kinds = ["artifact"] * index.artifacts + ["execution"] * len(index.execution_ids)
    frame = pd.DataFrame(
        {
            "kind": pd.array(kinds, columns.TEXT),
            "id": ids,
            **{
                name: both[name].array
                for name in (
                    "type",
                    "name",
                    "uri",
                    "state",
                    "external_id",
                    "create_time_since_epoch",
                    "last_update_time_since_epoch",
                )
            },
            "missing": index.missing,
        }
    )
    for name in (imported.ID_COLUMN, imported.SOURCE_COLUMN):
        if name in both:
            frame[name] = both[name].array
    if graph.as_trace is not None:
        frame["hops"] = graph.as_trace.hops.astype(np.int64)
    frame.index = pd.Index(pd.array(index.keys(np.arange(index.nodes)), columns.TEXT), name="node")
    return frame


def edges(graph: GraphData) -> pd.DataFrame:
    """Return a graph's edges in the order of their events.

    The index, ``event``, holds the events' ids. Columns: ``source`` and ``target`` (node keys, in
    the direction of the data), ``artifact_id``, ``execution_id``, ``type`` (MLMD's name),
    ``role``, ``path`` (a tuple of keys and indexes), ``time``.
    """
    index, tables = graph.index, graph.tables
    events = tables["Event"].take(index.event_rows)
    keys = np.array(index.keys(np.arange(index.nodes)), object)
    roles = np.array(ROLES, object)[index.roles]
    return pd.DataFrame(
        {
            "source": pd.array(keys[index.sources], columns.TEXT),
            "target": pd.array(keys[index.targets], columns.TEXT),
            "artifact_id": events["artifact_id"].to_numpy().astype(np.int64),
            "execution_id": events["execution_id"].to_numpy().astype(np.int64),
            # An index of the archive may contradict the table, which then has any number.
            "type": columns.enum(events["type"], EventType),
            "role": pd.array(roles, columns.TEXT),
            "path": columns.paths(events["id"], tables["EventPath"]),
            "time": columns.times(events["milliseconds_since_epoch"]),
        },
        index=pd.Index(events["id"].to_numpy().astype(np.int64), name="event"),
    )
