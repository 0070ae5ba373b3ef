"""Filters written from trees, made at random, and answered by looking at every row."""

from __future__ import annotations

import functools
import itertools
import operator
import re
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from mlmd_lineage.filters import syntax_tree
from mlmd_lineage.filters.syntax_tree import Literal, Name
from mlmd_lineage.snapshot.enums import ArtifactState, EventType, ExecutionState, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlmd_lineage.filters.syntax_tree import Expression

Rows = dict[str, list[dict[str, Any]]]


def written(said: Any) -> str:  # noqa: C901, PLR0911 - one case each
    """Write a tree as a filter."""
    n = "NOT " if getattr(said, "negated", False) else ""
    match said:
        case Literal(value):
            return _literal(value)
        case Name(parts):
            return ".".join(p if re.fullmatch(r"[A-Za-z_]\w*", p) else _quoted(p) for p in parts)
        case syntax_tree.FunctionCall(function, argument):
            return f"{function}({written(argument)})"
        case syntax_tree.Negative(operand):
            return f"-({written(operand)})"
        case syntax_tree.Arithmetic(sign, left, right) | syntax_tree.Comparison(sign, left, right):
            return f"({written(left)}) {sign} ({written(right)})"
        case syntax_tree.In(operand, items):
            return f"({written(operand)}) {n}IN ({', '.join(map(written, items))})"
        case syntax_tree.Like(operand, pattern):
            return f"({written(operand)}) {n}LIKE {written(pattern)}"
        case syntax_tree.Between(operand, low, high):
            return f"({written(operand)}) {n}BETWEEN ({written(low)}) AND ({written(high)})"
        case syntax_tree.Is(operand, what):
            return f"({written(operand)}) IS {n}{'NULL' if what is None else str(what).upper()}"
        case syntax_tree.Not(operand):
            return f"NOT ({written(operand)})"
        case syntax_tree.And(operands):
            return " AND ".join(f"({written(part)})" for part in operands)
        case syntax_tree.Or(operands):
            return " OR ".join(f"({written(part)})" for part in operands)
    raise AssertionError(said)


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.encode("unicode_escape").decode().replace("'", r"\'") + "'"
    return (
        "NULL" if value is None else str(value).upper() if isinstance(value, bool) else repr(value)
    )


def _quoted(name: str) -> str:
    return "`" + name.encode("unicode_escape").decode().replace("`", r"\`") + "`"


_TEXTS = [
    "A1",
    "a1",
    "",
    "u",
    "Zürich",
    "run1",
    "one",
    "s3://b/a1",
    "it's",
    'say "hi"',
    "text",
    "name",
]
_NUMBERS = [0, 1, 2, 3, -5, 10, 12, 1.5, 0.5, -0.25, 1_700_000_000_003]
_PATTERNS = ["%", "A%", "_1", "%u%", "z_rich", "s3://b/a\\_1", "100\\%", "%\\%"]
_NAMES = ["i", "d", "s", "b", "x", "my x", "a.b", "ü", "p", "q", "c", "n", "z", "none"]
_VALUES = {
    "number": ["int_value", "double_value"],
    "text": ["string_value"],
    "bool": ["bool_value"],
}
_NODE = {
    "number": ["id", "type_id", "create_time_since_epoch", "last_update_time_since_epoch"],
    "text": ["type", "name", "external_id"],
}
_AROUND = {
    "artifact": {"contexts_": "context", "events_": "event"},
    "execution": {"contexts_": "context", "events_": "event"},
    "context": {
        "parent_contexts_": "context",
        "child_contexts_": "context",
        "artifacts_": "artifact",
        "executions_": "execution",
    },
}
_STATES = {
    "artifact": ("state", names_of(ArtifactState)),
    "execution": ("last_known_state", names_of(ExecutionState)),
    "event": ("type", names_of(EventType)),
}


def _fields(kind: str, sort: str) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [(name,) for name in _NODE.get(sort, [])]
    found += [("uri",)] if sort == "text" and kind == "artifact" else []
    for group in ("properties", "custom_properties"):
        found += [(group, name, value) for name in _NAMES for value in _VALUES[sort]]
    for prefix, other in _AROUND[kind].items():
        for alias in "ab":
            if other == "event":
                ids = "execution_id" if kind == "artifact" else "artifact_id"
                names = {"number": ["milliseconds_since_epoch", ids]}.get(sort, [])
            else:
                names = [
                    *_NODE.get(sort, []),
                    *(["uri"] if (sort, other) == ("text", "artifact") else []),
                ]
            found += [(prefix + alias, name) for name in names] * 3
    return found


@functools.cache
def filters(kind: str) -> st.SearchStrategy[Expression]:  # noqa: C901 - one part after the other
    """Make filters of all kinds."""

    def values(sort: str) -> st.SearchStrategy[Any]:
        literals = {"number": _NUMBERS, "text": _TEXTS, "bool": [True, False]}[sort]
        return st.sampled_from(_fields(kind, sort)).map(Name) | st.sampled_from(literals).map(
            Literal
        )

    sorts = st.sampled_from(["number", "text", "text", "number", "bool"])
    flag = st.booleans()
    signs = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])

    def leaf(sort: str) -> st.SearchStrategy[Any]:
        value = values(sort)
        if sort == "number":
            sums = st.builds(syntax_tree.Arithmetic, st.sampled_from("+-*/"), value, value)
            value = (
                value
                | sums
                | st.builds(syntax_tree.Negative, value.filter(lambda v: isinstance(v, Name)))
            )
        if sort == "text":
            value = value | st.builds(
                syntax_tree.FunctionCall, st.sampled_from(["LOWER", "UPPER"]), value
            )
        items = st.lists(value, min_size=1, max_size=3, unique=True).map(tuple)
        found = [
            st.builds(syntax_tree.Comparison, signs, value, value),
            st.builds(syntax_tree.In, value, items, flag),
            st.builds(syntax_tree.Between, value, value, value, flag),
            st.builds(syntax_tree.Is, value, st.none(), flag),
        ]
        if sort == "text":
            found.append(
                st.builds(syntax_tree.Like, value, st.sampled_from(_PATTERNS).map(Literal), flag)
            )
        if sort == "bool":
            found += [value, st.builds(syntax_tree.Is, value, st.booleans(), flag)]
        return st.one_of(found)

    leaves = sorts.flatmap(leaf)
    enums = [((_STATES[kind][0],), _STATES[kind][1])] if kind in _STATES else []
    for prefix, other in _AROUND[kind].items():
        if other in _STATES:
            field, names = _STATES[other]
            enums += [((f"{prefix}{alias}", field), names) for alias in "ab"]

    def state(choice: tuple[tuple[str, ...], tuple[str, ...]]) -> st.SearchStrategy[Any]:
        field, names = choice
        known = st.sampled_from(names).map(lambda name: Name((name,)))
        several = st.lists(known, min_size=1, max_size=3, unique=True).map(tuple)
        return st.builds(syntax_tree.In, st.just(Name(field)), several, flag) | st.builds(
            syntax_tree.Comparison, st.sampled_from(["=", "!="]), st.just(Name(field)), known
        )

    leaves = leaves | st.sampled_from(enums).flatmap(state)

    def more(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        several = st.lists(parts, min_size=2, max_size=3).map(tuple)
        return (
            st.builds(syntax_tree.And, several)
            | st.builds(syntax_tree.Or, several)
            | st.builds(syntax_tree.Not, parts)
            | st.builds(syntax_tree.Is, parts, st.booleans(), flag)
        )

    return st.recursive(leaves, more, max_leaves=5)


_COMPARE = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
_LETTERS = {n: n + 32 for n in range(65, 91)}
_CAPITALS = {n + 32: n for n in range(65, 91)}


class Looked:
    """Answers filters by trying every combination of neighbours of every node."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._types = {row["id"]: row["name"] for row in rows["Type"]}
        self._properties = {
            (kind, row[f"{kind}_id"], row["name"], row["is_custom_property"]): row
            for kind in _AROUND
            for row in rows[f"{kind.title()}Property"]
        }

    def find(self, kind: str, said: Expression) -> list[int]:
        """Return the ids of the nodes for which a filter is true."""
        names = sorted({part.parts[0] for part in _names(said) if "_" in part.parts[0]})
        names = [n for n in names if any(n.startswith(p) for p in _AROUND[kind])]
        found = []
        for node in self._rows[kind.title()]:
            choices = [self._neighbours(kind, node["id"], name) or [None] for name in names]
            if any(
                self._truth(said, kind, node, dict(zip(names, choice, strict=True))) is True
                for choice in itertools.product(*choices)
            ):
                found.append(node["id"])
        return found

    def _neighbours(self, kind: str, number: int, name: str) -> list[Any]:
        prefix = next(p for p in _AROUND[kind] if name.startswith(p))
        other = _AROUND[kind][prefix]
        if other == "event":
            return [row for row in self._rows["Event"] if row[f"{kind}_id"] == number]
        if "contexts_" in prefix and kind == "context":
            here, there = "context_id", "parent_context_id"
            if prefix == "child_contexts_":
                here, there = there, here
            pairs = self._rows["ParentContext"]
        else:
            here, there = f"{kind}_id", f"{other}_id"
            table = "Attribution" if "artifact" in {kind, other} else "Association"
            pairs = self._rows[table]
        ids = {row[there] for row in pairs if row[here] == number}
        return [row for row in self._rows[other.title()] if row["id"] in ids]

    def _value(self, name: Name, kind: str, node: dict[str, Any], around: Mapping[str, Any]) -> Any:
        first, *rest = name.parts
        if first in {"properties", "custom_properties"}:
            key = (kind, node["id"], rest[0], first == "custom_properties")
            return self._properties.get(key, {}).get(rest[1])
        row: dict[str, Any] | None = around.get(first, node)
        field = rest[0] if rest else first
        if row is None:
            return None
        if field == "type" and "type_id" in row:
            return self._types[row["type_id"]]
        return row.get(field)

    def _truth(self, said: Any, *where: Any) -> Any:  # noqa: C901, PLR0911, PLR0912 - one case each
        match said:
            case Literal(value):
                return value
            case Name():
                return self._value(said, *where)
            case syntax_tree.Not(operand):
                return _opposite(self._truth(operand, *where))
            case syntax_tree.And(operands) | syntax_tree.Or(operands):
                strong = isinstance(said, syntax_tree.Or)
                truths = [self._truth(part, *where) for part in operands]
                if strong in truths:
                    return strong
                return None if None in truths else not strong
            case syntax_tree.Is(operand, what, negated):
                return (self._truth(operand, *where) is what) != negated
            case syntax_tree.Comparison(sign, Name(parts), Name((word,))) if word.isupper():
                return self._state(parts, [word], *where, negated=sign == "!=")
            case syntax_tree.In(Name(parts), items, negated) if isinstance(items[0], Name) and (
                items[0].parts[0].isupper()
            ):
                return self._state(parts, [i.parts[0] for i in items], *where, negated=negated)
            case syntax_tree.Comparison(sign, left, right):
                return _on(_COMPARE[sign], self._truth(left, *where), self._truth(right, *where))
            case syntax_tree.In(operand, items, negated):
                value = self._truth(operand, *where)
                truths = [_on(operator.eq, value, self._truth(i, *where)) for i in items]
                found = True if True in truths else None if None in truths else False
                return _opposite(found) if negated else found
            case syntax_tree.Between(operand, low, high, negated):
                value = self._truth(operand, *where)
                truths = [
                    _on(operator.ge, value, self._truth(low, *where)),
                    _on(operator.le, value, self._truth(high, *where)),
                ]
                found = False if False in truths else None if None in truths else True
                return _opposite(found) if negated else found
            case syntax_tree.Like(operand, Literal(pattern), negated):
                found = _on(_like, self._truth(operand, *where), pattern)
                return _opposite(found) if negated else found
            case syntax_tree.FunctionCall(function, argument):
                text = self._truth(argument, *where)
                letters = _LETTERS if function == "LOWER" else _CAPITALS
                return None if text is None else text.translate(letters)
            case syntax_tree.Negative(operand):
                return _on(operator.sub, 0, self._truth(operand, *where))
            case syntax_tree.Arithmetic(sign, left, right):
                one, other = self._truth(left, *where), self._truth(right, *where)
                if sign == "/":
                    return _on(operator.truediv, one, other or None)
                signs = {"+": operator.add, "-": operator.sub, "*": operator.mul}
                return _on(signs[sign], *(v if v is None else float(v) for v in (one, other)))
        raise AssertionError(said)

    def _state(self, parts: tuple[str, ...], words: list[str], *where: Any, negated: bool) -> Any:
        kind, _, around = where
        other = kind
        if len(parts) > 1:
            other = next(o for p, o in _AROUND[kind].items() if parts[0].startswith(p))
        value = self._value(Name(parts), *where)
        numbers = [_STATES[other][1].index(word) for word in words]
        if value is None:
            there = len(parts) == 1 or around[parts[0]] is not None
            return True if negated and there else None
        return (value in numbers) != negated


def _names(said: Any) -> Iterator[Name]:
    if isinstance(said, Name):
        yield said
    for part in syntax_tree.parts_of(said):
        yield from _names(part)


def _opposite(truth: Any) -> Any:
    return None if truth is None else not truth


def _on(function: Any, one: Any, other: Any) -> Any:
    return None if one is None or other is None else function(one, other)


def _like(text: str, pattern: str) -> bool:
    signs = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    letters = "".join(signs.get(p) or re.escape(p[-1]) for p in parts)
    return re.fullmatch(letters, text, re.DOTALL | re.IGNORECASE | re.ASCII) is not None
