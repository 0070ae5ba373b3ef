"""The display of a graph in Jupyter: a picture of a small one, a table of types of a large one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.lineage.render import labels
from mlmd_lineage.lineage.render import svg as render_svg
from mlmd_lineage.lineage.render.scene import scene_of, when
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from mlmd_lineage.lineage.graph_data import GraphData

MOST_NODES = 5_000
"""Graphs of more nodes are counted, not drawn."""
DRAWN_BOXES = 80
"""Graphs that fold to more boxes are counted, not drawn."""
DRAWN_LINES = 400
_TYPES_SHOWN = 12
_STARTS_SHOWN = 4


def html(graph: GraphData) -> str:
    """Return a graph as HTML: a picture where it folds to few boxes, or else a table of types."""
    if len(graph) > MOST_NODES:
        return _summary(graph)
    scene = scene_of(graph)
    if len(scene.boxes) > DRAWN_BOXES or len(scene.lines) > DRAWN_LINES:
        return _summary(graph)
    return page_width(render_svg.svg(scene, captions(graph)))


def page_width(picture: str) -> str:
    """Return HTML in which an SVG image takes its own width, or that of the page if it is wider."""
    width = int(picture.split('viewBox="', 1)[1].split('"', 1)[0].split()[2])
    return f'<div class="{labels.NO_FORMULAS}" style="max-width: {width}px">{picture}</div>'


def svg(graph: GraphData, *, fold: bool = True) -> str:
    """Return a graph drawn as an SVG image, whatever its size."""
    return render_svg.svg(scene_of(graph, folded=fold), captions(graph))


def captions(graph: GraphData) -> list[str]:
    """Return what a graph holds, and for a trace what was asked and whether it is all."""
    index = graph.index
    counts = ", ".join(
        f"{number:,} {noun}{'' if number == 1 else 's'}"
        for number, noun in (
            (index.artifacts, "artifact"),
            (len(index.execution_ids), "execution"),
            (len(index.sources), "event"),
        )
    )
    trace = graph.as_trace
    if trace is None:
        return [counts]
    question = trace.question
    asked = f"{trace.direction} of {_listed(trace.starts)}"
    if trace.ends:
        asked = f"between {_listed(trace.starts)} and {_listed(trace.ends)}"
    for name, some in (("until", question.until), ("types", question.types)):
        asked += f", {name} {', '.join(map(short_type, some))}" if some else ""
    asked += "".join(
        f", {name}" for name in ("reuse", "internal", "later") if getattr(question, name)
    )
    if question.as_of is not None:
        asked += f", as of {when(question.as_of)}"
    limits = " and ".join(trace.truncated_by)
    places = len(trace.boundary)
    bounds = (
        f"cut by {limits} at {places:,} node{'' if places == 1 else 's'}" if limits else "complete"
    )
    return [f"{asked}: {counts}; {bounds}"]


def _listed(nodes: tuple[str, ...]) -> str:
    more = f" and {len(nodes) - _STARTS_SHOWN:,} more" if len(nodes) > _STARTS_SHOWN else ""
    return ", ".join(nodes[:_STARTS_SHOWN]) + more


def _summary(graph: GraphData) -> str:
    index = graph.index
    types = graph.tables["Type"]
    names = dict(zip(types["id"].to_pylist(), types["name"].to_pylist(), strict=True))
    is_root = np.diff(index.incoming.offsets) == 0
    is_leaf = np.diff(index.outgoing.offsets) == 0
    rows = []
    for kind, part in (
        ("artifacts", slice(0, index.artifacts)),
        ("executions", slice(index.artifacts, None)),
    ):
        found: dict[str, Any] = {}
        ids, at = np.unique(index.type_ids[part], return_inverse=True)
        counts = [
            np.bincount(at[mask], minlength=len(ids)).tolist()
            for mask in (slice(None), is_root[part], is_leaf[part])
        ]
        for type_id, *numbers in zip(ids.tolist(), *counts, strict=True):
            name = names.get(type_id) or ""
            some = found.setdefault(name, [0, 0, 0])
            found[name] = [one + other for one, other in zip(some, numbers, strict=True)]
        ordered = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))
        rows += [_row(kind, name, numbers) for name, numbers in ordered[:_TYPES_SHOWN]]
        rest = ordered[_TYPES_SHOWN:]
        if rest:
            total = [sum(numbers) for numbers in zip(*(n for _, n in rest), strict=True)]
            rows.append(_row(kind, f"{len(rest)} more types", total))
    less = (
        "Too many nodes to draw. Ask for less, such as <code>upstream(node)</code> with "
        "<code>until=TYPE</code> or <code>max_hops=3</code>; <code>nodes</code> and "
        "<code>edges</code> hold all of them as DataFrames."
    )
    said = labels.escaped(captions(graph)[0])
    return (
        f'<div class="{labels.NO_FORMULAS}">'
        f"<p><b>{said}</b></p>\n<table><thead><tr><th>kind</th><th>type</th><th>nodes</th>"
        "<th>roots</th><th>leaves</th></tr></thead><tbody>\n"
        + "\n".join(rows)
        + f"\n</tbody></table>\n<p>{less}</p></div>"
    )


def _row(kind: str, name: str, numbers: list[int]) -> str:
    shown = labels.shortened(short_type(name), 48)
    cells = "".join(f'<td align="right">{number:,}</td>' for number in numbers)
    title = labels.escaped(name)
    return f'<tr><td>{kind}</td><td title="{title}">{labels.escaped(shown)}</td>{cells}</tr>'
