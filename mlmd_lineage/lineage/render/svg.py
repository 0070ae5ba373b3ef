"""Drawing of a picture as an SVG image, from left to right in the direction of the data.

Code-hosting sites cut styles, scripts and references out of what they show, so all is said in
attributes of the shapes. Nodes bring their own background, and all else is of a middle tone:
readable on white and on black.
"""

from __future__ import annotations

import html
import math
import unicodedata
from typing import TYPE_CHECKING

from mlmd_lineage.lineage.render import labels
from mlmd_lineage.lineage.render.coordinates import HEIGHT, set_coordinates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.lineage.render.scene import Box, EdgeLine, Scene

_MARGIN = 24
_INK, _PALE, _EDGE, _RED = "#17212b", "#51606f", "#7f8c99", "#d0453a"
_FILLS = {
    "artifact": ("#e4f1fc", "#3b83bd"),
    "execution": ("#fdf0d7", "#c58a2b"),
    "group": ("#eceff3", "#6b7a88"),
}
STATUS_MARKS = {
    "completed": ("\N{CHECK MARK}", "#2c7a4b"),
    "cached": ("\N{CLOCKWISE OPEN CIRCLE ARROW}", "#5b6770"),
    "failed": ("\N{MULTIPLICATION X}", "#c0392b"),
    "running": ("\N{HORIZONTAL ELLIPSIS}", "#1f6fb2"),
    "canceled": ("\N{EN DASH}", "#8a6d3b"),
}
"""The mark and the colour of each status."""
_FONT = 'font-family="Helvetica, Arial, sans-serif"'

ROLE_LINES = {
    "uses": "",
    "produces": "",
    "reuses": ' stroke-dasharray="7 4"',
    "later": ' stroke-dasharray="2 4"',
    "internal": ' stroke-dasharray="1.5 3.5"',
    "resolves": ' stroke-dasharray="7 3 1.5 3"',
    "pending": ' stroke-dasharray="3 3"',
    "phantom": ' stroke-dasharray="1.5 5"',
    "after": "",
}
_LONGEST_CAPTION = 400
"""How many characters a line below the picture has at most."""


def svg(scene: Scene, captions: Sequence[str]) -> str:
    """Return a picture as an SVG image that fits the page's width, with lines of text beneath."""
    set_widths(scene.boxes)
    size = set_coordinates(scene.boxes, scene.lines, from_right=scene.starts_at_right)
    return drawn(scene, captions, size)


def set_widths(boxes: Sequence[Box]) -> None:
    """Set the widths of boxes, so that what stands in them fits."""
    for box in boxes:
        name, about = box.lines
        status = 20 if box.status else 0
        widths = _text_width(name, 12.5, bold=True) + status, _text_width(about, 11)
        box.width = max(84, *(width + 26 for width in widths))


def drawn(scene: Scene, captions: Sequence[str], size: tuple[float, float]) -> str:
    """Return a picture as an SVG image whose boxes and lines have their coordinates.

    Args:
        scene: The picture.
        captions: The lines of text beneath it.
        size: Its width and height in pixels.
    """
    boxes, lines = scene.boxes, scene.lines
    width, height = size
    roles = [role for role in ROLE_LINES if any(line.role == role for line in lines)]
    body = [_drawn_edge(line, boxes) for line in lines]
    body += [_drawn_node(box) for box in boxes]
    statuses = [name for name in STATUS_MARKS if any(box.status == name for box in boxes)]
    cut = any(box.beyond for box in boxes)
    legend, below = _legend(roles, statuses, cut=cut, y=height + 22)
    captions = [*captions, scene.folded] if scene.folded else captions
    captions = [labels.shortened(text, _LONGEST_CAPTION) for text in captions]
    width = max(width, *(_text_width(text, 12) for text in captions), below)
    height += 26 * bool(legend) + 20 * len(captions) + 14
    texts = [
        _text(0, height - 20 * (len(captions) - at) + 8, text, 12, _EDGE, anchor="start")
        for at, text in enumerate(captions)
    ]
    wide, high = width + 2 * _MARGIN, height + 2 * _MARGIN
    label = labels.escaped(" ".join(captions))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="{-_MARGIN} {-_MARGIN} {wide:.0f} {high:.0f}" role="img" '
        f'aria-label="{label}" {_FONT}>' + "\n".join(["", *body, *legend, *texts, ""]) + "</svg>"
    )


def _drawn_edge(line: EdgeLine, boxes: Sequence[Box]) -> str:
    points = line.points
    (x, y), (end, level) = points[0], points[-1]
    side = 1 if boxes[line.target].x > end else -1
    path = [f"M{x:.1f} {y:.1f}"]
    for at, (to, height) in enumerate(points[1:], 1):
        last = at == len(points) - 1
        stop = to - side * 7 if last else to
        if height == y or stop == x:
            path.append(f"L{stop:.1f} {height:.1f}")
        else:
            half = (stop - x) / 2
            path.append(
                f"C{x + half:.1f} {y:.1f} {stop - half:.1f} {height:.1f} {stop:.1f} {height:.1f}"
            )
        x, y = to, height
    hollow = line.role in {"pending", "phantom"}
    head = (
        f'<path d="M{end:.1f} {level:.1f}l{-side * 8} -4v8z" fill="{"none" if hollow else _EDGE}" '
        f'stroke="{_EDGE}" stroke-width="1"/>'
    )
    text = line.label
    if len(line.tooltips) > 1:
        text = f"{text} \N{MULTIPLICATION SIGN}{len(line.tooltips):,}".strip()
    told = ""
    if text:
        # Beside the step, which is where lines could be mistaken.
        near_end = boxes[line.target].kind == "execution"
        (left, up), (right, down) = points[-2:] if near_end else points[:2]
        told = _text((left + right) / 2, (up + down) / 2 - 5, text, 10, _EDGE)
    title = labels.escaped("\n".join(line.tooltips))
    title = f"<title>{title}</title>" if title else ""
    return (
        f'<g class="edge">{title}<path d="{"".join(path)}" fill="none" '
        f'stroke="{_EDGE}" stroke-width="1.4"{ROLE_LINES[line.role]}/>{head}{told}</g>'
    )


def _drawn_node(box: Box) -> str:
    fill, stroke = _FILLS[box.kind]
    left, top = box.x - box.width / 2, box.y - HEIGHT / 2
    corner = 13 if box.kind == "artifact" else 2.5
    dashed = ' stroke-dasharray="4 3"' if box.missing else ""
    stroke = _RED if box.beyond else stroke
    size = f'width="{box.width:.1f}" height="{HEIGHT}" rx="{corner}" fill="{fill}"'
    thick = 3 if box.is_start else 1.3
    shape = (
        f'<rect x="{left:.1f}" y="{top:.1f}" {size} stroke="{stroke}" '
        f'stroke-width="{thick}"{dashed}/>'
    )
    if box.is_folded:
        # A second box behind it.
        shape = (
            f'<rect x="{left + 4:.1f}" y="{top + 4:.1f}" {size} stroke="{stroke}" '
            f'stroke-width="1"/>{shape}'
        )
    marks = ""
    if box.beyond:
        marks = _dots(box.x + box.beyond * (box.width / 2 + 6), box.y + 13, box.beyond)
    if box.status:
        marks += _status_mark(left + box.width - 12, top + 11, box.status)
    middle = box.x - 9 * bool(box.status)
    return (
        f'<g class="node"><title>{labels.escaped(box.tooltip)}</title>{shape}'
        f"{_text(middle, box.y - 3, box.lines[0], 12.5, _INK, bold=True)}"
        f"{_text(box.x, box.y + 12, box.lines[1], 11, _PALE)}{marks}</g>"
    )


def _status_mark(x: float, y: float, status: str) -> str:
    mark, colour = STATUS_MARKS[status]
    circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{colour}"/>'
    return circle + _text(x, y + 3.5, mark, 10, "#ffffff", bold=True)


def _legend(
    roles: Sequence[str], statuses: Sequence[str], *, cut: bool, y: float
) -> tuple[list[str], float]:
    """Return what lines and marks mean, if there are any but plain ones, and how wide that is."""
    samples = {}
    if set(roles) - {"uses", "produces", "after"}:
        plain = [role for role in roles if not ROLE_LINES[role]]
        samples = {", ".join(plain): ""} if plain else {}
        samples |= {role: ROLE_LINES[role] for role in roles if ROLE_LINES[role]}
    shown, x = [], 0.0
    for name, dashes in samples.items():
        line = f'<path d="M{x:.1f} {y:.1f}h34" stroke="{_EDGE}" stroke-width="1.4"{dashes}/>'
        shown.append(line + _text(x + 41, y + 4, name, 11, _EDGE, anchor="start"))
        x += 41 + _text_width(name, 11) + 22
    for status in statuses if set(statuses) - {"completed"} else ():
        mark = _status_mark(x + 7, y, status)
        shown.append(mark + _text(x + 19, y + 4, status, 11, _EDGE, anchor="start"))
        x += 19 + _text_width(status, 11) + 22
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
    # sum() rounds differently before Python 3.12.
    ems = math.fsum(
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
