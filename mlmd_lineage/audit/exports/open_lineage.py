"""OpenLineage: executions as runs, artifacts as datasets.

The format: https://openlineage.io/spec/2-0-2/OpenLineage.json and the facets beside it.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlmd_lineage import errors
from mlmd_lineage.audit.exports.graph_content import UNFINISHED, content_of, text_of
from mlmd_lineage.snapshot.json_values import json_value
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mlmd_lineage.audit.exports.graph_content import ContextNode, Edge, GraphContent, Node
    from mlmd_lineage.lineage.graph_data import GraphData

PRODUCER = "urn:mlmd-lineage"
_SPECIFICATION = "https://openlineage.io/spec"
_RUN_EVENT = f"{_SPECIFICATION}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = {
    "parent": "1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet",
    "executionParameters": (
        "1-0-0/ExecutionParametersRunFacet.json#/$defs/ExecutionParametersRunFacet"
    ),
    "jobType": "2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
    "symlinks": "1-0-1/SymlinksDatasetFacet.json#/$defs/SymlinksDatasetFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet",
}
_ENDS = {
    "COMPLETE": "COMPLETE",
    "CACHED": "COMPLETE",
    "FAILED": "FAIL",
    "CANCELED": "ABORT",
}
_RUN_TYPES = {"pipeline_run", "run", "KfpRun", "system.PipelineRun"}
_PIPELINE_TYPES = {"pipeline", "system.Pipeline"}
_NO_TIME = "1970-01-01T00:00:00.000Z"
_SECONDS = 30


def to_openlineage(graph: GraphData | GraphContent, source: str | None = None) -> dict[str, Any]:
    """Return a graph as OpenLineage's events, ``{"events": [...]}``, from the oldest to the newest.

    >>> [event["eventType"] for event in to_openlineage(trace)["events"]]
    ['START', 'COMPLETE', ...]

    Each execution is a run: START when it was created, and COMPLETE, FAIL or ABORT when it ended.
    The same execution always has the same ``runId``.

    Args:
        graph: A graph or a trace.
        source: How the store is named, which is the jobs' namespace; by default
            its URL, of a file its name.
    """
    content = content_of(graph, source)
    inputs, outputs = content.inputs(), content.outputs()
    datasets = {node.key: _dataset(content, node) for node in content.artifacts}
    runs = _containers(content, _RUN_TYPES)
    pipelines = _containers(content, _PIPELINE_TYPES)
    events: list[dict[str, Any]] = []
    for node in content.executions:
        run, pipeline = runs.get(node.key), pipelines.get(node.key)
        base = {
            "producer": PRODUCER,
            "schemaURL": _RUN_EVENT,
            "run": {
                "runId": content.uuid("run", node.key),
                "facets": _run_facets(content, node, run, pipeline),
            },
            "job": {
                "namespace": content.source or "mlmd",
                "name": ".".join(filter(None, (pipeline.name if pipeline else "", _step(node)))),
                "facets": {
                    "jobType": _facet(
                        "jobType",
                        {"processingType": "BATCH", "integration": "MLMD", "jobType": "TASK"},
                    )
                },
            },
            "inputs": _datasets(inputs[node.key], datasets),
        }
        made = {"outputs": _datasets(outputs[node.key], datasets)}
        start = node.created or node.updated or _NO_TIME
        events.append({"eventType": "START", "eventTime": start, **base, "outputs": []})
        state = node.facts.get("state")
        if state not in UNFINISHED:
            kind = _ENDS.get(str(state), "OTHER")
            events.append({"eventType": kind, "eventTime": node.updated or start, **base, **made})
        elif made["outputs"]:
            events.append(
                {"eventType": "RUNNING", "eventTime": node.updated or start, **base, **made}
            )
    events.sort(key=lambda event: str(event["eventTime"]))
    return {"events": events}


def _containers(content: GraphContent, types: set[str]) -> dict[str, ContextNode]:
    """Return the first context of some types that holds each execution."""
    found: dict[str, ContextNode] = {}
    for context in content.contexts:
        if context.type in types:
            for _, key in context.executions:
                found.setdefault(key, context)
    return found


def _step(node: Node) -> str:
    names = ("task_name", "component_id", "display_name")
    custom, plain = node.custom_properties, node.properties
    named = (custom.get(name) or plain.get(name) for name in names)
    return next((name for name in named if isinstance(name, str)), short_type(node.type))


def _run_facets(
    content: GraphContent, node: Node, run: ContextNode | None, pipeline: ContextNode | None
) -> dict[str, Any]:
    facets: dict[str, Any] = {}
    if run is not None:
        parent = {
            "run": {"runId": content.uuid("run", f"context/{run.id}")},
            "job": {
                "namespace": content.source or "mlmd",
                "name": (pipeline.name if pipeline else "") or run.name or run.type,
            },
        }
        facets["parent"] = _facet("parent", parent)
    parameters = [
        {"key": name, "name": name, "value": _parameter(value)} for _, name, value in node.values()
    ]
    if parameters:
        facets["executionParameters"] = _facet("executionParameters", {"parameters": parameters})
    return facets


def _parameter(value: Any) -> Any:
    plain = json_value(value)
    return plain if isinstance(plain, (str, int, float, bool)) else text_of(value)


def _facet(name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    schema = f"{_SPECIFICATION}/facets/{_FACETS[name]}"
    return {"_producer": PRODUCER, "_schemaURL": schema, **content}


def _datasets(
    edges: Iterable[Edge], datasets: Mapping[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the datasets of some events, each once."""
    return [datasets[key] for key in dict.fromkeys(e.artifact for e in edges)]


def _dataset(content: GraphContent, node: Node) -> dict[str, Any]:
    """Return an artifact as a dataset: it is named by its URI, and its key is its version.

    The rules for names: https://openlineage.io/docs/spec/naming.
    """
    namespace, name = _dataset_name(node.uri)
    store = content.source or "mlmd"
    if not name:
        namespace, name = store, node.key
    key = {"namespace": store, "name": node.key, "type": "MLMD"}
    return {
        "namespace": namespace,
        "name": name,
        "facets": {
            "version": _facet("version", {"datasetVersion": node.key}),
            "symlinks": _facet("symlinks", {"identifiers": [key]}),
        },
    }


def _dataset_name(uri: str | None) -> tuple[str, str]:
    try:
        parts = urlsplit(uri or "")
    except ValueError:
        return "file", str(uri)
    if parts.scheme and parts.netloc:
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}", parts.path.lstrip("/") or "/"
    return "file", uri or ""


def send(document: Mapping[str, Any], url: str) -> int:
    """Send events to an OpenLineage endpoint, one after the other, and return how many.

    >>> send(to_openlineage(trace), "http://localhost:5000/api/v1/lineage")

    Raises:
        ConfigurationError: The endpoint does not answer, or refuses an event.
    """
    if not url.startswith(("https://", "http://")):
        message = "An OpenLineage endpoint has an address that begins with https:// or http://."
        raise errors.ConfigurationError(message)
    opener = urllib.request.build_opener(_NoRedirects)
    sent = 0
    for event in document["events"]:
        body = json.dumps(event, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - the scheme was checked
        try:
            with opener.open(request, timeout=_SECONDS):
                sent += 1
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            code = getattr(error, "code", "")
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            message = (
                f"The OpenLineage endpoint took {sent:,} of {len(document['events']):,} events and "
                f"then failed: {code} {reason}."
            )
            raise errors.ConfigurationError(message) from None
    return sent


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses to be sent elsewhere: urllib would ask there without the event, and call it sent."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none."""
        return


def event_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield each event as a line of JSON."""
    encoder = json.JSONEncoder(ensure_ascii=False, sort_keys=True)
    for event in document["events"]:
        yield encoder.encode(event) + "\n"
