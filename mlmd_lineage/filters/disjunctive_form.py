"""A condition as alternatives, each a list of conditions that all hold.

So each alternative can go to the database by its own, with the indexes that serve it: MLMD's own
way, one statement that joins all neighbours, loses the rows which have not all of them. Conditions
are true, false or unknown, as in SQL.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, TypeAlias

from mlmd_lineage.filters import syntax_tree
from mlmd_lineage.filters.syntax_tree import Column, FieldRow, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from mlmd_lineage.filters.syntax_tree import Expression

MOST_ALTERNATIVES = 32
"""If there were more, what mixes places stays as it is, and is looked at row by row."""

_SELECTIVE = {"id", "name", "uri", "external_id", "artifact_id", "execution_id"}

_Truths: TypeAlias = "frozenset[bool | None]"
_ANY: _Truths = frozenset({True, False, None})


def alternatives(condition: Expression) -> list[list[Expression]]:
    """Return the alternatives of a condition; it is true where all of one's conditions are."""
    return _alternatives(_without_outer_not(condition, negated=False))


def base(place: FieldRow) -> FieldRow:
    """Return the place of the node whose type a place is, or the place itself."""
    return FieldRow(place.prefix, place.name) if place.is_type else place


def places_of(expression: Expression) -> set[FieldRow]:
    """Return the places that an expression mentions, those of types as those of their nodes."""
    return {base(column.place) for column in syntax_tree.columns_of(expression)}


def needs(expression: Expression, missing: Collection[FieldRow]) -> bool:
    """Tell whether a condition is never true where all fields of some places are NULL."""
    return True not in _truths(expression, missing)


def looked_up(condition: Expression) -> Column | None:
    """Return the column that has one of few values where a condition is true, if there is one."""
    if isinstance(condition, syntax_tree.Comparison) and condition.operator == "=":
        sides: tuple[Expression, ...] = (condition.left, condition.right)
    elif isinstance(condition, syntax_tree.In) and not condition.negated:
        sides = (condition.operand, *condition.items)
    else:
        return None
    columns = [side for side in sides if isinstance(side, Column)]
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
    if isinstance(condition, syntax_tree.Or) and len(places_of(condition)) > 1:
        found = [one for part in _by_place(condition) for one in _alternatives(part)]
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


def _by_place(condition: syntax_tree.Or) -> Iterator[Expression]:
    """Yield the parts of an OR; those that are about one place together."""
    alike: dict[FieldRow, list[Expression]] = {}
    for part in condition.operands:
        places = places_of(part)
        if len(places) == 1 and not isinstance(part, syntax_tree.And):
            alike.setdefault(places.pop(), []).append(part)
        else:
            yield part
    for parts in alike.values():
        yield syntax_tree.Or(tuple(parts), condition.at) if len(parts) > 1 else parts[0]


def _truths(said: Expression, missing: Collection[FieldRow]) -> _Truths:
    """Return what a condition may be where all fields of some places are NULL."""
    if isinstance(said, Literal):
        found: _Truths = frozenset({bool(said.value)})
    elif isinstance(said, syntax_tree.Not):
        found = _opposite(_truths(said.operand, missing))
    elif isinstance(said, (syntax_tree.And, syntax_tree.Or)):
        found = _combined(said, (_truths(part, missing) for part in said.operands))
    elif isinstance(said, syntax_tree.Is):
        found = _is(said, missing)
    elif isinstance(said, syntax_tree.Between) and not _is_null(said.operand, missing):
        null = _is_null(said.low, missing) or _is_null(said.high, missing)
        found = frozenset({said.negated, None}) if null else _ANY
    else:
        operands = syntax_tree.parts_of(said)
        if isinstance(said, syntax_tree.In) and all(_is_null(item, missing) for item in said.items):
            operands = iter(said.items)
        elif isinstance(said, (syntax_tree.Between, syntax_tree.In, syntax_tree.Like)):
            operands = iter((said.operand,))
        elif isinstance(said, Column):
            operands = iter((said,))
        found = frozenset({None}) if any(_is_null(part, missing) for part in operands) else _ANY
    return found


def _is(said: syntax_tree.Is, missing: Collection[FieldRow]) -> _Truths:
    if _is_null(said.operand, missing):
        found: _Truths = frozenset({said.what is None})
    elif _is_condition(said.operand):
        found = frozenset(truth is said.what for truth in _truths(said.operand, missing))
    else:
        found = frozenset({True, False})
    return _opposite(found) if said.negated else found


def _is_condition(said: Expression) -> bool:
    if isinstance(said, Literal):
        return isinstance(said.value, bool)
    return not isinstance(
        said, (Column, syntax_tree.FunctionCall, syntax_tree.Negative, syntax_tree.Arithmetic)
    )


def _is_null(said: Expression, missing: Collection[FieldRow]) -> bool:
    """Tell whether a value is surely NULL."""
    if isinstance(said, Literal):
        return said.value is None
    if isinstance(said, Column):
        return said.place in missing
    if isinstance(said, (syntax_tree.FunctionCall, syntax_tree.Negative, syntax_tree.Arithmetic)):
        return any(_is_null(part, missing) for part in syntax_tree.parts_of(said))
    return _truths(said, missing) == {None}


def _opposite(truths: _Truths) -> _Truths:
    return frozenset(None if truth is None else not truth for truth in truths)


def _combined(said: syntax_tree.And | syntax_tree.Or, parts: Iterable[_Truths]) -> _Truths:
    strong = isinstance(said, syntax_tree.Or)  # TRUE decides an OR, FALSE an AND
    found: _Truths = frozenset({not strong})
    for part in parts:
        found = frozenset(
            strong if strong in {a, b} else None if None in {a, b} else not strong
            for a, b in itertools.product(found, part)
        )
    return found
