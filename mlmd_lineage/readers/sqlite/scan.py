"""Scan of whole tables of an SQLite file, as Arrow columns.

The Arrow driver reads them on two connections that see the same state.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_manager import Error

from mlmd_lineage import deadline, errors, memory
from mlmd_lineage.readers import sql
from mlmd_lineage.readers.base import Selected, Selection
from mlmd_lineage.readers.database_schema import DatabaseSchema
from mlmd_lineage.readers.sql_counts import counts_in
from mlmd_lineage.readers.sqlite import (
    arrow_connections,
    driver_errors,
    row_conditions,
    row_counts,
    typed_values,
)
from mlmd_lineage.readers.sqlite.typed_values import quoted
from mlmd_lineage.snapshot import arrays, notes, table_building
from mlmd_lineage.snapshot.arrays import SharedBuffers
from mlmd_lineage.snapshot.finding_codes import FindingCode
from mlmd_lineage.snapshot.tables import PROPERTY_TABLES, RARE_VALUES, SCHEMAS, Tables, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path
    from typing import Any

    from mlmd_lineage.readers.sqlite.arrow_connections import Connection
    from mlmd_lineage.snapshot.tables import TableCounts

    Run = Callable[[str], Sequence[tuple[Any, ...]]]

T = TypeVar("T")

# A view or a virtual table may run for ever, and may call functions that the file's maker chose;
# its type in the schema may be false (https://www.sqlite.org/schematab.html). Generated columns
# are not listed.
_COLUMNS = """
    SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p
    WHERE m.type = 'table' AND m.rootpage > 0 AND m.sql LIKE 'CREATE TABLE%'
"""
_ROWS_PER_PART = 200_000
_MOST_PARTS = 256
_PARTS_TOGETHER = 8
"""After how many parts the memory is given back that the driver needed for them."""


def read(
    uri: str,
    path: Path,
    busy_timeout: float,
    selection: Selection,
    meanwhile: Callable[[Tables], object] | None = None,
) -> Selected:
    """Read tables in one transaction from the file that a URI names.

    Args:
        uri: How to open the file.
        path: What to call it.
        busy_timeout: For how many seconds to wait for a lock that another process holds.
        selection: What to read.
        meanwhile: Is given the tables while counting goes on.
    """
    names = wanted(selection.tables)
    tables: Tables | None = None
    try:
        with contextlib.ExitStack() as stack:
            connections = arrow_connections.same_state(uri, busy_timeout, stack)
            layout = layout_of(connections[0].rows, str(path))
            parts = _parts(connections[0], layout, names, selection)
            with _reading(connections, layout, parts, selection.counted) as (pieces, counting):
                if meanwhile is not None:
                    tables = _tables(path, layout, names, pieces)
                    meanwhile(tables)
                counts = {name: found.result() for name, found in counting.items()}
            whole = [name for name in selection.counted if counts[name] is None]
            if whole:
                more = _parts(connections[0], layout, whole, Selection(whole))
                with _reading(connections, layout, more, ()) as (further, _):
                    pieces |= further
    except (Error, pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, errors.MLMDLineageError):
            raise
        raise driver_errors.explained(error, path) from None
    if tables is None:
        names = (*names, *(name for name in whole if name not in names))
        tables = _tables(path, layout, names, pieces)
    elif whole:
        more_tables = _tables(path, layout, whole, pieces)
        tables = tables.with_tables({name: more_tables[name] for name in whole})
    if len(parts) > _PARTS_TOGETHER:
        memory.release()
    return Selected(tables, {n: found for n, found in counts.items() if found is not None})


def _tables(
    path: Path, layout: DatabaseSchema, names: Sequence[str], pieces: dict[str, list[pa.Table]]
) -> Tables:
    return Tables(
        {
            # What the pieces alone hold is freed table by table.
            name: layout.noted(name, _assembled(name, pieces.pop(name, [])))
            if name in layout.spelling
            else layout.absent(name)
            for name in names
        },
        schema_version=layout.version,
        source=str(path),
    )


def columns_in(run: Run) -> Mapping[str, Sequence[str]]:
    """Return the names of a database's tables, each with those of its columns.

    Args:
        run: Gives the rows that a statement selects.
    """
    found: dict[str, list[str]] = {}
    for table, column in run(_COLUMNS):
        found.setdefault(table, []).append(column)
    return found


def layout_of(
    run: Run, source: str, columns: Mapping[str, Sequence[str]] | None = None
) -> DatabaseSchema:
    """Return the tables and columns that a database has.

    Args:
        run: Gives the rows that a statement selects.
        source: What to call the database.
        columns: What ``columns_in`` gives, if it is known.
    """
    found = columns_in(run) if columns is None else columns
    return DatabaseSchema.of(found, lambda table: versions_in(run, table, found[table]), source)


def versions_in(run: Run, table: str, columns: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers in the table MLMDEnv.

    Args:
        run: Gives the rows that a statement selects.
        table: The table's name in the database.
        columns: The table's columns.
    """
    if "schema_version" not in columns:
        return ()
    is_number = "typeof(schema_version) = 'integer'"
    statement = f"SELECT schema_version FROM {quoted(table)} WHERE {is_number}"  # noqa: S608
    return tuple(version for (version,) in run(statement))


class _WidenedError(Exception):
    """The driver gave a column a wider type, as values in its first rows do not fit."""


class _Part(NamedTuple):
    """A piece of a table: some of its columns, in the rows that fit a condition."""

    table: str
    columns: Sequence[str]
    condition: str
    is_selected: bool = False
    """Whether these are properties with some names, and not all."""


def _parts(
    connection: Connection, layout: DatabaseSchema, names: Collection[str], selection: Selection
) -> list[_Part]:
    """Cut the tables into pieces of similar size."""
    parts = []
    for name in names:
        if name not in layout.spelling:
            continue
        columns = sql.chosen(name, layout.columns[name], selection.columns.get(name))
        table = layout.spelling[name]
        bounds = None if layout.is_derived(name) else row_conditions.row_bounds(connection, table)
        if name in selection.properties and "name" in columns:
            condition = row_conditions.of_names(
                connection,
                table,
                selection.properties[name],
                bounds and bounds[0],
                texts=name in selection.texts,
            )
            parts.append(_Part(name, columns, condition, is_selected=True))
            continue
        if bounds is None:
            parts.append(_Part(name, columns, "1"))
            continue
        number, low, high = bounds
        step = max(_ROWS_PER_PART, (high - low) // _MOST_PARTS + 1)
        for start in range(low, high + 1, step):
            last = min(start + step - 1, high)
            parts.append(_Part(name, columns, f"{number} BETWEEN {start} AND {last}"))
    # What is one piece and takes long comes first, beside all others.
    return sorted(parts, key=lambda part: not part.is_selected)


@contextlib.contextmanager
def _reading(
    connections: list[Connection],
    layout: DatabaseSchema,
    parts: list[_Part],
    counted: Collection[str],
) -> Iterator[tuple[dict[str, list[pa.Table]], dict[str, Future[TableCounts | None]]]]:
    """Give the pieces of each table, while counts of some are still being made."""
    free = list(connections)

    def with_connection(ask: Callable[[Connection], T]) -> T:
        connection = free.pop()
        try:
            return ask(connection)
        finally:
            free.append(connection)

    tables: dict[str, list[pa.Table]] = {}
    # An interrupt, which only this thread gets, ends what the others do.
    with deadline.Deadline() as limit, ThreadPoolExecutor(len(connections)) as pool:

        def begun(ask: Callable[[Connection], T]) -> Future[T]:
            return pool.submit(contextvars.copy_context().run, with_connection, ask)

        shared = SharedBuffers()
        running = [begun(functools.partial(_piece, layout, part, shared)) for part in parts]
        counts = {name: begun(functools.partial(_counts, layout, name)) for name in counted}
        try:
            for number, (part, pieces) in enumerate(zip(parts, running, strict=True), 1):
                tables.setdefault(part.table, []).extend(pieces.result())
                if number % _PARTS_TOGETHER == 0:
                    memory.release()
            yield tables, counts
        except BaseException:
            limit.cancel()
            pool.shutdown(cancel_futures=True)
            raise


def _counts(layout: DatabaseSchema, name: str, connection: Connection) -> TableCounts | None:
    """Return how many rows a table has; None where some values are of other types."""
    deadline.check()

    def grouped(source: str, columns: Sequence[str]) -> list[tuple[int, int | None, int]]:
        groups = row_counts.grouped(connection, f"{source} NOT INDEXED", columns)
        if groups is None:
            raise _WidenedError
        return groups

    try:
        found = counts_in(connection.rows, layout, name, quoted, grouped)
    except _WidenedError:
        return None
    except (Error, OSError, pa.ArrowException) as error:
        if "mismatch" not in str(error).lower():
            raise
        return None
    numbers = [value for group in found.groups for value in group]
    if all(value is None or type(value) is int for value in [*numbers, found.first, found.last]):
        return found
    return None


def _piece(
    layout: DatabaseSchema, part: _Part, shared: SharedBuffers, connection: Connection
) -> list[pa.Table]:
    name = part.table
    table = layout.from_clause(name, quoted)
    present = part.columns

    def select(columns: Sequence[str], where: str) -> list[pa.Table]:
        listed = typed_values.plain(columns, name)
        rows = f"{listed} FROM {table} WHERE {where}"
        return list(_batches(connection, name, columns, rows, shared))

    try:
        if name in PROPERTY_TABLES and not part.is_selected:
            keys = SCHEMAS[name].names[:3]
            return _properties(present, keys, part.condition, select)
        return select(present, part.condition)
    except (_WidenedError, OSError) as error:
        if isinstance(error, OSError) and "type mismatch" not in str(error).lower():
            raise
    listed = typed_values.tolerant(present, name)
    rows = f"{', '.join(listed.values())} FROM {table} WHERE {part.condition}"
    misfits = list(_misfits(connection, layout, part))
    cells = {(note.subject, note.detail.partition(" has ")[0]) for note in misfits}
    pieces = [
        # What was of another type had become NULL here.
        notes.without(piece, lambda note: (note.subject, note.detail.partition(" is ")[0]) in cells)
        for piece in _batches(connection, name, list(listed), rows, shared)
    ]
    return [notes.noted(pieces[0], misfits), *pieces[1:]] if pieces else []


def _misfits(connection: Connection, layout: DatabaseSchema, part: _Part) -> Iterator[notes.Note]:
    """Note each cell in a column of numbers that holds something else."""
    name = part.table
    schema = SCHEMAS[name]
    first, second = schema.names[:2]
    for column in part.columns:
        if not typed_values.is_number(schema.field(column).type):
            continue
        cells = connection.rows(
            f"SELECT 0, '', '' UNION ALL SELECT CAST({quoted(first)} AS INTEGER), "  # noqa: S608
            f"CAST({quoted(second)} AS TEXT), substr(quote({quoted(column)}), 1, 60) "
            f"FROM {layout.from_clause(name, quoted)} "
            f"WHERE {part.condition} AND {typed_values.wrong(column, name)}"
        )
        for *row, value in cells[1:]:
            subject, start = notes.about(name, row, column)
            detail = f"{start} has {value} as {column}, which is of another type"
            yield notes.Note(FindingCode.WRONG_TYPE, subject, detail)


def _properties(
    present: Sequence[str],
    keys: Sequence[str],
    condition: str,
    select: Callable[[Sequence[str], str], list[pa.Table]],
) -> list[pa.Table]:
    """Read properties without the three columns of values that are next to always NULL.

    A cell costs the driver the same whether it is NULL or not. The rows that do have such a
    value, or none at all, are read once more and put in their places.
    """
    usual = [c for c in present if c not in RARE_VALUES]
    filled = [c for c in usual if c not in keys]
    none = " AND ".join(f"{quoted(c)} IS NULL" for c in filled) or "1"
    rare = " OR ".join(f"{quoted(c)} IS NOT NULL" for c in present if c in RARE_VALUES)
    if not rare:
        return select(usual, condition)
    unusual = select(present, f"{condition} AND ({none} OR {rare})")
    if not unusual:
        return select(usual, condition)
    values = pa.concat_tables(unusual)
    if any(values[c].null_count < values.num_rows for c in filled):
        return select(present, condition)
    whole = notes.joined(select(usual, condition))
    empty = pc.and_(
        pc.and_(pc.is_null(whole["int_value"]), pc.is_null(whole["double_value"])),
        pc.is_null(whole["string_value"]),
    )
    places = np.flatnonzero(arrays.to_numpy(empty))
    for column in RARE_VALUES:
        if values[column].null_count == values.num_rows:
            continue
        number = whole.schema.get_field_index(column)
        spread = arrays.spread(values[column].combine_chunks(), places, whole.num_rows)
        whole = whole.set_column(number, whole.field(column), spread)
    return [whole]


def _batches(
    connection: Connection, name: str, columns: Sequence[str], rows: str, shared: SharedBuffers
) -> Iterator[pa.Table]:
    """Yield the rows that the rest of a SELECT statement stands for."""
    statement = f"SELECT {typed_values.seed(columns, name)} UNION ALL SELECT {rows}"
    kinds = [SCHEMAS[name].field(column).type for column in columns]
    skip = 1  # the seed
    with contextlib.closing(connection.batches(statement)) as batches:
        for batch in batches:
            deadline.check()
            if not all(map(typed_values.fits, batch.columns, kinds)):
                raise _WidenedError
            values = batch.slice(skip)
            skip = 0
            if values.num_rows:
                named = dict(zip(columns, values.columns, strict=True))
                yield table_building.finished(name, named, values.num_rows, shared=shared)


def _assembled(name: str, parts: list[pa.Table]) -> pa.Table:
    if not parts:
        return arrays.empty_table(SCHEMAS[name])
    return table_building.ordered(name, notes.joined(arrays.with_one_dictionary(parts)))
