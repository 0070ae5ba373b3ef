r"""Writes conditions in the SQL of each database, so that all of them answer the same.

Texts are compared by the code points of their characters, as in SQLite, whatever the collation of
MySQL or the locale of PostgreSQL. LIKE ignores the case of ASCII letters, as MLMD does on SQLite
and MySQL; a literal ``%`` or ``_`` is written with ``\`` before it.

MySQL cannot compare all texts like this, because its texts may be encoded twice. A condition that
it cannot decide is left out, or replaced by one that is true for more rows; ``exact`` is then False
and the caller has to check the rows that are found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlmd_lineage.filters import syntax_tree
from mlmd_lineage.filters.syntax_tree import FieldColumn, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mlmd_lineage.filters.syntax_tree import Expression, FieldRow
    from mlmd_lineage.readers.base import SQLQueryable

_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_NULLS = {"int": "bigint", "double": "double precision", "text": "text", "bool": "boolean"}


class Row(NamedTuple):
    """A row that a statement has at hand."""

    alias: str
    table: str


class ExpressionWriter:
    """Writes conditions and values, and keeps the texts that are bound in their order."""

    def __init__(self, database: SQLQueryable) -> None:
        self._database = database
        self.rows: dict[FieldRow, Row] = {}
        """The row of the statement in which each field stands."""
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

    def condition(self, expression: Expression) -> str | None:
        """Return a condition; None where nothing is known that must hold."""
        if isinstance(expression, (syntax_tree.And, syntax_tree.Or)):
            is_and = isinstance(expression, syntax_tree.And)
            if (
                self.is_mysql
                and not is_and
                and not all(map(self._is_possible, expression.operands))
            ):
                self.exact = False
                return None
            parts = [self.condition(part) for part in expression.operands]
            word = " AND " if is_and else " OR "
            return _balanced([part for part in parts if part is not None], word)
        if not self.is_mysql or _is_exact(expression):
            return self._truth(expression)
        self.exact = False
        return self._wider(expression) if self._is_possible(expression) else None

    def _is_possible(self, expression: Expression) -> bool:
        """Tell whether something can be written that is true wherever a condition is."""
        if isinstance(expression, syntax_tree.Or):
            return all(map(self._is_possible, expression.operands))
        if isinstance(expression, syntax_tree.And):
            return any(map(self._is_possible, expression.operands))
        if isinstance(expression, syntax_tree.Like) and isinstance(expression.operand, FieldColumn):
            return not expression.negated
        return _is_exact(expression)

    def _wider(self, expression: Expression) -> str:
        """Return a condition on texts of MySQL that is true wherever another one is."""
        assert isinstance(expression, syntax_tree.Like)
        assert isinstance(expression.operand, FieldColumn)
        row = self.rows[expression.operand.field_row]
        placeholder = self._database.text_placeholder(row.table, expression.operand.column)
        # A letter that is not of ASCII may stand as several.
        letters = _pattern(expression, lambda letter: letter if letter.isascii() else "%", one="%")
        self.parameters.append(letters.translate(_LOWER))
        return f"LOWER({self._value(expression.operand)}) LIKE {placeholder} ESCAPE '!'"

    def _truth(self, expression: Expression) -> str:
        """Return a condition exactly as the filter has it."""
        negation = "NOT " if getattr(expression, "negated", False) else ""
        if isinstance(expression, (syntax_tree.And, syntax_tree.Or)):
            word = " AND " if isinstance(expression, syntax_tree.And) else " OR "
            written = _balanced([self._truth(part) for part in expression.operands], word) or ""
        elif isinstance(expression, syntax_tree.Not):
            written = f"(NOT {self._truth(expression.operand)})"
        elif isinstance(expression, syntax_tree.Is):
            what = {None: "NULL", True: "TRUE", False: "FALSE"}[expression.what]
            written = f"({self._value(expression.operand)} IS {negation}{what})"
        elif isinstance(expression, syntax_tree.Comparison):
            written = self._comparison(expression)
        elif isinstance(expression, syntax_tree.In):
            written = f"({negation}{self._in(expression)})"
        elif isinstance(expression, syntax_tree.Between):
            operand, low = self._value_ordered(expression.operand), self._value(expression.low)
            written = f"({operand} {negation}BETWEEN {low} AND {self._value(expression.high)})"
        elif isinstance(expression, syntax_tree.Like):
            written = f"({negation}{self._like(expression)})"
        else:
            written = self._value(expression)
        return written

    def _comparison(self, expression: syntax_tree.Comparison) -> str:
        texts = _compared_texts(expression)
        if texts and self.is_mysql:
            same = self.equals(self.rows[texts[0].field_row], texts[0].column, texts[1])
            return same if expression.operator == "=" else f"(NOT {same})"
        has_order = expression.operator not in {"=", "!="}
        left = (
            self._value(expression.left) if not has_order else self._value_ordered(expression.left)
        )
        operator = "<>" if expression.operator == "!=" else expression.operator
        return f"({left} {operator} {self._value(expression.right)})"

    def _in(self, expression: syntax_tree.In) -> str:
        texts = _column_and_texts(expression.operand, expression.items)
        if texts and self.is_mysql:
            same = self.equals(self.rows[texts[0].field_row], texts[0].column, texts[1])
            return f"({same} OR NULL)" if Literal(None) in expression.items else same
        operand = self._value(expression.operand)  # first, as its parameters are the first
        return f"{operand} IN ({', '.join(map(self._value, expression.items))})"

    def _like(self, expression: syntax_tree.Like) -> str:
        operand = self._value(expression.operand)
        pattern = _pattern(expression, str, one="_")
        if self._postgresql:
            operand, pattern = f'LOWER({operand} COLLATE "C")', pattern.translate(_LOWER)
        return f"{operand} LIKE {self.bound(pattern)} ESCAPE '!'"

    def _value_ordered(self, expression: Expression) -> str:
        """Return a value that is compared by its order."""
        value = self._value(expression)
        return f'{value} COLLATE "C"' if self._postgresql and _is_text(expression) else value

    def _value(self, expression: Expression) -> str:
        if isinstance(expression, Literal):
            return self._literal(expression)
        if isinstance(expression, FieldColumn):
            return self._column(expression)
        if isinstance(expression, syntax_tree.FunctionCall):
            argument = self._value(expression.argument)
            letters = ' COLLATE "C"' if self._postgresql and expression.function != "LENGTH" else ""
            return f"{expression.function}({argument}{letters})"
        if isinstance(expression, syntax_tree.Negative):
            return f"(- {self._double(expression.operand)})"
        if isinstance(expression, syntax_tree.Arithmetic):
            left, right = self._double(expression.left), self._double(expression.right)
            right = f"NULLIF({right}, 0)" if expression.operator == "/" else right
            return f"({left} {expression.operator} {right})"
        return self._truth(expression)

    def _double(self, expression: Expression) -> str:
        """Return a number with which arithmetic is in floating point, on every database."""
        value = self._value(expression)
        if self.is_mysql:
            return f"({value} + 0e0)"
        return f"CAST({value} AS {'double precision' if self._postgresql else 'REAL'})"

    def _literal(self, expression: Literal) -> str:
        value = expression.value
        if isinstance(value, str):
            return self.bound(value)
        if isinstance(value, bool):
            return str(value).upper() if self._postgresql else str(int(value))
        if value is None:
            return "NULL"
        if isinstance(value, float) and self._postgresql:
            return f"CAST({value!r} AS double precision)"
        return f"{value!r}"

    def _column(self, expression: FieldColumn) -> str:
        row = self.rows[expression.field_row]
        if expression.column in self._database.layout.columns.get(row.table, ()):
            return f"{row.alias}.{self._database.quote(expression.column)}"
        kind = _NULLS.get(expression.type, "bigint")
        return f"CAST(NULL AS {kind})" if self._postgresql else "NULL"


def _balanced(parts: list[str], word: str) -> str | None:
    """Return conditions that are joined pair by pair: databases limit how deep they nest."""
    while len(parts) > 1:
        pairs = [parts[i : i + 2] for i in range(0, len(parts), 2)]
        parts = [f"({word.join(pair)})" if len(pair) > 1 else pair[0] for pair in pairs]
    return parts[0] if parts else None


def _pattern(expression: syntax_tree.Like, letter: Callable[[str], str], *, one: str) -> str:
    """Return the pattern of a LIKE with ``!`` before each sign that is meant as it is."""
    assert isinstance(expression.pattern, Literal)
    written = []
    signs = iter(str(expression.pattern.value))
    for sign in signs:
        if sign == "%":
            written.append("%")
        elif sign == "_":
            written.append(one)
        else:
            meant = next(signs) if sign == "\\" else sign
            written.append(f"!{meant}" if meant in "%_!" else letter(meant))
    return "".join(written)


def _is_text(expression: Expression) -> bool:
    if isinstance(expression, Literal):
        return isinstance(expression.value, str)
    if isinstance(expression, FieldColumn):
        return expression.type == "text"
    return isinstance(expression, syntax_tree.FunctionCall) and expression.function != "LENGTH"


def _column_and_texts(
    operand: Expression, others: Iterable[Expression]
) -> tuple[FieldColumn, list[str]] | None:
    """Return a column of texts and the texts that it is compared with, if nothing else is."""
    literals = [other.value if isinstance(other, Literal) else 0 for other in others]
    texts = [value for value in literals if isinstance(value, str)]
    plain = all(value is None or isinstance(value, str) for value in literals)
    if isinstance(operand, FieldColumn) and plain and texts:
        return operand, texts
    return None


def _compared_texts(expression: syntax_tree.Comparison) -> tuple[FieldColumn, list[str]] | None:
    """Return a column of texts and the text that it is compared with, in either order."""
    found = _column_and_texts(expression.left, (expression.right,))
    return found or _column_and_texts(expression.right, (expression.left,))


def _is_exact(expression: Expression) -> bool:
    """Tell whether MySQL can decide a condition."""
    if isinstance(expression, (syntax_tree.Like, syntax_tree.FunctionCall)):
        return False
    if isinstance(expression, syntax_tree.Comparison) and (
        _is_text(expression.left) or _is_text(expression.right)
    ):
        return _compared_texts(expression) is not None and expression.operator in {"=", "!="}
    if isinstance(expression, syntax_tree.In) and _is_text(expression.operand):
        return _column_and_texts(expression.operand, expression.items) is not None
    if isinstance(expression, syntax_tree.Between) and _is_text(expression.operand):
        return False
    return all(map(_is_exact, syntax_tree.parts_of(expression)))
