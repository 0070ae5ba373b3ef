"""From what a filter says to what it means: fields are found, and types checked.

What MLMD's filters leave to the database is settled here, so that every flavor answers the same:
a state that is not set differs from every state (``state != LIVE``), as MLMD has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from mlmd_lineage import errors
from mlmd_lineage.filters import syntax_tree
from mlmd_lineage.filters.fields import (
    ATTRIBUTES,
    ENUMS,
    FUNCTIONS,
    PROPERTIES,
    RELATIONS,
    VALUES,
)
from mlmd_lineage.filters.grammar import failed, parse
from mlmd_lineage.filters.syntax_tree import Column, FieldRow, Literal, Name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlmd_lineage.filters.syntax_tree import Expression
    from mlmd_lineage.snapshot.tables import NodeKind

_NUMBERS = {"int", "double"}
_LONGEST_PATTERN = 5_000
"""How many characters the pattern of LIKE may have; SQLite takes no more than 50,000 bytes."""
_TYPES = {"int": "a number", "double": "a number", "text": "a text", "bool": "TRUE or FALSE"}


def understand(text: str, kind: NodeKind) -> Expression:
    """Return the condition that a filter means for one kind of node.

    Every field in it is a ``Column``, every name of an enum's value its number.

    Raises:
        FilterError: It is no filter, or not one for this kind of node.
    """
    said = parse(text)
    return _Meaning(text, kind).condition(said)


class _Meaning:
    """What one filter means."""

    def __init__(self, text: str, kind: NodeKind) -> None:
        self._text = text
        self._kind = kind

    def condition(self, said: Expression) -> Expression:
        """Return what a condition means."""
        meant, type_ = self._meant(said)
        if type_ != "bool":
            what = f"this is {self._shown(type_)}, where a condition is due, such as id = 1."
            self._fail(said, what)
        return meant

    def _fail(self, said: Expression, what: str) -> NoReturn:
        raise failed(self._text, _start(said), what)

    def _meant(self, said: Expression) -> tuple[Expression, str]:
        """Return what an expression means, and its type."""
        meant = said
        if isinstance(said, Literal):
            type_ = _type_of(said)
        elif isinstance(said, Name):
            meant = column = self._column(said)
            type_ = column.type
        elif isinstance(said, syntax_tree.FunctionCall):
            meant, type_ = self._call(said)
        elif isinstance(said, syntax_tree.Negative):
            meant, type_ = syntax_tree.Negative(self._number(said.operand), said.at), "double"
        elif isinstance(said, syntax_tree.Arithmetic):
            left, right = self._number(said.left), self._number(said.right)
            meant, type_ = syntax_tree.Arithmetic(said.operator, left, right, said.at), "double"
        else:
            meant, type_ = self._meant_condition(said), "bool"
        return meant, type_

    def _meant_condition(self, said: Expression) -> Expression:
        meant: Expression
        if isinstance(said, (syntax_tree.And, syntax_tree.Or)):
            meant = type(said)(tuple(self.condition(part) for part in said.operands), said.at)
        elif isinstance(said, syntax_tree.Not):
            meant = syntax_tree.Not(self.condition(said.operand), said.at)
        elif isinstance(said, syntax_tree.Comparison):
            meant = self._comparison(said)
        elif isinstance(said, syntax_tree.In):
            meant = self._in(said)
        elif isinstance(said, syntax_tree.Between):
            meant = self._between(said)
        elif isinstance(said, syntax_tree.Like):
            meant = self._like(said)
        else:
            assert isinstance(said, syntax_tree.Is)
            meant = self._is(said)
        return meant

    def _is(self, said: syntax_tree.Is) -> Expression:
        operand, type_ = self._meant(said.operand)
        if said.what is not None and type_ != "bool":
            what = f"{self._shown(type_)} is neither TRUE nor FALSE; compare it with a value."
            self._fail(said.operand, what)
        return syntax_tree.Is(operand, said.what, said.negated, said.at)

    def _comparison(self, said: syntax_tree.Comparison) -> Expression:
        for operand, other in ((said.left, said.right), (said.right, said.left)):
            enum = self._enum(operand)
            if enum is not None:
                if said.operator not in {"=", "!="}:
                    what = f"{enum.type} has no order; compare it with = or !=, or write IN."
                    raise failed(self._text, said.at, what)
                return self._one_of(enum, (other,), negated=said.operator == "!=", at=said.at)
        (left, right), _ = self._alike((said.left, said.right))
        for operand in (left, right):
            if operand == Literal(None):
                hint = "IS NULL" if said.operator == "=" else "IS NOT NULL"
                what = f"nothing equals NULL, nor differs from it; write {hint}."
                raise failed(self._text, operand.at, what)
        return syntax_tree.Comparison(said.operator, left, right, said.at)

    def _in(self, said: syntax_tree.In) -> Expression:
        enum = self._enum(said.operand)
        if enum is not None:
            return self._one_of(enum, said.items, negated=said.negated, at=said.at)
        (operand, *items), _ = self._alike((said.operand, *said.items))
        return syntax_tree.In(operand, tuple(dict.fromkeys(items)), said.negated, said.at)

    def _between(self, said: syntax_tree.Between) -> Expression:
        enum = self._enum(said.operand)
        if enum is not None:
            self._fail(said.operand, f"{enum.type} has no order; write IN.")
        (operand, low, high), _ = self._alike((said.operand, said.low, said.high))
        return syntax_tree.Between(operand, low, high, said.negated, said.at)

    def _like(self, said: syntax_tree.Like) -> Expression:
        operand, type_ = self._meant(said.operand)
        if type_ != "text":
            self._fail(said.operand, f"LIKE compares texts; this is {self._shown(type_)}.")
        pattern = said.pattern
        if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
            self._fail(pattern, "the pattern of LIKE is a text in quotes, such as 'prefix%'.")
        if len(pattern.value) > _LONGEST_PATTERN:
            what = f"the pattern has more than {_LONGEST_PATTERN:,} characters; use = or IN."
            self._fail(pattern, what)
        backslashes = len(pattern.value) - len(pattern.value.rstrip("\\"))
        if backslashes % 2:
            what = r"the pattern ends in a backslash that stands before nothing; write \\\\."
            self._fail(pattern, what)
        return syntax_tree.Like(operand, pattern, said.negated, said.at)

    def _call(self, said: syntax_tree.FunctionCall) -> tuple[Expression, str]:
        function = said.function.upper()
        if function not in FUNCTIONS:
            near = errors.did_you_mean(function, FUNCTIONS)
            what = f"there is no function {said.function}; there are {', '.join(FUNCTIONS)}.{near}"
            self._fail(said, what)
        argument, type_ = self._meant(said.argument)
        if type_ != "text":
            what = f"{function} takes a text; this is {self._shown(type_)}."
            self._fail(said.argument, what)
        return syntax_tree.FunctionCall(function, argument, said.at), FUNCTIONS[function]

    def _number(self, said: Expression) -> Expression:
        meant, type_ = self._meant(said)
        if type_ not in _NUMBERS:
            self._fail(said, f"this is {self._shown(type_)}, where a number is due.")
        return meant

    def _alike(self, said: tuple[Expression, ...]) -> tuple[tuple[Expression, ...], str]:
        """Return what expressions mean that are compared with each other, and their type."""
        found = [self._meant(part) for part in said]
        types = [(part, type_) for part, (_, type_) in zip(said, found, strict=True)]
        first, *others = [item for item in types if item[1] != "null"] or types
        for part, type_ in others:
            if not (type_ == first[1] or {type_, first[1]} <= _NUMBERS):
                shown, other = self._shown(type_), self._shown(first[1])
                self._fail(part, f"this is {shown}, and what it is compared with is {other}.")
        return tuple(meant for meant, _ in found), first[1]

    def _enum(self, said: Expression) -> Column | None:
        """Return the field that an expression is, if its values are an enum's."""
        if isinstance(said, Name) and not self._is_value(said):
            column = self._column(said)
            return column if column.type in ENUMS else None
        return None

    def _is_value(self, said: Name) -> bool:
        """Tell whether a name can be nothing but that of an enum's value."""
        (name, *rest) = said.parts
        return not rest and name.lower() not in ATTRIBUTES[self._kind] and name.isupper()

    def _one_of(
        self, column: Column, items: Iterable[Expression], *, negated: bool, at: int
    ) -> Expression:
        """Return whether an enum's value is one of some, or none of them."""
        values = tuple(self._value(column.type, item) for item in items)
        inside = syntax_tree.In(column, tuple(dict.fromkeys(values)), negated, at)
        if not negated:
            return inside
        # There is a row, in which no value is set.
        there = syntax_tree.Is(self._identity(column.place), None, negated=True, at=at)
        unset = syntax_tree.And((syntax_tree.Is(column, None, at=at), there), at)
        return syntax_tree.Or((inside, unset), at)

    def _identity(self, place: FieldRow) -> Column:
        """Return a column that has a value wherever there is a row."""
        relation = RELATIONS[self._kind].get(place.prefix)
        of_event = relation is not None and relation.kind is None
        return Column(place, relation.other if relation and of_event else "id", "int")

    def _value(self, enum: str, said: Expression) -> Literal:
        names = ENUMS[enum]
        value = said.value if isinstance(said, Literal) else None
        name = said.parts[0] if isinstance(said, Name) and len(said.parts) == 1 else value
        if not isinstance(name, str):
            what = f"{enum} is compared with a name: {', '.join(names)}."
            self._fail(said, what)
        if name not in names:
            near = errors.did_you_mean(name.upper(), names)
            what = f"{name!r} is no {enum}; there are {', '.join(names)}.{near}"
            self._fail(said, what)
        return Literal(names.index(name), said.at)

    def _column(self, said: Name) -> Column:
        first, *rest = said.parts
        if first in PROPERTIES:
            return self._property(said)
        for prefix, relation in RELATIONS[self._kind].items():
            if first.startswith(prefix) and len(first) > len(prefix):
                place = FieldRow(prefix, first[len(prefix) :])
                if len(rest) != 1:
                    known = ", ".join(relation.attributes)
                    what = f"{first} is written with one of its fields: {known}."
                    self._fail(said, what)
                return self._attribute(said, rest[0], place, relation.attributes)
        if rest:
            self._unknown(said, first)
        return self._attribute(said, first, FieldRow(), ATTRIBUTES[self._kind])

    def _property(self, said: Name) -> Column:
        group, *rest = said.parts
        if len(rest) != 2 or rest[1] not in VALUES:
            near = errors.did_you_mean(rest[-1], VALUES) if rest else ""
            what = (
                f"a property is written {group}.NAME.{'|'.join(VALUES)}, its name in backquotes "
                f"where it is more than letters, digits and _.{near}"
            )
            self._fail(said, what)
        return Column(FieldRow(group, rest[0]), rest[1], VALUES[rest[1]], said.at)

    def _attribute(
        self, said: Name, name: str, place: FieldRow, attributes: Mapping[str, str]
    ) -> Column:
        column = name.lower()  # as MLMD has it
        if column not in attributes:
            self._unknown(said, name, place, attributes)
        if column == "type" and attributes[column] == "text":
            of_type = FieldRow(place.prefix, place.name, is_type=True)
            return Column(of_type, "name", "text", said.at)
        return Column(place, column, attributes[column], said.at)

    def _unknown(
        self,
        said: Name,
        name: str,
        place: FieldRow | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> NoReturn:
        if place is not None and place.prefix and attributes is not None:
            near = errors.did_you_mean(name.lower(), attributes)
            owner, known = f"{place.prefix}{place.name}", list(attributes)
        else:
            known = [*ATTRIBUTES[self._kind], *(f"{group}.NAME" for group in PROPERTIES)]
            known += [f"{prefix}NAME" for prefix in RELATIONS[self._kind]]
            near = errors.did_you_mean(name.lower(), {k.removesuffix(".NAME") for k in known})
            owner = f"an {self._kind}" if self._kind[0] in "ae" else f"a {self._kind}"
        what = f"unknown field {name!r}; {owner} has {', '.join(known)}.{near}"
        self._fail(said, what)

    def _shown(self, type_: str) -> str:
        return _TYPES.get(type_, type_ if type_ != "null" else "NULL")


def _type_of(literal: Literal) -> str:
    if literal.value is None:
        return "null"
    return {bool: "bool", int: "int", float: "double", str: "text"}[type(literal.value)]


def _start(said: Expression) -> int:
    """Return where an expression begins, whose own place may be that of its operator."""
    return min([said.at, *(_start(part) for part in syntax_tree.parts_of(said))])
