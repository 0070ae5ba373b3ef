"""Rewrites a filter into disjunctive normal form: an OR of ANDs.

Each operand of the OR becomes a statement of its own, with the indexes that serve it. MLMD itself
writes one statement that joins all neighbours, which loses the rows that do not have all of them.
Conditions are true, false or unknown, as in SQL.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, TypeAlias

from mlmd_lineage.filters import syntax_tree
from mlmd_lineage.filters.syntax_tree import FieldColumn, FieldRow, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from mlmd_lineage.filters.syntax_tree import Expression

MOST_ALTERNATIVES = 32
"""Beyond that an OR over several rows stays as it is, and is evaluated row by row."""

_SELECTIVE = {"id", "name", "uri", "external_id", "artifact_id", "execution_id"}

_Truths: TypeAlias = "frozenset[bool | None]"
_ANY: _Truths = frozenset({True, False, None})


def alternatives(condition: Expression) -> list[list[Expression]]:
    """Return the alternatives of a condition; it is true where all of one's conditions are."""
    return _alternatives(_without_outer_not(condition, negated=False))


def base(field_row: FieldRow) -> FieldRow:
    """Return the row of the node whose type a row is, or the row itself."""
    return FieldRow(field_row.prefix, field_row.name) if field_row.is_type else field_row


def field_rows_of(expression: Expression) -> set[FieldRow]:
    """Return the rows that an expression mentions, those of types as those of their nodes."""
    return {base(column.field_row) for column in syntax_tree.columns_of(expression)}


def needs(expression: Expression, missing: Collection[FieldRow]) -> bool:
    """Tell whether a condition is never true where all fields of some rows are NULL."""
    return True not in _truths(expression, missing)


def lookup_column(condition: Expression) -> FieldColumn | None:
    """Return the column that has one of few values where a condition is true, if there is one."""
    if isinstance(condition, syntax_tree.Comparison) and condition.operator == "=":
        sides: tuple[Expression, ...] = (condition.left, condition.right)
    elif isinstance(condition, syntax_tree.In) and not condition.negated:
        sides = (condition.operand, *condition.items)
    else:
        return None
    columns = [side for side in sides if isinstance(side, FieldColumn)]
    alone = len(columns) == 1 and all(isinstance(s, Literal) for s in sides if s != columns[0])
    return columns[0] if alone and columns[0].column in _SELECTIVE else None


def _without_outer_not(condition: Expression, *, negated: bool) -> Expression:
    """Return a condition, or its opposite, in which no NOT stands before an AND or an OR."""
    if isinstance(condition, syntax_tree.Not):
        return _without_outer_not(condition.operand, negated=not negated)
    if isinstance(condition, (syntax_tree.And, syntax_tree.Or)):
        parts = tuple(_without_outer_not(part, negated=negated) for part in condition.operands)
        is_or = isinstance(condition, syntax_tree.Or) != negated
        return (syntax_tree.Or if is_or else syntax_tree.And)(parts, condition.at)
    return syntax_tree.Not(condition, condition.at) if negated else condition


def _alternatives(condition: Expression) -> list[list[Expression]]:
    if isinstance(condition, syntax_tree.Or) and len(field_rows_of(condition)) > 1:
        found = [one for part in _by_field_row(condition) for one in _alternatives(part)]
    elif isinstance(condition, syntax_tree.And):
        lists = [_alternatives(part) for part in condition.operands]
        count = 1
        for several in lists:
            count *= len(several)
        if count > MOST_ALTERNATIVES:
            return [[condition]]
        found = [list(itertools.chain(*choice)) for choice in itertools.product(*lists)]
    else:
        return [[condition]]
    return found if len(found) <= MOST_ALTERNATIVES else [[condition]]


def _by_field_row(condition: syntax_tree.Or) -> Iterator[Expression]:
    """Yield the operands of an OR, those about one row as one."""
    alike: dict[FieldRow, list[Expression]] = {}
    for part in condition.operands:
        field_rows = field_rows_of(part)
        if len(field_rows) == 1 and not isinstance(part, syntax_tree.And):
            alike.setdefault(field_rows.pop(), []).append(part)
        else:
            yield part
    for parts in alike.values():
        yield syntax_tree.Or(tuple(parts), condition.at) if len(parts) > 1 else parts[0]


def _truths(expression: Expression, missing: Collection[FieldRow]) -> _Truths:
    """Return what a condition may be where all fields of some rows are NULL."""
    if isinstance(expression, Literal):
        found: _Truths = frozenset({bool(expression.value)})
    elif isinstance(expression, syntax_tree.Not):
        found = _opposite(_truths(expression.operand, missing))
    elif isinstance(expression, (syntax_tree.And, syntax_tree.Or)):
        found = _combined(expression, (_truths(part, missing) for part in expression.operands))
    elif isinstance(expression, syntax_tree.Is):
        found = _is(expression, missing)
    elif isinstance(expression, syntax_tree.Between) and not _is_null(expression.operand, missing):
        null = _is_null(expression.low, missing) or _is_null(expression.high, missing)
        found = frozenset({expression.negated, None}) if null else _ANY
    else:
        operands = syntax_tree.parts_of(expression)
        if isinstance(expression, syntax_tree.In) and all(
            _is_null(item, missing) for item in expression.items
        ):
            operands = iter(expression.items)
        elif isinstance(expression, (syntax_tree.Between, syntax_tree.In, syntax_tree.Like)):
            operands = iter((expression.operand,))
        elif isinstance(expression, FieldColumn):
            operands = iter((expression,))
        found = frozenset({None}) if any(_is_null(part, missing) for part in operands) else _ANY
    return found


def _is(expression: syntax_tree.Is, missing: Collection[FieldRow]) -> _Truths:
    if _is_null(expression.operand, missing):
        found: _Truths = frozenset({expression.what is None})
    elif _is_condition(expression.operand):
        found = frozenset(
            truth is expression.what for truth in _truths(expression.operand, missing)
        )
    else:
        found = frozenset({True, False})
    return _opposite(found) if expression.negated else found


def _is_condition(expression: Expression) -> bool:
    if isinstance(expression, Literal):
        return isinstance(expression.value, bool)
    return not isinstance(
        expression,
        (FieldColumn, syntax_tree.FunctionCall, syntax_tree.Negative, syntax_tree.Arithmetic),
    )


def _is_null(expression: Expression, missing: Collection[FieldRow]) -> bool:
    """Tell whether a value is surely NULL."""
    if isinstance(expression, Literal):
        return expression.value is None
    if isinstance(expression, FieldColumn):
        return expression.field_row in missing
    if isinstance(
        expression, (syntax_tree.FunctionCall, syntax_tree.Negative, syntax_tree.Arithmetic)
    ):
        return any(_is_null(part, missing) for part in syntax_tree.parts_of(expression))
    return _truths(expression, missing) == {None}


def _opposite(truths: _Truths) -> _Truths:
    return frozenset(None if truth is None else not truth for truth in truths)


def _combined(expression: syntax_tree.And | syntax_tree.Or, parts: Iterable[_Truths]) -> _Truths:
    strong = isinstance(expression, syntax_tree.Or)  # TRUE decides an OR, FALSE an AND
    found: _Truths = frozenset({not strong})
    for part in parts:
        found = frozenset(
            strong if strong in {a, b} else None if None in {a, b} else not strong
            for a, b in itertools.product(found, part)
        )
    return found
