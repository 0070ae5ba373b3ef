"""RO-Crate: a lineage as a Process Run Crate, one of the profiles of Workflow Run RO-Crate.

The formats: https://www.researchobject.org/ro-crate/specification/1.3/ and
https://www.researchobject.org/workflow-run-crate/profiles/process_run_crate/. MLMD holds no file of
the workflow, without which a crate can be no Workflow Run Crate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.audit.exports.graph_content import content_of, quoted, text_of
from mlmd_lineage.snapshot.json_values import json_value

if TYPE_CHECKING:
    from mlmd_lineage.audit.exports.graph_content import GraphContent, Node
    from mlmd_lineage.lineage.graph_data import GraphData

METADATA_FILE = "ro-crate-metadata.json"
_CONTEXT = "https://w3id.org/ro/crate/1.3/context"
_CRATE = "https://w3id.org/ro/crate/1.3"
_PROFILE = "https://w3id.org/ro/wfrun/process/0.6"
_TERMS = "https://w3id.org/ro/terms/workflow-run/context"
_LICENSE = "The licences of the artifacts are not recorded in ML Metadata."
_STATUSES = {
    "COMPLETE": "http://schema.org/CompletedActionStatus",
    "CACHED": "http://schema.org/CompletedActionStatus",
    "FAILED": "http://schema.org/FailedActionStatus",
    "CANCELED": "http://schema.org/FailedActionStatus",
    "RUNNING": "http://schema.org/ActiveActionStatus",
    "NEW": "http://schema.org/PotentialActionStatus",
}
_NO_TIME = "1970-01-01T00:00:00.000Z"


def to_ro_crate(graph: GraphData | GraphContent, source: str | None = None) -> dict[str, Any]:
    """Return a lineage as the content of ``ro-crate-metadata.json``.

    >>> to_ro_crate(store.upstream("artifact/46"))["@graph"][0]["@id"]
    'ro-crate-metadata.json'

    Executions are actions, their types the software that was run, artifacts what they took and
    made. Artifacts lie where their URIs say: the crate refers to them and holds none.

    Args:
        graph: A graph or a trace.
        source: How the store is named; by default its URL, of a file its name.
    """
    content = content_of(graph, source)
    inputs, outputs = content.inputs(), content.outputs()
    types = sorted({node.type for node in content.executions})
    software = {name: content.urn("type", name) for name in types}
    entities: list[dict[str, Any]] = [
        {
            "@id": METADATA_FILE,
            "@type": "CreativeWork",
            "conformsTo": {"@id": _CRATE},
            "about": {"@id": "./"},
        },
        _root(content, list(software.values())),
        {"@id": _PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.6"},
    ]
    for name, identifier in software.items():
        entities.append(
            {
                "@id": identifier,
                "@type": "SoftwareApplication",
                "name": name,
                "version": "not recorded",
            }
        )
    values: list[dict[str, Any]] = []
    for node in content.executions:
        taken, made = (
            [{"@id": content.urn_of(key)} for key in dict.fromkeys(e.artifact for e in edges)]
            for edges in (inputs[node.key], outputs[node.key])
        )
        parameters = _values(content, node)
        values += parameters
        action: dict[str, Any] = {
            "@id": content.urn_of(node.key),
            "@type": "CreateAction",
            "name": node.name,
            "instrument": {"@id": software[node.type]},
            "object": [*taken, *({"@id": each["@id"]} for each in parameters)],
            "result": made,
            "actionStatus": {
                "@id": _STATUSES.get(
                    str(node.facts.get("state")), "http://schema.org/PotentialActionStatus"
                )
            },
        }
        action |= {"startTime": node.created} if node.created else {}
        action |= {"endTime": node.ended} if node.ended else {}
        entities.append(action)
    for node in content.artifacts:
        found = _values(content, node)
        values += found
        entity: dict[str, Any] = {
            "@id": content.urn_of(node.key),
            "@type": "CreativeWork",
            "additionalType": node.type,
            "name": node.name,
            "additionalProperty": [{"@id": each["@id"]} for each in found],
        }
        entity |= {"url": node.uri} if node.uri else {}
        entity |= {"dateCreated": node.created} if node.created else {}
        entities.append(entity)
    return {"@context": [_CONTEXT, _TERMS], "@graph": [*entities, *values]}


def _root(content: GraphContent, software: list[str]) -> dict[str, Any]:
    name = f"Lineage of {content.start}" if content.start else "Lineage"
    where = f" in {content.source}" if content.source else ""
    mentioned = [{"@id": content.urn_of(n.key)} for n in (*content.executions, *content.artifacts)]
    return {
        "@id": "./",
        "@type": "Dataset",
        "conformsTo": {"@id": _PROFILE},
        "name": name + where,
        "description": f"{name}{where}, as recorded in ML Metadata.",
        "datePublished": content.newest_time or _NO_TIME,
        "license": _LICENSE,
        "mentions": [*mentioned, *({"@id": each} for each in software)],
    }


def _values(content: GraphContent, node: Node) -> list[dict[str, Any]]:
    """Return the properties of a node as entities."""
    found = []
    urn = content.urn_of(node.key)
    for kind, name, value in node.values():
        plain = json_value(value)
        simple = plain if isinstance(plain, (str, bool, int, float)) else text_of(value)
        found.append(
            {
                "@id": f"{urn}:{kind}:{quoted(name)}",
                "@type": "PropertyValue",
                "name": name,
                "value": simple,
            }
        )
    return found
