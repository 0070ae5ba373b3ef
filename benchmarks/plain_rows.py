"""Lower bound of writing: the statements of this library's writer, with their parameters ready.

They insert many rows each, by few parameters. Nothing is decoded, checked or looked up, and the
rows are there already as Python values.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BEGIN, _COMMIT = "BEGIN IMMEDIATE", "COMMIT"
_STATEMENTS = 512
"""How many statements stay prepared, as in the writer."""

Statement = tuple[str, "Sequence[Any]"]
"""A statement and its parameters."""


@contextlib.contextmanager
def recorded() -> Iterator[list[Statement]]:
    """Record what is done to SQLite files meanwhile."""
    statements: list[Statement] = []

    class Connection(sqlite3.Connection):
        def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
            statements.append((statement, parameters))
            return super().execute(statement, parameters)

    connect = sqlite3.connect

    def recording(*arguments: Any, **options: Any) -> sqlite3.Connection:
        return connect(*arguments, **options, factory=Connection)

    with mock.patch.object(sqlite3, "connect", recording):
        yield statements


def transactions(statements: Sequence[Statement]) -> list[list[Statement]]:
    """Return the statements that insert something, by their transactions."""
    found: list[list[Statement]] = []
    for statement, parameters in statements:
        if statement == _BEGIN:
            found.append([])
        elif statement.startswith("INSERT"):
            found[-1].append((statement, parameters))
    return found


def seconds(target: str, batches: Sequence[Sequence[Statement]]) -> Iterator[tuple[float, float]]:
    """Yield the seconds and CPU seconds of running statements on a store.

    First come zeros, then those of each batch.

    Args:
        target: The path of a store as it was before the first of them.
        batches: The statements of each transaction.
    """
    connection = sqlite3.connect(target, isolation_level=None, cached_statements=_STATEMENTS)
    for pragma in ("cache_size = -65536", "journal_size_limit = 4194304", "journal_mode = PERSIST"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    try:
        yield 0.0, 0.0
        for batch in batches:
            begun = time.perf_counter(), time.process_time()
            connection.execute(_BEGIN)
            for statement, parameters in batch:
                connection.execute(statement, parameters)
            connection.execute(_COMMIT)
            yield time.perf_counter() - begun[0], time.process_time() - begun[1]
    finally:
        connection.close()
