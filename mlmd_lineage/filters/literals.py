"""Decodes the numbers, texts and names of a filter.

The rules are ZetaSQL's: https://github.com/google/zetasql/blob/master/docs/lexical.md
"""

from __future__ import annotations

import math
import re
from typing import NoReturn

_LARGEST = 2**63 - 1
_LARGEST_DIGITS = len(str(_LARGEST))
_ESCAPE = re.compile(
    r"\\(?:(?P<octal>[0-7]{3})|[xX](?P<hex>[0-9a-fA-F]{2})|u(?P<short>[0-9a-fA-F]{4})"
    r"|U(?P<long>[0-9a-fA-F]{8})|(?P<one>[abfnrtv\\?\"'`]))|\\(?P<wrong>.?)",
    re.DOTALL,
)
_ONE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PART = re.compile(r"\w+|`(?:\\.|[^`\\\n])+`", re.DOTALL)


class MistakeError(Exception):
    """Something that fits the grammar, and cannot be right."""

    def __init__(self, what: str, at: int) -> None:
        """Make it from a sentence, and from where in the filter it is about."""
        super().__init__(what)
        self.at = at


def number(written: str, at: int) -> int | float:
    """Return the number that is written.

    >>> number("0x10", 0), number("007", 0), number("1.", 0), number("2e-1", 0)
    (16, 7, 1.0, 0.2)

    Raises:
        MistakeError: MLMD has no numbers as large as that.
    """
    if written[:2] in {"0x", "0X"}:
        found: int | float = int(written, 16)
    elif written.isdecimal() and len(written.lstrip("0")) <= _LARGEST_DIGITS:
        found = int(written)
    elif written.isdecimal():
        found = math.inf  # Python itself refuses integers of thousands of digits
    else:
        found = float(written)
    # 2**63 is allowed: with a minus sign before it, it is the smallest integer of 64 bits.
    if found > _LARGEST + 1 if isinstance(found, int) else math.isinf(found):
        what = f"{written[:40]} is too large; integers have 64 bits, other numbers are doubles."
        raise MistakeError(what, at)
    return found


def text(written: str, at: int) -> str:
    r"""Return the text that stands in quotes.

    >>> text(r"'it\'s'", 0), text("'''a 'b' c'''", 0), text(r"r'\d'", 0)
    ("it's", "a 'b' c", '\\d')

    Raises:
        MistakeError: An escape sequence is none, or no text may hold what it stands for.
    """
    raw = written[0] in "rR"
    body = written[1:] if raw else written
    quotes = 3 if len(body) >= 6 and body[:3] in {'"""', "'''"} else 1
    inner, start = body[quotes:-quotes], at + raw + quotes
    found = inner if raw else _unescaped(inner, start)
    if "\0" in found:
        what = "a text may hold no NUL: MLMD cuts its texts there."
        raise MistakeError(what, at)
    try:
        found.encode()
    except UnicodeEncodeError:
        what = "the text is not Unicode: it holds half of a surrogate pair."
        raise MistakeError(what, at) from None
    return found


def name_parts(written: str, at: int) -> tuple[str, ...]:
    """Return the parts of a name.

    >>> name_parts("custom_properties.`my x`.int_value", 0)
    ('custom_properties', 'my x', 'int_value')
    """
    return tuple(
        text(f'"""{part[0][1:-1]}"""', at + part.start() - 2) if part[0][0] == "`" else part[0]
        for part in _PART.finditer(written)
    )


def _unescaped(inner: str, start: int) -> str:
    def one(match: re.Match[str]) -> str:
        if match["one"]:
            return _ONE.get(match["one"], match["one"])
        if match["octal"]:
            return chr(int(match["octal"], 8))
        digits = match["hex"] or match["short"] or match["long"]
        if not digits or int(digits, 16) > 0x10FFFF:
            _wrong(match, start)
        return chr(int(digits, 16))

    return _ESCAPE.sub(one, inner)


def _wrong(match: re.Match[str], start: int) -> NoReturn:
    what = (
        f"{match[0]!r} is no escape sequence; a backslash is written \\\\, and a text in which "
        "backslashes mean themselves r'...'."
    ).replace("\\\\\\\\", "\\\\")
    raise MistakeError(what, start + match.start())
