"""Graphs in Graphviz' DOT language.

Artifacts are boxes with round corners, executions boxes with a tab; how an edge is drawn says its
role. The language: https://graphviz.org/doc/info/lang.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.lineage import edge_attributes, node_attributes
from mlmd_lineage.lineage.render import labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.lineage.graph_data import GraphData

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
}
_DOT_KINDS = {
    "artifact": 'shape="box", style="{}", fillcolor="#e3f0fb"',
    "execution": 'shape="component", style="{}", fillcolor="#fdf0d9"',
}


def to_dot(graph: GraphData) -> str:
    """Return a graph in Graphviz' DOT language (https://graphviz.org/doc/info/lang.html)."""
    return "".join(line + "\n" for line in _dot(graph))


def _dot(graph: GraphData) -> Iterator[str]:
    trace = graph.as_trace
    starts, boundary = (set(trace.starts), set(trace.boundary)) if trace else (set(), set())
    yield "digraph lineage {"
    yield '  graph [rankdir="LR"];'
    yield '  node [fontname="Helvetica", fontsize="11"];'
    yield '  edge [fontname="Helvetica", fontsize="9", fontcolor="gray30"];'
    for key, node in node_attributes.node_dicts(graph, labels.NODE_NAMES):
        rounded = ["rounded"] if node["kind"] == "artifact" else []
        style = ",".join(["filled", *rounded, *(["dashed"] if node.get("missing") else [])])
        extra = ', penwidth="3"' if key in starts else ""
        extra += ', color="#c0392b"' if key in boundary else ""
        label = _dot_text("\n".join(labels.node_lines(key, node, boundary)))
        about = str(node.get("uri") or node.get("type") or key)
        tooltip = _dot_text(labels.shortened(about, _LONGEST_TOOLTIP))
        attributes = _DOT_KINDS[node["kind"]].format(style)
        yield f'  "{key}" [label="{label}", tooltip="{tooltip}", {attributes}{extra}];'
    for source, target, event, edge in edge_attributes.edge_dicts(graph):
        label = _dot_text(labels.shortened(labels.path_text(edge["path"]), labels.LONGEST))
        tooltip = f"{edge['type']} ({edge['role']}), event {event}"
        attributes = ", ".join(
            filter(None, (f'label="{label}", edgetooltip="{tooltip}"', _DOT_ROLES[edge["role"]]))
        )
        yield f'  "{source}" -> "{target}" [{attributes}];'
    yield "}"


def _dot_text(text: str) -> str:
    # Graphviz reads escapes such as \N and HTML's entities even in quoted text.
    text = labels.printable(text).replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return text.replace("\n", "\\n").replace("\t", " ")
