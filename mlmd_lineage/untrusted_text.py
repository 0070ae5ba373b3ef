"""Numbers and JSON in texts that anybody may have written, such as properties of a store.

Python refuses integers of thousands of digits, JSON may be nested deeper than Python can follow,
and its escapes may spell half of a surrogate pair, which no other program takes as text. Here each
is a ``ValueError`` or None.
"""

from __future__ import annotations

import json
from typing import Any

_LONGEST_INT64 = 20
"""The most characters that a 64-bit integer has, the sign among them."""


def int64_of(value: Any) -> int | None:
    """Return the 64-bit integer that a value is or says; None where it is none.

    >>> int64_of("43"), int64_of("-7"), int64_of(2**63), int64_of("9" * 5000), int64_of("4.5")
    (43, -7, None, None, None)
    """
    if isinstance(value, str):
        digits = value.removeprefix("-")
        if len(value) > _LONGEST_INT64 or not (digits.isascii() and digits.isdecimal()):
            return None
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if -(2**63) <= number < 2**63 else None


def json_of(text: Any, *, halves: bool = False) -> Any:
    """Return the value of a JSON text.

    >>> json_of('{"rate": 0.1}')
    {'rate': 0.1}

    Args:
        text: The text.
        halves: Take halves of surrogate pairs, as Python's own texts may hold them.

    Raises:
        ValueError: It is no JSON, is nested too deep, or holds half of a surrogate pair.
    """
    try:
        value = json.loads(text)
        if not halves and may_hold_halves(text):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        message = "it is nested too deep"
        raise ValueError(message) from None
    except TypeError as error:
        message = "it is no text"
        raise ValueError(message) from error
    return value


def may_hold_halves(text: str | bytes) -> bool:
    r"""Return whether JSON may hold half of a surrogate pair, which only an escape can spell.

    >>> may_hold_halves(r'"\ud800"'), may_hold_halves('"text"')
    (True, False)
    """
    return b"\\u" in text if isinstance(text, bytes) else "\\u" in text
