"""The Put methods of MLMD's service, each in one open transaction.

Each takes MLMD's request message and returns the fields of its response; ``PUTS`` has them by
name. ``docs/writing.md`` lists their rules.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import PutRefusedError
from mlmd_lineage.writing import edges, subgraph_columns, types
from mlmd_lineage.writing.node_checks import check_named
from mlmd_lineage.writing.node_kinds import ARTIFACT, CONTEXT, EXECUTION
from mlmd_lineage.writing.nodes import check_all, checked_rows, put_nodes, reuse_contexts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from mlmd_lineage.writing.node_kinds import NodeKind
    from mlmd_lineage.writing.transaction import Transaction

    Put = Callable[[Transaction, Any], Mapping[str, Any]]


def _put_type(kind: NodeKind, transaction: Transaction, request: Any) -> Mapping[str, Any]:
    _check_all_fields_match(request)
    given = getattr(request, f"{kind.name}_type")
    return {"type_id": _type(transaction, kind.number, given, request)}


def _put_types(transaction: Transaction, request: Any) -> Mapping[str, Any]:
    _check_all_fields_match(request)
    return {
        f"{kind.name}_type_ids": [
            _type(transaction, kind.number, given, request)
            for given in getattr(request, f"{kind.name}_types")
        ]
        for kind in (ARTIFACT, EXECUTION, CONTEXT)
    }


def _check_all_fields_match(request: Any) -> None:
    if not request.all_fields_match:
        message = "all_fields_match must be true, MLMD knows nothing else. Leave it out."
        raise PutRefusedError(message, "UNIMPLEMENTED")


def _type(transaction: Transaction, kind: int, given: Any, request: Any) -> int:
    return types.put_type(
        transaction,
        kind,
        given,
        can_add=request.can_add_fields,
        can_omit=request.can_omit_fields,
    )


def _put_nodes(kind: NodeKind, transaction: Transaction, request: Any) -> Mapping[str, Any]:
    locked = kind is ARTIFACT and request.options.abort_if_latest_updated_time_changed
    nodes = getattr(request, f"{kind.name}s")
    mask = request.update_mask.paths
    return {f"{kind.name}_ids": put_nodes(transaction, kind, nodes, mask=mask, locked=locked)}


def _put_events(transaction: Transaction, request: Any) -> Mapping[str, Any]:
    edges.put_events(
        transaction,
        [
            (event, _given(event, "artifact_id"), _given(event, "execution_id"))
            for event in request.events
        ],
    )
    return {}


def _given(message: Any, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None


def _put_memberships(transaction: Transaction, request: Any) -> Mapping[str, Any]:
    attributions = edges.check_memberships(
        transaction, request.attributions, "Artifact", "artifact_id"
    )
    edges.put_attributions(transaction, attributions)
    associations = edges.check_memberships(
        transaction, request.associations, "Execution", "execution_id"
    )
    edges.put_associations(transaction, associations)
    return {}


def _put_parent_contexts(transaction: Transaction, request: Any) -> Mapping[str, Any]:
    given = [
        edge.HasField("child_id") and edge.HasField("parent_id") for edge in request.parent_contexts
    ]
    whole = given.index(False) if False in given else len(given)
    pairs = [(edge.child_id, edge.parent_id) for edge in request.parent_contexts[:whole]]
    edges.put_parent_contexts(transaction, pairs)  # what is wrong before it counts
    if whole < len(given):
        message = "A parent context needs a child_id and a parent_id. Give both."
        raise PutRefusedError(message)
    return {}


def _put_execution(transaction: Transaction, request: Any) -> Mapping[str, Any]:
    if not request.HasField("execution"):
        message = "There is no execution to put. Give one."
        raise PutRefusedError(message)
    options, pairs = request.options, request.artifact_event_pairs
    nodes = [request.execution, *(pair.artifact for pair in pairs), *request.contexts]
    transaction.load_types({node.type_id for node in nodes if node.HasField("type_id")})
    artifact_ids = [-1] * len(pairs)
    for place, artifact_id in _put_artifacts_of(transaction, pairs, options):
        artifact_ids[place] = artifact_id
    [execution_id] = put_nodes(
        transaction, EXECUTION, [request.execution], force=options.force_update_time
    )
    events: list[tuple[Any, int | None, int | None]] = []
    try:
        for place, pair in enumerate(pairs):
            if pair.HasField("event"):
                _check_event_of_pair(pair, artifact_ids[place], request.execution)
                if not pair.HasField("artifact"):
                    artifact_ids[place] = pair.event.artifact_id
                events.append((pair.event, artifact_ids[place], execution_id))
    except PutRefusedError:
        edges.put_events(transaction, events)  # what is wrong with an event before it counts
        raise
    edges.put_events(transaction, events)
    context_ids = _put_contexts_of(transaction, request.contexts, options)
    members = [number for number in artifact_ids if number != -1]
    _put_members(transaction, context_ids, members, [execution_id])
    return {
        "execution_id": execution_id,
        "artifact_ids": artifact_ids,
        "context_ids": context_ids,
    }


def _put_artifacts_of(
    transaction: Transaction, pairs: Sequence[Any], options: Any
) -> list[tuple[int, int]]:
    places = [place for place, pair in enumerate(pairs) if pair.HasField("artifact")]
    artifacts = [pairs[place].artifact for place in places]
    if not options.reuse_artifact_if_already_exist_by_external_id:
        return list(zip(places, put_nodes(transaction, ARTIFACT, artifacts), strict=True))
    known = stored_external_ids(transaction, ARTIFACT, artifacts)
    ids: list[int] = []
    while len(ids) < len(artifacts):
        # As many at once as are not there by one that came before.
        group = _distinct(artifacts[len(ids) :])
        made = put_nodes(transaction, ARTIFACT, [known_node(node, known) for node in group])
        ids += made
        known.update(
            (node.external_id, number)
            for node, number in zip(group, made, strict=True)
            if node.external_id
        )
    return list(zip(places, ids, strict=True))


def _distinct(nodes: Sequence[Any]) -> Sequence[Any]:
    """Return the first nodes, up to one whose external id another of them has."""
    seen: set[str] = set()
    for place, node in enumerate(nodes):
        if node.external_id in seen:
            return nodes[:place]
        if node.external_id:
            seen.add(node.external_id)
    return nodes


def by_external_id(transaction: Transaction, kind: NodeKind, nodes: Sequence[Any]) -> list[Any]:
    """Return nodes, those without an id with that of the stored one of their external id."""
    known = stored_external_ids(transaction, kind, nodes)
    return [known_node(node, known) for node in nodes]


def stored_external_ids(
    transaction: Transaction, kind: NodeKind, nodes: Sequence[Any]
) -> dict[str, int]:
    """Return the ids of the stored nodes that have the external ids of some new ones."""
    wanted = {n.external_id for n in nodes if n.external_id and not n.HasField("id")}
    rows = transaction.session.fetch(kind.table, ("id", "external_id"), "external_id", wanted)
    return {external_id: number for number, external_id in rows}


def known_node(node: Any, known: Mapping[str, int]) -> Any:
    """Return a node, with an id where it has none and its external id is known."""
    number = None if node.HasField("id") else known.get(node.external_id)
    if number is None:
        return node
    copy = type(node)()
    copy.CopyFrom(node)
    copy.id = number
    return copy


def _check_event_of_pair(pair: Any, artifact_id: int, execution: Any) -> None:
    event = pair.event
    if not pair.HasField("artifact"):
        if not event.HasField("artifact_id"):
            message = "An event comes without an artifact and has no artifact_id. Give one."
            raise PutRefusedError(message)
    elif event.HasField("artifact_id") and event.artifact_id != artifact_id:
        message = f"An event names the artifact {event.artifact_id}, and comes with another."
        raise PutRefusedError(message)
    if event.HasField("execution_id") and (
        not execution.HasField("id") or event.execution_id != execution.id
    ):
        message = f"An event names the execution {event.execution_id}, and comes with another."
        raise PutRefusedError(message)


def _put_contexts_of(transaction: Transaction, contexts: Sequence[Any], options: Any) -> list[int]:
    reuse = options.reuse_context_if_already_exist
    if not options.force_reuse_context:
        return _put_contexts(transaction, contexts, reuse=reuse)
    ids = []
    for context in contexts:
        if context.HasField("id"):
            if not transaction.existing("Context", [context.id]):
                message = f"There is no context with id {context.id} to reuse."
                raise PutRefusedError(message, "NOT_FOUND")
            ids.append(context.id)
        else:
            ids += _put_contexts(transaction, [context], reuse=reuse)
    return ids


def _put_contexts(transaction: Transaction, contexts: Sequence[Any], *, reuse: bool) -> list[int]:
    if reuse:
        return reuse_contexts(transaction, contexts)
    return put_nodes(transaction, CONTEXT, contexts, check=check_named)


def _put_members(
    transaction: Transaction,
    contexts: Collection[int],
    artifacts: Collection[int],
    executions: Collection[int],
) -> None:
    """Make every artifact and execution a member of every context."""
    edges.put_attributions(transaction, [(c, a) for c in contexts for a in artifacts])
    edges.put_associations(transaction, [(c, e) for c in contexts for e in executions])


def _put_lineage_subgraph(transaction: Transaction, request: Any) -> Mapping[str, Any]:
    subgraph = subgraph_columns.decoded(transaction, request)
    if subgraph is not None:
        reuse = request.options.reuse_context_if_already_exist
        transaction.load_types({context.type_id for context in request.contexts})
        check_all(transaction, CONTEXT, request.contexts)
        put_contexts = functools.partial(_put_contexts, transaction, request.contexts, reuse=reuse)
        return subgraph_columns.put_subgraph(transaction, request, subgraph, put_contexts)
    artifacts, executions = list(request.artifacts), list(request.executions)
    edges_given = _checked_edges(request.event_edges, artifacts, executions)
    nodes = [*artifacts, *executions, *request.contexts]
    transaction.load_types({node.type_id for node in nodes if node.type_id})
    checked = {
        "artifact": checked_rows(transaction, ARTIFACT, artifacts),
        "execution": checked_rows(transaction, EXECUTION, executions),
    }
    check_all(transaction, CONTEXT, request.contexts)
    options = request.options
    context_ids = _put_contexts(
        transaction, request.contexts, reuse=options.reuse_context_if_already_exist
    )
    if options.reuse_artifact_if_already_exist_by_external_id:
        artifacts = by_external_id(transaction, ARTIFACT, artifacts)
    ids = {
        kind.name: put_nodes(transaction, kind, given)
        if any(node.HasField("id") for node in given)
        else checked[kind.name].insert()
        for kind, given in ((ARTIFACT, artifacts), (EXECUTION, executions))
    }
    edges.put_events(transaction, with_ids(edges_given, ids))
    _put_members(transaction, context_ids, ids["artifact"], ids["execution"])
    return {
        "execution_ids": ids["execution"],
        "artifact_ids": ids["artifact"],
        "context_ids": context_ids,
    }


def _checked_edges(
    event_edges: Iterable[Any], artifacts: Sequence[Any], executions: Sequence[Any]
) -> list[tuple[Any, int | None, int | None]]:
    """Return the events of edges with the places of the nodes they join, None for those by id.

    Raises:
        PutRefusedError: An edge names no node, or two.
    """
    found: list[tuple[Any, int | None, int | None]] = []
    for edge in event_edges:
        if not edge.HasField("event"):
            message = "An event edge has no event. Give it one."
            raise PutRefusedError(message)
        event = edge.event
        artifact, execution = edge.artifact_index, edge.execution_index
        if (
            0 < artifact < len(artifacts)
            and 0 < execution < len(executions)
            and not event.HasField("artifact_id")
            and not event.HasField("execution_id")
        ):
            found.append((event, artifact, execution))  # as nearly all are
            continue
        execution = _checked_place(edge, event, "execution", executions)
        found.append((event, _checked_place(edge, event, "artifact", artifacts), execution))
    return found


def _checked_place(edge: Any, event: Any, name: str, nodes: Sequence[Any]) -> int | None:
    field, node_id = _INDEX_AND_ID[name]
    given = event.HasField(node_id)
    if not edge.HasField(field):
        if not given:
            message = f"An event edge has neither {field} nor an event with {node_id}."
            raise PutRefusedError(message)
        return None
    place: int = getattr(edge, field)
    if not 0 <= place < len(nodes):
        message = f"An event edge has {field} {place}, but there are only {len(nodes)}."
        raise PutRefusedError(message, "OUT_OF_RANGE")
    if given and getattr(event, node_id) != _given(nodes[place], "id"):
        message = f"An event names the {name} {getattr(event, node_id)}, and its {field} another."
        raise PutRefusedError(message)
    return place


_INDEX_AND_ID = {
    "artifact": ("artifact_index", "artifact_id"),
    "execution": ("execution_index", "execution_id"),
}


def places_of_edges(
    event_edges: Iterable[Any], ids: Mapping[str, Sequence[int]]
) -> list[tuple[Any, int | None, int | None]]:
    """Return the events of edges with the places of the nodes they join, None for those by id.

    Raises:
        PutRefusedError: There is no such place.
    """
    return [
        (edge.event, _place(edge, "artifact", ids), _place(edge, "execution", ids))
        for edge in event_edges
    ]


def _place(edge: Any, name: str, ids: Mapping[str, Sequence[int]]) -> int | None:
    index, _ = _INDEX_AND_ID[name]
    if not edge.HasField(index):
        return None
    place: int = getattr(edge, index)
    if not 0 <= place < len(ids[name]):
        message = f"An event edge has {index} {place}, and there are {len(ids[name])}."
        raise PutRefusedError(message, "OUT_OF_RANGE")
    return place


def with_ids(
    events: Iterable[tuple[Any, int | None, int | None]], ids: Mapping[str, Sequence[int]]
) -> list[tuple[Any, int | None, int | None]]:
    """Return events with the ids of the nodes at the places that they name."""
    artifacts, executions = ids["artifact"], ids["execution"]
    return [
        (
            event,
            _given(event, "artifact_id") if artifact is None else artifacts[artifact],
            _given(event, "execution_id") if execution is None else executions[execution],
        )
        for event, artifact, execution in events
    ]


PUTS: Mapping[str, Put] = {
    "PutArtifactType": functools.partial(_put_type, ARTIFACT),
    "PutExecutionType": functools.partial(_put_type, EXECUTION),
    "PutContextType": functools.partial(_put_type, CONTEXT),
    "PutTypes": _put_types,
    "PutArtifacts": functools.partial(_put_nodes, ARTIFACT),
    "PutExecutions": functools.partial(_put_nodes, EXECUTION),
    "PutContexts": functools.partial(_put_nodes, CONTEXT),
    "PutEvents": _put_events,
    "PutExecution": _put_execution,
    "PutLineageSubgraph": _put_lineage_subgraph,
    "PutAttributionsAndAssociations": _put_memberships,
    "PutParentContexts": _put_parent_contexts,
}
"""By the names of the service's methods: what puts their requests."""
