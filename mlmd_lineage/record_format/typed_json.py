"""JSON of Python values that reads back exactly: what JSON lacks is an object with a type.

>>> dumps({"layers": [64, 32], "from": datetime.date(2024, 6, 1)})
'{"layers": [64, 32], "from": {"$type": "date", "value": "2024-06-01"}}'
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import math
import pathlib
import uuid
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.untrusted_text import json_of

if TYPE_CHECKING:
    from collections.abc import Callable

_TYPE, _VALUE = "$type", "value"
_MOST_DEPTH = 100
_TEXTS: tuple[tuple[type, str, Callable[[Any], str]], ...] = (
    # datetime before date, of which it is a kind
    (dt.datetime, "datetime", dt.datetime.isoformat),
    (dt.date, "date", dt.date.isoformat),
    (dt.time, "time", dt.time.isoformat),
    (decimal.Decimal, "decimal", str),
    (uuid.UUID, "uuid", str),
    (pathlib.Path, "path", str),
    (float, "float", repr),  # neither finite nor a number
    (bytes, "bytes", lambda value: base64.b64encode(value).decode()),
)
_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "decimal": decimal.Decimal,
    "uuid": uuid.UUID,
    "path": pathlib.Path,
    "bytes": lambda text: base64.b64decode(text, validate=True),
    "float": float,
}


class UnrecordableValueError(errors.ConfigurationError):
    """A value cannot be recorded so that it reads back."""


def dumps(value: Any) -> str:
    """Return a value as JSON.

    Raises:
        UnrecordableValueError: It holds something of a type that is not known here.
    """
    # ASCII only, so that lone surrogates and NUL are plain text in every database.
    try:
        return json.dumps(_plain(value, 0), ensure_ascii=True, allow_nan=False)
    except ValueError as error:
        if isinstance(error, UnrecordableValueError):
            raise
        message = f"JSON cannot hold it: {error}"  # such as an integer of too many digits
        raise UnrecordableValueError(message) from None


def loads(text: str) -> Any:
    """Return the value that ``dumps()`` was given.

    Raises:
        ValueError: It is no such text.
    """
    return _restored(json_of(text, halves=True))


def scalar(value: Any) -> Any:
    """Return the plain Python value of a NumPy or pandas scalar, and anything else as it is.

    >>> scalar(np.int64(3))
    3
    """
    if type(value).__module__ != "numpy":
        return value
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "ndim", None) == 0 else value


def _plain(value: Any, depth: int) -> Any:
    value = scalar(value)
    kind = type(value)
    if depth > _MOST_DEPTH:
        message = f"it is nested more than {_MOST_DEPTH} deep"
        raise UnrecordableValueError(message)
    if kind in {type(None), bool, str, int} or (kind is float and math.isfinite(value)):
        return value
    if kind in {list, dict, tuple, set, frozenset}:
        return _container(value, depth)
    if kind is dt.timedelta:
        return _typed("timedelta", [value.days, value.seconds, value.microseconds])
    for known, name, text in _TEXTS:
        if kind is known or (known is pathlib.Path and isinstance(value, known)):
            return _typed(name, text(value))
    message = f"it is of the type {kind.__module__}.{kind.__qualname__}"
    raise UnrecordableValueError(message)


def _container(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is dict:
        if all(type(name) is str for name in value) and _TYPE not in value:
            return {name: _plain(item, depth + 1) for name, item in value.items()}
        pairs = [[_plain(k, depth + 1), _plain(v, depth + 1)] for k, v in value.items()]
        return _typed("dict", pairs)
    items = value if kind in {list, tuple} else sorted(value, key=repr)
    plain = [_plain(item, depth + 1) for item in items]
    return plain if kind is list else _typed(kind.__name__, plain)


def _typed(name: str, value: Any) -> dict[str, Any]:
    return {_TYPE: name, _VALUE: value}


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return [_restored(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _TYPE not in value:
        return {name: _restored(item) for name, item in value.items()}
    kind, held = value[_TYPE], value.get(_VALUE)
    if kind in _FROM_TEXT and isinstance(held, str):
        return _FROM_TEXT[kind](held)
    if kind in _FROM_LIST and isinstance(held, list):
        return _FROM_LIST[kind](held)
    message = f"not a typed value: {kind!r}"
    raise ValueError(message)


def _hashable(value: Any) -> Any:
    found = _restored(value)
    hash(found)
    return found


_FROM_LIST: dict[str, Callable[[list[Any]], Any]] = {
    "tuple": lambda items: tuple(map(_restored, items)),
    "set": lambda items: set(map(_restored, items)),
    "frozenset": lambda items: frozenset(map(_restored, items)),
    "dict": lambda pairs: {_hashable(name): _restored(item) for name, item in pairs},
    "timedelta": lambda parts: dt.timedelta(*parts),
}
