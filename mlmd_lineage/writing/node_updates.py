"""Updating artifacts, executions and contexts that are stored, by MLMD's rules.

``docs/writing.md`` lists the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mlmd_lineage.errors import PutRefusedError
from mlmd_lineage.writing import values
from mlmd_lineage.writing.node_checks import check_properties, no_name
from mlmd_lineage.writing.node_kinds import CONTEXT, TIMES
from mlmd_lineage.writing.sql.session import PropertyColumns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from mlmd_lineage.writing.node_kinds import NodeKind
    from mlmd_lineage.writing.transaction import Transaction


class Stored(NamedTuple):
    """A node as it is in the store."""

    type_id: int
    updated: int
    attributes: dict[str, Any]
    """Its name and what an update sets, by their columns."""
    properties: dict[tuple[str, bool], tuple[Any, ...]]


def load(transaction: Transaction, kind: NodeKind, ids: Collection[int]) -> dict[int, Stored]:
    """Return the stored nodes of some ids, locked until the transaction ends."""
    session = transaction.session
    columns = dict.fromkeys(("name", *kind.attributes))
    stored: dict[int, Stored] = {
        number: Stored(type_id, updated, dict(zip(columns, attributes, strict=True)), {})
        for number, type_id, updated, *attributes in session.fetch(
            kind.table, ("id", "type_id", TIMES[1], *columns), "id", ids, lock=True
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


def _everything(_: str) -> bool:
    return True


def _encoded(
    node: Any, plain: Callable[[str], bool], custom: Callable[[str], bool]
) -> dict[tuple[str, bool], tuple[str, Any]]:
    """Return the columns and values of a node's properties, by name and whether custom."""
    column_and_value = values.column_and_value
    found = {
        (name, False): column_and_value(name, value)
        for name, value in node.properties.items()
        if plain(name)
    }
    found.update(
        ((name, True), column_and_value(name, value))
        for name, value in node.custom_properties.items()
        if custom(name)
    )
    return found


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


def _is_same(node: Any, before: Stored, type_name: str) -> bool:
    """Tell whether a message is that of a stored node, but for its properties and its times.

    MLMD compares whole messages, whatever an update mask says.
    """
    if node.HasField("system_metadata") or not node.HasField("type") or node.type != type_name:
        return False
    for column, stored in before.attributes.items():
        if node.HasField(column) != (stored is not None):
            return False
        if stored is not None and getattr(node, column) != stored:
            return False
    return True


def update(  # noqa: PLR0913 - what it needs of one call
    transaction: Transaction,
    kind: NodeKind,
    node: Any,
    stored: dict[int, Stored],
    paths: Collection[str],
    *,
    locked: bool,
    force: bool,
) -> None:
    """Update a stored node, by an update mask's paths where there are any.

    Args:
        transaction: The open transaction.
        kind: What it is.
        node: MLMD's message.
        stored: The stored nodes of the request by their ids, which are kept up with the update.
        paths: The mask's.
        locked: Refuse it where ``last_update_time_since_epoch`` is not the stored one.
        force: Set the time of the last update even where nothing changes.

    Raises:
        PutRefusedError: MLMD's rules refuse it.
    """
    session, before = transaction.session, stored.get(node.id)
    if before is None and node.id in transaction.created[kind.table]:
        stored.update(load(transaction, kind, [node.id]))
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
    check_properties(transaction.type_properties(kind, before.type_id), node, mask.plain)
    if kind is CONTEXT and mask.has("name") and not node.name:
        raise no_name()
    same = _is_same(node, before, transaction.type_name(before.type_id))
    if not _update_properties(transaction, kind, node, before, mask) and same and not force:
        return
    updated = max(transaction.now, before.updated + 1) if locked else transaction.now
    given = {
        column: getattr(node, column) if column == "uri" or node.HasField(column) else None
        for column in kind.attributes
        if mask.has(column)
    }
    # A database writes the indexes of all columns that are set, whether they change or not.
    changed = {
        column: value for column, value in given.items() if value != before.attributes[column]
    }
    session.update(kind.table, (*changed, TIMES[1]), (*changed.values(), updated), node.id)
    before.attributes.update(changed)
    stored[node.id] = before._replace(updated=updated)


def _update_properties(
    transaction: Transaction, kind: NodeKind, node: Any, before: Stored, mask: _Mask
) -> bool:
    """Delete what is gone or has another value, and insert what is new or has one.

    Returns:
        Whether there was anything to do.
    """
    session = transaction.session
    wanted = _encoded(node, mask.plain, mask.custom)
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
    by_column: dict[str, PropertyColumns] = {}
    for (name, custom), (column, value) in wanted.items():
        by_column.setdefault(column, PropertyColumns.empty()).add(node.id, name, custom, value)
    if by_column:
        session.insert_properties(kind.properties, kind.id_column, by_column)
    for key, given in wanted.items():
        before.properties[key] = session.as_stored(given)
    return bool(gone or wanted)
