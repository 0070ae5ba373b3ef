"""Frames of runs, steps, parameters and metrics, made by ``post_execution`` from parts of a store.

A part has whole runs, and all that is in one context with them: the runs of a pipeline. Its rows
are made as on one machine; the order of the pipelines among each other is found at the end.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlmd_lineage.dialects.registry import dialects
from mlmd_lineage.post_execution import frame_rows
from mlmd_lineage.post_execution.frames import StoreFrames
from mlmd_lineage.post_execution.loading.run_index import RunIndex
from mlmd_lineage.post_execution.loading.store_image import StoreImage
from mlmd_lineage.snapshot.columns import TEXT
from mlmd_lineage.snapshot.enums import OUTPUT_EVENTS
from mlmd_lineage.snapshot.json_values import json_value
from mlmd_lineage.snapshot.tables import Tables
from mlmd_lineage.spark import answer_rows
from mlmd_lineage.spark.components import kept
from mlmd_lineage.spark.frame_parts import FrameParts
from mlmd_lineage.spark.node_numbers import not_broadcast, number_of
from mlmd_lineage.spark.packed_rows import MARKS
from mlmd_lineage.spark.parts import answered
from mlmd_lineage.spark.session import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    import pyarrow as pa
    from pyspark.sql import DataFrame

    from mlmd_lineage.post_execution.loading.run_membership import RunMembership
    from mlmd_lineage.spark.frame_parts import Frame
    from mlmd_lineage.spark.node_numbers import PartNodes
    from mlmd_lineage.spark.spark_tables import SparkTables

FRAMES: dict[str, dict[str, Any]] = {
    "runs": frame_rows.RUNS,
    "steps": frame_rows.STEPS,
    "parameters": frame_rows.PARAMETERS,
    "metrics": frame_rows.METRICS,
}
_ORDER = {
    "_phase": "bigint",
    "_first": "bigint",
    "_place": "bigint",
    "_created": "bigint",
    "_run_id": "bigint",
    "_execution": "bigint",
    "_row": "bigint",
}
"""What orders rows: the first three a run's pipeline, the next a run in it, the last its rows."""


class SparkFrames:
    """A store's runs, steps, parameters and metrics as Spark DataFrames.

    >>> frames = store.frames
    >>> frames.runs().groupBy("pipeline_name", "status").count().show()

    Columns, rows and their order are those of ``store.frames`` on one machine, with indexes as
    columns; the values of parameters are JSON.
    """

    def __init__(self, tables: SparkTables, parts: Callable[[], PartNodes]) -> None:
        """Take tables, and what returns the part of each node; ``SparkStore.frames`` makes it."""
        self._tables = tables
        self._parts = FrameParts(tables, parts)

    def runs(self) -> DataFrame:
        """Return the runs, by pipelines, each from the oldest to the newest."""
        return self._frame("runs")

    def steps(self) -> DataFrame:
        """Return the steps of all runs, each run's in topological order."""
        return self._frame("steps")

    def parameters(self) -> DataFrame:
        """Return the parameters of all steps; ``value`` is JSON."""
        return self._frame("parameters")

    def metrics(self) -> DataFrame:
        """Return the scalar metrics of all steps."""
        return self._frame("metrics")

    def __repr__(self) -> str:
        return f"<SparkFrames: {', '.join(f'{name}()' for name in FRAMES)}>"

    @explained("answer")
    def _frame(self, name: Frame) -> DataFrame:
        columns = columns_of(name)
        parts = self._parts
        found = self._answered(parts.rows(name), name, in_outline=parts.are_outlines_enough(name))
        if parts.are_outlines_enough(name):
            found = kept(found)
            unknown = [row[0] for row in found.where("run IS NULL").select("_row").collect()]
            found = found.where("run IS NOT NULL")
            if unknown:
                nodes = parts.holding(unknown)
                found = found.union(self._answered(parts.all_rows(nodes), name))
        return _in_order(found).select(*columns)

    def _answered(
        self, rows: list[DataFrame], name: Frame, *, in_outline: bool = False
    ) -> DataFrame:
        task = functools.partial(
            answer,
            name=name,
            types=self._tables.types,
            writing_types=self._writing_types,
            in_outline=in_outline,
        )
        return answered(rows, task, {**columns_of(name), **_ORDER})

    @functools.cached_property
    def _writing_types(self) -> frozenset[int]:
        """The types of the executions that wrote artifacts, anywhere in the store."""
        from pyspark.sql import functions as f

        outputs = self._tables["Event"].where(
            f.col("type").isin([int(kind) for kind in OUTPUT_EVENTS])
        )
        writers = outputs.select(f.col("execution_id").alias("id")).distinct()
        found = self._tables["Execution"].join(not_broadcast(writers), "id", "left_semi")
        types = found.select("type_id").distinct().collect()
        return frozenset(row[0] for row in types if row[0] is not None)


def columns_of(name: str) -> dict[str, str]:
    """Return the columns of a frame with Spark's types."""
    return {column: _spark_type(dtype) for column, dtype in FRAMES[name].items()}


def _spark_type(dtype: Any) -> str:
    if dtype is object or dtype is TEXT:
        return "string"
    name = str(dtype)
    known = {"Int64": "bigint", "Float64": "double", "boolean": "boolean"}
    return known.get(name, "timestamp" if name.startswith("datetime64") else "string")


class _OutlinedFrames(StoreFrames):
    """The frames of rows from which runs can be made in outline only."""

    def _run_index(self) -> RunIndex:
        raise _OutlineError


class _OutlineError(Exception):
    """A run cannot be made from its outline."""


def answer(
    held: dict[str, pa.Table],
    *,
    name: Frame,
    types: Mapping[str, pa.Table],
    writing_types: frozenset[int],
    in_outline: bool = False,
) -> Iterator[pa.RecordBatch]:
    """Return the rows of a frame for a part.

    Args:
        held: The rows of the part; the executions that are marked belong to others.
        name: Which frame.
        types: The tables of types.
        writing_types: The types of the executions that wrote artifacts.
        in_outline: The rows are those of outlines. A part with a run for which they are not enough
            has one row, with no run, and the number of one of its nodes in ``_row``.
    """
    others = {f"execution/{number >> 2}" for number in held.pop(MARKS)["node"].to_pylist()}
    tables = Tables({**types, **held})
    frames = (_OutlinedFrames if in_outline else StoreFrames).of(tables)
    try:
        frame = getattr(frames.with_writing_types(writing_types), name)()
    except _OutlineError:
        node = next(
            number_of(kind, held[kind.capitalize()]["id"][0].as_py())
            for kind in ("execution", "context")
            if held[kind.capitalize()].num_rows
        )
        unknown = pd.DataFrame({"_row": [node]})
        yield answer_rows.batch(unknown, {**columns_of(name), **_ORDER})
        return
    frame = frame.reset_index() if frame.index.name else frame
    frame = frame[~frame["run"].isin(others)]
    if name == "parameters":
        texts = [json.dumps(json_value(value), ensure_ascii=False) for value in frame["value"]]
        frame = frame.assign(value=texts)
    membership = RunIndex(StoreImage(tables), dialects()).membership
    frame = frame.assign(**_order_of(frame, membership, others))
    yield answer_rows.batch(frame, {**columns_of(name), **_ORDER})


def _order_of(
    frame: pd.DataFrame, membership: RunMembership, others: Collection[str]
) -> dict[str, list[int]]:
    """Return the columns that order rows; runs of others do not count."""
    pipelines = {
        key: membership.first_of(pipeline, others) for key, pipeline in membership.pipelines.items()
    }
    made: dict[str, list[int]] = {column: [] for column in _ORDER}
    for number, (run, pipeline) in enumerate(zip(frame["run"], frame["pipeline"], strict=True)):
        executions = membership.runs[run].executions
        values = (
            *pipelines[pipeline],
            *membership.age(run),
            min(executions, default=0),
            number,
        )
        for column, value in zip(_ORDER, values, strict=True):
            made[column].append(value)
    return made


def _in_order(rows: DataFrame) -> DataFrame:
    """Return rows in their order; a pipeline without a context may be in several parts."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    first = f.struct("_phase", "_first", "_place")
    earliest = f.min(first).over(Window.partitionBy("pipeline"))
    placed = rows.withColumn("_pipeline", earliest)
    return placed.orderBy("_pipeline", "_created", "_run_id", "_execution", "_row")
