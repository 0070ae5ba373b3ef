"""Values of properties and cells of frames as JSON: one rule for every output.

Times are ISO 8601 with milliseconds, durations seconds. What JSON lacks is written as in the JSON
of protocol buffers (https://protobuf.dev/programming-guides/json/): ``"NaN"``, ``"Infinity"`` and
``"-Infinity"``, and bytes as base64. What is missing is null.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import math
import sys
from typing import Any

_PLAIN = (str, int, bool, type(None))
"""The types of values that JSON has as they are."""


def is_missing(value: Any) -> bool:
    """Return whether a value is None, ``pandas.NA`` or ``pandas.NaT``."""
    if value is None:
        return True
    pandas = sys.modules.get("pandas")  # without it there is none of its values
    return pandas is not None and (value is pandas.NA or value is pandas.NaT)


def json_value(value: Any) -> Any:  # noqa: C901, PLR0911 - one for each kind of value
    """Return a value as the ``json`` module takes it; what has no form in JSON becomes its text.

    >>> json_value({"loss": float("nan"), "raw": b"abc", "layers": (10, 3)})
    {'loss': 'NaN', 'raw': 'YWJj', 'layers': [10, 3]}
    """
    if type(value) in _PLAIN:
        return value
    import numpy as np  # loaded wherever there is such a value

    if is_missing(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(name): json_value(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [json_value(item) for item in value]
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return json_value(fields)
    return str(value)


_LARGEST = 2**53 - 1
"""The largest whole number up to which a 64-bit float has each (ECMAScript's MAX_SAFE_INTEGER)."""


def exact(value: Any) -> Any:
    """Return a value of JSON in which larger whole numbers than a 64-bit float holds are texts.

    Browsers read each number of JSON as such a float. The JSON of protocol buffers writes 64-bit
    numbers as texts for the same reason.

    >>> exact({"small": 7, "large": [2**53 + 1]})
    {'small': 7, 'large': ['9007199254740993']}
    """
    if isinstance(value, dict):
        return {name: exact(item) for name, item in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        return str(value)
    return value
