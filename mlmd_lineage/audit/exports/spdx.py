"""SPDX 3: a lineage as packages of models and data, with its steps as builds.

The format: https://spdx.github.io/spdx-spec/v3.0.1/, with its profiles Software, AI, Dataset and
Build, as JSON-LD. Fields that SPDX 3.1 deprecates are not written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.audit.exports.graph_content import content_of, text_of
from mlmd_lineage.audit.exports.ml_bom import METRIC, is_model, url_of
from mlmd_lineage.lineage.render.labels import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.audit.exports.graph_content import Edge, GraphContent, Node
    from mlmd_lineage.lineage.graph_data import GraphData

_CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
_VERSION = "3.0.1"
_CREATION = "_:creation"
_NO_TIME = "1970-01-01T00:00:00Z"
_TO_SECONDS = len("2020-09-13T12:26:40")


def to_spdx(graph: GraphData | GraphContent, source: str | None = None) -> dict[str, Any]:
    """Return a lineage as an SPDX 3.0.1 document in JSON-LD.

    >>> to_spdx(store.upstream("artifact/46"))["@graph"][2]["type"]
    'SpdxDocument'

    Models are packages of the AI profile, with their metrics, other artifacts packages of the
    Dataset profile. Executions are builds with their parameters, times, inputs and outputs; a model
    was trained on what the execution took that produced it.

    Args:
        graph: A graph or a trace; the node of a trace is the document's root.
        source: How the store is named; by default its URL, of a file its name.
    """
    content = content_of(graph, source)
    inputs, outputs = content.inputs(), content.outputs()
    agent = content.urn("mlmd-lineage")
    nodes = (*content.artifacts, *content.executions)
    every = [content.urn_of(node.key) for node in nodes]
    roots = [content.urn_of(content.start)] if content.start else every
    created = _seconds(content.newest_time) or _NO_TIME
    found: list[dict[str, Any]] = [
        {
            "type": "CreationInfo",
            "@id": _CREATION,
            "specVersion": _VERSION,
            "created": created,
            "createdBy": [agent],
        },
        _element("SoftwareAgent", agent, "mlmd-lineage"),
        {
            **_element("SpdxDocument", content.urn("spdx"), f"Lineage in {content.source}"),
            "profileConformance": ["core", "software"],
            **({"rootElement": roots, "element": every} if every else {}),
        },
        *(_package(content, node) for node in content.artifacts),
        *(_build(content, node) for node in content.executions),
    ]
    models = {node.key for node in content.artifacts if is_model(node)}
    for node in content.executions:
        taken, made = inputs[node.key], outputs[node.key]
        found += _relationship(content, node.key, "hasInput", taken)
        found += _relationship(content, node.key, "hasOutput", made)
        for model in dict.fromkeys(e.artifact for e in made if e.role == "produces"):
            if model in models:
                data = [edge for edge in taken if edge.artifact not in models]
                found += _relationship(content, model, "trainedOn", data, node.key)
    return {"@context": _CONTEXT, "@graph": found}


def _element(kind: str, identifier: str, name: str) -> dict[str, Any]:
    return {
        "type": kind,
        "spdxId": identifier,
        "creationInfo": _CREATION,
        "name": printable(name),
    }


def _package(content: GraphContent, node: Node) -> dict[str, Any]:
    """Return an artifact as a package."""
    model = is_model(node)
    kind = "ai_AIPackage" if model else "dataset_DatasetPackage"
    made = _element(kind, content.urn_of(node.key), node.name)
    made |= {
        "summary": printable(node.type),
        "software_primaryPurpose": "model" if model else "data",
    }
    if node.uri:
        made["software_downloadLocation"] = url_of(node.uri)
    if built := _seconds(node.created):
        made["builtTime"] = built
    if not model:
        made["dataset_datasetType"] = ["noAssertion"]
        return made
    metrics = [
        _entry(name, value)
        for _, name, value in node.values()
        if isinstance(value, float) and METRIC.search(name)
    ]
    return made | ({"ai_metric": metrics} if metrics else {})


def _build(content: GraphContent, node: Node) -> dict[str, Any]:
    """Return an execution as a build."""
    made = _element("build_Build", content.urn_of(node.key), node.name)
    made["build_buildType"] = content.urn("type", node.type)
    if start := _seconds(node.created):
        made["build_buildStartTime"] = start
    if end := _seconds(node.ended):
        made["build_buildEndTime"] = end
    parameters = [_entry(name, value) for _, name, value in node.values()]
    return made | ({"build_parameter": parameters} if parameters else {})


def _entry(name: str, value: Any) -> dict[str, str]:
    return {"type": "DictionaryEntry", "key": printable(name), "value": printable(text_of(value))}


def _relationship(
    content: GraphContent, key: str, kind: str, edges: list[Edge], by: str = ""
) -> Iterator[dict[str, Any]]:
    """Yield the relationship of a node with the artifacts of some events, if there are any.

    Args:
        content: The content of the graph.
        key: The key of the node.
        kind: The type of the relationship.
        edges: The events.
        by: The key of the execution of which that is said, where it is not the node.
    """
    others = list(dict.fromkeys(content.urn_of(edge.artifact) for edge in edges))
    if others:
        yield {
            "type": "Relationship",
            "spdxId": content.urn(kind, *key.split("/"), *(by.split("/") if by else ())),
            "creationInfo": _CREATION,
            "from": content.urn_of(key),
            "relationshipType": kind,
            "to": others,
        }


def _seconds(time: str | None) -> str | None:
    """Return a time as SPDX has it, without milliseconds."""
    return f"{time[:_TO_SECONDS]}Z" if time else None
