"""The syntax tree of a filter.

``at`` is where in the filter's text a part begins; it takes no part in comparisons.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator

Value: TypeAlias = "int | float | str | bool | None"


@dataclasses.dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text, TRUE, FALSE or NULL."""

    value: Value
    at: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Name:
    """A field as it is written, in its parts, or the name of an enum's value."""

    parts: tuple[str, ...]
    at: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class FieldRow:
    """The row in which a field stands: the node's own, one of its properties, a neighbour's.

    Within a filter, two fields of one ``FieldRow`` stand in the same row.
    """

    prefix: str = ""
    """Such as ``custom_properties`` or ``contexts_``; nothing for the node itself."""
    name: str = ""
    """The property's name, or what follows the prefix of a neighbour."""
    is_type: bool = False
    """Whether it is the type of the node in that row."""


@dataclasses.dataclass(frozen=True, slots=True)
class FieldColumn:
    """A field whose row and type are known."""

    field_row: FieldRow
    column: str
    type: str
    at: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function of one argument, such as ``LOWER(name)``."""

    function: str
    argument: Expression
    at: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Negative:
    """A number with its sign changed."""

    operand: Expression
    at: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers with ``+``, ``-``, ``*`` or ``/`` between them."""

    operator: str
    left: Expression
    right: Expression
    at: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """Two values with ``=``, ``!=``, ``<``, ``<=``, ``>`` or ``>=`` between them."""

    operator: str
    left: Expression
    right: Expression
    at: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class In:
    """Whether a value is one of several."""

    operand: Expression
    items: tuple[Expression, ...]
    negated: bool = False
    at: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Like:
    """Whether a text fits a pattern."""

    operand: Expression
    pattern: Expression
    negated: bool = False
    at: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Between:
    """Whether a value lies between two others, or is one of them."""

    operand: Expression
    low: Expression
    high: Expression
    negated: bool = False
    at: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Is:
    """Whether a value is NULL, TRUE or FALSE; it always has an answer."""

    operand: Expression
    what: bool | None
    negated: bool = False
    at: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    operand: Expression
    at: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class And:
    """Conditions that all hold."""

    operands: tuple[Expression, ...]
    at: int = dataclasses.field(default=0, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Or:
    """Conditions of which one holds."""

    operands: tuple[Expression, ...]
    at: int = dataclasses.field(default=0, compare=False)


Expression: TypeAlias = (
    Literal
    | Name
    | FieldColumn
    | FunctionCall
    | Negative
    | Arithmetic
    | Comparison
    | In
    | Like
    | Between
    | Is
    | Not
    | And
    | Or
)
_CLASSES = get_args(Expression)


def parts_of(expression: Expression) -> Iterator[Expression]:
    """Yield the expressions of which one is made."""
    for field in dataclasses.fields(expression):
        value = getattr(expression, field.name)
        if isinstance(value, _CLASSES):
            yield value
        elif field.name in {"items", "operands"}:
            yield from value


def columns_of(expression: Expression) -> Iterator[FieldColumn]:
    """Yield the fields that an expression mentions, one as often as it does."""
    if isinstance(expression, FieldColumn):
        yield expression
    for part in parts_of(expression):
        yield from columns_of(part)
