"""Putting lineage subgraphs of many new nodes by columns, by the same rules as node by node.

What can be wrong with such a request is looked for before anything is written, and left to
``requests``, which says what it is: it takes every request, and a large one longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mlmd_lineage.errors import AlreadyExistsError, PutRefusedError
from mlmd_lineage.writing import edges, values
from mlmd_lineage.writing.conflicts import NodesExistError
from mlmd_lineage.writing.node_kinds import ARTIFACT, EXECUTION, TIMES
from mlmd_lineage.writing.subgraph_request import SubgraphRequest
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from mlmd_lineage.writing.message_columns import EdgeColumns, NewNodeColumns
    from mlmd_lineage.writing.node_kinds import NodeKind
    from mlmd_lineage.writing.transaction import Transaction

FEWEST = 64
"""From how many nodes on columns are worth their cost."""
_EXECUTIONS, _ARTIFACTS, _EVENT_EDGES = 1, 2, 4
"""The numbers of the fields of a ``PutLineageSubgraphRequest``."""


class Subgraph(NamedTuple):
    """The columns of a request, all of which may be put."""

    artifacts: NewNodeColumns
    executions: NewNodeColumns
    edges: EdgeColumns


def decoded(transaction: Transaction, request: Any) -> Subgraph | None:
    """Return the columns of a ``PutLineageSubgraphRequest`` that has many new nodes.

    Returns:
        None where it has few, or anything but new nodes that MLMD's rules allow, and their edges.
    """
    if len(request.artifacts) + len(request.executions) < FEWEST:
        return None
    columns = _columns(request, transaction.now)
    return columns if columns is not None and _may_be_put(transaction, request, columns) else None


def _may_be_put(transaction: Transaction, request: Any, columns: Subgraph) -> bool:
    """Tell whether all nodes are new and allowed, and all edges join two of them."""
    artifacts, executions, event_edges = columns
    transaction.load_types(artifacts.types | executions.types)
    if not (
        _lie_within(event_edges.artifacts, len(artifacts.type_ids))
        and _lie_within(event_edges.executions, len(executions.type_ids))
        and _are_declared(transaction, ARTIFACT, artifacts)
        and _are_declared(transaction, EXECUTION, executions)
    ):
        return False
    if not request.options.reuse_artifact_if_already_exist_by_external_id:
        return True
    wanted = {external_id for external_id in artifacts.external_ids if external_id}
    return not transaction.session.fetch("Artifact", ("id",), "external_id", wanted)


def _columns(request: Any, now: int) -> Subgraph | None:
    """Return the columns of a request, or None where they are not all decoded."""
    # numpy is not loaded for puts of few nodes.
    from mlmd_lineage.writing import message_columns
    from mlmd_lineage.writing.message_columns import MessageBytes

    if message_columns.library() is None:
        return None
    event_edges: EdgeColumns | None
    if isinstance(request, SubgraphRequest):
        event_edges = message_columns.edges_of(request.edges, now)
        found = [
            MessageBytes.of(request.artifacts),
            MessageBytes.of(request.executions),
        ]
    else:
        data = request.SerializeToString()
        fields = _ARTIFACTS, _EXECUTIONS, _EVENT_EDGES
        parts = [MessageBytes.in_field(data, field) for field in fields]
        found = [part for part in parts if part is not None]
        if len(found) < len(parts):
            return None
        event_edges = message_columns.edges(found.pop(), now)
    artifacts = message_columns.nodes(found[0], are_artifacts=True)
    executions = message_columns.nodes(found[1], are_artifacts=False)
    if artifacts is None or executions is None or event_edges is None:
        return None
    return Subgraph(artifacts, executions, event_edges)


def _lie_within(places: np.ndarray[Any, Any], count: int) -> bool:
    return not len(places) or bool(places.min() >= 0 and places.max() < count)


def _are_declared(transaction: Transaction, kind: NodeKind, nodes: NewNodeColumns) -> bool:
    """Tell whether the types of nodes are there and declare their properties."""
    for shape in nodes.shapes:
        plain = [found for found in shape.properties if not found.custom]
        for type_id in shape.types:
            try:
                declared = transaction.type_properties(kind, type_id)
            except PutRefusedError:
                return False
            if any(values.TYPE_OF[found.field] != declared.get(found.name) for found in plain):
                return False
    return True


def put_subgraph(
    transaction: Transaction,
    request: Any,
    subgraph: Subgraph,
    put_contexts: Callable[[], list[int]],
) -> Mapping[str, Any]:
    """Put a request by its columns, and return the fields of its response.

    Args:
        transaction: The open transaction.
        request: The request.
        subgraph: Its columns.
        put_contexts: Puts its contexts, and returns their ids.

    Raises:
        PutRefusedError: The database refuses something of it.
    """
    context_ids = put_contexts()
    artifact_ids = _insert(transaction, ARTIFACT, subgraph.artifacts, request.artifacts)
    execution_ids = _insert(transaction, EXECUTION, subgraph.executions, request.executions)
    found = subgraph.edges
    edges.insert_events(
        transaction,
        {
            "artifact_id": _ids_at(artifact_ids, found.artifacts),
            "execution_id": _ids_at(execution_ids, found.executions),
            "type": found.types,
            "milliseconds_since_epoch": found.times,
        },
        _parsed(found.paths),
    )
    for context_id in dict.fromkeys(context_ids):
        for table, column, ids in (
            ("Attribution", "artifact_id", artifact_ids),
            ("Association", "execution_id", execution_ids),
        ):
            if ids:
                transaction.session.insert_members(table, context_id, column, ids)
    return {
        "execution_ids": execution_ids,
        "artifact_ids": artifact_ids,
        "context_ids": context_ids,
    }


def _parsed(paths: Sequence[tuple[int, bytes]]) -> list[tuple[int, Any]]:
    """Return the paths of events from serialized ones."""
    path = message("Event.Path")
    return [(place, path.FromString(serialized)) for place, serialized in paths]


def _insert(
    transaction: Transaction, kind: NodeKind, nodes: NewNodeColumns, messages: Sequence[Any]
) -> Sequence[int]:
    """Insert new nodes and their properties, and return their ids."""
    if not nodes.type_ids:
        return ()
    session = transaction.session
    columns: dict[str, list[Any]] = {"type_id": nodes.type_ids}
    if kind is ARTIFACT:
        columns["uri"] = nodes.uris
        columns["state"] = nodes.states
    else:
        columns["last_known_state"] = nodes.states
    columns["external_id"] = nodes.external_ids
    columns["name"] = nodes.names
    columns.update(dict.fromkeys(TIMES, [transaction.now] * len(nodes.type_ids)))
    try:
        ids = session.insert_new(kind.table, columns)
    except AlreadyExistsError as error:
        raise NodesExistError(error, kind, messages) from None
    session.insert_shapes(
        kind.properties,
        kind.id_column,
        [(_ids_at(ids, shape.nodes), shape.properties) for shape in nodes.shapes],
    )
    transaction.created[kind.table].update(ids)
    return ids


def _ids_at(ids: Sequence[int], places: np.ndarray[Any, Any]) -> list[int]:
    """Return the ids at some places."""
    if isinstance(ids, range) and ids.step == 1:
        found: list[int] = (places + ids.start).tolist()
        return found
    return [ids[place] for place in places.tolist()]
