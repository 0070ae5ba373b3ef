"""Lower bound of writing: the rows of a store inserted by plain SQL, without any rules.

No writer of SQLite takes less time for the same rows: they are there already as Python values, each
statement inserts many of them, and nothing is checked or looked up.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PARAMETERS = 999
"""How many parameters a statement has at most, as older copies of SQLite take no more."""
_OWNERS = {
    "Artifact": "id",
    "ArtifactProperty": "artifact_id",
    "Execution": "id",
    "ExecutionProperty": "execution_id",
    "Event": "execution_id",
    "Attribution": "artifact_id",
    "Association": "execution_id",
}
"""The tables, each with the column whose value says which batch a row belongs to."""

Insert = tuple[str, "Sequence[Any]"]
"""A statement and its parameters."""


def seconds(source: str, target: str, batches: int) -> Iterator[tuple[float, float]]:
    """Yield the seconds and CPU seconds of inserting the rows of a store into an empty one.

    First come zeros, then those of each batch.

    Args:
        source: The path of the store whose rows are taken.
        target: The path of the empty one, whose ids come out the same.
        batches: Into how many transactions of one size each to divide them.
    """
    connection = sqlite3.connect(source)
    try:
        inserts = [list(batch) for batch in _batches(connection, batches)]
    finally:
        connection.close()
    connection = sqlite3.connect(target, isolation_level=None)
    connection.execute("PRAGMA cache_size = -65536")
    try:
        yield 0.0, 0.0
        for batch in inserts:
            begun = time.perf_counter(), time.process_time()
            connection.execute("BEGIN IMMEDIATE")
            for statement, parameters in batch:
                connection.execute(statement, parameters)
            connection.execute("COMMIT")
            yield time.perf_counter() - begun[0], time.process_time() - begun[1]
    finally:
        connection.close()


def _batches(connection: sqlite3.Connection, batches: int) -> Iterator[Iterator[Insert]]:
    """Yield the statements of each transaction."""
    most = {
        table: connection.execute(f"SELECT MAX({owner}) FROM {table}").fetchone()[0]  # noqa: S608 - names of MLMD's
        for table, owner in _OWNERS.items()
    }
    for number in range(batches):
        yield itertools.chain.from_iterable(
            _inserts(connection, table, most[table] * number // batches, most[table], batches)
            for table in _OWNERS
        )


def _inserts(
    connection: sqlite3.Connection, table: str, above: int, most: int, batches: int
) -> Iterator[Insert]:
    """Yield the statements that insert a batch's rows of one table, without columns of NULLs."""
    owner = _OWNERS[table]
    found = connection.execute(
        f"SELECT * FROM {table} WHERE {owner} > ? AND {owner} <= ? ORDER BY rowid",  # noqa: S608 - names of MLMD's
        (above, above + most // batches),
    )
    names = [column[0] for column in found.description]
    by_columns: dict[tuple[int, ...], list[Any]] = {}
    for row in found:
        held = tuple(place for place, value in enumerate(row) if value is not None)
        by_columns.setdefault(held, []).append([row[place] for place in held])
    for held, rows in by_columns.items():
        place = 0
        while place < len(rows):
            many = min(_PARAMETERS // len(held), 1 << ((len(rows) - place).bit_length() - 1))
            marks = ", ".join([f"({', '.join('?' * len(held))})"] * many)
            listed = ", ".join(names[number] for number in held)
            values = list(itertools.chain.from_iterable(rows[place : place + many]))
            yield f"INSERT INTO {table} ({listed}) VALUES {marks}", values  # noqa: S608 - names of MLMD's
            place += many
