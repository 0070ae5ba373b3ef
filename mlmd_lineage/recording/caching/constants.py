"""Constants that a step's code uses, as texts for its digest: in every process the same text.

Equal values of one type have the same text, others another.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import hashlib
import pathlib
import re
import types
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented))
_SHOWN_BY_REPR = (
    dt.date,
    dt.time,
    dt.timedelta,
    dt.timezone,
    decimal.Decimal,
    fractions.Fraction,
    pathlib.PurePath,
    range,
    slice,
    uuid.UUID,
)
_DEEPEST = 50


class NotAConstantError(Exception):
    """The value is of no kind that is known to be a constant."""


def constant_text(value: Any, refer: Callable[[Any], None], depth: int = _DEEPEST) -> str:
    """Return the text of a constant.

    Args:
        value: The constant.
        refer: Is called with each function and class in it, which the text only names.
        depth: How deep containers may be nested.

    Raises:
        NotAConstantError: It is, or holds, something else, or is nested too deeply.
    """
    if depth == 0:
        raise NotAConstantError

    def inner(part: Any) -> str:
        return constant_text(part, refer, depth - 1)

    kind = type(value)
    if kind in _PLAIN or isinstance(value, _SHOWN_BY_REPR):
        return f"{kind.__name__}:{value!r}"
    if isinstance(value, enum.Enum):
        refer(kind)
        return f"{kind.__qualname__}.{value.name}"
    if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        refer(value)
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, re.Pattern):
        return f"pattern:{value.pattern!r}:{value.flags}"
    if dataclasses.is_dataclass(value):
        refer(kind)
        fields = (f"{f.name}={inner(getattr(value, f.name))}" for f in dataclasses.fields(value))
        return f"{kind.__qualname__}({','.join(fields)})"
    return _container_text(value, inner) or _array_text(value)


def _container_text(value: Any, inner: Callable[[Any], str]) -> str | None:
    """Return the text of a list, tuple, set or dict; None for anything else."""
    kind = type(value)
    if kind in {list, tuple} or (isinstance(value, tuple) and hasattr(value, "_fields")):
        return f"{kind.__name__}({','.join(map(inner, value))})"
    if kind in {set, frozenset}:
        return f"{kind.__name__}({','.join(sorted(map(inner, value)))})"
    if kind is dict or isinstance(value, types.MappingProxyType):
        return f"dict({','.join(f'{inner(k)}={inner(v)}' for k, v in value.items())})"
    return None


def _array_text(value: Any) -> str:
    """Return the text of a NumPy array or scalar."""
    kind = type(value)
    if kind.__module__.partition(".")[0] != "numpy" or not hasattr(value, "dtype"):
        raise NotAConstantError
    if value.dtype.hasobject:
        raise NotAConstantError
    digest = hashlib.sha256(value.tobytes()).hexdigest()
    return f"{kind.__name__}:{value.dtype.str}:{value.shape}:{digest}"
