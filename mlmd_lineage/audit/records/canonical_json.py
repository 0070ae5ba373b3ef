"""Canonical JSON, which gives the same value the same bytes on every platform and Python.

The rules are those of RFC 8785 (https://www.rfc-editor.org/rfc/rfc8785): no white space, members
in the order of their names' UTF-16 code units, texts with as few escapes as JSON allows, UTF-8.
Where RFC 8785 has no form for a value of MLMD's, or would lose some of it, these rules hold:

- whole numbers are written with all of their digits, those beyond 2**53 too;
- doubles are written with the fewest digits that read back as the same double, as in ECMAScript,
  but for minus zero, which is ``-0``;
- doubles that JSON lacks are the texts ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``.
"""

from __future__ import annotations

import decimal
import json.encoder
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_quoted = json.encoder.encode_basestring
_MOST_POINT, _LEAST_POINT = 21, -6
"""Beyond these powers of ten ECMAScript writes a number with an exponent."""


def dumps(value: Any) -> str:
    """Return a value as canonical JSON.

    >>> dumps({"b": [1.0, 1e21, float("nan")], "a": 2**63 - 1})
    '{"a":9223372036854775807,"b":[1,1e+21,"NaN"]}'

    Raises:
        TypeError: It holds what JSON has no form for.
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return f"{{{','.join(members(value))}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(dumps, value))}]"
    message = f"a value of type {type(value).__name__} has no form in canonical JSON"
    raise TypeError(message)


def members(value: Mapping[str, Any]) -> list[str]:
    """Return the members of an object as canonical JSON, in their order."""
    return [f"{_quoted(name)}:{dumps(value[name])}" for name in sorted(value, key=sort_key)]


def sort_key(name: str) -> bytes:
    """Return what a member's name is sorted by: its UTF-16 code units.

    >>> sorted(["\U0001f600", "\ufb33"], key=sort_key)
    ['😀', 'דּ']
    """
    return name.encode("utf-16-be", "surrogatepass")


def number(value: float) -> str:
    """Return a double as canonical JSON.

    >>> number(1e-7), number(100.0), number(-0.0), number(float("inf"))
    ('1e-7', '100', '-0', '"Infinity"')
    """
    if not math.isfinite(value):
        return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'
    text = float.__repr__(value)
    # Python and ECMAScript choose the same digits.
    return _with_exponent(text) if "e" in text else text.removesuffix(".0")


def _with_exponent(text: str) -> str:
    """Return a number that Python writes with an exponent as ECMAScript writes it."""
    sign, digits, exponent = decimal.Decimal(text).normalize().as_tuple()
    assert isinstance(exponent, int)  # as the number is finite
    shown = "".join(map(str, digits))
    point = len(shown) + exponent
    before = "-" if sign else ""
    if len(shown) <= point <= _MOST_POINT:
        return f"{before}{shown}{'0' * (point - len(shown))}"
    if 0 < point <= _MOST_POINT:
        return f"{before}{shown[:point]}.{shown[point:]}"
    if _LEAST_POINT < point <= 0:
        return f"{before}0.{'0' * -point}{shown}"
    rest = f".{shown[1:]}" if len(shown) > 1 else ""
    return f"{before}{shown[0]}{rest}e{point - 1:+d}"
