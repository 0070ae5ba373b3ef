"""Closures by brute force: every way is walked one event after the other, by the definitions alone.

An execution P stands above an execution C through an artifact exactly if P published it before C
took it, or P was the first to publish it and nobody had before C took it. Nothing here is ordered,
counted or shared with what is tested; a way is a list of events.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mlmd_lineage.lineage.graph import LineageGraph


@dataclasses.dataclass(frozen=True)
class OracleEvent:
    """An event, in the direction of the data."""

    number: int
    source: str
    target: str
    role: str
    time: int | None

    @property
    def is_input(self) -> bool:
        return self.source.startswith("artifact")

    @property
    def artifact(self) -> str:
        return self.source if self.is_input else self.target


class Oracle:
    """A graph, the events that a question follows, and the closures."""

    def __init__(
        self, graph: LineageGraph, *, reuse: bool, internal: bool, later: bool = False
    ) -> None:
        roles = {"uses", "produces", "later"}
        roles |= {"reuses"} if reuse else set()
        roles |= {"internal", "resolves", "pending", "phantom"} if internal else set()
        self.later = later
        self.all = [
            OracleEvent(
                row.Index,
                row.source,
                row.target,
                "produces" if row.role == "later" else row.role,
                None if pd.isna(row.time) else int(row.time.timestamp() * 1000),
            )
            for row in graph.edges.itertuples()
        ]
        self.events = [event for event in self.all if event.role in roles | {"produces"}]
        self.nodes = list(graph)

    def counts(self, output: OracleEvent, taken: OracleEvent) -> bool:
        """Tell whether an output of an artifact counts for an input of it."""
        if self.later or was_before(output, taken):
            return True
        outputs = [e for e in self.all if not e.is_input and e.artifact == output.artifact]
        producing = [e for e in outputs if e.role == "produces"]
        if any(was_before(other, taken) for other in producing):
            return False
        # Nobody had published it: the first to do so counts, and who else claimed it until then.
        first = min(producing or outputs, key=moment)
        return moment(output) <= moment(first) and (
            bool(producing) or not any(was_before(other, taken) for other in outputs)
        )

    def onward(self, node: str, came_by: OracleEvent | None, *, up: bool) -> Iterator[OracleEvent]:
        """Yield the events that lead on from a node to which another event has led."""
        for event in self.events:
            if (event.target if up else event.source) != node:
                continue
            pair = (event, came_by) if up else (came_by, event)
            if None in pair or node.startswith("execution") or self.counts(*pair):
                yield event

    def walk(
        self,
        start: str,
        *,
        up: bool,
        stops: Collection[str] = (),
        closed: Collection[str] = (),
        max_hops: int | None = None,
    ) -> dict[str, int]:
        """Return the nodes that are reached, and how far away each is."""
        hops = {start: 0}
        states: dict[tuple[str, OracleEvent | None], int] = {(start, None): 0}
        queue: list[tuple[str, OracleEvent | None]] = [(start, None)]
        for state in queue:
            node, came_by = state
            far = states[state]
            stopped = node in stops and came_by is not None and node != start
            if stopped or (max_hops is not None and far >= max_hops):
                continue
            for event in self.onward(node, came_by, up=up):
                other = event.source if up else event.target
                if other in closed or (other, event) in states or other == start:
                    continue
                states[other, event] = far + 1
                hops.setdefault(other, far + 1)
                queue.append((other, event))
        return hops

    def bounds(  # noqa: PLR0913 - the arguments of walk()
        self,
        start: str,
        hops: dict[str, int],
        *,
        up: bool,
        stops: Collection[str],
        closed: Collection[str],
        max_hops: int | None,
    ) -> tuple[set[str], set[str]]:
        """Return the nodes at which something was left out, and the reasons."""
        boundary, reasons = set(), set()
        for node, distance in hops.items():
            for event in self.events:
                other = event.source if up else event.target
                if (event.target if up else event.source) != node or other in hops:
                    continue
                far: float | None = distance
                if node != start and node.startswith("artifact"):
                    ways = [
                        way
                        for way in self.events
                        if (way.source if up else way.target) == node
                        and (way.target if up else way.source) in hops
                        and self.counts(*((event, way) if up else (way, event)))
                    ]
                    if not ways:
                        continue
                    before = {way.target if up else way.source for way in ways}
                    passing = [hops[n] + 1 for n in before if n == start or n not in stops]
                    far = min(passing, default=None)
                boundary.add(node)
                if other in closed:
                    reasons.add("types")
                elif far is not None and max_hops is not None and far >= max_hops:
                    reasons.add("max_hops")
                else:
                    assert far is None or node in stops
                    reasons.add("until")
        return boundary, reasons

    def between(self, source: str, target: str) -> set[str]:
        """Return the nodes on the ways from one node to another."""
        above, below = self.walk(target, up=True), self.walk(source, up=False)
        found = set()
        for node in set(above) & set(below):
            if node.startswith("execution") or node in {source, target}:
                found.add(node)
                continue
            arrivals = [e for e in self.events if e.target == node and e.source in below]
            leaving = [e for e in self.events if e.source == node and e.target in above]
            if any(self.counts(one, other) for one in arrivals for other in leaving):
                found.add(node)
        return found

    def kept(
        self, nodes: Collection[str], *, above: str | None = None, below: str | None = None
    ) -> set[int]:
        """Return the events between nodes that count for what lies above or below a node."""
        inside = [e for e in self.events if e.source in nodes and e.target in nodes]
        kept: set[int] = set()
        for event in inside:
            same = [e for e in inside if e.artifact == event.artifact]
            counts = True
            if above is not None and not event.is_input and event.artifact != above:
                counts = any(e.is_input and self.counts(event, e) for e in same)
            if below is not None and event.is_input and event.artifact != below:
                counts &= any(not e.is_input and self.counts(e, event) for e in same)
            if counts:
                kept.add(event.number)
        return kept


def moment(event: OracleEvent) -> tuple[float, int]:
    """Return when an output was published; without a time it counts as the earliest."""
    return (float("-inf") if event.time is None else event.time), event.number


def was_before(output: OracleEvent, taken: OracleEvent) -> bool:
    """Tell whether an artifact was published when it was taken; what has no time binds nothing."""
    return output.time is None or taken.time is None or output.time <= taken.time


def event_numbers(graph: LineageGraph) -> set[int]:
    """Return the ids of a graph's events."""
    found: Any = graph.edges.index
    return set(found)
