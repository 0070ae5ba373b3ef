"""Selections from tables that have been read: properties by their names, and counts of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.tables import KINDS, TIMES, TableCounts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def of_names(properties: pa.Table, names: Collection[str]) -> pa.Table:
    """Return the properties with some names.

    >>> of_names(snapshot.execution_properties, ["component_id", "zenml-*"])

    Args:
        properties: A table of properties.
        names: The names, or ``NAME*`` for all that begin so.
    """
    exact = {name for name in names if not name.endswith("*")}
    beginnings = tuple(name[:-1] for name in names if name.endswith("*"))
    column = properties["name"].unify_dictionaries()
    parts = [np.zeros(0, bool)]
    for chunk in column.chunks:
        texts = chunk.dictionary.to_pylist()
        fits = [name in exact or name.startswith(beginnings) for name in map(str, texts)]
        if not any(fits):
            parts.append(np.zeros(len(chunk), bool))
        else:
            parts.append(np.array(fits)[arrays.to_numpy(chunk.indices)])
    return properties.filter(pa.chunked_array([arrays.from_numpy(np.concatenate(parts))]))


def counts_of(name: str, table: pa.Table) -> TableCounts:
    """Return how many rows a table has, by type and state, and the first and last of their times.

    >>> counts_of("Event", snapshot.events)
    TableCounts(groups=((0, None, 136),), first=1719824412000, last=1719824499000)

    Args:
        name: MLMD's name of the table.
        table: The table.
    """
    bounds = []
    for column in TIMES[name]:
        times = arrays.to_numpy(table[column])
        known = times[times != 0]
        if len(known):
            bounds += [int(known.min()), int(known.max())]
    groups = tuple(_groups(name, table))
    return TableCounts(groups, min(bounds, default=None), max(bounds, default=None))


def _groups(name: str, table: pa.Table) -> Iterator[tuple[int, int | None, int]]:
    kind = next((kind for kind in KINDS.values() if kind.table == name), None)
    if kind is None:
        if table.num_rows:
            yield 0, None, table.num_rows
        return
    types, of_types = np.unique(arrays.to_numpy(table["type_id"]), return_inverse=True)
    names: list[Any] = [None]
    of_states = np.zeros(table.num_rows, np.int64)
    if kind.state is not None:
        column = table[kind.state]
        states, of_states = np.unique(arrays.to_numpy(column), return_inverse=True)
        names = [*states.tolist(), None]
        if column.null_count:
            of_states = np.where(arrays.to_numpy(column.is_valid()), of_states, len(names) - 1)
    both, counts = np.unique(of_types * len(names) + of_states, return_counts=True)
    for code, count in zip(both.tolist(), counts.tolist(), strict=True):
        yield int(types[code // len(names)]), names[code % len(names)], count
