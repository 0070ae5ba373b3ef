"""Layered layout of a large graph in arrays, from left to right.

The steps are those of ``layered_layout``, each for all nodes at once: layers by the longest path,
the order within layers by the means of neighbours, heights near the means of neighbours and at
least 1 apart. Edges that pass layers have no places in them, and are straight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

_SWEEPS = 14
_MOVES = 10
_GAP = 2.0
"""How many rows are between two components."""
_SHAPE = 2.2
"""How many times wider than high the whole is to be, where there are components to arrange."""


def arrange(nodes: int, sources: Array, targets: Array) -> tuple[Array, Array]:
    """Return the layer and the height, in rows, of each node of a graph.

    Args:
        nodes: How many nodes there are.
        sources: The source of each edge, as a number from 0 on.
        targets: The target of each edge.
    """
    if not nodes:
        return np.empty(0), np.empty(0)
    apart = sources != targets
    pairs = np.unique(np.stack([sources[apart], targets[apart]]).astype(np.int64), axis=1)
    sources, targets = pairs
    components = connected_components(nodes, sources, targets)
    layers = _layers(nodes, sources, targets)
    heights = _heights(layers, components, sources, targets)
    return _packed(layers, heights, components)


def connected_components(nodes: int, sources: Array, targets: Array) -> Array:
    """Return the least node of each node's connected component."""
    found = np.arange(nodes)
    while True:
        least = found.copy()
        np.minimum.at(least, sources, found[targets])
        np.minimum.at(least, targets, found[sources])
        least = np.minimum(least, least[least])
        while not np.array_equal(least, least[least]):
            least = least[least]
        np.minimum.at(least, found, least.copy())
        least = least[least]
        if np.array_equal(least, found):
            return found
        found = least


def _layers(nodes: int, sources: Array, targets: Array) -> Array:
    """Return each node's layer by the longest path to it; cycles are cut where one is met."""
    order = np.argsort(sources, kind="stable")
    following = targets[order]
    offsets = np.searchsorted(sources[order], np.arange(nodes + 1))
    waiting = np.bincount(targets, minlength=nodes)
    layers = np.zeros(nodes, np.int64)
    done = np.zeros(nodes, bool)
    ready = np.flatnonzero(waiting == 0)
    left = nodes
    first = 0
    while left:
        if not len(ready):
            # All that are left follow a cycle: it is cut at the first of them.
            while done[first]:
                first += 1
            ready = np.array([first])
        done[ready] = True
        left -= len(ready)
        counts = offsets[ready + 1] - offsets[ready]
        starts = np.repeat(offsets[ready] - np.cumsum(counts) + counts, counts)
        reached = following[starts + np.arange(counts.sum())]
        before = np.repeat(layers[ready], counts)
        is_open = ~done[reached]
        reached, before = reached[is_open], before[is_open]
        np.maximum.at(layers, reached, before + 1)
        some, times = np.unique(reached, return_counts=True)
        waiting[some] -= times
        ready = some[waiting[some] == 0]
    # What is used late only need not stand at the very left.
    nearest = np.full(nodes, nodes, np.int64)
    np.minimum.at(nearest, sources, layers[targets])
    is_source = np.bincount(targets, minlength=nodes) == 0
    late = is_source & (nearest < nodes)
    layers[late] = np.maximum(nearest[late] - 1, 0)
    return layers


def _heights(layers: Array, components: Array, sources: Array, targets: Array) -> Array:
    """Return heights by which few edges cross and are nearly level.

    Nodes of one layer of a component are at least 1 apart.
    """
    nodes = len(layers)
    _, rows = np.unique(np.stack([components, layers]), axis=1, return_inverse=True)
    rows = rows.reshape(-1)
    sizes = np.bincount(rows)
    begins = np.cumsum(sizes) - sizes
    before = _Means(nodes, targets, sources)
    after = _Means(nodes, sources, targets)
    both = _Means(nodes, np.concatenate([targets, sources]), np.concatenate([sources, targets]))
    wished = np.arange(nodes, dtype=float)
    places = np.zeros(nodes)
    order = np.arange(nodes)
    for sweep in range(_SWEEPS):
        order = np.lexsort((wished, rows))
        at = np.arange(nodes) - begins[rows[order]]
        places[order] = at - (sizes[rows[order]] - 1) / 2
        side = both if sweep >= _SWEEPS - 4 else before if sweep % 2 == 0 else after
        wished = side.of(places)
    # From here on the order stays, and nodes move as near to their neighbours as it lets them.
    order = np.lexsort((wished, rows))
    steps = (np.arange(nodes) - begins[rows[order]]).astype(float)
    heights = np.zeros(nodes)
    heights[order] = steps - (sizes[rows[order]] - 1) / 2
    apart = 4.0 * nodes + 16
    shift = rows[order] * apart
    for move in range(_MOVES):
        side = both if move >= _MOVES // 2 else before if move % 2 == 0 else after
        base = np.clip(side.of(heights)[order], -nodes, nodes) - steps + shift
        low = np.maximum.accumulate(base)
        high = np.minimum.accumulate(base[::-1])[::-1]
        heights[order] = (low + high) / 2 - shift + steps
    return heights


class _Means:
    """The means of values over each node's neighbours on one side."""

    def __init__(self, nodes: int, here: Array, there: Array) -> None:
        self._here, self._there, self._nodes = here, there, nodes
        self._counts = np.bincount(here, minlength=nodes)

    def of(self, values: Array) -> Array:
        """Return the mean of each node's neighbours; its own value where it has none."""
        sums = np.bincount(self._here, values[self._there], minlength=self._nodes)
        return np.where(self._counts > 0, sums / np.maximum(self._counts, 1), values)


def _packed(layers: Array, heights: Array, components: Array) -> tuple[Array, Array]:
    """Return layers and heights with the components beside and beneath each other."""
    names, of_node = np.unique(components, return_inverse=True)
    of_node = of_node.reshape(-1)
    count = len(names)
    left, top = np.full(count, np.inf), np.full(count, np.inf)
    right, bottom = np.full(count, -np.inf), np.full(count, -np.inf)
    for low, high, values in ((left, right, layers), (top, bottom, heights)):
        np.minimum.at(low, of_node, values)
        np.maximum.at(high, of_node, values)
    wide, high = right - left + 2, bottom - top + _GAP
    # A layer is about three rows wide.
    limit = max(float(wide.max()), float(np.sqrt((wide * high).sum() * _SHAPE / 3)))
    x = y = shelf = 0.0
    shift_x, shift_y = np.zeros(count), np.zeros(count)
    sizes = np.bincount(of_node)
    for at in np.lexsort((names, -sizes)).tolist():
        if x and x + wide[at] > limit:
            x, y, shelf = 0.0, y + shelf, 0.0
        shift_x[at], shift_y[at] = x, y
        x += float(wide[at])
        shelf = max(shelf, float(high[at]))
    return (
        layers - left[of_node] + shift_x[of_node],
        heights - top[of_node] + shift_y[of_node],
    )
