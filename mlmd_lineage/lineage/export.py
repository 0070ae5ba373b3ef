"""The graph as text for other programs: JSON and GraphML.

The same graph gives the same bytes: nodes by their ids, artifacts first; edges by their events.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from mlmd_lineage.lineage import edge_attributes
from mlmd_lineage.lineage.nodes import node_attributes
from mlmd_lineage.lineage.render import labels
from mlmd_lineage.lineage.render.node_labels import LABEL_COLUMNS, NO_LABEL
from mlmd_lineage.snapshot.json_values import json_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import TypeAlias

    from mlmd_lineage.lineage.graph_data import GraphData

    Value: TypeAlias = Any

FORMAT = "mlmd-lineage-graph"
VERSION = 1

_MARKUP = re.compile(r"[&<>\r]")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def to_json(graph: GraphData) -> str:
    """Return a graph as JSON; a node or an edge stands on one line.

    Its members:

    - ``format`` (``"mlmd-lineage-graph"``) and ``version`` (1);
    - ``source``: the store, without any secret;
    - for a trace ``question`` (``direction``, ``start``, ``end``, ``max_hops``, ``until``,
      ``types``, ``reuse``, ``internal``, ``later``, ``as_of``), ``complete``, ``truncated_by`` and
      ``boundary``;
    - ``nodes``: ``node`` (its key), the attributes that networkx sees, what the platform says
      (``label``, ``status``, ``run``, ``pipeline``; see ``labels``), and in a trace ``hops``;
    - ``edges``: ``event`` (its id), ``source``, ``target``, ``type``, ``role``, ``path``, ``time``.

    Times are milliseconds since 1970 in UTC. What has no value is left out, but in ``question``,
    where it is null. Of property values, bytes are base64, protos ``{"type_url": ..., "value":
    base64}``, and doubles that JSON lacks texts such as ``"NaN"``.
    """
    return "".join(_json(graph))


def _json(graph: GraphData) -> Iterator[str]:
    facts: dict[str, Any] = {"format": FORMAT, "version": VERSION, "source": graph.tables.source}
    trace = graph.as_trace
    hops: Iterator[int] | None = None
    if trace is not None:
        question = trace.question
        facts["question"] = {
            "direction": trace.direction,
            "start": trace.starts,
            "end": trace.ends[0] if len(trace.ends) == 1 else trace.ends or None,
            "max_hops": question.max_hops,
            "until": question.until,
            "types": question.types,
            "reuse": question.reuse,
            "internal": question.internal,
            "later": question.later,
            "as_of": question.as_of,
        }
        facts["complete"] = trace.complete
        facts["truncated_by"] = trace.truncated_by
        facts["boundary"] = trace.boundary
        hops = iter(trace.hops.tolist())
    yield "{\n"
    for name, value in facts.items():
        yield f" {_dumped(name)}: {_dumped(value)},\n"
    yield ' "nodes": ['
    yield from _lines(
        {"node": key, **node} | ({} if hops is None else {"hops": next(hops)})
        for key, node in _nodes(graph)
    )
    yield '],\n "edges": ['
    yield from _lines(
        {"event": event, "source": source, "target": target, **edge}
        for source, target, event, edge in edge_attributes.edge_dicts(graph)
    )
    yield "]\n}\n"


def _nodes(graph: GraphData) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each node's key, its attributes, and what its platform says of it."""
    found = graph.node_labels
    for key, node in node_attributes.node_dicts(graph):
        label = found.get(key, NO_LABEL)
        told = ((column, getattr(label, name)) for column, name in LABEL_COLUMNS.items())
        yield key, node | {column: value for column, value in told if value is not None}


def _lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    separator = "\n  "
    for row in rows:
        yield separator + _dumped(row)
        separator = ",\n  "
    if separator.startswith(","):
        yield "\n "


def _dumped(value: Value) -> str:
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError):
        return _ENCODER.encode(json_value(value))


def to_graphml(graph: GraphData) -> str:
    r"""Return a graph as GraphML (http://graphml.graphdrawing.org).

    ``networkx.read_graphml(path, edge_key_type=int, force_multigraph=True)`` gives the same nodes
    and edges. What is no number or text - paths, contexts, properties - is JSON in it. Control
    characters, which XML cannot hold, are written as escapes, such as ``\x00``.
    """
    return "".join(_graphml(graph))


_TYPES = {"id": "long", "create_time_since_epoch": "long", "last_update_time_since_epoch": "long",
          "time": "long", "missing": "boolean"}  # fmt: skip


def _graphml(graph: GraphData) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for domain, names in (
        ("node", (*node_attributes.NODE_NAMES, *LABEL_COLUMNS)),
        ("edge", edge_attributes.EDGE_NAMES),
    ):
        for name in names:
            kind = _TYPES.get(name, "string")
            yield (
                f' <key id="{domain}_{name}" for="{domain}" '
                f'attr.name="{name}" attr.type="{kind}"/>\n'
            )
    yield ' <graph edgedefault="directed">\n'
    node_tags, edge_tags = _Tags("node"), _Tags("edge")
    for key, node in _nodes(graph):
        yield f'  <node id="{key}">{_data(node_tags, node)}</node>\n'
    for source, target, event, edge in edge_attributes.edge_dicts(graph):
        data = _data(edge_tags, edge)
        yield f'  <edge id="{event}" source="{source}" target="{target}">{data}</edge>\n'
    yield " </graph>\n</graphml>\n"


class _Tags(dict[str, str]):
    """The start tags of an element's data, by the names of its attributes."""

    def __init__(self, domain: str) -> None:
        super().__init__()
        self._domain = domain

    def __missing__(self, name: str) -> str:
        made = self[name] = f'<data key="{self._domain}_{name}">'
        return made


def _data(tags: Mapping[str, str], found: Mapping[str, Any]) -> str:
    return "".join([f"{tags[name]}{_xml(value)}</data>" for name, value in found.items()])


def _xml(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    text = labels.printable(value if isinstance(value, str) else _dumped(value))
    if not _MARKUP.search(text):
        return text
    # A parser would read a bare carriage return as a line feed.
    return escape(text, {"\r": "&#13;"})
