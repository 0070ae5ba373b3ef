"""Rows of answers as Arrow record batches, with the columns and types of Spark's schema."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_ARROW = MappingProxyType(
    {
        "bigint": pa.int64(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "string": pa.string(),
        "timestamp": pa.timestamp("us", "UTC"),
        "array<string>": pa.list_(pa.string()),
    }
)


def batch(rows: pd.DataFrame, columns: Mapping[str, str]) -> pa.RecordBatch:
    """Return rows as a record batch of some columns; those that they lack are null."""
    made = [
        pa.nulls(len(rows), _ARROW[kind])
        if name not in rows
        else pa.Array.from_pandas(rows[name], type=_ARROW[kind])
        for name, kind in columns.items()
    ]
    return pa.RecordBatch.from_arrays(
        [part.combine_chunks() if isinstance(part, pa.ChunkedArray) else part for part in made],
        schema=_schema(columns),
    )


def batch_of_rows(rows: list[dict[str, Any]], columns: Mapping[str, str]) -> pa.RecordBatch:
    """Return rows, given as dicts, as a record batch of some columns."""
    return pa.RecordBatch.from_pylist(rows, schema=_schema(columns))


def _schema(columns: Mapping[str, str]) -> pa.Schema:
    return pa.schema([(name, _ARROW[kind]) for name, kind in columns.items()])
