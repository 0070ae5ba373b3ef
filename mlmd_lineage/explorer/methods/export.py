"""Export of what is seen: a scene as SVG, PNG or DOT, its nodes or a table as CSV, all as JSON."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.explorer.methods import lineage, paths, pipeline, run
from mlmd_lineage.explorer.parameters import checked
from mlmd_lineage.lineage.render import dot, png, svg
from mlmd_lineage.lineage.render.scene import Box, EdgeLine, Scene

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.explorer.explored_store import ExploredStore

FORMATS = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "dot": "text/vnd.graphviz",
    "csv": "text/csv",
    "json": "application/json",
}
"""The formats, and their media types."""
_EXPORTED: dict[str, Any] = {
    "lineage": lineage.lineage,
    "path": paths.path,
    "impact": paths.impact,
    "run": run.run,
    "pipeline": pipeline.pipeline,
}
_MOST = 100_000
"""How many boxes and lines an exported scene may have."""
_UNLIMITED: dict[str, dict[str, int]] = {
    "lineage": {"limit": _MOST},
    "path": {"limit": _MOST},
    "impact": {"limit": _MOST},
    "pipeline": {"offset": 0, "limit": _MOST},
}
_NODE_COLUMNS = ("id", "key", "kind", "label", "type", "status", "run", "pipeline", "count")


def export(store: ExploredStore, method: str, params: Mapping[str, Any], to: str) -> dict[str, Any]:
    """Return the answer of a method as a file of a format, drawn as the page shows it.

    Members: ``name`` of the file, ``type`` (its media type), and ``text``, or ``base64`` for PNG.

    Args:
        store: The store.
        method: ``lineage``, ``path``, ``impact``, ``run`` or ``pipeline``.
        params: Its parameters.
        to: ``svg``, ``png`` or ``dot`` for scenes; ``csv`` and ``json`` for all.
    """
    for name, given, known in (("method", method, _EXPORTED), ("format", to, FORMATS)):
        if given not in known:
            near = errors.did_you_mean(given, known)
            message = (
                f"There is no export of the {name} {given!r}, but of {', '.join(known)}.{near}"
            )
            raise errors.ConfigurationError(message)
    parameters = checked(method, _EXPORTED[method], {**params, **_UNLIMITED.get(method, {})})
    answer = _EXPORTED[method](store, **parameters)
    made: dict[str, Any] = {"name": f"{method}.{to}", "type": FORMATS[to]}
    if to == "json":
        return made | {"text": json.dumps(answer, ensure_ascii=False, indent=1)}
    if method == "pipeline":
        return made | {"text": _table(answer, to)}
    return made | _of_scene(answer.get("scene", answer), to)


def _of_scene(scene: Mapping[str, Any], to: str) -> dict[str, Any]:
    if scene.get("big"):
        message = (
            f"A scene of {scene['nodes']:,} boxes and {scene['edges']:,} lines is too large to be "
            "exported; fold it, or ask for fewer hops."
        )
        raise errors.ConfigurationError(message)
    if to == "csv":
        return {"text": _csv(_NODE_COLUMNS, scene["nodes"])}
    drawn = scene_from(scene)
    if to == "dot":
        return {"text": dot.dot(drawn)}
    picture = svg.drawn(drawn, [scene["said"]], (scene["width"], scene["height"]))
    if to == "svg":
        return {"text": picture}
    return {"base64": base64.b64encode(png.png(picture)).decode()}


def scene_from(scene: Mapping[str, Any]) -> Scene:
    """Return the boxes and lines of a scene that is JSON, with their coordinates."""
    boxes = [
        Box(
            node["key"],
            "group" if node["kind"] == "fold" else node["kind"],
            (node["label"], node["about"]),
            node["title"],
            status=node["status"],
            missing=node.get("missing", False),
            is_folded=node["kind"] == "fold",
            is_start=node["id"] == scene["focus"],
            width=node["w"],
            x=node["x"],
            y=node["y"],
        )
        for node in scene["nodes"]
    ]
    numbers = {node["id"]: at for at, node in enumerate(scene["nodes"])}
    lines = [
        EdgeLine(
            numbers[edge["from"]],
            numbers[edge["to"]],
            edge["role"],
            tooltips=[edge.get("title", "")] * edge.get("count", 1),
            label=edge["label"],
            points=[(x, y) for x, y in edge["points"]],
        )
        for edge in scene["edges"]
    ]
    return Scene(boxes, lines)


def _csv(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)
    return written.getvalue()


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _table(answer: Mapping[str, Any], to: str) -> str:
    if to != "csv":
        message = "A table of runs is exported as csv or json."
        raise errors.ConfigurationError(message)
    names = [column["key"] for column in answer["columns"]]
    rows = []
    for row in answer["rows"]:
        flat = dict(row)
        for group in ("parameters", "metrics", "inputs"):
            flat |= {f"{group[:-1]}.{name}": value for name, value in row[group].items()}
        rows.append(flat)
    return _csv(names, rows)
