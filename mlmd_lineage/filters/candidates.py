"""Narrows a filter to candidate nodes by look-ups, where no SQL can be run.

A service answers look-ups, by id, name, URI and the like, in one call, and its whole store in many.
So each operand of a filter's disjunctive normal form is looked up by its most selective condition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.filters import disjunctive_form, syntax_tree
from mlmd_lineage.filters.fields import PROPERTIES, RELATIONS
from mlmd_lineage.filters.syntax_tree import Literal
from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlmd_lineage.filters.syntax_tree import Expression, FieldColumn
    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.snapshot.tables import NodeSchema

_BEST = ("id", "external_id", "uri", "name")


def candidates(session: Session, kind: NodeSchema, condition: Expression) -> set[int] | None:
    """Return ids among which are those of a filter, or None where only all nodes would do.

    Args:
        session: An open read of the store.
        kind: The kind of the nodes.
        condition: The filter.
    """
    ids: set[int] = set()
    for conditions in disjunctive_form.alternatives(condition):
        known = [looked for looked in map(_lookups, conditions) if looked]
        if not known:
            return None
        best = min(known, key=lambda looked: max(_rank(column) for column, _ in looked))
        for column, values in best:
            ids |= _with(session, kind, column, values)
    return ids


def _lookups(condition: Expression) -> list[tuple[FieldColumn, list[int | str]]]:
    """Return fields with values such that, if a condition is true, one field has one of its values.

    The list is empty if no such fields follow from the condition.
    """
    if isinstance(condition, syntax_tree.Or):
        parts = [_lookups(part) for part in condition.operands]
        return [one for part in parts for one in part] if all(parts) else []
    column = disjunctive_form.lookup_column(condition)
    if column is None or column.field_row.prefix in PROPERTIES:
        return []
    values = _values(condition)
    # A service cannot tell an empty text from none.
    return [] if "" in values else [(column, values)]


def _rank(column: FieldColumn) -> tuple[bool, bool, int]:
    """Return how much asking for a column costs, beside others."""
    found = _BEST.index(column.column) if column.column in _BEST else 0
    return column.field_row.is_type, bool(column.field_row.prefix), found


def _values(condition: Expression) -> list[int | str]:
    literals = (part.value for part in syntax_tree.parts_of(condition) if isinstance(part, Literal))
    found: list[int | str] = []
    for value in literals:
        if isinstance(value, float) and value.is_integer():
            found.append(int(value))
        elif isinstance(value, (int, str)):
            found.append(value)
    return found


def _with(
    session: Session, kind: NodeSchema, column: FieldColumn, values: Collection[int | str]
) -> set[int]:
    """Return the nodes that have one of some values in a field, their own or a neighbour's."""
    relation = RELATIONS[kind.name].get(column.field_row.prefix)
    if relation is None:
        return _nodes(session, kind, column, values)
    ids: Collection[int | str] = values
    if relation.kind is not None:
        ids = sorted(_nodes(session, KINDS[relation.kind], column, values))
    rows = session.fetch(relation.table, {relation.other: ids}) if ids else []
    at = SCHEMAS[relation.table].names.index(relation.owner)
    return {row[at] for row in rows}


def _nodes(
    session: Session, kind: NodeSchema, column: FieldColumn, values: Collection[int | str]
) -> set[int]:
    where = {column.column: values}
    if column.field_row.is_type:
        types = session.fetch("Type", {})
        where = {"type_id": [row[0] for row in types if row[1] in values]}
    elif column.column == "id":
        return {int(value) for value in values}
    return {row[0] for row in session.fetch(kind.table, where)} if all(where.values()) else set()
