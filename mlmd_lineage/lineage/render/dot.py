"""Graphs in Graphviz' DOT language.

Artifacts are boxes with round corners, executions boxes with a tab, runs and pipelines folders;
how an edge is drawn says its role. The language: https://graphviz.org/doc/info/lang.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.lineage.render import labels
from mlmd_lineage.lineage.render.scene import box_texts, scene_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.lineage.graph_data import GraphData
    from mlmd_lineage.lineage.render.scene import Box, Scene

_LONGEST_TOOLTIP = 2_000
"""Graphviz fails on a text of more than 16,384 bytes; a character may be written with 8 of them."""

_DOT_ROLES = {
    "uses": "",
    "produces": "",
    "reuses": 'style="dashed"',
    "later": 'style="dotted"',
    "internal": 'style="dotted", color="gray50"',
    "resolves": 'style="dashed", color="gray50"',
    "pending": 'style="dotted", arrowhead="onormal"',
    "phantom": 'style="dotted", color="gray50", arrowhead="onormal"',
    "after": "",
}
_DOT_KINDS = {
    "artifact": 'shape="box", style="{}", fillcolor="#e3f0fb"',
    "execution": 'shape="component", style="{}", fillcolor="#fdf0d9"',
    "group": 'shape="folder", style="{}", fillcolor="#eceff3"',
}


def to_dot(graph: GraphData, *, fold: bool = True) -> str:
    """Return a graph in Graphviz' DOT language (https://graphviz.org/doc/info/lang.html)."""
    return dot(scene_of(graph, folded=fold))


def dot(scene: Scene) -> str:
    """Return a picture in Graphviz' DOT language, which places its boxes anew."""
    return "".join(line + "\n" for line in _dot(scene))


def _dot(scene: Scene) -> Iterator[str]:
    yield "digraph lineage {"
    title = f', label="{_dot_text(scene.folded)}"' if scene.folded else ""
    yield f'  graph [rankdir="LR"{title}];'
    yield '  node [fontname="Helvetica", fontsize="11"];'
    yield '  edge [fontname="Helvetica", fontsize="9", fontcolor="gray30"];'
    for box in scene.boxes:
        yield f'  "{box.key}" [{_attributes(box)}];'
    for line in scene.lines:
        told = _dot_text(labels.shortened(", ".join(line.paths), labels.LONGEST))
        tooltip = _dot_text(labels.shortened("\n".join(line.tooltips), _LONGEST_TOOLTIP))
        attributes = ", ".join(
            filter(None, (f'label="{told}", edgetooltip="{tooltip}"', _DOT_ROLES[line.role]))
        )
        source, target = scene.boxes[line.source].key, scene.boxes[line.target].key
        yield f'  "{source}" -> "{target}" [{attributes}];'
    yield "}"


def _attributes(box: Box) -> str:
    rounded = ["rounded"] if box.kind == "artifact" else []
    dashed = ["dashed"] if box.missing else []
    label = _dot_text("\n".join(box_texts(box)))
    tooltip = _dot_text(labels.shortened(box.tooltip, _LONGEST_TOOLTIP))
    shape = _DOT_KINDS[box.kind].format(",".join(["filled", *rounded, *dashed]))
    extra = ', penwidth="3"' if box.is_start else ""
    extra += ', color="#c0392b"' if box.beyond else ""
    extra += ', peripheries="2"' if box.is_folded else ""
    return f'label="{label}", tooltip="{tooltip}", {shape}{extra}'


def _dot_text(text: str) -> str:
    # Graphviz reads escapes such as \N and HTML's entities even in quoted text.
    text = labels.printable(text).replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return text.replace("\n", "\\n").replace("\t", " ")
