"""First divergent ancestors: the aligned pairs that differ while nothing above them does."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeAlias

import networkx as nx

from mlmd_lineage.post_execution.compare import node_differences
from mlmd_lineage.post_execution.compare.node_differences import Difference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.post_execution.loading.ancestry import Ancestry

Pair: TypeAlias = "tuple[str | None, str | None]"
"""The keys of two nodes that play the same role; None where a side has no such node."""


@dataclasses.dataclass(slots=True)
class AlignedPair:
    """A pair of nodes.

    Attributes:
        role: What both are in their lineages: ``churn/Trainer``, ``churn/Trainer:model``.
        hops: The number of edges between it and the pair that was asked about.
        own: How the two differ by themselves.
        above: The pairs from which they come.
        differs_above: Whether any of those differs, by itself or above it, in what may be a cause.
        is_first: Whether it is a first divergent ancestor.
    """

    pair: Pair
    role: str
    hops: int
    own: list[Difference] = dataclasses.field(default_factory=list)
    above: list[Pair] = dataclasses.field(default_factory=list)
    differs_above: bool = False
    is_first: bool = False


def find_first(ancestry: Ancestry, pairs: Mapping[Pair, AlignedPair]) -> None:
    """Mark the first divergent pairs, and add differences of results that were made again."""
    graph: nx.DiGraph[Pair] = nx.DiGraph()
    graph.add_nodes_from(pairs)
    for aligned in pairs.values():
        graph.add_edges_from((above, aligned.pair) for above in aligned.above)
    whole = nx.condensation(graph)
    numbers = list(nx.topological_sort(whole))
    parts = [[pairs[pair] for pair in sorted(whole.nodes[n]["members"], key=str)] for n in numbers]
    causes, anything = set[int](), set[int]()
    firsts: list[AlignedPair] = []
    weak: list[AlignedPair] = []
    for number, part in zip(numbers, parts, strict=True):
        before = set(whole.predecessors(number))
        caused, touched = bool(before & causes), bool(before & anything)
        here = [p for p in part if any(d.is_cause for d in p.own)]
        for aligned in part:
            aligned.differs_above = caused or bool(here and aligned not in here)
            if not aligned.differs_above and aligned not in here:
                _add_weak(ancestry, aligned)
        if here and not caused:
            firsts += here
        slight = [p for p in part if any(d.what in node_differences.WEAK for d in p.own)]
        if slight and not touched and not here:
            weak += slight
        if caused or here:
            causes.add(number)
        if touched or caused or here or slight:
            anything.add(number)
    for aligned in firsts or weak:
        aligned.is_first = True


def _add_weak(ancestry: Ancestry, aligned: AlignedPair) -> None:
    """Add that a pair was made again, or gave another result, though no recorded cause differs."""
    a, b = aligned.pair
    if a is None or b is None or a == b:
        return
    if a.startswith("artifact/"):
        numbers = _id(a), _id(b)
        if all(ancestry.producers(number) for number in numbers):
            aligned.own += node_differences.of_results(ancestry, *numbers)
    elif a.startswith("execution/"):
        made = [ancestry.original(_id(key)) for key in (a, b)]
        told = any(found.what in node_differences.WEAK for found in aligned.own)
        if made[0] != made[1] and not told and all(map(ancestry.made, made)):
            sides = [f"execution/{number}" for number in made]
            aligned.own.append(Difference("rerun", "", *sides))


def _id(key: str) -> int:
    return int(key.partition("/")[2])
