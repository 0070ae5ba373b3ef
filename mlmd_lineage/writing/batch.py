"""Putting a batch: types, nodes and edges of all kinds in one transaction.

The database assigns the ids of new nodes, which ``new_nodes`` inserts; the events of the batch get
them here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import PutRefusedError
from mlmd_lineage.writing import edges, types
from mlmd_lineage.writing.node_kinds import ARTIFACT, CONTEXT, EXECUTION
from mlmd_lineage.writing.nodes import put_nodes, reuse_contexts
from mlmd_lineage.writing.requests import by_external_id, places_of_edges, with_ids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.writing.node_kinds import NodeKind
    from mlmd_lineage.writing.transaction import Transaction

_ARTIFACT_MEMBERS = frozenset({"artifact_id", "artifact_index"})


def put_batch(transaction: Transaction, request: Any) -> Mapping[str, Any]:
    """Put all of a ``PutBatchRequest``, and return the fields of its response.

    Raises:
        PutRefusedError: MLMD's rules refuse something of it.
    """
    options = request.options
    found: dict[str, list[int]] = {}
    for kind in (ARTIFACT, EXECUTION, CONTEXT):
        given_types = getattr(request, f"{kind.name}_types")
        if given_types:
            found[f"{kind.name}_type_ids"] = [
                types.put_type(
                    transaction,
                    kind.number,
                    given,
                    can_add=request.can_add_fields,
                    can_omit=request.can_omit_fields,
                )
                for given in given_types
            ]
    contexts = _typed(transaction, CONTEXT, request.contexts)
    context_ids = (
        reuse_contexts(transaction, contexts, exactly=True)
        if options.reuse_contexts
        else put_nodes(transaction, CONTEXT, contexts)
    )
    artifacts = _typed(transaction, ARTIFACT, request.artifacts)
    if options.reuse_artifacts_by_external_id:
        artifacts = by_external_id(transaction, ARTIFACT, artifacts)
    executions = _typed(transaction, EXECUTION, request.executions)
    if options.reuse_executions_by_external_id:
        executions = by_external_id(transaction, EXECUTION, executions)
    ids = {
        "artifact": put_nodes(transaction, ARTIFACT, artifacts),
        "execution": put_nodes(transaction, EXECUTION, executions),
        "context": context_ids,
    }
    edges.put_events(transaction, with_ids(places_of_edges(request.event_edges, ids), ids))
    _put_memberships(transaction, request.memberships, ids)
    parents = [
        (node_id(edge, "child", context_ids), node_id(edge, "parent", context_ids))
        for edge in request.parent_contexts
    ]
    if parents:
        edges.put_parent_contexts(transaction, parents, reuse=options.reuse_parent_contexts)
    return {**found, **{f"{name}_ids": numbers for name, numbers in ids.items()}}


def _typed(transaction: Transaction, kind: NodeKind, nodes: Sequence[Any]) -> Sequence[Any]:
    """Return nodes, those that only name their type with its id."""
    names = {
        node.type
        for node in nodes
        if not node.HasField("type_id") and not node.HasField("id") and node.type
    }
    if not names:
        return nodes
    numbers = {}
    for name in sorted(names):
        number = types.find_type(transaction, kind.number, name)
        if number is None:
            message = f"There is no {kind.name} type {name!r}. Put it first, or in the same batch."
            raise PutRefusedError(message, "NOT_FOUND")
        numbers[name] = number
    found = []
    for node in nodes:
        if not node.HasField("type_id") and not node.HasField("id") and node.type:
            found.append(typed_copy(node, numbers[node.type]))
        else:
            found.append(node)
    return found


def typed_copy(node: Any, type_id: int) -> Any:
    """Return a node with the id of its type."""
    copy = type(node)()
    copy.CopyFrom(node)
    copy.type_id = type_id
    return copy


def _put_memberships(
    transaction: Transaction, memberships: Sequence[Any], ids: Mapping[str, Sequence[int]]
) -> None:
    pairs: dict[str, list[tuple[int, int]]] = {"artifact": [], "execution": []}
    for edge in memberships:
        member = edge.WhichOneof("member")
        if member is None:
            message = "A membership has no member. Give it an artifact or an execution."
            raise PutRefusedError(message)
        name = "artifact" if member in _ARTIFACT_MEMBERS else "execution"
        context = node_id(edge, "context", ids["context"])
        pairs[name].append((context, node_id(edge, "member", ids[name])))
    for name, put, table in (
        ("artifact", edges.put_attributions, "Artifact"),
        ("execution", edges.put_associations, "Execution"),
    ):
        if pairs[name]:
            put(transaction, edges.checked_pairs(transaction, pairs[name], table))


def node_id(edge: Any, oneof: str, numbers: Sequence[int]) -> int:
    """Return the id of the node that an edge names by its id or its place.

    Raises:
        PutRefusedError: It names none.
    """
    field = edge.WhichOneof(oneof)
    if field is None:
        message = f"An edge of a batch has no {oneof}. Give its place or its id."
        raise PutRefusedError(message)
    value: int = getattr(edge, field)
    if field.endswith("_id"):
        return value
    if not 0 <= value < len(numbers):
        message = f"An edge of a batch has {field} {value}, but there are only {len(numbers)}."
        raise PutRefusedError(message, "OUT_OF_RANGE")
    return numbers[value]
