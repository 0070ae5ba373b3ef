"""The coordinates of the boxes and lines of a drawing, in pixels."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

from mlmd_lineage.lineage.render import layered_layout

if TYPE_CHECKING:
    from collections.abc import Sequence

HEIGHT = 40
"""The height of each box."""
_ROW, _GAP, _SHELF, _BETWEEN = 56, 56, 960, 22


@dataclasses.dataclass(slots=True)
class Box:
    """A node: what stands in it, and its middle."""

    key: str
    kind: str
    lines: tuple[str, str]
    tooltip: str
    width: float
    dashed: bool
    x: float = 0.0
    y: float = 0.0


@dataclasses.dataclass(slots=True)
class EdgeLine:
    """All events of one role from one node to another."""

    source: int
    target: int
    role: str
    tooltips: list[str]
    points: list[tuple[float, float]] = dataclasses.field(default_factory=list)


def set_coordinates(nodes: Sequence[Box], edges: Sequence[EdgeLine]) -> tuple[float, float]:
    """Set the coordinates of boxes and lines, and return the width and height of the drawing.

    Connected components stand beside and beneath each other.
    """
    components = _components(len(nodes), edges)
    sizes = [_set_component(component, nodes, inside) for component, inside in components]
    limit = max([_SHELF, *(width for width, _ in sizes)])
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
    component: Sequence[int], nodes: Sequence[Box], edges: Sequence[EdgeLine]
) -> tuple[float, float]:
    """Set the coordinates of one connected component, from 0 on; return its width and height."""
    numbers = {node: number for number, node in enumerate(component)}
    found = layered_layout.arrange(
        len(component), [(numbers[edge.source], numbers[edge.target]) for edge in edges]
    )
    columns = _columns([nodes[node].width for node in component], found.layers)
    passed = [height for way in found.passes.values() for _, height in way]
    low, high = min([*found.heights, *passed]), max([*found.heights, *passed])

    def down(height: float) -> float:
        return (height - low) * _ROW + HEIGHT / 2

    for node, layer, height in zip(component, found.layers, found.heights, strict=True):
        nodes[node].x = columns[layer][0] + columns[layer][1] / 2
        nodes[node].y = down(height)
    for edge in edges:
        way = found.passes[numbers[edge.source], numbers[edge.target]]
        edge.points = _route(edge, nodes, columns, [(layer, down(h)) for layer, h in way])
    return columns[-1][0] + columns[-1][1], down(high) + HEIGHT / 2


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


def _columns(widths: Sequence[float], layers: Sequence[int]) -> list[tuple[float, float]]:
    """Return each layer's left side and width."""
    widest = [0.0] * (max(layers) + 1)
    for width, layer in zip(widths, layers, strict=True):
        widest[layer] = max(widest[layer], width)
    lefts = itertools.accumulate((width + _GAP for width in widest[:-1]), initial=0.0)
    return list(zip(lefts, widest, strict=True))


def _route(
    edge: EdgeLine,
    nodes: Sequence[Box],
    columns: Sequence[tuple[float, float]],
    way: Sequence[tuple[int, float]],
) -> list[tuple[float, float]]:
    """Return the points through which an edge goes, from its source to its target."""
    source, target = nodes[edge.source], nodes[edge.target]
    side = 1 if source.x < target.x else -1
    # What runs back against the direction of the others keeps clear of those that run forth.
    shift = 0.0 if side > 0 else 11.0
    points = [(source.x + side * source.width / 2, source.y + shift)]
    for column, y in way:
        left, width = columns[column]
        points += [(left, y), (left + width, y)][::side]
    return [*points, (target.x - side * target.width / 2, target.y + shift)]
