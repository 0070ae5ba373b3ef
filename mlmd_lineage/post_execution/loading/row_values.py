"""Values in rows of MLMD's tables: properties, the keys of event paths, states."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.values import value_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from mlmd_lineage.post_execution.loading.grouped_rows import GroupedRows

    Row = tuple[Any, ...]
    Array = np.ndarray[Any, np.dtype[Any]]


@contextlib.contextmanager
def without_gc() -> Iterator[None]:
    """Keep the garbage collector from looking through many new objects that all stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def properties_of(
    part: GroupedRows, ids: Sequence[int]
) -> dict[int, tuple[dict[str, Any], dict[str, Any]]]:
    """Return the declared and the custom properties of some nodes, each in the order of names."""
    found: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
    for number, row in sorted(part.rows(ids), key=lambda item: (item[0], item[1][1])):
        both = found.setdefault(number, ({}, {}))
        both[bool(row[2])][row[1]] = value_of(*row[3:])
    return found


def path_keys(path: Sequence[Row]) -> list[tuple[str, int]]:
    """Return the keys in an event's path, each with its index: ``("x", 0, "y", 1)`` has two."""
    pairs: list[tuple[str, int]] = []
    for _, is_index, index, key in path:
        if is_index:
            if pairs and index is not None:
                pairs[-1] = (pairs[-1][0], index)
        elif key:
            pairs.append((key, 0))
    return pairs


def known_numbers(column: pa.ChunkedArray, limit: int) -> Array:
    """Return an enum's numbers; those that MLMD does not know become 0."""
    numbers = arrays.to_numpy(column)
    return np.where((numbers > 0) & (numbers < limit), numbers, 0)


def looked_up(wanted: pa.ChunkedArray, ids: pa.ChunkedArray, values: Array) -> Array:
    """Return the value of each wanted id, 0 where it has no row."""
    numbers, keys = arrays.to_numpy(wanted), arrays.to_numpy(ids)
    found = np.zeros(len(numbers), np.int64)
    if len(keys):
        order = np.argsort(keys, kind="stable")
        at = keys[order].searchsorted(numbers).clip(max=len(keys) - 1)
        there = keys[order][at] == numbers
        found[there] = values[order][at[there]]
    return found
