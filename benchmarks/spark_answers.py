"""The answers that ``spark.py`` measures, as Parquet files: whether both ways gave the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlmd_lineage.snapshot.json_values import json_value

if TYPE_CHECKING:
    from pathlib import Path

_ORDER = {"downstream": ("start", "node"), "impact": ("start", "row")}
"""What orders rows whose order is that of the nodes asked about, or none."""


def write(answer: Any, folder: Path, name: str) -> None:
    """Write what one process answered.

    Args:
        answer: A frame, or findings; of closures and impacts one for each node asked about, with
            the text of an impact beside it.
        folder: Where the answers of one process go.
        name: What was asked.
    """
    if name == "downstream":
        frame = pd.concat([rows.reset_index().assign(start=key) for key, rows in answer.items()])
    elif name == "impact":
        made = []
        for key, (rows, text) in answer.items():
            made += [rows.assign(start=key), pd.DataFrame({"start": [key], "text": [text]})]
        frame = pd.concat(made)
    elif name == "findings":
        found = [(str(one.code), one.subject, one.detail) for one in answer]
        frame = pd.DataFrame(found, columns=["code", "subject", "detail"], dtype=str)
    else:
        frame = answer.reset_index() if answer.index.name else answer
    if name == "parameters":
        texts = [json.dumps(json_value(value), ensure_ascii=False) for value in frame["value"]]
        frame = frame.assign(value=texts)
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / name)


def differing(spark: Path, one_process: Path, name: str) -> list[str]:
    """Return the columns in which two answers differ, or how many rows they have."""
    folders = [spark / name, one_process / name]
    orders = [_order(folder, name) for folder in folders]
    if len(orders[0]) != len(orders[1]):
        return [f"{len(orders[0]):,} rows in place of {len(orders[1]):,}"]
    made = []
    for column in pq.read_schema(one_process / name).names:
        first, second = (pq.read_table(folder, columns=[column])[column] for folder in folders)
        # Nothing that one process has is lost by the cast: texts, and times in milliseconds.
        if not first.take(orders[0]).equals(second.cast(first.type).take(orders[1])):
            made.append(column)
    return made


def _order(folder: Path, name: str) -> pa.Array:
    """Return the numbers of rows in the order in which they are compared."""
    keys = [key for key in _ORDER.get(name, ()) if key != "row"]
    rows = pq.read_table(folder, columns=keys or None)
    numbers = pa.array(range(rows.num_rows), pa.int64())
    if not keys:
        return numbers
    keyed = rows.append_column("row", numbers)
    return pc.sort_indices(keyed, [(key, "ascending") for key in _ORDER[name]])
