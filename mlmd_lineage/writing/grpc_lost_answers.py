"""Puts whose answers were lost: whether one may be repeated, and whether it was done.

A put that inserts a node with a name or an external id of its own cannot be done twice: MLMD
refuses the second one, and what is there then tells whether it is what was put.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.writing.node_kinds import ARTIFACT, CONTEXT, EXECUTION, NodeKind
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

    from mlmd_lineage.writing.writer import ServiceCaller

# What changes nothing more when it is done twice.
_REPEATABLE = {
    "PutArtifactType",
    "PutExecutionType",
    "PutContextType",
    "PutTypes",
    "PutAttributionsAndAssociations",
}
_LOCK = "abort_if_latest_updated_time_changed"


def can_repeat(method: str, request: Message) -> bool:
    """Tell whether a call may be made again whose answer was lost."""
    if not method.startswith("Put") or method in _REPEATABLE:
        return True
    given: Any = request
    if method == "PutArtifacts" and getattr(given.options, _LOCK):
        return False
    new = [(kind, node) for kind, _, node in _nodes(method, given) if not node.HasField("id")]
    if any(_is_own(kind, node, given) for kind, node in new):
        return True
    # Updates set the same once more; an edge that is there already would be refused.
    return not new and not _has_edges(method, given)


def written_response(service: ServiceCaller, method: str, request: Message) -> Any:
    """Return the response to a put that was done, or None where what is there is something else."""
    given: Any = request
    ids: dict[str, list[int]] = {}
    for kind, place, node in _nodes(method, given):
        found = node if node.HasField("id") else _found(service, kind, node)
        if found is None or not _is_same(kind, node, found):
            return None
        ids.setdefault(place, []).append(found.id)
    response = message(f"{method}Response")()
    for place, numbers in ids.items():
        field = f"{place.removesuffix('s')}_ids"
        if field in response.DESCRIPTOR.fields_by_name:
            getattr(response, field).extend(numbers)
        else:
            setattr(response, f"{place}_id", numbers[0])
    return response


def _nodes(method: str, request: Any) -> Iterator[tuple[NodeKind, str, Any]]:
    """Yield a request's nodes, each with its kind and the name of its list or field."""
    if method == "PutExecution":
        yield EXECUTION, "execution", request.execution
        for pair in request.artifact_event_pairs:
            if pair.HasField("artifact"):
                yield ARTIFACT, "artifacts", pair.artifact
    for kind in (ARTIFACT, EXECUTION, CONTEXT):
        field = f"{kind.name}s"
        if field in request.DESCRIPTOR.fields_by_name:
            for node in getattr(request, field):
                yield kind, field, node


def _is_own(kind: NodeKind, node: Any, request: Any) -> bool:
    """Tell whether a new node has a key that a second one like it would be refused for."""
    options = getattr(request, "options", None)
    if kind is CONTEXT and getattr(options, "reuse_context_if_already_exist", False):
        return False
    reused = getattr(options, "reuse_artifact_if_already_exist_by_external_id", False)
    return bool(node.name or (node.external_id and not (kind is ARTIFACT and reused)))


def _has_edges(method: str, request: Any) -> bool:
    if method in {"PutEvents", "PutParentContexts"}:
        return True
    if method == "PutExecution":
        return any(pair.HasField("event") for pair in request.artifact_event_pairs)
    return method == "PutLineageSubgraph" and bool(request.event_edges)


def _found(service: ServiceCaller, kind: NodeKind, node: Any) -> Any:
    """Return the stored node with a node's external id, or its type and name."""
    table = kind.table
    if node.external_id:
        asked = message(f"Get{table}sByExternalIdsRequest")(external_ids=[node.external_id])
        return _first(service, f"Get{table}sByExternalIds", asked, f"{kind.name}s")
    if not node.name:
        return None
    types = message(f"Get{table}TypesByIDRequest")(type_ids=[node.type_id])
    found = _first(service, f"Get{table}TypesByID", types, f"{kind.name}_types")
    if found is None:
        return None
    method = f"Get{table}ByTypeAndName"
    asked = message(f"{method}Request")(type_name=found.name)
    if found.version:
        asked.type_version = found.version
    setattr(asked, f"{kind.name}_name", node.name)
    answer = service.call(method, asked)
    return getattr(answer, kind.name) if answer.HasField(kind.name) else None


def _first(service: ServiceCaller, method: str, asked: Any, field: str) -> Any:
    from mlmd_lineage.errors import PutRefusedError

    try:
        found = getattr(service.call(method, asked), field)
    except PutRefusedError:
        return None
    return found[0] if found else None


def _is_same(kind: NodeKind, node: Any, found: Any) -> bool:
    """Tell whether what was put is what is there, as far as the service keeps it exactly."""
    if kind is CONTEXT or node.HasField("id"):
        return True
    state = "state" if kind is ARTIFACT else "last_known_state"
    return (
        node.properties.keys() == found.properties.keys()
        and node.custom_properties.keys() == found.custom_properties.keys()
        and getattr(node, state) == getattr(found, state)
        and (kind is not ARTIFACT or node.uri == found.uri)
    )
