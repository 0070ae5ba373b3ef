"""Conversion of Arrow columns to pandas columns with fixed dtypes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlmd_lineage.snapshot import imported
from mlmd_lineage.snapshot.enums import name_of

if TYPE_CHECKING:
    from enum import IntEnum

TEXT: Any = pd.StringDtype("pyarrow")
"""Text, with ``pd.NA`` where there is none."""


def text(column: pa.ChunkedArray) -> Any:
    """Return a text column."""
    return TEXT.__from_arrow__(column.cast(pa.large_string()))


def times(column: pa.ChunkedArray) -> Any:
    """Return MLMD's milliseconds as UTC timestamps; NaT where there is none, or where it is 0."""
    stamps = pc.if_else(pc.equal(column, 0), None, column).cast(pa.int64())
    return pd.DatetimeIndex(
        stamps.cast(pa.timestamp("ms")).to_numpy(zero_copy_only=False), tz="UTC"
    ).array


def enum(column: pa.ChunkedArray, kind: type[IntEnum]) -> Any:
    """Return an enum's numbers as its names; those that MLMD does not name as ``UNKNOWN(9)``."""
    distinct = column.unique().to_pylist()
    named: dict[int, str | None] = {
        number: name_of(kind, number) for number in distinct if number is not None
    }
    return text(replaced(column, named))


def replaced(column: pa.ChunkedArray, by: dict[int, str | None]) -> pa.ChunkedArray:
    """Return a column of numbers with a text for each; null where there is none for it."""
    keys = pa.array(list(by), pa.int64())
    found = pc.index_in(column.cast(pa.int64()), value_set=keys)
    return pa.chunked_array([pa.array(list(by.values()), pa.string()).take(found.combine_chunks())])


def type_names(column: pa.ChunkedArray, types: pa.Table) -> Any:
    """Return the names of the types with some ids."""
    names = dict(zip(types["id"].to_pylist(), types["name"].to_pylist(), strict=True))
    return text(replaced(column, names))


def node_columns(
    table: pa.Table, types: pa.Table, state: str | None, states: type[IntEnum] | None = None
) -> pd.DataFrame:
    """Return nodes by their ids, with MLMD's names for their columns."""
    columns: dict[str, Any] = {"type": type_names(table["type_id"], types)}
    versions = dict(zip(types["id"].to_pylist(), types["version"].to_pylist(), strict=True))
    columns["type_version"] = text(replaced(table["type_id"], versions))
    columns["name"] = text(table["name"])
    rows = table.num_rows
    columns["uri"] = (
        text(table["uri"]) if "uri" in table.column_names else pd.array([pd.NA] * rows, TEXT)
    )
    if state is not None and states is not None:
        columns["state"] = enum(table[state], states)
    columns["external_id"] = text(table["external_id"])
    columns["create_time_since_epoch"] = times(table["create_time_since_epoch"])
    columns["last_update_time_since_epoch"] = times(table["last_update_time_since_epoch"])
    columns["type_id"] = table["type_id"].to_numpy().astype(np.int64)
    if imported.ID_COLUMN in table.column_names:
        columns[imported.ID_COLUMN] = pd.array(table[imported.ID_COLUMN].to_pylist(), "Int64")
        columns[imported.SOURCE_COLUMN] = text(table[imported.SOURCE_COLUMN])
    return pd.DataFrame(columns, index=ids(table["id"]))


def ids(column: pa.ChunkedArray, name: str = "id") -> pd.Index[int]:
    """Return an index of ids."""
    numbers: np.ndarray[Any, np.dtype[np.int64]] = column.to_numpy().astype(np.int64)
    made: pd.Index[int] = pd.Index(numbers, name=name)
    return made


def paths(event_ids: pa.ChunkedArray, steps: pa.Table) -> Any:
    """Return each event's path: a tuple of its steps, texts for keys and ints for indexes."""
    by_event: dict[int, list[str | int]] = {}
    for event, is_index, index, key in zip(
        *(
            steps[name].to_pylist()
            for name in ("event_id", "is_index_step", "step_index", "step_key")
        ),
        strict=True,
    ):
        by_event.setdefault(event, []).append(index if is_index else key)
    made = np.empty(len(event_ids), object)
    for number, event in enumerate(event_ids.to_pylist()):
        made[number] = tuple(by_event.get(event, ()))
    return made
