"""JSON from files and variables that others may have written."""

from __future__ import annotations

import json
import math
from typing import Any

MAX_DEPTH = 64
"""How deep arrays and objects may be nested. Nothing that this library writes is deeper than 8."""


class JSONTextError(ValueError):
    """A text is no JSON, or none that is read here.

    Attributes:
        line: The line of the error, from 1, or None where it has none.
        key: The key that an object holds twice, or None.
    """

    def __init__(self, message: str, line: int | None = None, key: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.key = key


def parse_json(data: bytes | str) -> Any:
    """Return the value of a JSON text.

    >>> parse_json('{"a": [1, 2]}')
    {'a': [1, 2]}

    Raises:
        JSONTextError: It is no JSON or no UTF-8, is nested too deep, holds a key twice or half of
            a surrogate pair.
    """
    try:
        text = data.decode() if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        assert isinstance(data, bytes)
        line = data[: error.start].count(b"\n") + 1
        message = "it is not UTF-8"
        raise JSONTextError(message, line) from None
    try:
        value = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        raise JSONTextError(error.msg[:1].lower() + error.msg[1:], error.lineno) from None
    except JSONTextError:
        raise
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # an integer of more digits than Python converts
        message = "a number in it has too many digits"
        raise JSONTextError(message) from None
    _check(value)
    return value


def _refuse_constant(name: str) -> None:
    message = f"{name} is no JSON"
    raise JSONTextError(message)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        message = f"{twice!r} is given twice"
        raise JSONTextError(message, key=twice)
    return made


def _check(value: Any) -> None:
    """Refuse values that cannot be written again: nested too deep, or no Unicode text."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
                below += each.keys()
            elif isinstance(each, list):
                below += each
            elif isinstance(each, str) and any("\ud800" <= c <= "\udfff" for c in each):
                message = "a text in it holds half of a surrogate pair"
                raise JSONTextError(message)
            elif isinstance(each, float) and math.isinf(each):
                message = "a number in it is too large"
                raise JSONTextError(message)
        if not below:
            return
        level = below
    raise _too_deep()


def _too_deep() -> JSONTextError:
    return JSONTextError(f"it is nested more than {MAX_DEPTH} levels deep")
