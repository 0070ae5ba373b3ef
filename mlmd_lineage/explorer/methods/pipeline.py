"""A pipeline as a table of its runs, and its metrics over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.explorer.times import milliseconds
from mlmd_lineage.snapshot.json_values import is_missing, json_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from mlmd_lineage.explorer.explored_store import ExploredStore

    Row = dict[str, Any]

_GROUPS = ("parameters", "metrics", "inputs")
_OF_RUN = {"run": "text", "status": "status", "start": "time", "duration": "duration"}


def pipeline(  # noqa: PLR0913 - what a table is asked for
    store: ExploredStore,
    name: str,
    *,
    offset: int = 0,
    limit: int = 200,
    sort: Mapping[str, Any] | None = None,
    filter: str | None = None,  # noqa: A002 - what people call it
) -> dict[str, Any]:
    """Return a table of a pipeline's runs, as ``PipelineView.compare_runs()`` has them.

    Members: ``key``, ``name``; ``columns`` (``key``, ``label``, ``kind``: ``text``, ``number``,
    ``time``, ``duration`` or ``status``, ``group``: ``run``, ``parameter``, ``metric`` or
    ``input``); ``rows`` (``key`` of the run, ``run``, ``status``, ``start``, ``duration``, and
    ``parameters``, ``metrics`` and ``inputs`` by their names), the newest first; ``total`` (the
    number of rows with this filter), ``runs`` (without); ``changing``: the keys of the columns
    whose values differ.

    Args:
        store: The store.
        name: The pipeline's name or key.
        offset: How many rows to leave out at the beginning.
        limit: How many rows to return at most.
        sort: The ``key`` of a column, and whether ``descending``; rows without a value come last.
        filter: A text that one of a row's cells holds, in either case.
    """
    view = store.get_pipeline(name)
    comparison = view.compare_runs()
    frame = comparison.to_pandas()
    titles = {run.node_key: run.display_name for run in view.runs}
    columns = [*_columns_of_runs(), *_columns(frame)]
    rows = [
        _row(cells, key, titles.get(key, str(name)))
        for key, name, cells in zip(
            comparison.keys, frame.index, frame.to_dict("records"), strict=True
        )
    ]
    rows.reverse()
    total = len(rows)
    if filter:
        wanted = filter.casefold()
        rows = [row for row in rows if any(wanted in text for text in _texts(row))]
    if sort is not None:
        rows = _sorted(rows, sort, {column["key"] for column in columns}, view.name)
    changing = map(str, view.compare_runs(only_changes=True).to_pandas().columns)
    start = max(offset, 0)
    return {
        "key": view.node_key,
        "name": view.name,
        "columns": columns,
        "rows": rows[start : start + max(limit, 0)],
        "total": len(rows),
        "runs": total,
        "changing": ["start" if name == "started" else _key(name) for name in changing],
    }


def _columns_of_runs() -> list[Row]:
    return [
        {"key": key, "label": key, "kind": kind, "group": "run"} for key, kind in _OF_RUN.items()
    ]


def _columns(frame: pd.DataFrame) -> list[Row]:
    made = []
    for column in frame.columns:
        group, _, label = str(column).partition(".")
        if group in _GROUPS:
            kind = "number" if frame[column].dtype.kind in "iuf" else "text"
            made.append(
                {"key": _key(str(column)), "label": label, "kind": kind, "group": group[:-1]}
            )
    return made


def _key(column: str) -> str:
    """Return the key of a frame's column: ``metric.eval.auc`` for ``metrics.eval.auc``."""
    group, dot, name = column.partition(".")
    return f"{group[:-1]}.{name}" if dot else column


def _row(cells: dict[Any, Any], key: str, run: str) -> Row:
    row: Row = {
        "key": key,
        "run": run,
        "status": json_value(cells["status"]),
        "start": milliseconds(cells["started"]),
        "duration": milliseconds(cells["duration"]),
        **{group: {} for group in _GROUPS},
    }
    for column, value in cells.items():
        group, _, name = str(column).partition(".")
        if group in _GROUPS and not is_missing(value):
            row[group][name] = json_value(value)
    return row


def _texts(row: Row) -> list[str]:
    held = [value for group in _GROUPS for value in row[group].values()]
    return [str(value).casefold() for value in (row["run"], row["status"], *held)]


def _sorted(rows: list[Row], sort: Mapping[str, Any], known: set[str], name: str) -> list[Row]:
    key = sort.get("key")
    if key not in known:
        near = errors.did_you_mean(str(key), known)
        message = f"The pipeline {name!r} has no column {key!r} to sort by.{near}"
        raise errors.ConfigurationError(message)
    group, dot, label = str(key).partition(".")

    def cell(row: Row) -> Any:
        return row[f"{group}s"].get(label) if dot else row[str(key)]

    def order(row: Row) -> tuple[bool, float, str]:
        value = cell(row)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return not is_number, value if is_number else 0.0, "" if is_number else str(value)

    there = [row for row in rows if cell(row) is not None]
    missing = [row for row in rows if cell(row) is None]
    return [*sorted(there, key=order, reverse=bool(sort.get("descending"))), *missing]


def metrics(store: ExploredStore, name: str) -> dict[str, Any]:
    """Return a pipeline's metrics over time.

    Members: ``metrics``: for each its values as ``[run, start, value]``, from the oldest run.

    Args:
        store: The store.
        name: The pipeline's name or key.
    """
    comparison = store.get_pipeline(name).compare_runs()
    frame = comparison.to_pandas()
    starts = [milliseconds(time) for time in frame["started"]]
    found: dict[str, list[list[Any]]] = {}
    for column in comparison.metrics:
        values = zip(frame.index, starts, frame[f"metrics.{column}"], strict=True)
        found[str(column)] = [
            [run, start, json_value(value)] for run, start, value in values if not is_missing(value)
        ]
    return {"metrics": found}
