r"""How each database writes a condition, so that all of them answer the same.

Texts compare by their letters' numbers, as in SQLite: neither MySQL's collations nor PostgreSQL's
locales count. LIKE takes ASCII's letters for the same in both cases, as MLMD does on SQLite and
MySQL; ``\`` stands before a ``%`` or ``_`` that is meant.

MySQL cannot compare all texts so: its texts may stand twice encoded in it. What it cannot decide is
left out, or asked for too widely, and ``exact`` says that someone must look again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from mlmd_lineage.filters import syntax_tree
from mlmd_lineage.filters.syntax_tree import Column, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mlmd_lineage.filters.syntax_tree import Expression, FieldRow
    from mlmd_lineage.readers.sql import DatabaseSchema

_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_NULLS = {"int": "bigint", "double": "double precision", "text": "text", "bool": "boolean"}


class Database(Protocol):
    """What a statement must know of the database that is to answer it."""

    dialect: str
    placeholder: str
    layout: DatabaseSchema

    def quote(self, name: str) -> str:
        """Return a name as it stands in a statement."""

    def text_placeholder(self, table: str, column: str) -> str:
        """Return what stands for a text that a column is compared with."""

    def spellings(self, text: str) -> list[str]:
        """Return all ways in which a text may stand in the database."""


class Row(NamedTuple):
    """A row that a statement has at hand."""

    alias: str
    table: str


class Writer:
    """Writes conditions and values, and keeps the texts that are bound in their order."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.rows: dict[FieldRow, Row] = {}
        """The rows in which the fields of each place stand."""
        self.parameters: list[str] = []
        self.exact = True
        """Whether what was written is true for no row but those it should be true for."""
        self.is_mysql = database.dialect == "mysql"
        self._postgresql = database.dialect == "postgresql"

    def bound(self, text: str) -> str:
        """Bind a text, and return what stands for it."""
        self.parameters.append(text)
        placeholder = self._database.placeholder
        return f"CAST({placeholder} AS text)" if self._postgresql else placeholder

    def equals(self, row: Row, column: str, texts: Sequence[str]) -> str:
        """Return the condition that a column holds one of some texts, letter by letter."""
        name = f"{row.alias}.{self._database.quote(column)}"
        if not self.is_mysql:
            return f"{name} IN ({', '.join(map(self.bound, texts))})"
        spelled = [way for text in texts for way in self._database.spellings(text)]
        placeholder = self._database.text_placeholder(row.table, column)
        # The first finds them by an index, and by the column's collation; the second checks.
        self.parameters += spelled * 2
        near = ", ".join([placeholder] * len(spelled))
        same = ", ".join([f"CAST({self._database.placeholder} AS BINARY)"] * len(spelled))
        return f"({name} IN ({near}) AND CAST(CONVERT({name} USING utf8mb4) AS BINARY) IN ({same}))"

    def condition(self, said: Expression) -> str | None:
        """Return a condition; None where nothing is known that must hold."""
        if isinstance(said, (syntax_tree.And, syntax_tree.Or)):
            is_and = isinstance(said, syntax_tree.And)
            if self.is_mysql and not is_and and not all(map(self._is_possible, said.operands)):
                self.exact = False
                return None
            parts = [self.condition(part) for part in said.operands]
            word = " AND " if is_and else " OR "
            return _balanced([part for part in parts if part is not None], word)
        if not self.is_mysql or _is_exact(said):
            return self._truth(said)
        self.exact = False
        return self._wider(said) if self._is_possible(said) else None

    def _is_possible(self, said: Expression) -> bool:
        """Tell whether something can be written that is true wherever a condition is."""
        if isinstance(said, syntax_tree.Or):
            return all(map(self._is_possible, said.operands))
        if isinstance(said, syntax_tree.And):
            return any(map(self._is_possible, said.operands))
        if isinstance(said, syntax_tree.Like) and isinstance(said.operand, Column):
            return not said.negated
        return _is_exact(said)

    def _wider(self, said: Expression) -> str:
        """Return a condition on texts of MySQL that is true wherever another one is."""
        assert isinstance(said, syntax_tree.Like)
        assert isinstance(said.operand, Column)
        row = self.rows[said.operand.place]
        placeholder = self._database.text_placeholder(row.table, said.operand.column)
        # A letter that is not of ASCII may stand as several.
        letters = _pattern(said, lambda letter: letter if letter.isascii() else "%", one="%")
        self.parameters.append(letters.translate(_LOWER))
        return f"LOWER({self._value(said.operand)}) LIKE {placeholder} ESCAPE '!'"

    def _truth(self, said: Expression) -> str:
        """Return a condition, just as it is said."""
        negation = "NOT " if getattr(said, "negated", False) else ""
        if isinstance(said, (syntax_tree.And, syntax_tree.Or)):
            word = " AND " if isinstance(said, syntax_tree.And) else " OR "
            written = _balanced([self._truth(part) for part in said.operands], word) or ""
        elif isinstance(said, syntax_tree.Not):
            written = f"(NOT {self._truth(said.operand)})"
        elif isinstance(said, syntax_tree.Is):
            what = {None: "NULL", True: "TRUE", False: "FALSE"}[said.what]
            written = f"({self._value(said.operand)} IS {negation}{what})"
        elif isinstance(said, syntax_tree.Comparison):
            written = self._comparison(said)
        elif isinstance(said, syntax_tree.In):
            written = f"({negation}{self._in(said)})"
        elif isinstance(said, syntax_tree.Between):
            operand, low = self._value_ordered(said.operand), self._value(said.low)
            written = f"({operand} {negation}BETWEEN {low} AND {self._value(said.high)})"
        elif isinstance(said, syntax_tree.Like):
            written = f"({negation}{self._like(said)})"
        else:
            written = self._value(said)
        return written

    def _comparison(self, said: syntax_tree.Comparison) -> str:
        texts = _compared_texts(said)
        if texts and self.is_mysql:
            same = self.equals(self.rows[texts[0].place], texts[0].column, texts[1])
            return same if said.operator == "=" else f"(NOT {same})"
        has_order = said.operator not in {"=", "!="}
        left = self._value(said.left) if not has_order else self._value_ordered(said.left)
        operator = "<>" if said.operator == "!=" else said.operator
        return f"({left} {operator} {self._value(said.right)})"

    def _in(self, said: syntax_tree.In) -> str:
        texts = _column_and_texts(said.operand, said.items)
        if texts and self.is_mysql:
            same = self.equals(self.rows[texts[0].place], texts[0].column, texts[1])
            return f"({same} OR NULL)" if Literal(None) in said.items else same
        return f"{self._value(said.operand)} IN ({', '.join(map(self._value, said.items))})"

    def _like(self, said: syntax_tree.Like) -> str:
        operand = self._value(said.operand)
        pattern = _pattern(said, str, one="_")
        if self._postgresql:
            operand, pattern = f'LOWER({operand} COLLATE "C")', pattern.translate(_LOWER)
        return f"{operand} LIKE {self.bound(pattern)} ESCAPE '!'"

    def _value_ordered(self, said: Expression) -> str:
        """Return a value that is compared by its order."""
        value = self._value(said)
        return f'{value} COLLATE "C"' if self._postgresql and _is_text(said) else value

    def _value(self, said: Expression) -> str:
        if isinstance(said, Literal):
            return self._literal(said)
        if isinstance(said, Column):
            return self._column(said)
        if isinstance(said, syntax_tree.FunctionCall):
            argument = self._value(said.argument)
            letters = ' COLLATE "C"' if self._postgresql and said.function != "LENGTH" else ""
            return f"{said.function}({argument}{letters})"
        if isinstance(said, syntax_tree.Negative):
            return f"(- {self._double(said.operand)})"
        if isinstance(said, syntax_tree.Arithmetic):
            left, right = self._double(said.left), self._double(said.right)
            right = f"NULLIF({right}, 0)" if said.operator == "/" else right
            return f"({left} {said.operator} {right})"
        return self._truth(said)

    def _double(self, said: Expression) -> str:
        """Return a number with which arithmetic is in floating point, on every database."""
        value = self._value(said)
        if self.is_mysql:
            return f"({value} + 0e0)"
        return f"CAST({value} AS {'double precision' if self._postgresql else 'REAL'})"

    def _literal(self, said: Literal) -> str:
        value = said.value
        if isinstance(value, str):
            return self.bound(value)
        if isinstance(value, bool):
            return str(value).upper() if self._postgresql else str(int(value))
        if value is None:
            return "NULL"
        if isinstance(value, float) and self._postgresql:
            return f"CAST({value!r} AS double precision)"
        return f"{value!r}"

    def _column(self, said: Column) -> str:
        row = self.rows[said.place]
        if said.column in self._database.layout.columns.get(row.table, ()):
            return f"{row.alias}.{self._database.quote(said.column)}"
        kind = _NULLS.get(said.type, "bigint")
        return f"CAST(NULL AS {kind})" if self._postgresql else "NULL"


def _balanced(parts: list[str], word: str) -> str | None:
    """Return conditions that are joined pair by pair: databases limit how deep they nest."""
    while len(parts) > 1:
        pairs = [parts[i : i + 2] for i in range(0, len(parts), 2)]
        parts = [f"({word.join(pair)})" if len(pair) > 1 else pair[0] for pair in pairs]
    return parts[0] if parts else None


def _pattern(said: syntax_tree.Like, letter: Callable[[str], str], *, one: str) -> str:
    """Return the pattern of a LIKE with ``!`` before each sign that is meant as it is."""
    assert isinstance(said.pattern, Literal)
    written = []
    signs = iter(str(said.pattern.value))
    for sign in signs:
        if sign == "%":
            written.append("%")
        elif sign == "_":
            written.append(one)
        else:
            meant = next(signs) if sign == "\\" else sign
            written.append(f"!{meant}" if meant in "%_!" else letter(meant))
    return "".join(written)


def _is_text(said: Expression) -> bool:
    if isinstance(said, Literal):
        return isinstance(said.value, str)
    if isinstance(said, Column):
        return said.type == "text"
    return isinstance(said, syntax_tree.FunctionCall) and said.function != "LENGTH"


def _column_and_texts(
    operand: Expression, others: Iterable[Expression]
) -> tuple[Column, list[str]] | None:
    """Return a column of texts and the texts that it is compared with, if nothing else is."""
    literals = [other.value if isinstance(other, Literal) else 0 for other in others]
    texts = [value for value in literals if isinstance(value, str)]
    plain = all(value is None or isinstance(value, str) for value in literals)
    if isinstance(operand, Column) and plain and texts:
        return operand, texts
    return None


def _compared_texts(said: syntax_tree.Comparison) -> tuple[Column, list[str]] | None:
    """Return a column of texts and the text that it is compared with, in either order."""
    found = _column_and_texts(said.left, (said.right,))
    return found or _column_and_texts(said.right, (said.left,))


def _is_exact(said: Expression) -> bool:
    """Tell whether MySQL can decide a condition."""
    if isinstance(said, (syntax_tree.Like, syntax_tree.FunctionCall)):
        return False
    if isinstance(said, syntax_tree.Comparison) and (_is_text(said.left) or _is_text(said.right)):
        return _compared_texts(said) is not None and said.operator in {"=", "!="}
    if isinstance(said, syntax_tree.In) and _is_text(said.operand):
        return _column_and_texts(said.operand, said.items) is not None
    if isinstance(said, syntax_tree.Between) and _is_text(said.operand):
        return False
    return all(map(_is_exact, syntax_tree.parts_of(said)))
