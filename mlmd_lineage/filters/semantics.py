"""Semantic analysis of a filter: resolves its fields, and checks its types.

What MLMD's filters leave to the database is decided here, so that every flavor answers the same:
a state that is not set differs from every state (``state != LIVE``), as MLMD has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from mlmd_lineage import errors
from mlmd_lineage.filters import limits, syntax_tree
from mlmd_lineage.filters.fields import (
    ATTRIBUTES,
    ENUMS,
    FUNCTIONS,
    PROPERTIES,
    RELATIONS,
    VALUES,
)
from mlmd_lineage.filters.grammar import failed, parse
from mlmd_lineage.filters.syntax_tree import FieldColumn, FieldRow, Literal, Name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlmd_lineage.filters.syntax_tree import Expression
    from mlmd_lineage.snapshot.tables import NodeKind

_NUMBERS = {"int", "double"}
_LONGEST_PATTERN = 5_000
"""How many characters the pattern of LIKE may have; SQLite takes no more than 50,000 bytes."""
_TYPES = {"int": "a number", "double": "a number", "text": "a text", "bool": "TRUE or FALSE"}


def analyze(text: str, kind: NodeKind) -> Expression:
    """Return the condition that a filter means for one kind of node.

    Every field in it is a ``Column``, every name of an enum's value its number.

    Raises:
        FilterError: It is no filter, or not one for this kind of node.
    """
    expression = parse(text)
    condition = _Analyzer(text, kind).condition(expression)
    limits.check(text, kind, condition)
    return condition


class _Analyzer:
    """What one filter means."""

    def __init__(self, text: str, kind: NodeKind) -> None:
        self._text = text
        self._kind = kind

    def condition(self, expression: Expression) -> Expression:
        """Return what a condition means."""
        resolved, type_ = self._resolve(expression)
        if type_ != "bool":
            what = f"this is {self._shown(type_)}, where a condition is due, such as id = 1."
            self._fail(expression, what)
        return resolved

    def _fail(self, expression: Expression, what: str) -> NoReturn:
        raise failed(self._text, _start(expression), what)

    def _resolve(self, expression: Expression) -> tuple[Expression, str]:
        """Return what an expression means, and its type."""
        resolved = expression
        if isinstance(expression, Literal):
            type_ = _type_of(expression)
        elif isinstance(expression, Name):
            resolved = column = self._column(expression)
            type_ = column.type
        elif isinstance(expression, syntax_tree.FunctionCall):
            resolved, type_ = self._call(expression)
        elif isinstance(expression, syntax_tree.Negative):
            resolved, type_ = (
                syntax_tree.Negative(self._number(expression.operand), expression.at),
                "double",
            )
        elif isinstance(expression, syntax_tree.Arithmetic):
            left, right = self._number(expression.left), self._number(expression.right)
            resolved, type_ = (
                syntax_tree.Arithmetic(expression.operator, left, right, expression.at),
                "double",
            )
        else:
            resolved, type_ = self._resolve_condition(expression), "bool"
        return resolved, type_

    def _resolve_condition(self, expression: Expression) -> Expression:
        resolved: Expression
        if isinstance(expression, (syntax_tree.And, syntax_tree.Or)):
            resolved = type(expression)(
                tuple(self.condition(part) for part in expression.operands), expression.at
            )
        elif isinstance(expression, syntax_tree.Not):
            resolved = syntax_tree.Not(self.condition(expression.operand), expression.at)
        elif isinstance(expression, syntax_tree.Comparison):
            resolved = self._comparison(expression)
        elif isinstance(expression, syntax_tree.In):
            resolved = self._in(expression)
        elif isinstance(expression, syntax_tree.Between):
            resolved = self._between(expression)
        elif isinstance(expression, syntax_tree.Like):
            resolved = self._like(expression)
        else:
            assert isinstance(expression, syntax_tree.Is)
            resolved = self._is(expression)
        return resolved

    def _is(self, expression: syntax_tree.Is) -> Expression:
        operand, type_ = self._resolve(expression.operand)
        if expression.what is not None and type_ != "bool":
            what = f"{self._shown(type_)} is neither TRUE nor FALSE; compare it with a value."
            self._fail(expression.operand, what)
        return syntax_tree.Is(operand, expression.what, expression.negated, expression.at)

    def _comparison(self, expression: syntax_tree.Comparison) -> Expression:
        for operand, other in (
            (expression.left, expression.right),
            (expression.right, expression.left),
        ):
            enum = self._enum(operand)
            if enum is not None:
                if expression.operator not in {"=", "!="}:
                    what = f"{enum.type} has no order; compare it with = or !=, or write IN."
                    raise failed(self._text, expression.at, what)
                return self._one_of(
                    enum, (other,), negated=expression.operator == "!=", at=expression.at
                )
        (left, right), _ = self._comparable((expression.left, expression.right))
        for operand in (left, right):
            if operand == Literal(None):
                hint = "IS NULL" if expression.operator == "=" else "IS NOT NULL"
                what = f"nothing equals NULL, nor differs from it; write {hint}."
                raise failed(self._text, operand.at, what)
        return syntax_tree.Comparison(expression.operator, left, right, expression.at)

    def _in(self, expression: syntax_tree.In) -> Expression:
        enum = self._enum(expression.operand)
        if enum is not None:
            return self._one_of(
                enum, expression.items, negated=expression.negated, at=expression.at
            )
        (operand, *items), _ = self._comparable((expression.operand, *expression.items))
        return syntax_tree.In(
            operand, tuple(dict.fromkeys(items)), expression.negated, expression.at
        )

    def _between(self, expression: syntax_tree.Between) -> Expression:
        enum = self._enum(expression.operand)
        if enum is not None:
            self._fail(expression.operand, f"{enum.type} has no order; write IN.")
        (operand, low, high), _ = self._comparable(
            (expression.operand, expression.low, expression.high)
        )
        return syntax_tree.Between(operand, low, high, expression.negated, expression.at)

    def _like(self, expression: syntax_tree.Like) -> Expression:
        operand, type_ = self._resolve(expression.operand)
        if type_ != "text":
            self._fail(expression.operand, f"LIKE compares texts; this is {self._shown(type_)}.")
        pattern = expression.pattern
        if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
            self._fail(pattern, "the pattern of LIKE is a text in quotes, such as 'prefix%'.")
        if len(pattern.value) > _LONGEST_PATTERN:
            what = f"the pattern has more than {_LONGEST_PATTERN:,} characters; use = or IN."
            self._fail(pattern, what)
        backslashes = len(pattern.value) - len(pattern.value.rstrip("\\"))
        if backslashes % 2:
            what = r"the pattern ends in a backslash that stands before nothing; write \\\\."
            self._fail(pattern, what)
        return syntax_tree.Like(operand, pattern, expression.negated, expression.at)

    def _call(self, expression: syntax_tree.FunctionCall) -> tuple[Expression, str]:
        function = expression.function.upper()
        if function not in FUNCTIONS:
            near = errors.did_you_mean(function, FUNCTIONS)
            known = ", ".join(FUNCTIONS)
            what = f"there is no function {expression.function}; there are {known}.{near}"
            self._fail(expression, what)
        argument, type_ = self._resolve(expression.argument)
        if type_ != "text":
            what = f"{function} takes a text; this is {self._shown(type_)}."
            self._fail(expression.argument, what)
        return syntax_tree.FunctionCall(function, argument, expression.at), FUNCTIONS[function]

    def _number(self, expression: Expression) -> Expression:
        resolved, type_ = self._resolve(expression)
        if type_ not in _NUMBERS:
            self._fail(expression, f"this is {self._shown(type_)}, where a number is due.")
        return resolved

    def _comparable(self, expression: tuple[Expression, ...]) -> tuple[tuple[Expression, ...], str]:
        """Return what expressions mean that are compared with each other, and their type."""
        found = [self._resolve(part) for part in expression]
        types = [(part, type_) for part, (_, type_) in zip(expression, found, strict=True)]
        first, *others = [item for item in types if item[1] != "null"] or types
        for part, type_ in others:
            if not (type_ == first[1] or {type_, first[1]} <= _NUMBERS):
                shown, other = self._shown(type_), self._shown(first[1])
                self._fail(part, f"this is {shown}, and what it is compared with is {other}.")
        return tuple(resolved for resolved, _ in found), first[1]

    def _enum(self, expression: Expression) -> FieldColumn | None:
        """Return the field that an expression is, if its values are an enum's."""
        if isinstance(expression, Name) and not self._is_value(expression):
            column = self._column(expression)
            return column if column.type in ENUMS else None
        return None

    def _is_value(self, expression: Name) -> bool:
        """Tell whether a name can be nothing but that of an enum's value."""
        (name, *rest) = expression.parts
        return not rest and name.lower() not in ATTRIBUTES[self._kind] and name.isupper()

    def _one_of(
        self, column: FieldColumn, items: Iterable[Expression], *, negated: bool, at: int
    ) -> Expression:
        """Return whether an enum's value is one of some, or none of them."""
        values = tuple(self._value(column.type, item) for item in items)
        inside = syntax_tree.In(column, tuple(dict.fromkeys(values)), negated, at)
        if not negated:
            return inside
        # There is a row, in which no value is set.
        there = syntax_tree.Is(self._identity(column.field_row), None, negated=True, at=at)
        unset = syntax_tree.And((syntax_tree.Is(column, None, at=at), there), at)
        return syntax_tree.Or((inside, unset), at)

    def _identity(self, field_row: FieldRow) -> FieldColumn:
        """Return a column that has a value wherever there is a row."""
        relation = RELATIONS[self._kind].get(field_row.prefix)
        of_event = relation is not None and relation.kind is None
        return FieldColumn(field_row, relation.other if relation and of_event else "id", "int")

    def _value(self, enum: str, expression: Expression) -> Literal:
        names = ENUMS[enum]
        value = expression.value if isinstance(expression, Literal) else None
        name = (
            expression.parts[0]
            if isinstance(expression, Name) and len(expression.parts) == 1
            else value
        )
        if not isinstance(name, str):
            what = f"{enum} is compared with a name: {', '.join(names)}."
            self._fail(expression, what)
        if name not in names:
            near = errors.did_you_mean(name.upper(), names)
            what = f"{name!r} is no {enum}; there are {', '.join(names)}.{near}"
            self._fail(expression, what)
        return Literal(names.index(name), expression.at)

    def _column(self, expression: Name) -> FieldColumn:
        first, *rest = expression.parts
        if first in PROPERTIES:
            return self._property(expression)
        for prefix, relation in RELATIONS[self._kind].items():
            if first.startswith(prefix) and len(first) > len(prefix):
                field_row = FieldRow(prefix, first[len(prefix) :])
                if len(rest) != 1:
                    known = ", ".join(relation.attributes)
                    what = f"{first} is written with one of its fields: {known}."
                    self._fail(expression, what)
                return self._attribute(expression, rest[0], field_row, relation.attributes)
        if rest:
            self._unknown(expression, first)
        return self._attribute(expression, first, FieldRow(), ATTRIBUTES[self._kind])

    def _property(self, expression: Name) -> FieldColumn:
        group, *rest = expression.parts
        if len(rest) != 2 or rest[1] not in VALUES:
            near = errors.did_you_mean(rest[-1], VALUES) if rest else ""
            what = (
                f"a property is written {group}.NAME.{'|'.join(VALUES)}, its name in backquotes "
                f"where it is more than letters, digits and _.{near}"
            )
            self._fail(expression, what)
        return FieldColumn(FieldRow(group, rest[0]), rest[1], VALUES[rest[1]], expression.at)

    def _attribute(
        self, expression: Name, name: str, field_row: FieldRow, attributes: Mapping[str, str]
    ) -> FieldColumn:
        column = name.lower()  # as MLMD has it
        if column not in attributes:
            self._unknown(expression, name, field_row, attributes)
        if column == "type" and attributes[column] == "text":
            of_type = FieldRow(field_row.prefix, field_row.name, is_type=True)
            return FieldColumn(of_type, "name", "text", expression.at)
        return FieldColumn(field_row, column, attributes[column], expression.at)

    def _unknown(
        self,
        expression: Name,
        name: str,
        field_row: FieldRow | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> NoReturn:
        if field_row is not None and field_row.prefix and attributes is not None:
            near = errors.did_you_mean(name.lower(), attributes)
            owner, known = f"{field_row.prefix}{field_row.name}", list(attributes)
        else:
            known = [*ATTRIBUTES[self._kind], *(f"{group}.NAME" for group in PROPERTIES)]
            known += [f"{prefix}NAME" for prefix in RELATIONS[self._kind]]
            near = errors.did_you_mean(name.lower(), {k.removesuffix(".NAME") for k in known})
            owner = f"an {self._kind}" if self._kind[0] in "ae" else f"a {self._kind}"
        what = f"unknown field {name!r}; {owner} has {', '.join(known)}.{near}"
        self._fail(expression, what)

    def _shown(self, type_: str) -> str:
        return _TYPES.get(type_, type_ if type_ != "null" else "NULL")


def _type_of(literal: Literal) -> str:
    if literal.value is None:
        return "null"
    return {bool: "bool", int: "int", float: "double", str: "text"}[type(literal.value)]


def _start(expression: Expression) -> int:
    """Return where an expression begins; its own ``at`` may be that of its operator."""
    return min([expression.at, *(_start(part) for part in syntax_tree.parts_of(expression))])
