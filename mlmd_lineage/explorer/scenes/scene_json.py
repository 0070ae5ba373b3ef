"""A scene as JSON: boxes with their middles and sizes, lines with the points they pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.lineage.render.coordinates import HEIGHT, set_coordinates
from mlmd_lineage.lineage.render.svg import set_widths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.lineage.render.node_labels import NodeLabel
    from mlmd_lineage.lineage.render.scene import Box, EdgeLine, Scene

_LISTED = 200
"""How many keys of a fold's nodes are listed."""


def place(scene: Scene) -> tuple[float, float]:
    """Set the coordinates of a scene, in one row of layers; return its width and height."""
    set_widths(scene.boxes)
    return set_coordinates(scene.boxes, scene.lines, wrap=False)


def box_id(box: Box) -> str:
    """Return what names a box in its scene: the node's key, or the id of the fold."""
    return box.group.id if box.group is not None and box.group.id else box.key


def node(
    box: Box,
    keys: Sequence[str],
    label: NodeLabel | None = None,
    more: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Return a box as the page draws it.

    Args:
        box: The box.
        keys: The keys of the nodes that it stands for.
        label: What the platform says of its node, where it is one.
        more: How many neighbours are not shown, ``upstream`` and ``downstream``.
    """
    made: dict[str, Any] = {
        "id": box_id(box),
        "key": box.key,
        "kind": "fold" if box.is_folded else box.kind,
        "label": box.lines[0],
        "about": box.lines[1],
        "title": box.tooltip,
        "type": box.type,
        "status": box.status,
        "x": round(box.x, 1),
        "y": round(box.y, 1),
        "w": round(box.width, 1),
        "h": HEIGHT,
        "count": max(len(keys), 1),
    }
    if box.is_folded:
        made["keys"] = list(keys[:_LISTED])
        made["of"] = box.group.level if box.group is not None else "group"
    if label is not None:
        made |= {"run": label.run, "run_key": label.run_key, "pipeline": label.pipeline}
    if more is not None:
        made["more"] = dict(more)
    if box.missing:
        made["missing"] = True
    return made


def edge(line: EdgeLine, ids: Sequence[str]) -> dict[str, Any]:
    """Return a line as the page draws it."""
    made: dict[str, Any] = {
        "from": ids[line.source],
        "to": ids[line.target],
        "label": line.label,
        "role": line.role,
        "later": line.role == "later",
        "points": [[round(x, 1), round(y, 1)] for x, y in line.points],
    }
    if line.tooltips:
        made |= {"title": "\n".join(line.tooltips[:12]), "count": len(line.tooltips)}
    return made
