"""Putting artifacts, executions and contexts, by MLMD's rules.

``docs/writing.md`` lists the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import AlreadyExistsError, PutRefusedError
from mlmd_lineage.writing.new_nodes import NewNodes
from mlmd_lineage.writing.node_checks import check_named, check_properties, no_type
from mlmd_lineage.writing.node_kinds import CONTEXT
from mlmd_lineage.writing.node_updates import load, update
from mlmd_lineage.writing.transaction import RaceLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from mlmd_lineage.writing.node_kinds import NodeKind
    from mlmd_lineage.writing.transaction import Transaction


def put_nodes(  # noqa: PLR0913 - what MLMD's methods differ in
    transaction: Transaction,
    kind: NodeKind,
    nodes: Sequence[Any],
    *,
    mask: Collection[str] = (),
    locked: bool = False,
    force: bool = False,
    check: Callable[[Any], None] | None = None,
) -> list[int]:
    """Insert or update nodes, in their order, and return their ids.

    Args:
        transaction: The open transaction.
        kind: What they are.
        nodes: MLMD's messages; one with an id is updated.
        mask: The paths of an update mask.
        locked: Refuse an update whose ``last_update_time_since_epoch`` is not the stored one.
        force: Set the time of the last update even where nothing changes.
        check: Raises what else is wrong with a node.

    Raises:
        PutRefusedError: MLMD's rules refuse one of them.
    """
    if not nodes:
        return []
    nodes = list(nodes)
    updates = [place for place, node in enumerate(nodes) if node.HasField("id")]
    stored = load(transaction, kind, {nodes[place].id for place in updates}) if updates else {}
    transaction.load_types({node.type_id for node in nodes if node.type_id})
    ids: list[int] = []
    for place in [*updates, len(nodes)]:
        if len(ids) < place:
            ids += _put_new(transaction, kind, nodes[len(ids) : place], check)
        if place < len(nodes):
            node = nodes[place]
            if check is not None:
                check(node)
            update(transaction, kind, node, stored, mask, locked=locked, force=force)
            ids.append(node.id)
    return ids


def _put_new(
    transaction: Transaction,
    kind: NodeKind,
    nodes: Sequence[Any],
    check: Callable[[Any], None] | None,
) -> Sequence[int]:
    new = NewNodes(transaction, kind)
    try:
        new.add(nodes, check)
    except PutRefusedError:
        new.insert()  # what is wrong with a node before it counts
        raise
    return new.insert()


def check_all(transaction: Transaction, kind: NodeKind, nodes: Sequence[Any]) -> None:
    """Check the types and properties of nodes, new or not, before anything is put.

    Raises:
        PutRefusedError: A type is missing or unknown, or a property does not fit it.
    """
    _check_types(transaction, kind, nodes)
    for node in nodes:
        check_properties(transaction.type_properties(kind, node.type_id), node)


def checked_rows(transaction: Transaction, kind: NodeKind, nodes: Sequence[Any]) -> NewNodes:
    """Check nodes as ``check_all`` does, and return the rows of those that are new.

    Raises:
        PutRefusedError: A type is missing or unknown, or a property does not fit it.
    """
    _check_types(transaction, kind, nodes)
    rows = NewNodes(transaction, kind)
    rows.add(nodes)
    return rows


def _check_types(transaction: Transaction, kind: NodeKind, nodes: Sequence[Any]) -> None:
    types = dict.fromkeys(node.type_id for node in nodes)
    if 0 in types and not all(node.HasField("type_id") for node in nodes):
        raise no_type(kind)
    transaction.load_types(types)
    for type_id in types:
        transaction.type_properties(kind, type_id)


def reuse_contexts(
    transaction: Transaction, contexts: Sequence[Any], *, exactly: bool = False
) -> list[int]:
    """Put contexts of which those without an id may be there already, and are then left alone.

    Args:
        transaction: The open transaction.
        contexts: MLMD's messages.
        exactly: Refuse a name that the database only takes for that of one that is there.

    Raises:
        PutRefusedError: MLMD's rules refuse one of them.
    """
    if any(context.HasField("id") for context in contexts):
        # An update may give a context the name that a later one is looked up by.
        return [
            number
            for context in contexts
            for number in _reuse(transaction, [context], exactly=exactly)
        ]
    return _reuse(transaction, contexts, exactly=exactly)


def _reuse(transaction: Transaction, contexts: Sequence[Any], *, exactly: bool) -> list[int]:
    known: dict[tuple[int, str], int] = {}
    waiting: dict[tuple[int, str], Any] = {}
    keys: list[tuple[int, str]] = []

    def put() -> None:
        try:
            made = put_nodes(transaction, CONTEXT, list(waiting.values()))
        except AlreadyExistsError as error:
            raise RaceLostError(error) from None
        known.update(zip(waiting, made, strict=True))

    named = [(c.type_id, c.name) for c in contexts if c.HasField("type_id") and c.HasField("name")]
    if not any(context.HasField("id") for context in contexts):
        known.update(transaction.named_contexts(named, exactly=exactly))
    try:
        for context in contexts:
            check_named(context)
            key = (context.type_id, transaction.session.text_key(context.name))
            keys.append(key)
            if key not in known:
                waiting.setdefault(key, context)
    except PutRefusedError:
        put()  # what is wrong with a context before it counts
        raise
    put()
    return [known[key] for key in keys]
