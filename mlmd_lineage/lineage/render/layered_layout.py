"""Layered layout of a small graph, from left to right.

The steps are those of Sugiyama, Tagawa and Toda (1981): cycles are cut, nodes are given layers,
edges that pass layers are given a place in each of them, the order within the layers is improved
until fewer edges cross, and then nodes are moved to where their edges are straight.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Pair = tuple[int, int]

_SWEEPS = 16
_MOVES = 24
_LEVELLED = 3
_LONGEST = 40
"""An edge over more layers than that is drawn straight, behind the nodes that are in its way."""


@dataclasses.dataclass(slots=True)
class LayeredLayout:
    """Each node's layer and height, and where each edge passes the layers between its nodes.

    Heights are in rows: nodes of one layer are at least 1 apart.
    """

    layers: list[int]
    heights: list[float]
    passes: dict[Pair, list[tuple[int, float]]]


def arrange(nodes: int, edges: Iterable[Pair]) -> LayeredLayout:
    """Return the layout of a connected graph of nodes from 0 on; loops are left out."""
    pairs = sorted({(a, b) for a, b in edges if a != b})
    forward = _without_cycles(nodes, pairs)
    layers = _layers(nodes, forward)
    rows: list[list[int]] = [[] for _ in range(max(layers, default=0) + 1)]
    for node in _by_depth(nodes, forward):
        rows[layers[node]].append(node)
    # Edges that pass layers go through points in them, which are numbered like nodes.
    links: set[Pair] = set()
    points: dict[Pair, list[int]] = {}
    layer_of = list(layers)
    for a, b in forward:
        between = range(layers[a] + 1, layers[b])
        chain = [a]
        if len(between) <= _LONGEST:
            for layer in between:
                chain.append(len(layer_of))
                rows[layer].append(len(layer_of))
                layer_of.append(layer)
            links.update(zip(chain, [*chain[1:], b], strict=True))
        points[a, b] = chain[1:]
    _order(rows, links, len(layer_of))
    heights = _heights(rows, links, nodes, len(layer_of))
    passes = {}
    for pair in pairs:
        turned = pair not in points
        way = points[pair[::-1]][::-1] if turned else points[pair]
        passes[pair] = [(layer_of[point], heights[point]) for point in way]
    return LayeredLayout(layers, heights[:nodes], passes)


def _neighbours(nodes: int, pairs: Iterable[Pair]) -> tuple[list[list[int]], list[list[int]]]:
    before: list[list[int]] = [[] for _ in range(nodes)]
    after: list[list[int]] = [[] for _ in range(nodes)]
    for a, b in pairs:
        before[b].append(a)
        after[a].append(b)
    return before, after


def _without_cycles(nodes: int, pairs: Sequence[Pair]) -> list[Pair]:
    """Return the edges with those turned round that close a cycle."""
    before, after = _neighbours(nodes, pairs)
    done = [False] * nodes
    open_ = [False] * nodes
    turned: set[Pair] = set()
    for start in sorted(range(nodes), key=lambda node: bool(before[node])):
        if done[start]:
            continue
        stack = [(start, iter(after[start]))]
        done[start] = open_[start] = True
        while stack:
            node, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                open_[node] = False
                stack.pop()
            elif open_[following]:
                turned.add((node, following))
            elif not done[following]:
                done[following] = open_[following] = True
                stack.append((following, iter(after[following])))
    return sorted({(b, a) if (a, b) in turned else (a, b) for a, b in pairs})


def _layers(nodes: int, pairs: Sequence[Pair]) -> list[int]:
    """Return each node's layer: right of what it comes from, and close to what it is for."""
    before, after = _neighbours(nodes, pairs)
    waiting = [len(some) for some in before]
    ready = [node for node in range(nodes) if not waiting[node]]
    layers = [0] * nodes
    for node in ready:
        for following in after[node]:
            layers[following] = max(layers[following], layers[node] + 1)
            waiting[following] -= 1
            if not waiting[following]:
                ready.append(following)
    for node in reversed(ready):
        # What is used late only need not stand at the very left.
        if after[node] and len(after[node]) > len(before[node]):
            layers[node] = min(layers[following] for following in after[node]) - 1
    first = min(layers, default=0)
    return [layer - first for layer in layers]


def _by_depth(nodes: int, pairs: Sequence[Pair]) -> list[int]:
    """Return the nodes so that those that hang together stand together."""
    before, after = _neighbours(nodes, pairs)
    seen = [False] * nodes
    found = []
    for start in sorted(range(nodes), key=lambda node: bool(before[node])):
        stack = [start]
        while stack:
            node = stack.pop()
            if seen[node]:
                continue
            seen[node] = True
            found.append(node)
            stack += [*before[node][::-1], *after[node][::-1]]
    return found


def _order(rows: list[list[int]], links: set[Pair], count: int) -> None:
    """Sort the layers so that few edges cross: by the mean places of their nodes' neighbours."""
    before, after = _neighbours(count, sorted(links))
    best, fewest = [list(row) for row in rows], _crossings(rows, after)
    place = [0.0] * count
    for row in rows:
        _note(row, place)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        for row in rows[1:] if down else rows[-2::-1]:
            sides = before if down else after
            mean = {node: _mean([place[n] for n in sides[node]], place[node]) for node in row}
            row.sort(key=lambda node: (mean[node], place[node]))
            _note(row, place)
        crossings = _crossings(rows, after)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    rows[:] = best


def _note(row: Sequence[int], place: list[float]) -> None:
    # In the middle of the layer, whatever its length: layers are centred.
    for at, node in enumerate(row):
        place[node] = at - (len(row) - 1) / 2


def _mean(values: Sequence[float], otherwise: float) -> float:
    # sum() rounds differently before Python 3.12.
    return math.fsum(values) / len(values) if values else otherwise


def _crossings(rows: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> int:
    total = 0
    for row, following in itertools.pairwise(rows):
        place = {node: at for at, node in enumerate(following)}
        seen: list[int] = []
        for node in row:
            ends = sorted(place[end] for end in after[node])
            total += sum(len(seen) - bisect.bisect_right(seen, end) for end in ends)
            for end in ends:
                bisect.insort(seen, end)
    return total


def _heights(
    rows: Sequence[Sequence[int]], links: set[Pair], nodes: int, count: int
) -> list[float]:
    """Return heights that keep the order and the distances, and make edges as level as they can."""
    before, after = _neighbours(count, sorted(links))
    heights = [0.0] * count
    gaps = [
        [
            0.0,
            *(1.0 if a < nodes and b < nodes else 0.6 for a, b in itertools.pairwise(row)),
        ]
        for row in rows
    ]
    for row, gap in zip(rows, gaps, strict=True):
        total = 0.0
        for node, distance in zip(row, gap, strict=True):
            total += distance
            heights[node] = total
        for node in row:
            heights[node] -= total / 2
    for move in range(_MOVES):
        # First along the edges, then against them, and in the end by both sides.
        both = move >= _MOVES * 2 // 3
        turn = list(zip(rows, gaps, strict=True))
        for row, gap in turn if move % 2 == 0 else reversed(turn):
            wished, weights = [], []
            for node in row:
                sides = before[node] + after[node] if both else (before, after)[move % 2][node]
                wished.append(_mean([heights[n] for n in sides], heights[node]))
                weights.append((1.0 if node < nodes else 3.0) * (len(sides) or 0.1))
            for node, height in zip(row, _spaced(wished, weights, gap), strict=True):
                heights[node] = height
    places = {node: (row, at) for row, some in enumerate(rows) for at, node in enumerate(some)}
    for _ in range(_LEVELLED):
        for chain in _chains(before, after):
            spots = [places[node] for node in chain]
            room = [_room(rows[row], gaps[row], at, heights) for row, at in spots]
            _level(chain, room, heights, nodes)
    return heights


def _chains(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the ways on which every edge is the only one at both of its ends."""

    def following(node: int) -> int | None:
        only = after[node][0] if len(after[node]) == 1 else None
        return only if only is not None and len(before[only]) == 1 else None

    chains = []
    for node in range(len(before)):
        if len(before[node]) == 1 and following(before[node][0]) == node:
            continue
        chain = [node]
        while (further := following(chain[-1])) is not None:
            chain.append(further)
        if len(chain) > 1:
            chains.append(chain)
    return chains


def _room(
    row: Sequence[int], gaps: Sequence[float], at: int, heights: Sequence[float]
) -> tuple[float, float]:
    """Return the lowest and the highest that a node can be while the rest of its layer stays."""
    low = heights[row[at - 1]] + gaps[at] if at else -math.inf
    last = at + 1 == len(row)
    return low, math.inf if last else heights[row[at + 1]] - gaps[at + 1]


def _level(
    chain: Sequence[int], room: Sequence[tuple[float, float]], heights: list[float], nodes: int
) -> None:
    """Bring a chain to one height, or as long pieces of it as there is room for."""
    piece: list[int] = []
    low, high = -math.inf, math.inf
    for node, (above, below) in zip([*chain, -1], [*room, (math.inf, -math.inf)], strict=True):
        if max(low, above) <= min(high, below):
            piece.append(node)
            low, high = max(low, above), min(high, below)
            continue
        nearest = [heights[one] for one in piece if one < nodes] or [heights[one] for one in piece]
        for one in piece:
            heights[one] = min(max(_mean(nearest, 0.0), low), high)
        piece, low, high = [node], above, below


def _spaced(
    wished: Sequence[float], weights: Sequence[float], gaps: Sequence[float]
) -> list[float]:
    """Return the heights nearest to those wished for that keep the order and the distances.

    With the distances taken off this is isotonic regression: neighbours in the wrong order are
    pooled, and share their weighted mean.
    """
    offsets, total = [], 0.0
    for gap in gaps:
        total += gap
        offsets.append(total)
    pools: list[list[float]] = []  # sum of weighted heights, weight, how many
    for wish, weight, offset in zip(wished, weights, offsets, strict=True):
        pools.append([(wish - offset) * weight, weight, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            last = pools.pop()
            pools[-1] = [one + other for one, other in zip(pools[-1], last, strict=True)]
    means = [value / weight for value, weight, many in pools for _ in range(int(many))]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]
