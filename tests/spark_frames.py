"""Frames that Spark answers, compared with those of one machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mlmd_lineage.snapshot.json_values import json_value

if TYPE_CHECKING:
    import pyarrow as pa

    import mlmd_lineage as ml


def frame(rows: Any) -> pd.DataFrame:
    """Return what Spark answers, in the order in which it does."""
    return of_table(rows.toArrow())


def of_table(table: pa.Table) -> pd.DataFrame:
    """Return rows of Spark's as a frame that keeps their types."""
    found: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return found


def cells(column: pd.Series[Any]) -> list[Any]:
    """Return a column as plain values, times in milliseconds."""
    values = [json_value(value) for value in column.astype(object)]
    return [round(v, 9) if isinstance(v, float) else v for v in values]


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Assert that two frames have the same columns and rows."""
    assert list(found.columns) == list(expected.columns)
    for name in expected:
        assert cells(found[name]) == cells(expected[name]), name


def of_starts(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of closures by what they start from."""
    return {
        start: part.drop(columns="start").sort_values(["kind", "id"]).reset_index(drop=True)
        for start, part in rows.groupby("start")
    }


def expected_closure(trace: ml.Trace) -> pd.DataFrame:
    """Return the rows that Spark is to answer for a closure of one machine."""
    rows = trace.nodes.reset_index()
    for name in ("original_id", "imported_from"):
        if name not in rows:
            rows.insert(rows.columns.get_loc("hops"), name, None)
    boundary = set(trace.boundary)
    return rows.assign(
        boundary=[node in boundary for node in rows["node"]],
        truncated_by=[list(trace.truncated_by)] * len(rows),
    )
