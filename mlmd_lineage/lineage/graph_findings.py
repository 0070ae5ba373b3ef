"""Findings about a lineage graph: missing nodes, and events whose times leave something open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.lineage import event_order
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.finding_codes import FindingCode
from mlmd_lineage.snapshot.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.lineage.graph_data import GraphData

    Array = np.ndarray[Any, np.dtype[Any]]


def findings(graph: GraphData, whole: GraphData) -> tuple[Finding, ...]:
    """Return the findings of a graph, in order.

    Args:
        graph: The graph.
        whole: The graph of which it is a part, or itself.
    """
    index = graph.index
    found = [
        Finding(
            FindingCode(f"missing_{key.split('/')[0]}"),
            key,
            "events name it, and no row has its id",
        )
        for key in index.keys(np.flatnonzero(index.missing))
    ]
    for artifact in index.only_cached.tolist():
        first = _first_producer(graph, whole, artifact)
        detail = f"only cached executions claim it; the earliest, {first}, stands for its producer"
        found.append(Finding(FindingCode.ONLY_CACHED_PRODUCER, index.key(artifact), detail))
    return tuple(sorted([*found, *_of_time(graph, whole)]))


def _of_time(graph: GraphData, whole: GraphData) -> Iterator[Finding]:
    """Yield what the times of the graph's events leave open."""
    index = graph.index
    events = arrays.to_numpy(graph.tables["Event"]["id"])[index.event_rows]
    artifacts, executions = index.ends()
    theirs = None  # all of the graph's own
    if graph is not whole:
        theirs = whole.index.artifact_positions(index.artifact_ids)
    early, untimed = (np.isin(events, some) for some in _ambiguous_events(whole, theirs))
    for at in np.unique(artifacts[early]).tolist():
        taken = np.unique(executions[early & (artifacts == at)])
        more = f" and {len(taken) - 1:,} more" if len(taken) > 1 else ""
        detail = (
            f"{index.key(taken[0])}{more} took it before any execution had written it; the "
            f"first that did, {_first_producer(graph, whole, at)}, stands for its producer"
        )
        yield Finding(FindingCode.USED_BEFORE_PRODUCED, index.key(at), detail)
    for at in np.unique(artifacts[untimed]).tolist():
        count = np.count_nonzero(artifacts[untimed] == at)
        some = "one of its events has" if count == 1 else f"{count:,} of its events have"
        detail = (
            f"several executions wrote it, and {some} no time: such an event counts as early "
            "enough for all"
        )
        yield Finding(FindingCode.UNTIMED_EVENT, index.key(at), detail)


def _first_producer(graph: GraphData, whole: GraphData, artifact: int) -> str:
    """Return the producer of an artifact that stands at a position of the graph."""
    theirs = whole.index.artifact_positions(graph.index.artifact_ids[[artifact]])
    return whole.index.producers(int(theirs[0]))[0]


def _ambiguous_events(graph: GraphData, artifacts: Array | None) -> tuple[Array, Array]:
    """Return the ids of the events that ``event_order.ambiguous_events`` names.

    Args:
        graph: The graph.
        artifacts: The positions of the artifacts whose events are looked at; None for all.
    """
    index = graph.index
    if artifacts is None:
        owners, executions = index.ends()
        roles, rows = index.roles, index.event_rows
    else:
        edges = index.of_artifacts(artifacts)
        owners, executions, roles, rows = edges.nodes, edges.neighbours, edges.roles, edges.rows
    events = graph.tables.event_times(rows)
    early, untimed = event_order.ambiguous_events(
        owners, executions, roles, arrays.to_numpy(events["milliseconds_since_epoch"])
    )
    ids = arrays.to_numpy(events["id"])
    return ids[early], ids[untimed]
