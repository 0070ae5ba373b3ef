"""Limits on what a filter may ask, so that no short text makes a database work without end.

Neighbours that are compared with each other, or under one OR with others, are joined: each of them
multiplies the rows that the database looks at. Neighbours that stand alone, connected by AND, are
not, and may be more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.filters import disjunctive_form, syntax_tree
from mlmd_lineage.filters.fields import RELATIONS
from mlmd_lineage.filters.grammar import failed
from mlmd_lineage.filters.syntax_tree import FieldRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.filters.syntax_tree import Expression
    from mlmd_lineage.snapshot.tables import NodeKind

MOST_COMPARED = 3
"""How many neighbours one comparison may mention."""
MOST_JOINED = 4
"""How many neighbours may be joined at once."""
MOST_NEIGHBOURS = 48
"""How many neighbours a filter may mention: SQLite joins no more than 64 tables."""


def check(text: str, kind: NodeKind, condition: Expression) -> None:
    """Refuse a filter that asks for too many neighbours at once.

    Args:
        text: The filter.
        kind: The kind of the nodes.
        condition: What the filter means.

    Raises:
        FilterError: It does.
    """
    mentioned = _neighbours(kind, condition)
    if len(mentioned) > MOST_NEIGHBOURS:
        message = (
            f"The filter mentions {len(mentioned):,} neighbours; it may mention {MOST_NEIGHBOURS}."
        )
        raise errors.FilterError(message)
    _check_comparisons(text, kind, condition)
    for conditions in disjunctive_form.alternatives(condition):
        joined = joined_neighbours(kind, conditions)
        if len(joined) > MOST_JOINED:
            names = ", ".join(sorted(f"{row.prefix}{row.name}" for row in joined))
            message = (
                f"The filter relates {len(joined)} neighbours to each other, {names}; it may "
                f"relate {MOST_JOINED}. Split it in two, and keep what both of them find."
            )
            raise errors.FilterError(message)


def joined_neighbours(kind: NodeKind, conditions: Sequence[Expression]) -> set[FieldRow]:
    """Return the neighbours of which a statement must look at every combination.

    Args:
        kind: The kind of the nodes.
        conditions: Conditions that all hold.
    """
    joined = set()
    for row in {row for condition in conditions for row in _neighbours(kind, condition)}:
        about = [c for c in conditions if row in disjunctive_form.field_rows_of(c)]
        alone = all(disjunctive_form.field_rows_of(c) == {row} for c in about)
        missing = {row, FieldRow(row.prefix, row.name, is_type=True)}
        if not alone or not any(disjunctive_form.needs(c, missing) for c in conditions):
            joined.add(row)
    return joined


def _neighbours(kind: NodeKind, expression: Expression) -> set[FieldRow]:
    rows = disjunctive_form.field_rows_of(expression)
    return {row for row in rows if row.prefix in RELATIONS[kind]}


def _check_comparisons(text: str, kind: NodeKind, expression: Expression) -> None:
    if isinstance(expression, (syntax_tree.And, syntax_tree.Or, syntax_tree.Not)):
        for part in syntax_tree.parts_of(expression):
            _check_comparisons(text, kind, part)
        return
    compared = _neighbours(kind, expression)
    if len(compared) > MOST_COMPARED:
        names = ", ".join(sorted(f"{row.prefix}{row.name}" for row in compared))
        what = (
            f"this compares {len(compared)} neighbours with each other, {names}; one comparison "
            f"may mention {MOST_COMPARED}."
        )
        raise failed(text, expression.at, what)
