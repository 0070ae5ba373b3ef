"""Functions that write the output of all commands, escaped unless a program reads it."""

from __future__ import annotations

import csv
import enum
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from mlmd_lineage.cli.common.text import printable_json, printable_lines
from mlmd_lineage.snapshot.json_values import json_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""The first characters of what a spreadsheet takes for a formula.

The source is OWASP's page on CSV injection.
"""


class Format(str, enum.Enum):
    """Formats of a table."""

    table = "table"
    json = "json"
    csv = "csv"


class LineageFormat(str, enum.Enum):
    """Formats of lineage."""

    table = "table"
    json = "json"
    csv = "csv"
    dot = "dot"
    mermaid = "mermaid"
    graphml = "graphml"
    svg = "svg"
    html = "html"
    png = "png"


class DescriptionFormat(str, enum.Enum):
    """Formats of a description."""

    table = "table"
    json = "json"


def on_terminal() -> bool:
    """Return whether a person reads the output."""
    return sys.stdout.isatty()


def console() -> Console:
    """Return the terminal, for ``rich``."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def write(text: str, *, error: bool = False, end: str = "\n") -> None:
    """Write text for people; what does not print is escaped."""
    typer.echo(printable_lines(text) + end, err=error, nl=False)


def write_line(text: str, style: str = "") -> None:
    """Write a line, in a style on a terminal; what does not print is escaped."""
    if not on_terminal():
        write(text)
        return
    console().print(printable_lines(text), style=style or None, soft_wrap=True)


def write_data(text: str) -> None:
    """Write text for a program as it is, but on a terminal as for people."""
    typer.echo(printable_lines(text) if on_terminal() else text, nl=not text.endswith("\n"))


def write_json(value: Any, *, indent: int | None = None) -> None:
    """Write a value as JSON, in which what does not print is escaped."""
    write_json_text(json.dumps(value, ensure_ascii=False, indent=indent))


def write_json_text(text: str) -> None:
    """Write a text that is JSON; what does not print is escaped in it."""
    typer.echo(printable_json(text))


def write_json_rows(rows: Iterable[Any]) -> None:
    """Write a JSON array, one row a line."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    write_json_text("[\n " + ",\n ".join(lines) + "\n]" if lines else "[]")


def with_key(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with its index as the first column; an index without a name says nothing."""
    return frame.reset_index(drop=frame.index.name is None)


def write_csv(frame: pd.DataFrame, *, safe: bool = False) -> None:
    """Write a frame as CSV; the arguments are those of ``csv_text()``."""
    write_data(csv_text(frame, safe=safe))


def csv_text(frame: pd.DataFrame, *, safe: bool = False) -> str:
    """Return a frame as CSV, its index first.

    Args:
        frame: The frame.
        safe: Put an apostrophe before text that a spreadsheet would take for a formula.
    """
    flat = with_key(frame)
    columns = [[_csv_value(value, safe=safe) for value in flat[name]] for name in flat.columns]
    headings = [_csv_value(str(name), safe=safe) for name in flat.columns]
    written = io.StringIO()
    writer = csv.writer(_UnixLines(written), lineterminator="\r\n")
    writer.writerow(headings)
    writer.writerows(zip(*columns, strict=True))
    return written.getvalue()


class _UnixLines:
    r"""Ends the rows of a CSV writer with ``\n``.

    The writer quotes values that hold a character of its line end. As MLMD's values may hold
    either, its line end is both.
    """

    def __init__(self, file: io.StringIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")


def _csv_value(value: Any, *, safe: bool) -> Any:
    simple = json_value(value)
    if isinstance(simple, (dict, list)):
        simple = json.dumps(simple, ensure_ascii=False)
    if safe and isinstance(simple, str) and simple.startswith(_FORMULA):
        return f"'{simple}"
    return simple


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as JSON has them, the index first."""
    flat = with_key(frame)
    columns: Sequence[list[Any]] = [
        [json_value(value) for value in flat[name]] for name in flat.columns
    ]
    return [dict(zip(flat.columns, row, strict=True)) for row in zip(*columns, strict=True)]
