"""A batch as calls of MLMD's service, which has no method for all of it.

Types come first, then contexts, then artifacts, executions and events in one call, then
memberships and parent contexts. Where a call fails, those before it stay: each of them can be put
again, so that the whole batch can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import PutRefusedError
from mlmd_lineage.writing.batch import node_id, typed_copy
from mlmd_lineage.writing.node_kinds import ARTIFACT, CONTEXT, EXECUTION, NodeKind
from mlmd_lineage.writing.transaction import other_name
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mlmd_lineage.writing.writer import ServiceCaller


def put_batch(service: ServiceCaller, request: Any) -> Any:
    """Put a ``PutBatchRequest`` by calls of the service, and return its response.

    Raises:
        PutRefusedError: The service refuses something of it.
        StoreError: The service cannot be reached, or fails.
    """
    options = request.options
    response = message("PutBatchResponse")()
    known: dict[tuple[str, str], int] = {}
    if request.artifact_types or request.execution_types or request.context_types:
        _put_types(service, request, response, known)
    contexts = _typed(service, CONTEXT, request.contexts, known)
    if contexts:
        asked = message("PutLineageSubgraphRequest")(contexts=contexts)
        asked.options.reuse_context_if_already_exist = options.reuse_contexts
        response.context_ids.extend(service.call("PutLineageSubgraph", asked).context_ids)
        if options.reuse_contexts:
            _check_names(service, contexts, response.context_ids)
    artifacts = _typed(service, ARTIFACT, request.artifacts, known)
    executions = _typed(service, EXECUTION, request.executions, known)
    if options.reuse_executions_by_external_id:
        executions = _by_external_id(service, EXECUTION, executions)
    if artifacts or executions or request.event_edges:
        asked = message("PutLineageSubgraphRequest")(artifacts=artifacts, executions=executions)
        for edge in request.event_edges:
            made = asked.event_edges.add()
            made.event.CopyFrom(edge.event)
            for index in ("artifact_index", "execution_index"):
                if edge.HasField(index):
                    setattr(made, index, getattr(edge, index))
        reuse = options.reuse_artifacts_by_external_id
        asked.options.reuse_artifact_if_already_exist_by_external_id = reuse
        answer = service.call("PutLineageSubgraph", asked)
        response.artifact_ids.extend(answer.artifact_ids)
        response.execution_ids.extend(answer.execution_ids)
    _put_edges(service, request, response)
    return response


def _check_names(service: ServiceCaller, contexts: Sequence[Any], ids: Sequence[int]) -> None:
    """Check that contexts have the names that they were put by, and not others like them."""
    asked = message("GetContextsByIDRequest")(context_ids=ids)
    names = {node.id: node.name for node in service.call("GetContextsByID", asked).contexts}
    for context, number in zip(contexts, ids, strict=True):
        if names.get(number, context.name) != context.name:
            raise other_name(names[number])


def _put_types(
    service: ServiceCaller, request: Any, response: Any, known: dict[tuple[str, str], int]
) -> None:
    asked = message("PutTypesRequest")(
        artifact_types=request.artifact_types,
        execution_types=request.execution_types,
        context_types=request.context_types,
        can_add_fields=request.can_add_fields,
        can_omit_fields=request.can_omit_fields,
    )
    answer = service.call("PutTypes", asked)
    for kind in (ARTIFACT, EXECUTION, CONTEXT):
        field = f"{kind.name}_type_ids"
        numbers = getattr(answer, field)
        getattr(response, field).extend(numbers)
        for given, number in zip(getattr(request, f"{kind.name}_types"), numbers, strict=True):
            if not given.version:
                known[kind.name, given.name] = number


def _typed(
    service: ServiceCaller, kind: NodeKind, nodes: Sequence[Any], known: dict[tuple[str, str], int]
) -> list[Any]:
    """Return nodes, those that only name their type with its id."""
    found = []
    for node in nodes:
        if node.HasField("type_id") or node.HasField("id") or not node.type:
            found.append(node)
            continue
        key = (kind.name, node.type)
        if key not in known:
            method = f"Get{kind.table}Type"
            asked = message(f"{method}Request")(type_name=node.type)
            known[key] = getattr(service.call(method, asked), f"{kind.name}_type").id
        found.append(typed_copy(node, known[key]))
    return found


def _by_external_id(service: ServiceCaller, kind: NodeKind, nodes: Sequence[Any]) -> list[Any]:
    """Return nodes, those without an id with that of the stored one of their external id."""
    method = f"Get{kind.table}sByExternalIds"
    wanted = [n.external_id for n in nodes if n.external_id and not n.HasField("id")]
    if not wanted:
        return list(nodes)
    try:
        stored = getattr(
            service.call(method, message(f"{method}Request")(external_ids=wanted)), f"{kind.name}s"
        )
    except PutRefusedError as error:
        if error.status != "NOT_FOUND":
            raise
        return list(nodes)
    ids = {node.external_id: (node.id, node.type_id) for node in stored}
    found = []
    for node in nodes:
        if node.external_id in ids and not node.HasField("id"):
            number, type_id = ids[node.external_id]
            copy = typed_copy(node, type_id)
            copy.id = number
            found.append(copy)
        else:
            found.append(node)
    return found


def _put_edges(service: ServiceCaller, request: Any, response: Any) -> None:
    ids: Mapping[str, Sequence[int]] = {
        "artifact": response.artifact_ids,
        "execution": response.execution_ids,
        "context": response.context_ids,
    }
    asked = message("PutAttributionsAndAssociationsRequest")()
    for edge in request.memberships:
        name = (edge.WhichOneof("member") or "").partition("_")[0]
        members = asked.attributions if name == "artifact" else asked.associations
        members.add(
            context_id=node_id(edge, "context", ids["context"]),
            **{f"{name or 'execution'}_id": node_id(edge, "member", ids.get(name, ()))},
        )
    if request.memberships:
        service.call("PutAttributionsAndAssociations", asked)
    contexts = response.context_ids
    pairs = [
        (node_id(edge, "child", contexts), node_id(edge, "parent", contexts))
        for edge in request.parent_contexts
    ]
    if request.options.reuse_parent_contexts:
        there = {child: _parents(service, child) for child in {child for child, _ in pairs}}
        pairs = [(child, parent) for child, parent in pairs if parent not in there[child]]
    if pairs:
        parents = message("PutParentContextsRequest")(
            parent_contexts=[{"child_id": child, "parent_id": parent} for child, parent in pairs]
        )
        service.call("PutParentContexts", parents)


def _parents(service: ServiceCaller, context: int) -> Collection[int]:
    asked = message("GetParentContextsByContextRequest")(context_id=context)
    return {parent.id for parent in service.call("GetParentContextsByContext", asked).contexts}
