"""Counts of the nodes and events of an SQL database, by statements that return few rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.snapshot.tables import KINDS, TIMES, TableCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mlmd_lineage.readers.database_schema import DatabaseSchema

    Run = Callable[[str], Sequence[tuple[Any, ...]]]


def counts_in(
    run: Run,
    layout: DatabaseSchema,
    table: str,
    quote: Callable[[str], str],
    grouped: Callable[[str, Sequence[str]], Iterable[tuple[int, int | None, int]]] | None = None,
) -> TableCounts:
    """Return how many rows a table has, by type and state, and the first and last of their times.

    Args:
        run: Gives the rows that a statement selects.
        layout: The tables and columns that the database has.
        table: MLMD's name of the table.
        quote: Gives a name as it stands in a statement.
        grouped: Counts rows by the columns of type and state, given what follows FROM, where a
            GROUP BY is not the fastest.
    """
    if table not in layout.columns:
        return TableCounts((), None, None)
    source = layout.from_clause(table, quote)
    times = [quote(column) for column in TIMES[table] if column in layout.columns[table]]
    kind = next((kind for kind in KINDS.values() if kind.table == table), None)
    if kind is None:
        return _of_events(run, source, times)
    has = [c for c in ("type_id", kind.state) if c in layout.columns[table]]
    columns = [quote(column) for column in has if column]
    if grouped is not None:
        groups = tuple(grouped(source, columns))
    else:
        listed = ", ".join(columns)
        state = "" if kind.state in has else "NULL, "
        statement = f"SELECT {listed}, {state}COUNT(*) FROM {source} GROUP BY {listed}"  # noqa: S608 - MLMD's names
        groups = tuple((number or 0, state, count) for number, state, count in run(statement))
    bounds = [time for column in times for time in _bounds(run, source, column)]
    return TableCounts(groups, min(bounds, default=None), max(bounds, default=None))


def _of_events(run: Run, source: str, times: Sequence[str]) -> TableCounts:
    """Return the counts of events; MLMD has no index for their times."""
    bounds = [f"{bound}({time})" for time in times for bound in ("MIN", "MAX")]
    [row] = run(f"SELECT {', '.join(['COUNT(*)', *bounds])} FROM {source}")  # noqa: S608 - as above
    count, first, last = (*row, None, None)[:3]
    if isinstance(first, int) and isinstance(last, int) and first <= 0 <= last:
        # A function for each row takes half as long again, and 0 is rare.
        bounds = [f"{bound}(NULLIF({time}, 0))" for time in times for bound in ("MIN", "MAX")]
        [(first, last)] = run(f"SELECT {', '.join(bounds)} FROM {source}")  # noqa: S608 - as above
    return TableCounts(((0, None, count),) if count else (), first, last)


def _bounds(run: Run, source: str, column: str) -> Iterator[int]:
    """Yield the least and the greatest number in a column but 0, each by a look-up in its index."""
    for bound, beyond in (("MIN", "> 0"), ("MAX", "< 0")):
        statement = f"SELECT {bound}({column}) FROM {source}"  # noqa: S608 - as above
        [(found,)] = run(statement)
        if found == 0:
            [(found,)] = run(f"{statement} WHERE {column} {beyond}")
        if found is not None:
            yield found
