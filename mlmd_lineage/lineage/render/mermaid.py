"""Graphs as Mermaid flowcharts.

Artifacts are boxes with round corners, executions plain ones; how an edge is drawn says its role.
The language: https://mermaid.js.org/syntax/flowchart.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlmd_lineage.lineage.render import labels
from mlmd_lineage.lineage.render.scene import box_texts, scene_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.lineage.graph_data import GraphData

_ROLES = {"uses": "-->", "produces": "-->", "resolves": "-.->", "reuses": "-.->", "later": "-.->"}
_SHAPES = {"artifact": '("{}")', "execution": '["{}"]', "group": '[["{}"]]'}
# Punctuation, but for some that is harmless inside of words.
_MARKUP = re.compile(
    r"[!-+;-@\[-^`{-~]|(?<![A-Za-z0-9])[._-]|[._-](?![A-Za-z0-9])",
)


def to_mermaid(graph: GraphData, *, fold: bool = True) -> str:
    """Return a graph as a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html).

    As they are set, Mermaid's renderers draw at most 500 edges and 50,000 characters.
    """
    return "".join(line + "\n" for line in _statements(graph, fold=fold))


def _statements(graph: GraphData, *, fold: bool) -> Iterator[str]:
    scene = scene_of(graph, folded=fold)
    classes: dict[str, list[str]] = {}
    yield "flowchart LR"
    if scene.folded:
        yield f"  %% {_text(scene.folded)}"
    for box in scene.boxes:
        lines = [_text(line) for line in box_texts(box)]
        name = _id(box.key)
        yield f"  {name}" + _SHAPES[box.kind].format("<br/>".join(lines))
        flags = {"start": box.is_start, "boundary": box.beyond, "missing": box.missing}
        for which in (box.kind, *(flag for flag, is_set in flags.items() if is_set)):
            classes.setdefault(which, []).append(name)
    for line in scene.lines:
        label = _text(labels.shortened(", ".join(line.paths), labels.LONGEST))
        text = f'|"{label}"|' if label else ""
        arrow = _ROLES.get(line.role, "-.-o")
        source, target = (_id(scene.boxes[end].key) for end in (line.source, line.target))
        yield f"  {source} {arrow}{text} {target}"
    for which, style in (
        ("artifact", "fill:#e3f0fb,stroke:#2f6f9f,color:#10202c"),
        ("execution", "fill:#fdf0d9,stroke:#a8742a,color:#2c2010"),
        ("group", "fill:#eceff3,stroke:#6b7a88,color:#17212b"),
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
