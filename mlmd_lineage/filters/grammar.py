"""Parses a filter into its syntax tree, or says where it goes wrong.

The language is the part of ZetaSQL's expressions that MLMD documents for ``filter_query``
(``ListOperationOptions`` in ``metadata_store.proto``), and some of its like. Precedence is its:
https://github.com/google/zetasql/blob/master/docs/operators.md
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, v_args

from mlmd_lineage import errors
from mlmd_lineage.filters import literals, syntax_tree
from mlmd_lineage.filters.literals import MistakeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlmd_lineage.filters.syntax_tree import Expression

LONGEST = 65_536
"""How many characters a filter may have: no database refuses what becomes of it."""
DEEPEST = 60
"""How deep the parts of a filter may be nested."""
_DEEPEST_PARENTHESES = 500
_PARENTHESES = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`[^`]*`|[()]""", re.DOTALL)
"""Parentheses, and the texts and names in which they mean nothing."""

_GRAMMAR = r"""
    ?start: either
    ?either: all (_OR all)*
    ?all: one (_AND one)*
    ?one: comparison
        | NOT one -> opposite
    ?comparison: sum
        | sum COMPARISON sum -> compared
        | sum NOT? LIKE sum -> like
        | sum NOT? IN _LPAR either (_COMMA either)* _RPAR -> one_of
        | sum NOT? BETWEEN sum _AND sum -> between
        | sum IS NOT? (NULL | TRUE | FALSE) -> is_
    ?sum: product
        | sum (PLUS | MINUS) product -> arithmetic
    ?product: sign
        | product (STAR | SLASH) sign -> arithmetic
    ?sign: atom
        | MINUS sign -> negative
        | PLUS sign -> positive
    ?atom: NUMBER -> number
        | TEXT -> text
        | TRUE -> true
        | FALSE -> false
        | NULL -> null
        | NAME -> name
        | NAME _LPAR either _RPAR -> call
        | _LPAR either _RPAR

    _OR.2: /OR\b/i
    _AND.2: /AND\b/i
    NOT.2: /NOT\b/i
    LIKE.2: /LIKE\b/i
    IN.2: /IN\b/i
    BETWEEN.2: /BETWEEN\b/i
    IS.2: /IS\b/i
    NULL.2: /NULL\b/i
    TRUE.2: /TRUE\b/i
    FALSE.2: /FALSE\b/i
    COMPARISON: "=" | "!=" | "<>" | "<=" | ">=" | "<" | ">"
    PLUS: "+"
    MINUS: "-"
    STAR: "*"
    SLASH: /\/(?!\*)/
    _LPAR: "("
    _RPAR: ")"
    _COMMA: ","
    NUMBER: /(0[xX][0-9a-fA-F]+|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?)(?![\w.])/
    TEXT.2: /[rR]?("{3}(\\.|[^\\])*?"{3}|'{3}(\\.|[^\\])*?'{3})/s
        | /[rR]?("(\\.|[^"\\\n])*"|'(\\.|[^'\\\n])*')/s
    NAME: /([^\W\d]\w*|`(\\.|[^`\\\n])+`)(\.(\w+|`(\\.|[^`\\\n])+`))*/s
    COMMENT.3: /(--|#)[^\n]*|\/\*(.|\n)*?\*\//
    %ignore /\s+/
    %ignore COMMENT
"""
_WORDS = {
    "$END": "the end",
    "_LPAR": "(",
    "_RPAR": ")",
    "_COMMA": ",",
    **dict.fromkeys(("NAME", "NUMBER", "TEXT", "TRUE", "FALSE", "NULL"), "a value"),
    **dict.fromkeys(("PLUS", "MINUS", "STAR", "SLASH"), "an operator"),
    **dict.fromkeys(("COMPARISON", "LIKE", "IN", "BETWEEN", "IS", "NOT"), "a comparison"),
}
_UNFINISHED = {
    "'": "a text that does not end",
    '"': "a text that does not end",
    "`": "a name that does not end",
    "/*": "a comment that does not end",
}
_WRITTEN = {
    "==": "equality is written =",
    "&&": "write AND",
    "||": "write OR",
    "!": "write NOT",
    "%": "write LIKE with a text in quotes",
    "?": "write the value itself",
    "@": "write the value itself",
    ";": "a filter is one condition",
}


def parse(text: str) -> Expression:
    """Return what a filter says.

    >>> parse("id > 3")
    Comparison(operator='>', left=Name(parts=('id',), at=0), right=Literal(value=3, at=5), at=3)

    Raises:
        FilterError: It is no filter; the message says where it goes wrong, and how.
    """
    if len(text) > LONGEST:
        message = f"The filter has {len(text):,} characters; it may have {LONGEST:,}."
        raise errors.FilterError(message)
    _check_parentheses(text)
    try:
        made: Any = _parser().parse(text)
    except UnexpectedInput as error:
        _explain(text, error)
    except MistakeError as error:
        raise failed(text, error.at, str(error)) from None
    assert isinstance(made, _Made)
    expression: Expression = made.tree
    return expression


def _check_parentheses(text: str) -> None:
    """Refuse parentheses that are nested deep before the parser takes seconds to read them."""
    depth = 0
    for found in _PARENTHESES.finditer(text):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth > _DEEPEST_PARENTHESES:
            what = f"parentheses are nested deeper than {_DEEPEST_PARENTHESES}."
            raise failed(text, found.start(), what)


def failed(text: str, at: int, what: str) -> errors.FilterError:
    """Return the error that says what is wrong, and where in a filter.

    Args:
        text: The filter.
        at: Where in it the mistake is.
        what: What is wrong.
    """
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    return errors.FilterError(f"The filter fails at {line}:{column}: {what}")


@functools.cache
def _parser() -> Lark:
    # The basic lexer does not depend on the parser's state, so a keyword is never read as a name.
    return Lark(_GRAMMAR, parser="lalr", lexer="basic", transformer=_Builder())


def _explain(text: str, error: UnexpectedInput) -> NoReturn:
    at: int = getattr(error, "pos_in_stream", 0)
    if isinstance(error, UnexpectedCharacters):
        raise failed(text, at, _unreadable(text[at:])) from None
    token: Any = getattr(error, "token", None)
    if token is None or token.type == "$END":
        at = len(text.rstrip())
        found = "the filter ends" if at else "the filter is empty"
    else:
        at = token.start_pos
        found = f"{str(token)[:40]!r} does not fit"
    words = {_WORDS.get(name, name.strip("_")) for name in getattr(error, "accepts", ())}
    if _WORDS["NUMBER"] in words:  # what may stand before a value goes without saying
        words -= {"(", _WORDS["PLUS"], _WORDS["NOT"]}
    what = f"{found}, where there may be {' or '.join(sorted(words))}."
    before = text[:at].rstrip()[-1:]
    if token is not None and token.type == "TEXT" and before and before in "'\"":
        what += f" Within a text a quote is written \\{before}."
    elif token is not None and token.type == "COMPARISON" and before == "=":
        what += " Equality is written =."
    raise failed(text, at, what) from None


def _unreadable(rest: str) -> str:
    """Say what is wrong with a text that begins with no word of the language."""
    for start, what in _UNFINISHED.items():
        if rest.startswith(start):
            return f"here begins {what}."
    for start, hint in _WRITTEN.items():
        if rest.startswith(start):
            return f"{start!r} means nothing here; {hint}."
    if rest[0].isdigit() or rest[0] == ".":
        return "this is no number, or a space is missing after it."
    return f"{rest[0]!r} means nothing here."


class _Made(NamedTuple):
    """A part of the tree, and how deep its own parts are nested."""

    tree: Expression
    depth: int


def _made(expression: Expression, *parts: _Made) -> _Made:
    # Those who walk the tree call themselves for each part.
    depth = 1 + max((part.depth for part in parts), default=0)
    if depth > DEEPEST:
        what = f"parts are nested deeper than {DEEPEST}; say it in fewer steps."
        raise MistakeError(what, expression.at)
    return _Made(expression, depth)


def _flag(token: Token | None) -> bool:
    return token is not None and token.type == "NOT"


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """Builds the tree from the leaves up, called by the parser for each part, without recursion."""

    def _several(
        self, make: Callable[[tuple[Expression, ...], int], Expression], parts: tuple[_Made, ...]
    ) -> _Made:
        return _made(make(tuple(part.tree for part in parts), parts[0].tree.at), *parts)

    def either(self, *parts: _Made) -> _Made:
        return self._several(syntax_tree.Or, parts)

    def all(self, *parts: _Made) -> _Made:
        return self._several(syntax_tree.And, parts)

    def opposite(self, token: Token, part: _Made) -> _Made:
        return _made(syntax_tree.Not(part.tree, _at(token)), part)

    def compared(self, left: _Made, sign: Token, right: _Made) -> _Made:
        operator = "!=" if sign == "<>" else str(sign)
        made = syntax_tree.Comparison(operator, left.tree, right.tree, _at(sign))
        return _made(made, left, right)

    def like(self, operand: _Made, *rest: Any) -> _Made:
        pattern: _Made = rest[-1]
        made = syntax_tree.Like(operand.tree, pattern.tree, _flag(rest[0]), _at(rest[0]))
        return _made(made, operand, pattern)

    def one_of(self, operand: _Made, *rest: Any) -> _Made:
        items = [part for part in rest if isinstance(part, _Made)]
        listed = tuple(part.tree for part in items)
        return _made(
            syntax_tree.In(operand.tree, listed, _flag(rest[0]), _at(rest[0])), operand, *items
        )

    def between(self, operand: _Made, *rest: Any) -> _Made:
        low, high = rest[-2:]
        made = syntax_tree.Between(operand.tree, low.tree, high.tree, _flag(rest[0]), _at(rest[0]))
        return _made(made, operand, low, high)

    def is_(self, operand: _Made, token: Token, *rest: Token) -> _Made:
        what = {"NULL": None, "TRUE": True, "FALSE": False}[rest[-1].type]
        return _made(syntax_tree.Is(operand.tree, what, _flag(rest[0]), _at(token)), operand)

    def arithmetic(self, left: _Made, token: Token, right: _Made) -> _Made:
        made = syntax_tree.Arithmetic(str(token), left.tree, right.tree, _at(token))
        return _made(made, left, right)

    def negative(self, token: Token, part: _Made) -> _Made:
        value = part.tree.value if isinstance(part.tree, syntax_tree.Literal) else None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return _Made(syntax_tree.Literal(-value, _at(token)), part.depth)
        return _made(syntax_tree.Negative(part.tree, _at(token)), part)

    def positive(self, _: Token, part: _Made) -> _Made:
        return part

    def call(self, token: Token, part: _Made) -> _Made:
        return _made(syntax_tree.FunctionCall(str(token), part.tree, _at(token)), part)

    def number(self, token: Token) -> _Made:
        return _made(syntax_tree.Literal(literals.number(token, _at(token)), _at(token)))

    def text(self, token: Token) -> _Made:
        return _made(syntax_tree.Literal(literals.text(token, _at(token)), _at(token)))

    def true(self, token: Token) -> _Made:
        return _made(syntax_tree.Literal(True, _at(token)))  # noqa: FBT003 - it is the value

    def false(self, token: Token) -> _Made:
        return _made(syntax_tree.Literal(False, _at(token)))  # noqa: FBT003 - it is the value

    def null(self, token: Token) -> _Made:
        return _made(syntax_tree.Literal(None, _at(token)))

    def name(self, token: Token) -> _Made:
        return _made(syntax_tree.Name(literals.name_parts(token, _at(token)), _at(token)))


def _at(token: Token) -> int:
    return token.start_pos or 0
