"""Drawing of a small graph as an SVG image, from left to right in the direction of the data.

Code-hosting sites cut styles, scripts and references out of what they show, so all is said in
attributes of the shapes. Nodes bring their own background, and all else is of a middle tone:
readable on white and on black.
"""

from __future__ import annotations

import datetime as dt
import html
import unicodedata
from typing import TYPE_CHECKING, Any

from mlmd_lineage.lineage import edge_attributes, node_attributes
from mlmd_lineage.lineage.render import labels
from mlmd_lineage.lineage.render.coordinates import HEIGHT, Box, EdgeLine, set_coordinates
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.lineage.graph_data import GraphData

_NAMES = (
    *("kind", "id", "type", "name", "uri", "state", "create_time_since_epoch"),
    *("last_update_time_since_epoch", "missing"),
)
_MARGIN = 24
_INK, _PALE, _EDGE, _RED = "#17212b", "#51606f", "#7f8c99", "#d0453a"
_FILLS = {"artifact": ("#e4f1fc", "#3b83bd"), "execution": ("#fdf0d7", "#c58a2b")}
_FONT = 'font-family="Helvetica, Arial, sans-serif"'
_USUAL_STATES = {"LIVE", "COMPLETE", "UNKNOWN"}

ROLE_LINES = {
    "uses": "",
    "produces": "",
    "reuses": ' stroke-dasharray="7 4"',
    "later": ' stroke-dasharray="2 4"',
    "internal": ' stroke-dasharray="1.5 3.5"',
    "resolves": ' stroke-dasharray="7 3 1.5 3"',
    "pending": ' stroke-dasharray="3 3"',
    "phantom": ' stroke-dasharray="1.5 5"',
}


def svg(graph: GraphData, captions: Sequence[str]) -> str:
    """Return a graph drawn as an SVG image, with lines of text beneath it."""
    nodes = [_node(key, found) for key, found in node_attributes.node_dicts(graph, _NAMES)]
    edges = _edges(graph, nodes)
    width, height = set_coordinates(nodes, edges)
    roles = [role for role in ROLE_LINES if any(edge.role == role for edge in edges)]
    trace = graph.as_trace
    starts = {*trace.starts, trace.end} if trace else set()
    boundary = set(trace.boundary) if trace else set()
    left = trace is not None and trace.direction == "upstream"
    body = [_drawn_edge(edge, nodes) for edge in edges]
    body += [
        _drawn_node(node, node.key in starts, (-1 if left else 1) * (node.key in boundary))
        for node in nodes
    ]
    legend, below = _legend(roles, bool(boundary), height + 22)
    width = max(width, *(_text_width(text, 12) for text in captions), below)
    height += 26 * bool(legend) + 20 * len(captions) + 14
    texts = [
        _text(0, height - 20 * (len(captions) - at) + 8, text, 12, _EDGE, anchor="start")
        for at, text in enumerate(captions)
    ]
    wide, high = width + 2 * _MARGIN, height + 2 * _MARGIN
    label = html.escape(labels.printable(" ".join(captions)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:.0f}" height="{high:.0f}" '
        f'viewBox="{-_MARGIN} {-_MARGIN} {wide:.0f} {high:.0f}" role="img" '
        f'aria-label="{label}" {_FONT}>' + "\n".join(["", *body, *legend, *texts, ""]) + "</svg>"
    )


def _node(key: str, found: Mapping[str, Any]) -> Box:
    about = labels.printable(labels.title(found))
    state = found.get("state")
    if state and state not in _USUAL_STATES:
        about = f"{labels.shortened(about, 18)} · {state.lower().replace('_', ' ')}"
    if found.get("missing"):
        about += " · missing"
    lines = (
        labels.shortened(labels.printable(short_type(found.get("type"))), 26),
        labels.shortened(about, 30),
    )
    tooltip = [f"{key}: {found.get('type') or 'no type'}"]
    tooltip += [f"{name}: {found[name]}" for name in ("name", "uri", "state") if found.get(name)]
    for name, label in (("create_time", "created"), ("last_update_time", "last updated")):
        time = found.get(f"{name}_since_epoch")
        if time:
            tooltip.append(f"{label}: {when(time)}")
    if found.get("missing"):
        tooltip.append("events name it, and no row has its id")
    width = max(_text_width(lines[0], 12.5, bold=True), _text_width(lines[1], 11)) + 26
    return Box(
        key, found["kind"], lines, "\n".join(tooltip), max(width, 84), bool(found.get("missing"))
    )


def when(milliseconds: int) -> str:
    """Return a moment as people write it, in UTC."""
    try:
        moment = dt.datetime.fromtimestamp(milliseconds / 1000, dt.timezone.utc)
    except (OverflowError, ValueError, OSError):
        return f"{milliseconds} ms"
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _edges(graph: GraphData, nodes: Sequence[Box]) -> list[EdgeLine]:
    numbers = {node.key: number for number, node in enumerate(nodes)}
    edges: dict[tuple[str, str, str], EdgeLine] = {}
    for source, target, event, found in edge_attributes.edge_dicts(graph):
        role = found["role"]
        edge = edges.setdefault(
            (source, target, role), EdgeLine(numbers[source], numbers[target], role, [])
        )
        tooltip = f"{source} → {target}: {found['type']} ({role}), event {event}"
        if found["path"]:
            tooltip += f", {labels.path_text(found['path'])}"
        if found.get("time"):
            tooltip += f", {when(found['time'])}"
        edge.tooltips.append(tooltip)
    return list(edges.values())


def _drawn_edge(edge: EdgeLine, nodes: Sequence[Box]) -> str:
    points = edge.points
    side = 1 if nodes[edge.source].x < nodes[edge.target].x else -1
    (x, y), (end, level) = points[0], points[-1]
    path = [f"M{x:.1f} {y:.1f}"]
    for at, (to, height) in enumerate(points[1:], 1):
        last = at == len(points) - 1
        stop = to - side * 7 if last else to
        if height == y:
            path.append(f"L{stop:.1f} {height:.1f}")
        else:
            half = (stop - x) / 2
            path.append(
                f"C{x + half:.1f} {y:.1f} {stop - half:.1f} {height:.1f} {stop:.1f} {height:.1f}"
            )
        x, y = to, height
    hollow = edge.role in {"pending", "phantom"}
    head = (
        f'<path d="M{end:.1f} {level:.1f}l{-side * 8} -4v8z" fill="{"none" if hollow else _EDGE}" '
        f'stroke="{_EDGE}" stroke-width="1"/>'
    )
    many = ""
    if len(edge.tooltips) > 1:
        (left, up), (right, down) = points[(len(points) - 1) // 2], points[len(points) // 2]
        times = f"\N{MULTIPLICATION SIGN}{len(edge.tooltips)}"
        many = _text((left + right) / 2, (up + down) / 2 - 5, times, 10, _EDGE)
    title = html.escape(labels.printable("\n".join(edge.tooltips)))
    return (
        f'<g class="edge"><title>{title}</title><path d="{"".join(path)}" fill="none" '
        f'stroke="{_EDGE}" stroke-width="1.4"{ROLE_LINES[edge.role]}/>{head}{many}</g>'
    )


def _drawn_node(node: Box, start: bool, more: int) -> str:  # noqa: FBT001 - how it looks
    fill, stroke = _FILLS[node.kind]
    left, top = node.x - node.width / 2, node.y - HEIGHT / 2
    corner = 13 if node.kind == "artifact" else 2.5
    dashed = ' stroke-dasharray="4 3"' if node.dashed else ""
    shape = (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{node.width:.1f}" height="{HEIGHT}" '
        f'rx="{corner}" fill="{fill}" stroke="{stroke}" '
        f'stroke-width="{3 if start else 1.3}"{dashed}/>'
    )
    tooltip = node.tooltip
    marks = ""
    if more:
        tooltip += "\nmore lies beyond, and was left out"
        marks = _dots(node.x + more * (node.width / 2 + 6), node.y + 13, more)
        shape = shape.replace(f'stroke="{stroke}"', f'stroke="{_RED}"')
    return (
        f'<g class="node"><title>{html.escape(labels.printable(tooltip))}</title>{shape}'
        f"{_text(node.x, node.y - 3, node.lines[0], 12.5, _INK, bold=True)}"
        f"{_text(node.x, node.y + 12, node.lines[1], 11, _PALE)}{marks}</g>"
    )


def _legend(roles: Sequence[str], cut: bool, y: float) -> tuple[list[str], float]:  # noqa: FBT001
    """Return what lines and marks mean, if there are any but plain ones, and how wide that is."""
    samples = {}
    if set(roles) - {"uses", "produces"}:
        plain = [role for role in roles if not ROLE_LINES[role]]
        samples = {", ".join(plain): ""} if plain else {}
        samples |= {role: ROLE_LINES[role] for role in roles if ROLE_LINES[role]}
    shown, x = [], 0.0
    for name, dashes in samples.items():
        line = f'<path d="M{x:.1f} {y:.1f}h34" stroke="{_EDGE}" stroke-width="1.4"{dashes}/>'
        shown.append(line + _text(x + 41, y + 4, name, 11, _EDGE, anchor="start"))
        x += 41 + _text_width(name, 11) + 22
    if cut:
        name = "more was left out here"
        shown.append(_dots(x + 2, y, 1) + _text(x + 23, y + 4, name, 11, _EDGE, anchor="start"))
        x += 23 + _text_width(name, 11)
    return shown, x


def _dots(x: float, y: float, side: int) -> str:
    return "".join(
        f'<circle cx="{x + side * 6 * number:.1f}" cy="{y:.1f}" r="2" fill="{_RED}"/>'
        for number in range(3)
    )


def _text(  # noqa: PLR0913 - all of it is the look
    x: float,
    y: float,
    text: str,
    size: float,
    colour: str,
    *,
    bold: bool = False,
    anchor: str = "middle",
) -> str:
    weight = ' font-weight="600"' if bold else ""
    text = html.escape(" ".join(labels.printable(text).split()))
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" '
        f'text-anchor="{anchor}"{weight}>{text}</text>'
    )


def _text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return about how wide a text is, as no font is at hand to tell."""
    ems = sum(
        1.0
        if unicodedata.east_asian_width(character) in "WF"
        else 0.3
        if character in "iljtfrI.,:;|'!·[]() "
        else 0.72
        if character.isupper() or character in "mwMW@#…"
        else 0.56
        for character in text
    )
    return ems * size * (1.16 if bold else 1.04)
