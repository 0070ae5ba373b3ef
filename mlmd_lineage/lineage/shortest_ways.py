"""Shortest ways from the start of a trace to its nodes, along outputs that count by their times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mlmd_lineage.lineage.graph_data import TraceData


class ShortestWays:
    """A shortest way to each node of an upstream or downstream trace.

    >>> ShortestWays(trace).to("artifact/11")
    ('artifact/1', 'execution/3', 'artifact/11')

    Of several shortest ways it is the one by the least ids, artifacts before executions.
    """

    def __init__(self, trace: TraceData) -> None:
        """Find the node before each node; a way from an artifact may depend on where it leads."""
        index = trace.index
        self._keys = index.keys(np.arange(index.nodes))
        self._positions = {key: at for at, key in enumerate(self._keys)}
        self._hops = trace.hops.tolist()
        self._starts = {self._positions[key] for key in trace.starts}
        up = trace.direction == "upstream"
        come, go = (index.targets, index.sources) if up else (index.sources, index.targets)
        orders = np.zeros(index.size, np.int32) if index.orders is None else index.orders
        timed = index.orders is not None and not trace.question.later
        self._before: dict[int, int] = {}
        """For each artifact an execution before it, and for each execution an artifact."""
        self._execution_before: dict[int, int] = {}
        """For each execution the execution before the artifact before it."""
        arrivals: dict[int, list[tuple[int, int]]] = {}
        edges = sorted(zip(come.tolist(), go.tolist(), orders.tolist(), strict=True))
        for source, target, order in edges:
            if target < index.artifacts:
                arrivals.setdefault(target, []).append((source, order))
                if self._hops[source] == self._hops[target] - 1:
                    self._before.setdefault(target, source)
        for artifact, target, order in edges:
            hops = self._hops[target] - 2
            if target < index.artifacts or target in self._before:
                continue
            if artifact in self._starts:
                if hops == -1:
                    self._before[target] = artifact
                continue
            for execution, other in arrivals.get(artifact, ()):
                counts = not timed or ((other > order) if up else (other < order))
                if counts and self._hops[execution] == hops:
                    self._before[target] = artifact
                    self._execution_before[target] = execution
                    break

    def to(self, key: str) -> tuple[str, ...]:
        """Return the keys of the nodes on a shortest way, the start first.

        Raises:
            KeyError: The trace does not hold the node.
        """
        at = self._positions[key]
        way = [at]
        while at not in self._starts and at in self._before:
            before = self._before[at]
            way.append(before)
            if at in self._execution_before:
                at = self._execution_before[at]
                way.append(at)
            else:
                at = before
        return tuple(self._keys[position] for position in reversed(way))
