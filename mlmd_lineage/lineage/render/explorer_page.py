"""A graph as one HTML file with the explorer's front end and the data in it.

The file needs no other and no network, and its policy lets no script run but its own. The front end
is read from the package's data: ``setup.py`` builds it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mlmd_lineage.lineage import edge_attributes
from mlmd_lineage.lineage.nodes import node_attributes
from mlmd_lineage.lineage.render import html as render_html
from mlmd_lineage.lineage.render.labels import is_uuid, limited, path_text, printable
from mlmd_lineage.lineage.render.node_labels import NO_LABEL
from mlmd_lineage.snapshot.json_values import exact, json_value
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from mlmd_lineage.lineage.graph_data import GraphData
    from mlmd_lineage.lineage.render.node_labels import NodeLabel

MOST_DETAILS = 2_000
"""How many nodes a graph has at most whose properties come along."""
_SHOWN_EVENTS = 200
_SHOWN_PROPERTIES = 200


def bundle() -> tuple[str, str, list[Any]] | None:
    """Return the front end's script, its style and the licences of its parts; None without it."""
    folder = resources.files("mlmd_lineage") / "explorer" / "static"
    files = [folder / name for name in ("explorer.js", "explorer.css", "licences.json")]
    if not all(file.is_file() for file in files):
        return None
    script, style, licences = (file.read_text(encoding="utf-8") for file in files)
    return script, style, json.loads(licences)


def page(
    *graphs: GraphData,
    start: str | None = None,
    answers: Sequence[Mapping[str, Any]] = (),
) -> str | None:
    """Return a graph as one HTML file; None where the front end is not part of the installation.

    Args:
        graphs: The graph, or several of one store, which are shown as one.
        start: The address of the view that is shown first; that of the trace by default.
        answers: Further answers of the explorer: each its ``method``, ``params`` and ``answer``.
    """
    built = bundle()
    if built is None:
        return None
    script, style, licences = built
    graph = graphs[0]
    said = printable(". ".join(render_html.captions(each)[0] for each in graphs))
    data = _limited(
        {
            "title": said,
            "start": start if start is not None else address(graph),
            "store": graph.tables.source,
            "said": said,
            "complete": all(each.as_trace is None or each.as_trace.complete for each in graphs),
            "graph": _graph(graphs),
            "nodes": _details(graphs) if sum(map(len, graphs)) <= MOST_DETAILS else {},
            "answers": list(answers),
        }
    )
    return document(said, {**exact(data), "licences": licences}, script, style)


def _limited(value: Any) -> Any:
    """Return a value whose texts say how much of them was left out where they are very long."""
    if isinstance(value, str):
        return limited(value)
    if isinstance(value, Mapping):
        return {_limited(name): _limited(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_limited(member) for member in value]
    return value


def document(title: str, data: Mapping[str, Any], script: str, style: str) -> str:
    """Return the HTML of a page that holds its data, its script and its style.

    Args:
        title: Its title.
        data: What the front end shows.
        script: The front end's script.
        style: Its style.
    """
    # As all but ASCII is escaped in it, and "<" too, no text of a store can end the element.
    held = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    script = script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    style = style.replace("</style", "<\\/style")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer"><link rel="icon" href="data:,">'
        f"<title>{html.escape(printable(title))}</title><style>{style}</style></head><body>"
        '<div id="explorer"></div>\n'
        f'<script type="application/json" id="data">{held}</script>\n'
        f"<script>{script}</script></body></html>\n"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def address(graph: GraphData) -> str:
    """Return the address of a graph in the front end: of the question that a trace answers."""
    trace = graph.as_trace
    if trace is None or not trace.starts:
        return "#/"
    first = trace.starts[0]
    if trace.ends:
        return f"#/path?from={quote(first, safe='')}&to={quote(trace.ends[0], safe='')}"
    hops = trace.question.max_hops
    shown = f"direction={trace.direction}&hops={'all' if hops is None else hops}"
    flags = [name for name in ("reuse", "internal", "later") if getattr(trace.question, name)]
    shown += "".join(f"&{name}=1" for name in flags)
    return f"#/lineage/{first.replace('/', ':')}?{shown}"


def _labels(graphs: Sequence[GraphData]) -> dict[str, NodeLabel]:
    return {key: label for graph in graphs for key, label in graph.node_labels.items()}


def _edges(graphs: Sequence[GraphData]) -> list[tuple[str, str, int, dict[str, Any]]]:
    """Return each edge once: its nodes, its event's id and its attributes."""
    found = {edge[2]: edge for graph in graphs for edge in edge_attributes.edge_dicts(graph)}
    return list(found.values())


def _graph(graphs: Sequence[GraphData]) -> dict[str, Any]:
    trace = graphs[0].as_trace
    labels = _labels(graphs)
    names = ("kind", "id", "type", "name", "uri", "state", "missing")
    rows = {key: row for graph in graphs for key, row in node_attributes.node_dicts(graph, names)}
    nodes = []
    for key, row in rows.items():
        label = labels.get(key, NO_LABEL)
        nodes.append(
            {
                "key": key,
                "kind": row["kind"],
                "label": _called(row, label),
                "about": f"#{row['id']} {short_type(row.get('type'))}",
                "type": short_type(row.get("type")),
                "status": label.status,
                "uri": row.get("uri"),
                "run": label.run,
                "run_key": label.run_key,
                "pipeline": label.pipeline,
                "missing": row.get("missing"),
            }
        )
    edges = [
        {
            "from": source,
            "to": target,
            "role": edge["role"],
            "label": path_text(edge["path"]),
            "path": path_text(edge["path"]),
            "event": event,
            "time": edge.get("time"),
        }
        for source, target, event, edge in _edges(graphs)
    ]
    return {
        "focus": trace.starts[0] if trace is not None and trace.starts else None,
        "direction": None if trace is None else trace.direction if len(graphs) == 1 else "both",
        "nodes": nodes,
        "edges": edges,
    }


def _called(row: Mapping[str, Any], label: NodeLabel) -> str:
    own = row.get("name")
    return label.name or (own if own and not is_uuid(own) else None) or f"#{row['id']}"


def _details(graphs: Sequence[GraphData]) -> dict[str, Any]:
    """Return what the front end shows of each node, as far as the graph knows it."""
    labels = _labels(graphs)
    rows = {key: row for graph in graphs for key, row in node_attributes.node_dicts(graph)}
    events: dict[str, list[dict[str, Any]]] = {}
    for source, target, event, edge in _edges(graphs):
        for here, there in ((source, target), (target, source)):
            other = rows[there]
            events.setdefault(here, []).append(
                {
                    "event": event,
                    "key": there,
                    "label": _called(other, labels.get(there, NO_LABEL)),
                    "type": short_type(other.get("type")),
                    "event_type": edge["type"],
                    "role": edge["role"],
                    "path": path_text(edge["path"]),
                    "time": edge.get("time"),
                }
            )
    found = {}
    for key, row in rows.items():
        label = labels.get(key, NO_LABEL)
        found[key] = {
            "key": key,
            "kind": row["kind"],
            "id": row["id"],
            "label": _called(row, label),
            **{name: row.get(name) for name in ("name", "type", "state", "uri", "external_id")},
            "status": label.status,
            "run": label.run,
            "run_key": label.run_key,
            "pipeline": label.pipeline,
            "times": {
                "created": row.get("create_time_since_epoch"),
                "updated": row.get("last_update_time_since_epoch"),
            },
            "properties": _properties(row),
            "events": events.get(key, [])[:_SHOWN_EVENTS],
            "events_total": len(events.get(key, [])),
            "contexts": [],
        }
    return found


def _properties(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the first of a node's properties, and how many more there are."""
    found = [
        {"name": name, "value": json_value(value), "custom": custom}
        for custom, which in ((False, "properties"), (True, "custom_properties"))
        for name, value in (row.get(which) or {}).items()
    ]
    more = len(found) - _SHOWN_PROPERTIES
    told = {"name": "…", "value": f"{more:,} more properties", "custom": False}
    return [*found[:_SHOWN_PROPERTIES], *([told] if more > 0 else [])]
