"""Putting artifacts, executions and contexts, by MLMD's rules.

``docs/writing.md`` lists the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mlmd_lineage.errors import AlreadyExistsError, PutRefusedError
from mlmd_lineage.writing import values
from mlmd_lineage.writing.node_kinds import ARTIFACT, CONTEXT, EXECUTION
from mlmd_lineage.writing.transaction import RaceLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from mlmd_lineage.writing.node_kinds import NodeKind
    from mlmd_lineage.writing.transaction import Transaction


_TIMES = ("create_time_since_epoch", "last_update_time_since_epoch")


class _Stored(NamedTuple):
    """A node as it is in the store."""

    type_id: int
    updated: int
    properties: dict[tuple[str, bool], tuple[Any, ...]]


def put_nodes(  # noqa: PLR0913 - what MLMD's methods differ in
    transaction: Transaction,
    kind: NodeKind,
    nodes: Sequence[Any],
    *,
    mask: Collection[str] = (),
    locked: bool = False,
    check: Callable[[Any], None] | None = None,
) -> list[int]:
    """Insert or update nodes, in their order, and return their ids.

    Args:
        transaction: The open transaction.
        kind: What they are.
        nodes: MLMD's messages; one with an id is updated.
        mask: The paths of an update mask.
        locked: Refuse an update whose ``last_update_time_since_epoch`` is not the stored one.
        check: Raises what else is wrong with a node.

    Raises:
        PutRefusedError: MLMD's rules refuse one of them.
    """
    stored = _load(transaction, kind, {node.id for node in nodes if node.HasField("id")})
    transaction.load_types({node.type_id for node in nodes if node.HasField("type_id")})
    ids: list[int] = [0] * len(nodes)
    waiting: list[int] = []

    def flush() -> None:
        if waiting:
            made = _insert(transaction, kind, [nodes[place] for place in waiting])
            for place, number in zip(waiting, made, strict=True):
                ids[place] = number
            waiting.clear()

    try:
        for place, node in enumerate(nodes):
            if check is not None:
                check(node)
            if node.HasField("id"):
                flush()
                _update(transaction, kind, node, stored, mask, locked=locked)
                ids[place] = node.id
            else:
                _check_new(transaction, kind, node)
                waiting.append(place)
    except PutRefusedError:
        flush()  # what is wrong with a node before it counts
        raise
    flush()
    return ids


def check_all(transaction: Transaction, kind: NodeKind, nodes: Sequence[Any]) -> None:
    """Check the types and properties of nodes, new or not, before anything is put.

    Raises:
        PutRefusedError: A type is missing or unknown, or a property does not fit it.
    """
    for node in nodes:
        if not node.HasField("type_id"):
            raise _no_type(kind)
    transaction.load_types({node.type_id for node in nodes})
    for node in nodes:
        transaction.type_properties(kind, node.type_id)
    for node in nodes:
        _check_properties(transaction.type_properties(kind, node.type_id), node, _everything)


def _check_new(transaction: Transaction, kind: NodeKind, node: Any) -> None:
    if not node.HasField("type_id"):
        raise _no_type(kind)
    declared = transaction.type_properties(kind, node.type_id)
    _check_properties(declared, node, _everything)
    if kind is CONTEXT and not node.name:
        raise PutRefusedError(_NAMELESS)


_NAMELESS = "A context needs a name, and one that is put has none. Give it one."


def _no_type(kind: NodeKind) -> PutRefusedError:
    what = "A context" if kind is CONTEXT else f"An {kind.name}"
    message = f"{what} has no type_id. Put its type first, and set type_id to the type's id."
    return PutRefusedError(message)


def _everything(_: str) -> bool:
    return True


def _check_properties(
    declared: dict[str, int], node: Any, is_masked: Callable[[str], bool]
) -> None:
    if not node.properties:
        return
    for name, value in node.properties.items():
        if not is_masked(name):
            continue
        wanted = declared.get(name)
        if wanted is None:
            message = (
                f"The type with id {node.type_id} declares no property {name!r}. Put it as a "
                "custom property, or add it to the type with can_add_fields."
            )
            raise PutRefusedError(message)
        if values.TYPE_OF[value.WhichOneof("value")] != wanted:
            message = (
                f"Found unmatched property type: {name} is a "
                f"{value.WhichOneof('value') or 'nothing'} where its type declares "
                f"{_TYPE_NAMES.get(wanted, wanted)}."
            )
            raise PutRefusedError(message)


_TYPE_NAMES = {
    values.INT: "INT",
    values.DOUBLE: "DOUBLE",
    values.STRING: "STRING",
    values.STRUCT: "STRUCT",
    values.PROTO: "PROTO",
    values.BOOLEAN: "BOOLEAN",
}


def _insert(transaction: Transaction, kind: NodeKind, nodes: Sequence[Any]) -> list[int]:
    """Insert nodes that have been checked, with their properties."""
    session, now = transaction.session, transaction.now
    encoded = [_encoded(node, _everything, _everything) for node in nodes]
    named = ("name",) if kind is not CONTEXT else ()
    columns = ("type_id", *kind.attributes, *named, *_TIMES)
    rows: list[tuple[Any, ...]]
    if kind is ARTIFACT:
        rows = [
            (
                node.type_id,
                node.uri,
                node.state if node.HasField("state") else None,
                node.external_id if node.HasField("external_id") else None,
                node.name if node.HasField("name") else None,
                now,
                now,
            )
            for node in nodes
        ]
    elif kind is EXECUTION:
        rows = [
            (
                node.type_id,
                node.last_known_state if node.HasField("last_known_state") else None,
                node.external_id if node.HasField("external_id") else None,
                node.name if node.HasField("name") else None,
                now,
                now,
            )
            for node in nodes
        ]
    else:
        rows = [
            (
                node.type_id,
                node.name,
                node.external_id if node.HasField("external_id") else None,
                now,
                now,
            )
            for node in nodes
        ]
    ids = session.insert_new(kind.table, columns, rows)
    session.insert_properties(
        kind.properties,
        kind.id_column,
        ((number, *row) for number, found in zip(ids, encoded, strict=True) for row in found),
    )
    transaction.created[kind.table].update(ids)
    return ids


def _encoded(
    node: Any, plain: Callable[[str], bool], custom: Callable[[str], bool]
) -> list[tuple[str, bool, str, Any]]:
    """Return a node's properties: name, whether custom, column and value."""
    column_and_value = values.column_and_value
    found = [
        (name, False, *column_and_value(name, value))
        for name, value in node.properties.items()
        if plain(name)
    ]
    found += [
        (name, True, *column_and_value(name, value))
        for name, value in node.custom_properties.items()
        if custom(name)
    ]
    return found


def _load(transaction: Transaction, kind: NodeKind, ids: Collection[int]) -> dict[int, _Stored]:
    """Return the stored nodes of some ids, locked until the transaction ends."""
    session = transaction.session
    stored: dict[int, _Stored] = {
        number: _Stored(type_id, updated, {})
        for number, type_id, updated in session.fetch(
            kind.table, ("id", "type_id", _TIMES[1]), "id", ids, lock=True
        )
    }
    for owner, name, custom, *row in session.fetch(
        kind.properties,
        (kind.id_column, "name", "is_custom_property", *values.COLUMNS),
        kind.id_column,
        stored,
        lock=session.reads_old_rows,
    ):
        stored[owner].properties[name, bool(custom)] = tuple(row)
    transaction.load_types({node.type_id for node in stored.values()})
    return stored


class _Mask:
    """The paths of an update mask; without any, everything is updated."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self.plain = self._names("properties")
        self.custom = self._names("custom_properties")

    def has(self, attribute: str) -> bool:
        """Tell whether an attribute is updated."""
        return not self._paths or attribute in self._paths

    def _names(self, field: str) -> Callable[[str], bool]:
        if self.has(field):
            return _everything
        prefix = f"{field}."
        names = {path.removeprefix(prefix) for path in self._paths if path.startswith(prefix)}
        return names.__contains__


def _update(  # noqa: PLR0913 - what it needs of one call
    transaction: Transaction,
    kind: NodeKind,
    node: Any,
    stored: dict[int, _Stored],
    paths: Collection[str],
    *,
    locked: bool,
) -> None:
    session, before = transaction.session, stored.get(node.id)
    if before is None and node.id in transaction.created[kind.table]:
        stored.update(_load(transaction, kind, [node.id]))
        before = stored[node.id]
    if before is None:
        message = f"There is no {kind.name} with id {node.id} to update."
        raise PutRefusedError(message)
    if locked and node.last_update_time_since_epoch != before.updated:
        message = (
            f"The {kind.name} with id {node.id} was updated meanwhile: its "
            f"last_update_time_since_epoch is {before.updated}, not "
            f"{node.last_update_time_since_epoch}. Read it again, and put your change to that."
        )
        raise PutRefusedError(message, "FAILED_PRECONDITION")
    if node.HasField("type_id") and node.type_id != before.type_id:
        message = (
            f"The {kind.name} with id {node.id} has type_id {before.type_id}, which cannot be "
            f"changed to {node.type_id}."
        )
        raise PutRefusedError(message)
    mask = _Mask(paths)
    _check_properties(transaction.type_properties(kind, before.type_id), node, mask.plain)
    if kind is CONTEXT and mask.has("name") and not node.name:
        raise PutRefusedError(_NAMELESS)
    updated = max(transaction.now, before.updated + 1) if locked else transaction.now
    columns = [column for column in kind.attributes if mask.has(column)]
    attributes = [
        getattr(node, column) if column == "uri" or node.HasField(column) else None
        for column in columns
    ]
    session.update(kind.table, (*columns, _TIMES[1]), (*attributes, updated), node.id)
    _update_properties(transaction, kind, node, before, mask)
    stored[node.id] = before._replace(updated=updated)


def _update_properties(
    transaction: Transaction, kind: NodeKind, node: Any, before: _Stored, mask: _Mask
) -> None:
    """Delete what is gone or has another value, and insert what is new or has one."""
    session = transaction.session
    wanted: dict[tuple[str, bool], tuple[str, Any]] = {
        (name, custom): (column, value)
        for name, custom, column, value in _encoded(node, mask.plain, mask.custom)
    }
    gone = []
    for key, row in before.properties.items():
        if not (mask.custom if key[1] else mask.plain)(key[0]):
            continue
        given = wanted.get(key)
        if given is not None and session.is_same(row, given):
            del wanted[key]
        else:
            gone.append(key)
    for key in gone:
        session.delete_property(kind.properties, kind.id_column, node.id, key[0], custom=key[1])
        del before.properties[key]
    session.insert_properties(
        kind.properties,
        kind.id_column,
        ((node.id, name, custom, *given) for (name, custom), given in wanted.items()),
    )
    for key, given in wanted.items():
        before.properties[key] = session.as_stored(given)


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


def check_named(context: Any) -> None:
    """Check that a context has what one must have that may be there already.

    Raises:
        PutRefusedError: It has no type or no name.
    """
    if not context.HasField("type_id"):
        raise _no_type(CONTEXT)
    if not context.HasField("name"):
        raise PutRefusedError(_NAMELESS)
