"""Numbers that stand in many places of a store, and are held in memory once.

Ids count without a gap where nobody deleted anything, so that the rows of several tables have the
same ones; the states of nodes are the same in very many rows.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from mlmd_lineage.snapshot import arrays

_BYTES = 8
_FEWEST = 1024
"""Fewer numbers take so little memory that they are not looked at."""


class SharedBuffers:
    """The buffers of some tables' columns, which may be made in several threads."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, bool], pa.Buffer] = {}

    def shared(self, column: pa.Array) -> pa.Array | None:
        """Return a column of integers whose numbers are held already; None where they are not."""
        key = _key(column)
        known = self._held.get(key) if key is not None else None
        size = len(column) * _BYTES
        if known is None or known.size < size:
            return None
        return pa.Array.from_buffers(column.type, len(column), [None, known.slice(0, size)])

    def keep(self, column: pa.Array) -> None:
        """Let columns that come later share the numbers of this one, which are not copied."""
        key = _key(column)
        if key is None:
            return
        known, size = self._held.get(key), len(column) * _BYTES
        if known is None or known.size < size:
            self._held[key] = column.buffers()[1].slice(column.offset * _BYTES, size)


def _key(column: pa.Array) -> tuple[int, bool] | None:
    """Return what tells all numbers of a column: the first, and whether they count up from there.

    None where they neither do so nor are all the same.
    """
    if column.type != pa.int64() or column.null_count or len(column) < _FEWEST:
        return None
    numbers = arrays.to_numpy(column)
    first, last = int(numbers[0]), int(numbers[-1])
    step = 0 if first == last else 1
    if last - first != step * (len(numbers) - 1) or (np.diff(numbers) != step).any():
        return None
    return first, bool(step)
