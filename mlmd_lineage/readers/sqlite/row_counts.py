"""Counts of the rows of an SQLite table by type and state.

SQLite sorts all rows to group them. Counting the two columns as the Arrow driver returns them takes
half as long.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlmd_lineage import deadline
from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.readers.sqlite.arrow_connections import Connection

    Array = np.ndarray[Any, np.dtype[Any]]

_STATES = 64
"""A state and a type make one number: the type's times this, and the state's after it."""
_MOST_TYPES = 1 << 14
"""Below it numbers are counted in an array that has a place for each."""


def grouped(
    connection: Connection, source: str, listed: Sequence[str]
) -> list[tuple[int, int | None, int]] | None:
    """Return the id of each type, a state, and how many rows have both.

    None where a value is no number, or none that MLMD would write.

    Args:
        connection: An open transaction.
        source: What follows FROM in a statement that selects the rows.
        listed: The columns of the type and, where there is one, of the state, as in a statement.
    """
    # The driver takes the types of the first row.
    seed = ", ".join(f"0 AS {column}" for column in listed)
    statement = f"SELECT {seed} UNION ALL SELECT {', '.join(listed)} FROM {source}"  # noqa: S608 - MLMD's names
    counts: dict[int, int] = {}
    seeded = 1
    with contextlib.closing(connection.batches(statement)) as batches:
        for batch in batches:
            deadline.check()
            codes = _codes(batch.slice(seeded))
            if codes is None:
                return None
            seeded = 0
            for code, count in _counted(codes):
                counts[code] = counts.get(code, 0) + count
    return [
        (code // _STATES, code % _STATES - 1 if code % _STATES else None, count)
        for code, count in sorted(counts.items())
    ]


def _codes(batch: pa.RecordBatch) -> Array | None:
    if not all(pa.types.is_integer(column.type) for column in batch.columns):
        return None
    types = arrays.to_numpy(batch.column(0))  # what has no type has type 0
    states = np.zeros(len(types), np.int64)
    if batch.num_columns > 1:
        states = arrays.to_numpy(batch.column(1), null=-1) + 1
        null = batch.column(1).null_count
        if len(states) and (states.min() < (0 if null else 1) or states.max() >= _STATES):
            return None
        if null and int((states == 0).sum()) != null:
            return None
    if len(types) and (types.min() < 0 or types.max() >= 1 << 50):
        return None
    return types * _STATES + states


def _counted(codes: Array) -> list[tuple[int, int]]:
    if len(codes) and codes.max() < _MOST_TYPES * _STATES:
        counts = np.bincount(codes)
        (there,) = np.nonzero(counts)
        return list(zip(there.tolist(), counts[there].tolist(), strict=True))
    distinct, counts = np.unique(codes, return_counts=True)
    return list(zip(distinct.tolist(), counts.tolist(), strict=True))
