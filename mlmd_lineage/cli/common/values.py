"""Values of frames as plain text, and as text for a terminal."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage.cli.common.text import printable
from mlmd_lineage.snapshot.json_values import is_missing, json_value

if TYPE_CHECKING:
    from collections.abc import Sequence


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
