"""Tables of registrations, and what a command says that it has done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FormatOption: TypeAlias = Annotated[
    DescriptionFormat, typer.Option("--format", help="How to write it.")
]

GlobalOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--global", "-g", help="In the user's configuration folder, also inside a project."
    ),
]


def print_rows(rows: Sequence[Mapping[str, Any]], format_: DescriptionFormat, mark: str) -> None:
    """Print rows: as a table whose headings are the keys in capitals, or as JSON.

    Args:
        rows: The rows, all with the same keys.
        format_: How to write them.
        mark: What stands for True on a terminal.
    """
    if format_ is DescriptionFormat.json:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        typer.echo("[\n " + ",\n ".join(lines) + "\n]" if lines else "[]")
        return
    headings = [key.replace("_", " ").upper() for key in rows[0]] if rows else []
    print_columns(headings, [[_text(value, mark) for value in row.values()] for row in rows])


def print_properties(
    heading: str, described: Mapping[str, Any], format_: DescriptionFormat, column: str
) -> None:
    """Print what describes one thing: two columns, or as JSON."""
    if format_ is DescriptionFormat.json:
        typer.echo(json.dumps(described, ensure_ascii=False, indent=1))
        return
    if output.on_terminal():
        output.print_line(heading, "bold")
    words = {True: "true", False: "false"}
    rows = [
        [key.upper(), words[value] if isinstance(value, bool) else _text(value, "")]
        for key, value in described.items()
    ]
    print_columns([column, "VALUE"], rows)


def print_columns(headings: list[str], rows: list[list[str]]) -> None:
    """Print columns for people on a terminal, with tabs between them elsewhere."""
    if not output.on_terminal():
        for row in [headings, *rows]:
            typer.echo("\t".join(row))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, heading in enumerate(headings):
        last = number == len(headings) - 1
        table.add_column(heading, overflow="fold", no_wrap=not last)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    output.console().print(table)


def _text(value: object, mark: str) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return mark if output.on_terminal() else "yes"
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def print_result(sentence: str, record: Mapping[str, Any], format_: DescriptionFormat) -> None:
    """Say what was done: in a sentence, or as JSON."""
    if format_ is DescriptionFormat.json:
        typer.echo(json.dumps(record, ensure_ascii=False))
    else:
        typer.echo(printable(sentence))
