"""Tables on a terminal that never cut a value: folded, or as a record for each row."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

_GAP = 2  # columns of the terminal between two columns of the table
NARROWEST = 12  # columns of the terminal that a folded column has at least
_TALLEST = 8  # lines that a folded cell takes at most; a taller one is shown in a record


@dataclasses.dataclass(frozen=True)
class TableColumn:
    """A column of a table.

    Attributes:
        heading: Its name.
        cells: The text of each row.
        folds: Whether its text may take several lines; never that of identities, states, times.
        styles: The style of each row's text; none where it is empty.
    """

    heading: str
    cells: Sequence[str]
    folds: bool = False
    styles: Sequence[str] = ()


def print_table(
    columns: Sequence[TableColumn], *, of: str = "", headings: bool = True, key: int = 0
) -> None:
    """Print rows on a terminal, as a table if its width allows, else as records.

    Args:
        columns: The columns.
        of: What a row is, for records.
        headings: Print the headings of a table.
        key: The number of the column that identifies the rows.
    """
    columns = [_printable(column) for column in columns]
    terminal = output.console()
    for attempt in (columns, [_with_folded_heading(column) for column in columns]):
        widths = fitting_widths(attempt, terminal.width)
        if widths is not None and not _is_too_tall(attempt, widths):
            _print_rows(attempt, widths, terminal, headings=headings)
            return
    _print_records(columns, of, key, terminal)


def _printable(column: TableColumn) -> TableColumn:
    cells = [printable(cell) for cell in column.cells]
    return dataclasses.replace(column, heading=printable(column.heading), cells=cells)


def _with_folded_heading(column: TableColumn) -> TableColumn:
    """Return a column whose heading takes a line for each of its words, if it is the widest."""
    from rich.cells import cell_len

    widest = max((cell_len(cell) for cell in column.cells), default=0)
    if cell_len(column.heading) <= widest:
        return column
    return dataclasses.replace(column, heading=column.heading.replace("_", "_\n"))


def _is_too_tall(columns: Sequence[TableColumn], widths: Sequence[int]) -> bool:
    """Return whether a cell would take so many lines that a record is easier to read."""
    return any(
        len(cell) > width * _TALLEST
        for column, width in zip(columns, widths, strict=True)
        for cell in column.cells
    )


def fitting_widths(
    columns: Sequence[TableColumn], width: int, narrowest: int = NARROWEST
) -> list[int] | None:
    """Return the widths of columns that fit beside each other; None where they do not.

    Columns that fold share what the others leave, the narrow ones first; none of them is
    narrower than ``narrowest``, unless its text is.
    """
    from rich.cells import cell_len

    natural = [max(map(cell_len, (*c.heading.split("\n"), *c.cells))) for c in columns]
    left = width - _GAP * (len(columns) - 1)
    left -= sum(n for column, n in zip(columns, natural, strict=True) if not column.folds)
    folding = sorted((n, i) for i, n in enumerate(natural) if columns[i].folds)
    widths = list(natural)
    for rank, (needed, i) in enumerate(folding):
        share = left // (len(folding) - rank)
        widths[i] = min(needed, share)
        if widths[i] < min(needed, narrowest):
            return None
        left -= widths[i]
    return widths if left >= 0 else None


def _print_rows(
    columns: Sequence[TableColumn], widths: Sequence[int], terminal: Console, *, headings: bool
) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=None,
        pad_edge=False,
        header_style="bold",
        padding=(0, _GAP, 0, 0),
        show_header=headings,
    )
    for column, width in zip(columns, widths, strict=True):
        table.add_column(Text(column.heading), width=width, overflow="fold")
    for number in range(len(columns[0].cells)):
        table.add_row(*(Text(c.cells[number], style=_style(c, number)) for c in columns))
    terminal.print(table)


def _print_records(columns: Sequence[TableColumn], of: str, key: int, terminal: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    others = [column for number, column in enumerate(columns) if number != key]
    for number, name in enumerate(columns[key].cells):
        if number:
            terminal.print()
        terminal.print(Text(f"{of or columns[key].heading} {name}", style="bold", overflow="fold"))
        table = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        for column in others:
            if column.cells[number]:
                value = Text(column.cells[number], style=_style(column, number))
                table.add_row(Text(f"  {column.heading}", style="dim"), value)
        if table.row_count:
            terminal.print(table)


def _style(column: TableColumn, number: int) -> str:
    return column.styles[number] if column.styles else ""
