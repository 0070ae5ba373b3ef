"""Frames on a terminal, in a pipe, as JSON and as CSV."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.output import Format
from mlmd_lineage.cli.common.tables import TableColumn, print_table
from mlmd_lineage.cli.common.text import printable
from mlmd_lineage.cli.common.values import plain_value, terminal_value

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pandas as pd

COLUMNS_HELP = (
    "Only these columns, separated by commas, in this order. May be repeated. Default: all, "
    "on a terminal the most important."
)
CSV_SAFE_HELP = "In CSV, put an apostrophe before text that a spreadsheet would run as a formula."

_NOT_SHOWN = {"type_id", "external_id", "last_update_time_since_epoch", "type_version", "missing"}
_HEADINGS = {"create_time_since_epoch": "created (UTC)", "time": "time (UTC)"}
_NEVER_FOLDED = {"state", "status", "last_status", "run", "pipeline", "execution_id"}


@dataclasses.dataclass(frozen=True)
class TableOptions:
    """Options that say what of a frame is printed, and in which format."""

    columns: Annotated[
        list[str] | None, typer.Option("--columns", metavar="NAMES", help=COLUMNS_HELP)
    ] = None
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="N", help="The first N rows; with -N, the last N; 0 for all."
        ),
    ] = None
    csv_safe: Annotated[bool, typer.Option("--csv-safe", help=CSV_SAFE_HELP)] = False
    format_: Annotated[Format, typer.Option("--format", "-f", help="The format of the rows.")] = (
        Format.table
    )


def print_frame(
    frame: pd.DataFrame, options: TableOptions, what: str, shown: Sequence[str] | None = None
) -> None:
    """Print a frame in the format that was asked for.

    Args:
        frame: The rows.
        options: What of them is printed, and in which format.
        what: What the rows are, in the plural.
        shown: The columns that a terminal shows where ``--columns`` names none.
    """
    total = len(frame)
    frame = limited(chosen_columns(frame, options.columns), options.limit)
    if options.format_ is Format.json:
        output.write_json_rows(output.records(frame))
    elif options.format_ is Format.csv:
        output.write_csv(frame, safe=options.csv_safe)
    elif not output.on_terminal():
        write_plain(frame)
    else:
        if len(frame):
            if shown is not None and not options.columns:
                frame = frame[[name for name in shown if name in frame]]
            print_on_terminal(frame, what.removesuffix("s"), all_columns=bool(options.columns))
        write_count(len(frame), total, what)


def write_count(shown: int, total: int, what: str) -> None:
    """Write the line below a table that says how many rows there are."""
    counted = f"{total:,} {what}" if total != 1 else f"1 {what.removesuffix('s')}"
    output.write_line(f"{shown:,} of {counted}." if shown < total else f"{counted}.", "dim")


def limited(frame: pd.DataFrame, limit: int | None) -> pd.DataFrame:
    """Return the first rows of a frame, with a negative limit the last, without one all."""
    if not limit:
        return frame
    return frame.head(limit) if limit > 0 else frame.tail(-limit)


def chosen_columns(frame: pd.DataFrame, names: Collection[str] | None) -> pd.DataFrame:
    """Return a frame with the columns that ``--columns`` names; the index always stays.

    Raises:
        BadParameter: The frame has no such column.
    """
    from mlmd_lineage.errors import did_you_mean

    wanted = [name.strip() for each in names or () for name in each.split(",") if name.strip()]
    if not wanted:
        return frame
    for name in wanted:
        if name not in frame and name != frame.index.name:
            known = [str(column) for column in frame.columns]
            near = did_you_mean(name, known) or f" There are {', '.join(known)}."
            message = f"There is no column {printable(name)!r}.{printable(near)}"
            raise typer.BadParameter(message, param_hint="'--columns'")
    return frame[[name for name in dict.fromkeys(wanted) if name != frame.index.name]]


def write_plain(frame: pd.DataFrame) -> None:
    """Write a frame as columns between tabs, under their names, nothing cut."""
    output.write("\n".join(plain_lines(frame)))


def plain_lines(frame: pd.DataFrame) -> list[str]:
    """Return a frame as lines of columns between tabs, under their names, nothing cut."""
    flat = output.with_key(frame)
    lines = ["\t".join(printable(str(name)) for name in flat.columns)]
    columns = [[plain_value(value) for value in flat[name]] for name in flat.columns]
    lines += ["\t".join(row) for row in zip(*columns, strict=True)]
    return lines


def print_on_terminal(frame: pd.DataFrame, of: str = "", *, all_columns: bool = False) -> None:
    """Print a frame on a terminal.

    Args:
        frame: At least one row.
        of: What a row is, where its key is a mere id.
        all_columns: Print also columns that are empty, or that people seldom look at.
    """
    from mlmd_lineage.snapshot.type_names import short_types

    short = short_types(frame["type"].dropna()) if "type" in frame else {}
    keys = [plain_value(key) for key in frame.index]
    columns = [TableColumn(str(frame.index.name), keys)] if frame.index.name is not None else []
    for name in map(str, frame.columns):
        if not all_columns and (name in _NOT_SHOWN or frame[name].isna().all()):
            continue
        cells = [terminal_value(value) for value in frame[name]]
        if name == "type":
            cells = [printable(short.get(cell, cell)) for cell in cells]
        styles = [output.STATE_STYLES.get(cell.upper(), "") for cell in cells]
        folds = frame[name].dtype.kind not in "biufmM" and name not in _NEVER_FOLDED
        columns.append(TableColumn(_HEADINGS.get(name, name), cells, folds, styles))
    print_table(columns, of=of if frame.index.name == "id" else "")
