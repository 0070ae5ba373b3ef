"""Tables of registrations, and the result of a command that changes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.tables import TableColumn, print_table
from mlmd_lineage.cli.common.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FormatOption: TypeAlias = Annotated[DescriptionFormat, typer.Option("--format", help="The format.")]

_FOLDED = {"WHERE", "SOURCE", "VALUE", "KEYS", "USED BY"}

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
        output.write_json_rows(rows)
        return
    headings = [key.replace("_", " ").upper() for key in rows[0]] if rows else []
    print_columns(headings, [[_text(value, mark) for value in row.values()] for row in rows])


def print_properties(
    heading: str, described: Mapping[str, Any], format_: DescriptionFormat, column: str
) -> None:
    """Print what describes one thing: two columns, or as JSON."""
    if format_ is DescriptionFormat.json:
        output.write_json(described, indent=1)
        return
    if output.on_terminal():
        output.write_line(heading, "bold")
    words = {True: "true", False: "false"}
    rows = [
        [key.upper(), words[value] if isinstance(value, bool) else _text(value, "")]
        for key, value in described.items()
    ]
    print_columns([column, "VALUE"], rows)


def print_columns(headings: list[str], rows: list[list[str]]) -> None:
    """Print columns on a terminal, with tabs between them elsewhere."""
    if not output.on_terminal():
        output.write("\n".join("\t".join(row) for row in [headings, *rows]))
        return
    cells = list(zip(*rows, strict=True)) if rows else [() for _ in headings]
    columns = [TableColumn(h, list(c), h in _FOLDED) for h, c in zip(headings, cells, strict=True)]
    print_table(columns, key=int(headings[:1] == ["ACTIVE"]))


def _text(value: object, mark: str) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return mark if output.on_terminal() else "yes"
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def print_result(sentence: str, record: Mapping[str, Any], format_: DescriptionFormat) -> None:
    """Say what was done: in a sentence, or as JSON."""
    if format_ is DescriptionFormat.json:
        output.write_json(record)
    else:
        output.write(printable(sentence))
