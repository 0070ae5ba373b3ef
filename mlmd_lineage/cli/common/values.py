"""Values of frames as JSON, as plain text and as text for a terminal."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
import math
from typing import TYPE_CHECKING, Any

from mlmd_lineage.cli.common.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence


def is_missing(value: Any) -> bool:
    """Return whether a cell of a frame is empty."""
    import pandas as pd

    return value is None or value is pd.NA or value is pd.NaT


def json_value(value: Any) -> Any:
    """Return a cell of a frame as JSON has it: ISO times, null for NA, base64 for bytes."""
    import numpy as np

    simple = value
    if is_missing(value):
        simple = None
    elif isinstance(value, dt.datetime):
        simple = value.isoformat(timespec="milliseconds")
    elif isinstance(value, dt.timedelta):
        simple = value.total_seconds()
    elif isinstance(value, np.generic):
        simple = json_value(value.item())
    elif isinstance(value, float) and not math.isfinite(value):
        simple = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    elif isinstance(value, bytes):
        simple = base64.b64encode(value).decode()
    elif isinstance(value, dict):
        simple = {str(name): json_value(item) for name, item in value.items()}
    elif isinstance(value, (list, tuple)):
        simple = [json_value(item) for item in value]
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        simple = {f.name: json_value(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return simple


def plain_value(value: Any) -> str:
    """Return a cell of a frame as text in one line; nothing where it is empty."""
    simple = json_value(value)
    if simple is None:
        return ""
    if isinstance(simple, str):
        return printable(simple)
    return printable(json.dumps(simple, ensure_ascii=False))


def path_text(path: Sequence[str | int]) -> str:
    """Return an event's path as people write it.

    >>> path_text(("examples", 0))
    'examples[0]'
    """
    return "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" if number else str(step)
        for number, step in enumerate(path)
    )


def terminal_value(value: Any) -> str:
    """Return a cell of a frame for a terminal: paths as ``examples[0]``, times to the second."""
    if is_missing(value):
        return ""
    if isinstance(value, tuple):
        return printable(path_text(value))
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return printable(", ".join(f"{name} {item}" for name, item in value.items()))
    return plain_value(value)
