"""The coordinates of the boxes and lines of a drawing, in pixels."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from mlmd_lineage.lineage.render import layered_layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlmd_lineage.lineage.render.scene import Box, EdgeLine

    Columns = list[tuple[float, float]]

HEIGHT = 40
"""The height of each box."""
PAGE = 1180
"""How wide a band is at most where a drawing takes several."""
_WIDEST = 1600  # what is wider than that goes on in another band
_ROW, _BETWEEN = 56, 22
_GAP, _GAP_WITH_LABELS = 56, 96
_LANE, _LANES = 5, 8  # pixels between lines that lead to another band, and how many stand apart


def set_coordinates(
    nodes: Sequence[Box],
    edges: Sequence[EdgeLine],
    *,
    from_right: bool = False,
    wrap: bool = True,
) -> tuple[float, float]:
    """Set the coordinates of boxes and lines, and return the width and height of the drawing.

    Connected components stand beside and beneath each other. One that is wider than a page goes
    on in further bands beneath, unless ``wrap`` is false; with ``from_right`` its right end stands
    at the top.
    """
    components = _components(len(nodes), edges)
    sizes = [
        _set_component(component, nodes, inside, from_right=from_right, wrap=wrap)
        for component, inside in components
    ]
    limit = max([PAGE, *(width for width, _ in sizes)])
    x = y = bottom = right = 0.0
    for (component, inside), (width, height) in zip(components, sizes, strict=True):
        if x and x + width > limit:
            x, y = 0.0, bottom + _BETWEEN
        for node in component:
            nodes[node].x += x
            nodes[node].y += y
        for edge in inside:
            edge.points = [(along + x, down + y) for along, down in edge.points]
        right, bottom = max(right, x + width), max(bottom, y + height)
        x += width + 2 * _BETWEEN
    return right, bottom


def _set_component(
    component: Sequence[int],
    nodes: Sequence[Box],
    edges: Sequence[EdgeLine],
    *,
    from_right: bool,
    wrap: bool,
) -> tuple[float, float]:
    """Set the coordinates of one connected component, from 0 on; return its width and height."""
    numbers = {node: number for number, node in enumerate(component)}
    found = layered_layout.arrange(
        len(component), [(numbers[edge.source], numbers[edge.target]) for edge in edges]
    )
    gap = _GAP_WITH_LABELS if any(edge.label for edge in edges) else _GAP
    widths = [nodes[node].width for node in component]
    bands = _Bands(widths, found, gap=gap, from_right=from_right, wrap=wrap)
    for node, layer, height in zip(component, found.layers, found.heights, strict=True):
        left, width = bands.columns[layer]
        nodes[node].x = left + width / 2
        nodes[node].y = bands.down(layer, height)
    for edge in edges:
        pair = numbers[edge.source], numbers[edge.target]
        layers = found.layers[pair[0]], found.layers[pair[1]]
        edge.points = _route(edge, nodes, bands, layers, found.passes[pair])
    return bands.width, bands.height


class _Bands:
    """The layers of a drawing as columns, in as many bands as it takes to fit the page.

    Attributes:
        columns: Each layer's left side and width.
        width, height: Those of the drawing.
    """

    def __init__(
        self,
        widths: Sequence[float],
        layout: layered_layout.LayeredLayout,
        *,
        gap: int,
        from_right: bool,
        wrap: bool,
    ) -> None:
        widest = [0.0] * (max(layout.layers) + 1)
        for width, layer in zip(widths, layout.layers, strict=True):
            widest[layer] = max(widest[layer], width)
        divided = _divided([width + gap for width in widest], from_right=from_right)
        self._bands = divided if wrap else [list(range(len(widest)))]
        self._band_of = {layer: at for at, band in enumerate(self._bands) for layer in band}
        self.columns: Columns = [(0.0, width) for width in widest]
        self.width = 0.0
        for band in self._bands:
            rights = itertools.accumulate((widest[layer] + gap for layer in band), initial=0.0)
            for layer, left in zip(band, rights, strict=False):
                self.columns[layer] = left, widest[layer]
                self.width = max(self.width, left + widest[layer])
        margin = _LANE * _LANES + 12 if len(self._bands) > 1 else 0
        self.columns = [(left + margin, width) for left, width in self.columns]
        self.width += 2 * margin
        heights: list[list[float]] = [[] for _ in self._bands]
        passed = [point for way in layout.passes.values() for point in way]
        for layer, height in [*zip(layout.layers, layout.heights, strict=True), *passed]:
            heights[self._band_of[layer]].append(height)
        self._rows = [_closed_up(some) for some in heights]
        self._tops: list[float] = []
        bottom = 0.0
        for rows in self._rows:
            self._tops.append(bottom)
            bottom += max(rows.values()) * _ROW + HEIGHT + margin + _BETWEEN
        self.height = bottom - margin - _BETWEEN
        self._lanes: dict[tuple[int, int], dict[int, int]] = {}

    def down(self, layer: int, height: float) -> float:
        """Return where a height of a layer lies on the page."""
        at = self._band_of[layer]
        return self._tops[at] + self._rows[at][height] * _ROW + HEIGHT / 2

    def crossing(
        self, edge: EdgeLine, here: tuple[int, float], there: tuple[int, float]
    ) -> list[tuple[float, float]]:
        """Return the points by which an edge gets to a layer of another band, if it is one.

        It leaves to the right, goes along beneath the upper band, and comes in from the left.
        Edges that leave one box share a lane.
        """
        one, other = self._band_of[here[0]], self._band_of[there[0]]
        if one == other:
            return []
        lanes = self._lanes.setdefault((one, other), {})
        lane = lanes.setdefault(edge.source, len(lanes)) % _LANES * _LANE + 8
        gap = self._tops[max(one, other)] - _BETWEEN / 2 - lane
        sides = [float(lane), self.width - lane]
        out, back = sides[::-1] if here[0] < there[0] else sides
        return [(out, here[1]), (out, gap), (back, gap), (back, there[1])]


def _closed_up(heights: Iterable[float]) -> dict[float, float]:
    """Return the heights of a band from 0 on, without the gaps that other bands need."""
    ordered = sorted(set(heights))
    steps = (min(high - low, 1.0) for low, high in itertools.pairwise(ordered))
    return dict(zip(ordered, itertools.accumulate(steps, initial=0.0), strict=True))


def _divided(widths: Sequence[float], *, from_right: bool) -> list[list[int]]:
    """Return the layers of each band, the uppermost band first; bands are about equally wide."""
    total = math.fsum(widths)
    most = total if total <= _WIDEST else total / math.ceil(total / PAGE)
    order = list(range(len(widths)))
    if from_right:
        order.reverse()
    bands: list[list[int]] = [[]]
    taken = 0.0
    for layer in order:
        # A band ends where most of the next layer lies beyond its share.
        if bands[-1] and taken + widths[layer] / 2 > most * len(bands):
            bands.append([])
        bands[-1].append(layer)
        taken += widths[layer]
    return [sorted(band) for band in bands]


def _components(nodes: int, edges: Sequence[EdgeLine]) -> list[tuple[list[int], list[EdgeLine]]]:
    """Return each connected component's nodes and edges, the largest component first."""
    component = list(range(nodes))

    def first(node: int) -> int:
        while component[node] != node:
            component[node] = node = component[component[node]]
        return node

    for edge in edges:
        a, b = sorted((first(edge.source), first(edge.target)))
        component[b] = a
    found: dict[int, tuple[list[int], list[EdgeLine]]] = {}
    for node in range(nodes):
        found.setdefault(first(node), ([], []))[0].append(node)
    for edge in edges:
        found[first(edge.source)][1].append(edge)
    return sorted(found.values(), key=lambda some: (-len(some[0]), some[0][0]))


def _route(
    edge: EdgeLine,
    nodes: Sequence[Box],
    bands: _Bands,
    layers: tuple[int, int],
    way: Sequence[tuple[int, float]],
) -> list[tuple[float, float]]:
    """Return the points through which an edge goes, from its source to its target."""
    source, target = nodes[edge.source], nodes[edge.target]
    side = 1 if layers[0] < layers[1] else -1
    # What runs back against the direction of the others keeps clear of those that run forth.
    shift = 0.0 if side > 0 else 11.0
    here = layers[0], source.y + shift
    points = [(source.x + side * source.width / 2, here[1])]
    for layer, height in way:
        there = layer, bands.down(layer, height)
        points += bands.crossing(edge, here, there)
        left, width = bands.columns[layer]
        points += [(left, there[1]), (left + width, there[1])][::side]
        here = there
    points += bands.crossing(edge, here, (layers[1], target.y + shift))
    return [*points, (target.x - side * target.width / 2, target.y + shift)]
