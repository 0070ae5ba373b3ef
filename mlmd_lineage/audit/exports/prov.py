"""W3C PROV: a graph as PROV-JSON and as PROV-N.

The formats: https://www.w3.org/Submission/prov-json/ and https://www.w3.org/TR/prov-n/. Artifacts
are entities, executions activities, contexts collections; each event is a relation of its own id.
"""

from __future__ import annotations

import base64
import json.encoder
from typing import TYPE_CHECKING, Any

from mlmd_lineage.audit.exports.graph_content import GraphContent, content_of, quoted, text_of
from mlmd_lineage.audit.records import canonical_json
from mlmd_lineage.lineage.render.labels import printable
from mlmd_lineage.snapshot.json_values import json_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.audit.exports.graph_content import Edge, Node
    from mlmd_lineage.lineage.graph_data import GraphData

_MLMD = "https://github.com/google/ml-metadata#"
_GENERATED = {"produces", "later"}
_NOT_YET = {"pending", "phantom"}


def to_prov(graph: GraphData | GraphContent, source: str | None = None) -> dict[str, Any]:
    """Return a graph as PROV-JSON, a dict that ``json.dump`` writes.

    >>> to_prov(store.upstream("artifact/46"))["entity"]["artifact:46"]["prov:type"]
    'PushedModel'

    Args:
        graph: A graph or a trace.
        source: How the store is named; by default its URL, of a file its name.
    """
    content = content_of(graph, source)
    kinds = ("artifact", "execution", "context", "event")
    document: dict[str, Any] = {
        "prefix": {
            "mlmd": _MLMD,
            **{kind: f"{content.urn(kind)}:" for kind in kinds},
            "property": f"{_MLMD}property/",
            "custom_property": f"{_MLMD}custom_property/",
        },
        "entity": {},
        "activity": {},
    }
    for node in content.artifacts:
        document["entity"][_id(node.key)] = _entity(node)
    for context in content.contexts:
        document["entity"][f"context:{context.id}"] = {
            "prov:type": [
                {"$": "prov:Collection", "type": "prov:QUALIFIED_NAME"},
                _text(context.type),
            ],
            "prov:label": _text(context.name),
        }
    for node in content.executions:
        document["activity"][_id(node.key)] = _activity(node)
    _add_relations(document, content)
    return {name: found for name, found in document.items() if found}


def _id(key: str) -> str:
    return key.replace("/", ":")


def _entity(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"prov:type": _text(node.type), "prov:label": _text(node.name)}
    if node.uri:
        found["prov:location"] = _text(node.uri)
    if node.created:
        found["mlmd:create_time"] = _literal(node.created, "xsd:dateTime")
    return found | _attributes(node)


def _activity(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"prov:type": _text(node.type), "prov:label": _text(node.name)}
    if node.created:
        found["prov:startTime"] = node.created
    if node.ended:
        found["prov:endTime"] = node.ended
    return found | _attributes(node)


def _attributes(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {
        f"mlmd:{name}": _text(str(node.facts[name]))
        for name in ("state", "external_id")
        if node.facts.get(name)
    }
    if node.facts.get("missing"):
        found["mlmd:missing"] = _literal("true", "xsd:boolean")
    for kind, name, value in node.values():
        found[f"{kind}:{quoted(name) or '_'}"] = _value(value)
    return found


def _value(value: Any) -> Any:
    if isinstance(value, bool):
        return _literal("true" if value else "false", "xsd:boolean")
    if isinstance(value, int):
        return _literal(str(value), "xsd:long")
    if isinstance(value, float):
        names = {"NaN": "NaN", "Infinity": "INF", "-Infinity": "-INF"}
        plain = json_value(value)
        return _literal(names.get(str(plain), canonical_json.number(value)), "xsd:double")
    if isinstance(value, bytes):
        return _literal(base64.b64encode(value).decode(), "xsd:base64Binary")
    return _text(text_of(value))


def _literal(text: str, kind: str) -> dict[str, str]:
    return {"$": text, "type": kind}


def _text(text: str) -> str:
    """Return a text without control characters, which PROV-N's parsers do not take."""
    return printable(text)


def _add_relations(document: dict[str, Any], content: GraphContent) -> None:
    for edge in content.edges:
        name, relation = _relation(edge)
        document.setdefault(name, {})[f"event:{edge.event}"] = relation
    for context in content.contexts:
        for number, artifact in context.artifacts:
            document.setdefault("hadMember", {})[f"_:attribution{number}"] = {
                "prov:collection": f"context:{context.id}",
                "prov:entity": _id(artifact),
            }
        for number, execution in context.executions:
            document.setdefault("wasInfluencedBy", {})[f"_:association{number}"] = {
                "prov:influencee": _id(execution),
                "prov:influencer": f"context:{context.id}",
            }


def _relation(edge: Edge) -> tuple[str, dict[str, Any]]:
    """Return the PROV relation that an event is, and its members.

    A cached execution and a resolver use what another execution made. An output that never came to
    be was not generated, so of it PROV can only say that the execution influenced it.
    """
    entity, activity = _id(edge.artifact), _id(edge.execution)
    about: dict[str, Any] = {"mlmd:type": edge.type, "mlmd:role": edge.role}
    if edge.path:
        about["mlmd:path"] = _text(edge.path)
    if edge.role in _NOT_YET:
        return "wasInfluencedBy", {"prov:influencee": entity, "prov:influencer": activity} | about
    about |= {"prov:time": edge.time} if edge.time else {}
    both = {"prov:activity": activity, "prov:entity": entity}
    return "wasGeneratedBy" if edge.role in _GENERATED else "used", both | about


def to_provn(document: dict[str, Any]) -> str:
    """Return what ``to_prov()`` returned as PROV-N.

    >>> print(to_provn(to_prov(store.upstream("artifact/46"))))
    """
    return "".join(f"{line}\n" for line in _provn(document))


_FORMALS = {
    "used": ("prov:activity", "prov:entity", "prov:time"),
    "wasGeneratedBy": ("prov:entity", "prov:activity", "prov:time"),
    "wasInfluencedBy": ("prov:influencee", "prov:influencer"),
    "hadMember": ("prov:collection", "prov:entity"),
    "activity": ("prov:startTime", "prov:endTime"),
    "entity": (),
}


def _provn(document: dict[str, Any]) -> Iterator[str]:
    yield "document"
    for prefix, uri in document["prefix"].items():
        yield f"  prefix {prefix} <{uri}>"
    yield ""
    for kind, formals in _FORMALS.items():
        for name, found in document.get(kind, {}).items():
            shown = [str(found.get(each, "-")) for each in formals]
            rest = [
                f"{attribute}={_provn_value(value)}"
                for attribute, values in found.items()
                if attribute not in formals
                for value in (values if isinstance(values, list) else [values])
            ]
            if kind in {"entity", "activity"}:
                head = ", ".join([name, *shown])
            else:
                head = ("" if name.startswith("_:") else f"{name}; ") + ", ".join(shown)
            tail = f", [{', '.join(rest)}]" if rest else ""
            yield f"  {kind}({head}{tail})"
    yield "endDocument"


def _provn_value(value: Any) -> str:
    if not isinstance(value, dict):
        return _provn_text(str(value))
    if value["type"] == "prov:QUALIFIED_NAME":
        return f"'{value['$']}'"
    return f"{_provn_text(value['$'])} %% {value['type']}"


def _provn_text(text: str) -> str:
    r"""Return a text between quotation marks, with the escapes that PROV-N shares with JSON."""
    return json.encoder.encode_basestring(text)
