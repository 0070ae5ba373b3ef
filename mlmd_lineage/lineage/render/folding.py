"""Folding of nodes that repeat, of runs and of pipelines, for pictures that fit on a page.

A graph is folded in the first of these ways that leaves few enough boxes:

- ``repeats``: steps and artifacts of one name, type and pipeline that have neighbours which fold
  too, such as nine trainings on one dataset (the coarsest stable partition by colour refinement);
- ``runs``: all that belongs to a run, and then runs that repeat;
- ``pipelines``: all that belongs to a pipeline.

Nodes that were asked about are never folded.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlmd_lineage.lineage.nodes import node_attributes
from mlmd_lineage.lineage.render.node_labels import NO_LABEL

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence

    from mlmd_lineage.lineage.graph_data import GraphData
    from mlmd_lineage.lineage.render.node_labels import NodeLabel

MOST_BOXES = 60
"""How many boxes a folded picture has at most, where folding can bring it down to that."""
_ROUNDS = 24
_LOOKS = 200_000  # at how many nodes all rounds may look


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Nodes that are drawn as one box.

    Attributes:
        members: The positions of the nodes in the graph, in order.
        level: What they are: ``node`` for a single one, ``repeats``, ``run``, ``runs``,
            ``pipeline`` or ``type``.
        name: The name of the run or the pipeline; None for others.
        runs: How many runs they belong to.
        id: By which it is named where it can be opened; empty where it cannot.
    """

    members: tuple[int, ...]
    level: str
    name: str | None = None
    runs: int = 1
    id: str = ""


def fold(graph: GraphData, keep: Collection[str] = ()) -> list[Group]:
    """Return the groups in which the nodes of a graph are drawn, in the order of the nodes.

    Args:
        graph: The graph.
        keep: The keys of nodes that stay alone.
    """
    keys = list(graph)
    labels = graph.node_labels
    found = [labels.get(key, NO_LABEL) for key in keys]
    alone = {number for number, key in enumerate(keys) if key in keep}
    edges = _Edges(graph)
    kinds = [
        (node["kind"], node.get("type"), label.name, label.pipeline)
        for (_, node), label in zip(
            node_attributes.node_dicts(graph, ("kind", "type")), found, strict=True
        )
    ]
    colours = [(kind, number if number in alone else None) for number, kind in enumerate(kinds)]
    repeats = _refined(colours, edges.between(range(len(kinds))))
    groups = [
        Group(members, "repeats" if len(members) > 1 else "node") for members in _classes(repeats)
    ]
    for level in (_runs, _pipelines):
        if len(groups) > MOST_BOXES:
            groups = level(repeats, found, alone, edges)
    return sorted(groups, key=lambda group: group.members[0])


def _runs(
    repeats: Sequence[Hashable],
    labels: Sequence[NodeLabel],
    alone: Collection[int],
    edges: _Edges,
) -> list[Group]:
    """Return the runs as groups; runs of one pipeline between the same others fold again.

    Nodes of no run fold where they repeat.
    """
    of_run: list[Hashable] = [
        ("node", number)
        if number in alone
        else ("run", label.run_key)
        if label.run_key is not None
        else ("repeats", repeats[number])
        for number, label in enumerate(labels)
    ]
    classes = _classes(of_run)
    numbers = {member: at for at, members in enumerate(classes) for member in members}
    colours: list[Hashable] = []
    for members in classes:
        what = of_run[members[0]]
        label = labels[members[0]]
        is_run = isinstance(what, tuple) and what[0] == "run"
        colours.append(("runs", label.pipeline) if is_run else what)
    pairs = edges.between([numbers[member] for member in range(len(labels))])
    return [
        _merged([classes[at] for at in some], labels, of_run)
        for some in _classes(_refined(colours, pairs))
    ]


def _merged(
    classes: Sequence[tuple[int, ...]], labels: Sequence[NodeLabel], of_run: Sequence[Hashable]
) -> Group:
    members = tuple(sorted(member for some in classes for member in some))
    what = of_run[members[0]]
    if not isinstance(what, tuple) or what[0] != "run":
        return Group(members, "repeats" if len(members) > 1 else "node")
    label = labels[members[0]]
    if len(classes) == 1:
        return Group(members, "run", label.run)
    return Group(members, "runs", label.pipeline, len(classes))


def _pipelines(
    repeats: Sequence[Hashable],
    labels: Sequence[NodeLabel],
    alone: Collection[int],
    _: _Edges,
) -> list[Group]:
    of_pipeline: list[Hashable] = [
        ("node", number)
        if number in alone
        else ("pipeline", label.pipeline)
        if label.pipeline is not None
        else ("repeats", repeats[number])
        for number, label in enumerate(labels)
    ]
    groups = []
    for members in _classes(of_pipeline):
        label = labels[members[0]]
        runs = len({labels[member].run_key for member in members})
        if members[0] not in alone and label.pipeline is not None:
            groups.append(Group(members, "pipeline", label.pipeline, runs))
        else:
            groups.append(Group(members, "repeats" if len(members) > 1 else "node"))
    return groups


class _Edges:
    """The edges of a graph, with their roles."""

    def __init__(self, graph: GraphData) -> None:
        index = graph.index
        self._rows = list(
            zip(index.sources.tolist(), index.targets.tolist(), index.roles.tolist(), strict=True)
        )

    def between(self, groups: Sequence[int]) -> Iterator[tuple[int, int, int]]:
        """Yield the edges between groups, of which the sequence names that of each node."""
        for source, target, role in self._rows:
            if groups[source] != groups[target]:
                yield groups[source], groups[target], role


def _refined(
    colours: Sequence[Hashable], edges: Iterator[tuple[int, int, int]]
) -> Sequence[Hashable]:
    """Return colours that are equal where colours and those of all neighbours are.

    In a graph so deep that many rounds do not settle it, nothing is equal.
    """
    # Of each neighbour, a number that is as good as (side, role, its colour): that less its colour.
    size = len(colours)
    around: list[set[tuple[int, int]]] = [set() for _ in colours]
    for source, target, role in edges:
        around[source].add((2 * role * size, target))
        around[target].add(((2 * role + 1) * size, source))
    numbers = _numbered(colours)
    for _ in range(min(_ROUNDS, _LOOKS // (len(colours) + 1) + 1)):
        refined = _numbered(
            [
                (number, frozenset([kind + numbers[other] for kind, other in neighbours]))
                for number, neighbours in zip(numbers, around, strict=True)
            ]
        )
        if max(refined, default=0) == max(numbers, default=0):
            return numbers
        numbers = refined
    return range(len(colours))


def _numbered(values: Sequence[Hashable]) -> list[int]:
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(value, len(numbers)) for value in values]


def _classes(colours: Sequence[Hashable]) -> list[tuple[int, ...]]:
    """Return the positions of each colour, in the order in which the colours come."""
    found: dict[Hashable, list[int]] = {}
    for number, colour in enumerate(colours):
        found.setdefault(colour, []).append(number)
    return [tuple(members) for members in found.values()]


def counted(statuses: Mapping[str, int]) -> str:
    """Return how many steps have which status, the usual one left out.

    >>> counted({"completed": 6, "cached": 2, "failed": 1})
    '2 cached, 1 failed'
    """
    order = ("cached", "failed", "running", "canceled")
    return ", ".join(f"{statuses[name]:,} {name}" for name in order if statuses.get(name))
