"""CycloneDX ML-BOM: a lineage as a bill of materials, with its steps as formulation.

The format: https://cyclonedx.org/docs/1.6/json/ and https://cyclonedx.org/docs/1.7/json/.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.audit.exports.graph_content import content_of, text_of
from mlmd_lineage.lineage.render.labels import printable
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from mlmd_lineage.audit.exports.graph_content import Edge, GraphContent, Node
    from mlmd_lineage.lineage.graph_data import GraphData

VERSIONS = ("1.6", "1.7")

_MODEL = re.compile(r"model", re.IGNORECASE)
_NO_MODEL = re.compile(r"blessing|evaluation|resolver|schema|analysis|run", re.IGNORECASE)
METRIC = re.compile(
    r"accuracy|auc|loss|precision|recall|f1|score|error|mse|rmse|mae|metric", re.IGNORECASE
)
_TASK_TYPES = {"Pusher": "deploy", "Deployer": "deploy", "Evaluator": "test"}
_COPIED = ("state", "external_id")


def to_ml_bom(
    graph: GraphData | GraphContent, source: str | None = None, *, version: str = "1.6"
) -> dict[str, Any]:
    """Return a lineage as a CycloneDX bill of materials.

    >>> to_ml_bom(store.upstream("artifact/46"))["metadata"]["component"]["name"]
    'artifact/46'

    Artifacts are components, models with model cards; executions are the tasks of a workflow with
    their inputs and outputs. The same lineage gives the same bytes and the same serial number.

    Args:
        graph: A graph or a trace; the node of a trace is what the bill is about.
        source: How the store is named; by default its URL, of a file its name.
        version: The version of CycloneDX, ``"1.6"`` or ``"1.7"``.

    Raises:
        ConfigurationError: It is another version.
    """
    if version not in VERSIONS:
        message = f"CycloneDX {version!r} is not written; {' and '.join(VERSIONS)} are."
        raise errors.ConfigurationError(message)
    content = content_of(graph, source)
    inputs, outputs = content.inputs(), content.outputs()
    trained_on = _datasets_of_models(content, inputs, outputs)
    components = [_component(node, trained_on.get(node.key, [])) for node in content.artifacts]
    subject = next((c for c in components if c["bom-ref"] == content.start), None)
    metadata: dict[str, Any] = {"component": subject or _store_component(content)}
    if content.newest_time:
        metadata["timestamp"] = content.newest_time
    made: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": version,
        "serialNumber": f"urn:uuid:{content.uuid('bom', content.start or '', len(content.edges))}",
        "version": 1,
        "metadata": metadata,
        "components": [c for c in components if c is not subject],
        "dependencies": _dependencies(content, inputs, outputs),
    }
    if content.executions:
        workflow = {
            "bom-ref": "workflow",
            "uid": content.urn("workflow"),
            "name": content.source or "mlmd",
            "taskTypes": ["other"],
            "tasks": [_task(content, n, inputs[n.key], outputs[n.key]) for n in content.executions],
        }
        made["formulation"] = [{"bom-ref": "formula", "workflows": [workflow]}]
    return made


def is_model(node: Node) -> bool:
    """Return whether an artifact's type says that it is a model."""
    name = short_type(node.type)
    return bool(_MODEL.search(name)) and not _NO_MODEL.search(name)


def _store_component(content: GraphContent) -> dict[str, Any]:
    return {"type": "data", "bom-ref": "store", "name": content.source or "mlmd"}


def _component(node: Node, datasets: list[str]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "machine-learning-model" if is_model(node) else "data",
        "bom-ref": node.key,
        "name": printable(node.name),
        "properties": _properties(node),
    }
    if is_model(node):
        made["modelCard"] = _model_card(node, datasets)
    else:
        data: dict[str, Any] = {
            "bom-ref": f"{node.key}/data",
            "type": "dataset",
            "name": printable(node.name),
        }
        if node.uri:
            data["contents"] = {"url": url_of(node.uri)}
        made["data"] = [data]
    return made


def _model_card(node: Node, datasets: list[str]) -> dict[str, Any]:
    card: dict[str, Any] = {"bom-ref": f"{node.key}/card", "modelParameters": {}}
    if datasets:
        card["modelParameters"]["datasets"] = [{"ref": ref} for ref in datasets]
    metrics = [
        {"type": printable(name), "value": text_of(value)}
        for _, name, value in node.values()
        if isinstance(value, float) and METRIC.search(name)
    ]
    if metrics:
        card["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    return card


def _datasets_of_models(
    content: GraphContent, inputs: dict[str, list[Edge]], outputs: dict[str, list[Edge]]
) -> dict[str, list[str]]:
    """Return what the execution that made each model took."""
    return {
        edge.artifact: list(dict.fromkeys(taken.artifact for taken in inputs[node.key]))
        for node in content.executions
        for edge in outputs[node.key]
        if edge.role == "produces"
    }


def _properties(node: Node) -> list[dict[str, str]]:
    found = {"mlmd:type": node.type, "mlmd:key": node.key}
    if node.uri:
        found["mlmd:uri"] = node.uri
    found |= {f"mlmd:{name}": str(node.facts[name]) for name in _COPIED if node.facts.get(name)}
    found |= {f"mlmd:{kind}:{name}": text_of(value) for kind, name, value in node.values()}
    return [{"name": printable(name), "value": printable(value)} for name, value in found.items()]


def _dependencies(
    content: GraphContent, inputs: dict[str, list[Edge]], outputs: dict[str, list[Edge]]
) -> list[dict[str, Any]]:
    """Return for each artifact what the execution took that produced it."""
    found = _datasets_of_models(content, inputs, outputs)
    return [
        {"ref": node.key, "dependsOn": [ref for ref in found[node.key] if ref != node.key]}
        for node in content.artifacts
        if found.get(node.key)
    ]


def _task(
    content: GraphContent, node: Node, inputs: list[Edge], outputs: list[Edge]
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "bom-ref": node.key,
        "uid": content.urn_of(node.key),
        "name": printable(node.name),
        "taskTypes": [_TASK_TYPES.get(short_type(node.type), "build")],
        "properties": _properties(node),
    }
    if node.created:
        made["timeStart"] = node.created
    if node.ended:
        made["timeEnd"] = node.ended
    taken, given = (
        [{"resource": {"ref": key}} for key in dict.fromkeys(edge.artifact for edge in edges)]
        for edges in (inputs, outputs)
    )
    made |= {"inputs": taken} if taken else {}
    return made | ({"outputs": [{"type": "artifact", **each} for each in given]} if given else {})


def url_of(uri: str) -> str:
    """Return a URI as one of RFC 3987, which MLMD's texts need not be."""
    from urllib.parse import quote

    return quote(uri, safe="%/:=&?~#+!$,;'@()*")
