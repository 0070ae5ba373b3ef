"""Graphs as Mermaid flowcharts.

Artifacts are boxes with round corners, executions plain ones; how an edge is drawn says its role.
The language: https://mermaid.js.org/syntax/flowchart.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlmd_lineage.lineage import edge_attributes, node_attributes
from mlmd_lineage.lineage.render import labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.lineage.graph_data import GraphData

_ROLES = {"uses": "-->", "produces": "-->", "resolves": "-.->", "reuses": "-.->", "later": "-.->"}
_SHAPES = {"artifact": '("{}")', "execution": '["{}"]'}
# Punctuation, but for some that is harmless inside of words.
_MARKUP = re.compile(
    r"[!-+;-@\[-^`{-~]|(?<![A-Za-z0-9])[._-]|[._-](?![A-Za-z0-9])",
)


def to_mermaid(graph: GraphData) -> str:
    """Return a graph as a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html).

    As they are set, Mermaid's renderers draw at most 500 edges and 50,000 characters.
    """
    return "".join(line + "\n" for line in _statements(graph))


def _statements(graph: GraphData) -> Iterator[str]:
    trace = graph.as_trace
    starts, boundary = (set(trace.starts), set(trace.boundary)) if trace else (set(), set())
    classes: dict[str, list[str]] = {}
    yield "flowchart LR"
    for key, node in node_attributes.node_dicts(graph, labels.NODE_NAMES):
        lines = [_text(line) for line in labels.node_lines(key, node, boundary)]
        name = _id(key)
        yield f"  {name}" + _SHAPES[node["kind"]].format("<br/>".join(lines))
        classes.setdefault(node["kind"], []).append(name)
        for which, among in (("start", starts), ("boundary", boundary)):
            if key in among:
                classes.setdefault(which, []).append(name)
        if node.get("missing"):
            classes.setdefault("missing", []).append(name)
    for source, target, _, edge in edge_attributes.edge_dicts(graph):
        label = _text(labels.shortened(labels.path_text(edge["path"]), labels.LONGEST))
        text = f'|"{label}"|' if label else ""
        arrow = _ROLES.get(edge["role"], "-.-o")
        yield f"  {_id(source)} {arrow}{text} {_id(target)}"
    for which, style in (
        ("artifact", "fill:#e3f0fb,stroke:#2f6f9f,color:#10202c"),
        ("execution", "fill:#fdf0d9,stroke:#a8742a,color:#2c2010"),
        ("missing", "stroke-dasharray:4 3"),
        ("start", "stroke-width:4px"),
        ("boundary", "stroke:#c0392b,stroke-width:2px"),
    ):
        if which in classes:
            yield f"  classDef {which} {style}"
            yield f"  class {','.join(classes[which])} {which}"


def _id(key: str) -> str:
    return key.replace("/", "")


def _text(text: str) -> str:
    """Return a text in which nothing is markup: to Mermaid, to Markdown or to HTML."""
    text = " ".join(labels.printable(text).split())
    return _MARKUP.sub(lambda found: f"#{ord(found[0])};", text)
