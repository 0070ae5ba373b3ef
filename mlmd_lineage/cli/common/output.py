"""Output of the commands: tables on a terminal, plain columns, CSV or JSON elsewhere."""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import math
import sys
from typing import TYPE_CHECKING, Any

import typer

from mlmd_lineage.cli.common.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from rich.console import Console

STATE_STYLES = {
    "COMPLETE": "dim",
    "LIVE": "dim",
    "CACHED": "cyan",
    "RUNNING": "yellow",
    "NEW": "yellow",
    "PENDING": "yellow",
    "FAILED": "bold red",
    "CANCELED": "red",
    "ABANDONED": "red",
    "DELETED": "red",
    "MARKED_FOR_DELETION": "red",
}


class Format(str, enum.Enum):
    """How a command's answer is written."""

    table = "table"
    json = "json"
    csv = "csv"


class LineageFormat(str, enum.Enum):
    """How lineage is written."""

    table = "table"
    json = "json"
    csv = "csv"
    dot = "dot"
    mermaid = "mermaid"
    graphml = "graphml"


class DescriptionFormat(str, enum.Enum):
    """How a description is written."""

    table = "table"
    json = "json"


def on_terminal() -> bool:
    """Return whether a person reads the output."""
    return sys.stdout.isatty()


def console() -> Console:
    """Return the terminal, for ``rich``."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def print_line(text: str, style: str = "") -> None:
    """Print a line as it is, in a style where a person reads it."""
    if not on_terminal():
        typer.echo(text)
        return
    console().print(text, style=style or None, soft_wrap=True)


def is_missing(value: Any) -> bool:
    """Return whether a cell of a frame is empty."""
    import pandas as pd

    return value is None or value is pd.NA or value is pd.NaT


def json_value(value: Any) -> Any:
    """Return a cell of a frame as JSON has it: ISO times, null for NA, base64 for bytes."""
    simple = value
    if is_missing(value):
        simple = None
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
    elif hasattr(value, "isoformat"):
        simple = value.isoformat(timespec="milliseconds")
    elif hasattr(value, "item"):
        simple = value.item()
    return simple


def plain_value(value: Any) -> str:
    """Return a cell of a frame as text in one line; nothing where it is empty."""
    simple = json_value(value)
    if simple is None:
        return ""
    if isinstance(simple, str):
        return printable(simple)
    return json.dumps(simple, ensure_ascii=False)


def shown_path(path: Sequence[str | int]) -> str:
    """Return an event's path for people.

    >>> shown_path(("examples", 0))
    'examples[0]'
    """
    return "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" if number else str(step)
        for number, step in enumerate(path)
    )


def shown_value(value: Any) -> str:
    """Return a cell of a frame for a terminal: paths as ``examples[0]``, times to the second."""
    if is_missing(value):
        return ""
    if isinstance(value, tuple):
        return printable(shown_path(value))
    if hasattr(value, "strftime"):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return printable(", ".join(f"{name} {item}" for name, item in value.items()))
    return plain_value(value)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as JSON has them, the index first."""
    flat = frame.reset_index()
    columns = [[json_value(value) for value in flat[name]] for name in flat.columns]
    return [dict(zip(flat.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def print_json_rows(frame: pd.DataFrame) -> None:
    """Print a frame as a JSON array, one row a line."""
    rows = [json.dumps(row, ensure_ascii=False) for row in records(frame)]
    typer.echo("[\n " + ",\n ".join(rows) + "\n]" if rows else "[]")


def print_csv(frame: pd.DataFrame) -> None:
    """Print a frame as CSV."""
    flat = frame.reset_index()
    for name in flat.columns:
        if not hasattr(flat[name].dtype, "na_value") or flat[name].dtype.kind in "OM":
            values = [_csv_value(value) for value in flat[name]]
            flat[name] = values
    typer.echo(flat.to_csv(index=False, lineterminator="\n"), nl=False)


def _csv_value(value: Any) -> Any:
    simple = json_value(value)
    return json.dumps(simple, ensure_ascii=False) if isinstance(simple, (dict, list)) else simple


def print_plain(frame: pd.DataFrame) -> None:
    """Print a frame as columns between tabs, under their names, nothing cut."""
    flat = frame.reset_index()
    typer.echo("\t".join(map(str, flat.columns)))
    columns = [[plain_value(value) for value in flat[name]] for name in flat.columns]
    for row in zip(*columns, strict=True):
        typer.echo("\t".join(row))


_NOT_SHOWN = {"type_id", "external_id", "last_update_time_since_epoch", "type_version", "missing"}
_LONG = {"name", "uri", "properties", "description"}
_TIMES = {"create_time_since_epoch": "created (UTC)", "time": "time (UTC)"}


def print_table(frame: pd.DataFrame) -> None:
    """Print a frame on a terminal: the columns that people look at, long values folded."""
    from rich.table import Table
    from rich.text import Text

    from mlmd_lineage.snapshot.type_names import short_types

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    short = short_types(frame["type"].dropna()) if "type" in frame else {}
    table.add_column(str(frame.index.name), no_wrap=True)
    columns = [[Text(str(key), style="bold") for key in frame.index]]
    for name in frame.columns:
        if name in _NOT_SHOWN or frame[name].isna().all():
            continue
        table.add_column(_TIMES.get(name, name), overflow="fold", no_wrap=name not in _LONG)
        texts = [shown_value(value) for value in frame[name]]
        if name == "type":
            texts = [printable(short.get(text, text)) for text in texts]
        columns.append([Text(text, style=STATE_STYLES.get(text, "")) for text in texts])
    for row in zip(*columns, strict=True):
        table.add_row(*row)
    console().print(table)
