"""Check of cycles: artifacts that came from themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.audit.checks.base import AuditCheck, Observation, Severity
from mlmd_lineage.audit.checks.data import listed
from mlmd_lineage.lineage.roles import PRODUCES, USES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.audit.checks.data import AuditData

    Array = np.ndarray[Any, np.dtype[Any]]


def _cycle(data: AuditData) -> Iterator[Observation]:
    index = data.graph.index
    roles = index.roles
    counted = (roles == USES) | (roles == PRODUCES)
    sources, targets = index.sources[counted], index.targets[counted]
    for _ in range(2):  # what only leads out of cycles goes first, then what only leads into them
        left = _left_over(sources, targets, index.nodes)
        inside = left[sources] & left[targets]
        sources, targets = targets[inside], sources[inside]
    if not len(sources):
        return
    import networkx as nx

    graph = nx.DiGraph(zip(sources.tolist(), targets.tolist(), strict=True))
    cycles = [sorted(c) for c in nx.strongly_connected_components(graph) if len(c) > 1]
    for nodes in sorted(cycles):
        keys = index.keys(np.array(nodes))
        for key in keys:
            others = [other for other in keys if other != key]
            message = f"it came from itself, by way of {listed(others)}"
            yield Observation(key, message, {"cycle": keys})


def _left_over(sources: Array, targets: Array, count: int) -> Array:
    """Tell which nodes are in a cycle, or reached from one."""
    order = np.argsort(sources, kind="stable")
    neighbours = targets[order]
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(sources, minlength=count), out=offsets[1:])
    into = np.bincount(targets, minlength=count)
    left = into > 0
    free = np.flatnonzero(~left)
    while len(free):
        starts, lengths = offsets[free], offsets[free + 1] - offsets[free]
        first = np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
        reached, times = np.unique(neighbours[np.arange(len(first)) + first], return_counts=True)
        into[reached] -= times
        free = reached[into[reached] == 0]
        left[free] = False
    return left


CHECKS = (
    AuditCheck(
        "cycle",
        Severity.ERROR,
        "Nothing can come from itself: one of the events on the way is wrong.",
        "Look at the times of the events on the cycle; the one that is out of order is wrong.",
        _cycle,
    ),
)
