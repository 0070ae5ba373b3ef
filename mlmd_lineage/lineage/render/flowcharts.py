"""The graph in the languages of Graphviz and Mermaid.

Artifacts are boxes with round corners, executions plain ones (Graphviz: boxes with a tab); how an
edge is drawn says its role.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mlmd_lineage.lineage import edge_attributes, node_attributes
from mlmd_lineage.lineage.render import labels
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from mlmd_lineage.lineage.graph import LineageGraph

_LENGTH = 48

_DOT_ROLES = {
    "uses": "",
    "produces": "",
    "reuses": 'style="dashed"',
    "internal": 'style="dotted", color="gray50"',
    "resolves": 'style="dashed", color="gray50"',
    "pending": 'style="dotted", arrowhead="onormal"',
    "phantom": 'style="dotted", color="gray50", arrowhead="onormal"',
}
_DOT_KINDS = {
    "artifact": 'shape="box", style="{}", fillcolor="#e3f0fb"',
    "execution": 'shape="component", style="{}", fillcolor="#fdf0d9"',
}
_MERMAID_ROLES = {"uses": "-->", "produces": "-->", "resolves": "-.->", "reuses": "-.->"}
_MERMAID_SHAPES = {"artifact": '("{}")', "execution": '["{}"]'}
# Punctuation, but for some that is harmless inside of words.
_MERMAID_MARKUP = re.compile(
    r"[!-+;-@\[-^`{-~]|(?<![A-Za-z0-9])[._-]|[._-](?![A-Za-z0-9])",
)
_NAMES = ("kind", "id", "type", "name", "uri", "missing")


def to_dot(graph: LineageGraph) -> str:
    """Return a graph in Graphviz' DOT language (https://graphviz.org/doc/info/lang.html)."""
    return "".join(line + "\n" for line in _dot(graph))


def _dot(graph: LineageGraph) -> Iterator[str]:
    trace = labels.trace_of(graph)
    starts, boundary = (set(trace.starts), set(trace.boundary)) if trace else (set(), set())
    yield "digraph lineage {"
    yield '  graph [rankdir="LR"];'
    yield '  node [fontname="Helvetica", fontsize="11"];'
    yield '  edge [fontname="Helvetica", fontsize="9", fontcolor="gray30"];'
    for key, node in node_attributes.node_dicts(graph, _NAMES):
        rounded = ["rounded"] if node["kind"] == "artifact" else []
        style = ",".join(["filled", *rounded, *(["dashed"] if node.get("missing") else [])])
        extra = ', penwidth="3"' if key in starts else ""
        extra += ', color="#c0392b"' if key in boundary else ""
        label = _dot_text("\n".join(_lines(key, node, boundary)))
        tooltip = _dot_text(str(node.get("uri") or node.get("type") or key))
        look = _DOT_KINDS[node["kind"]].format(style)
        yield f'  "{key}" [label="{label}", tooltip="{tooltip}", {look}{extra}];'
    for source, target, event, edge in edge_attributes.edge_dicts(graph):
        label = _dot_text(labels.shortened(labels.path_text(edge["path"]), _LENGTH))
        tooltip = f"{edge['type']} ({edge['role']}), event {event}"
        look = ", ".join(
            filter(None, (f'label="{label}", edgetooltip="{tooltip}"', _DOT_ROLES[edge["role"]]))
        )
        yield f'  "{source}" -> "{target}" [{look}];'
    yield "}"


def _lines(key: str, node: Mapping[str, Any], boundary: Collection[str]) -> Iterator[str]:
    yield labels.shortened(short_type(node.get("type")), _LENGTH)
    yield labels.shortened(labels.title(node), _LENGTH)
    if node.get("missing"):
        yield "missing"
    if key in boundary:
        yield "… more, left out"


def _dot_text(text: str) -> str:
    # Graphviz reads escapes such as \N and HTML's entities even in quoted text.
    text = labels.printable(text).replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return text.replace("\n", "\\n").replace("\t", " ")


def to_mermaid(graph: LineageGraph) -> str:
    """Return a graph as a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html).

    As they are set, Mermaid's renderers draw at most 500 edges and 50,000 characters.
    """
    return "".join(line + "\n" for line in _mermaid(graph))


def _mermaid(graph: LineageGraph) -> Iterator[str]:
    trace = labels.trace_of(graph)
    starts, boundary = (set(trace.starts), set(trace.boundary)) if trace else (set(), set())
    classes: dict[str, list[str]] = {}
    yield "flowchart LR"
    for key, node in node_attributes.node_dicts(graph, _NAMES):
        lines = [_mermaid_text(line) for line in _lines(key, node, boundary)]
        name = _mermaid_id(key)
        yield f"  {name}" + _MERMAID_SHAPES[node["kind"]].format("<br/>".join(lines))
        classes.setdefault(node["kind"], []).append(name)
        for which, among in (("start", starts), ("boundary", boundary)):
            if key in among:
                classes.setdefault(which, []).append(name)
        if node.get("missing"):
            classes.setdefault("missing", []).append(name)
    for source, target, _, edge in edge_attributes.edge_dicts(graph):
        label = _mermaid_text(labels.shortened(labels.path_text(edge["path"]), _LENGTH))
        text = f'|"{label}"|' if label else ""
        arrow = _MERMAID_ROLES.get(edge["role"], "-.-o")
        yield f"  {_mermaid_id(source)} {arrow}{text} {_mermaid_id(target)}"
    for which, look in (
        ("artifact", "fill:#e3f0fb,stroke:#2f6f9f,color:#10202c"),
        ("execution", "fill:#fdf0d9,stroke:#a8742a,color:#2c2010"),
        ("missing", "stroke-dasharray:4 3"),
        ("start", "stroke-width:4px"),
        ("boundary", "stroke:#c0392b,stroke-width:2px"),
    ):
        if which in classes:
            yield f"  classDef {which} {look}"
            yield f"  class {','.join(classes[which])} {which}"


def _mermaid_id(key: str) -> str:
    return key.replace("/", "")


def _mermaid_text(text: str) -> str:
    """Return a text in which nothing is markup: to Mermaid, to Markdown or to HTML."""
    text = " ".join(labels.printable(text).split())
    return _MERMAID_MARKUP.sub(lambda found: f"#{ord(found[0])};", text)
