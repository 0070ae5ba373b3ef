"""Divides a store into parts, each for one task: connected components, small ones together.

Whatever is asked, a task has all rows that its answer depends on, so that our own code for one
machine answers there. Which rows these are is said by the edges that keep nodes together.
"""

from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003 - pyspark reads the types of a task
from typing import TYPE_CHECKING

import pyarrow as pa  # noqa: TC002 - likewise

from mlmd_lineage import errors
from mlmd_lineage.dialects.registry import dialects
from mlmd_lineage.spark.components import kept
from mlmd_lineage.spark.node_numbers import FEW, PartNodes, key_of, not_broadcast, numbers
from mlmd_lineage.spark.packed_rows import unpack
from mlmd_lineage.spark.session import without_pandas_warning

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pyspark.sql import DataFrame

    from mlmd_lineage.spark.spark_tables import SparkTables

    Task = Callable[[dict[str, pa.Table]], Iterator[pa.RecordBatch]]

LARGEST_PART = 20_000_000
"""How many nodes a component may have by default: see ``docs/spark.md``."""
_TOGETHER = 50_000
"""Up to how many nodes small components have that are answered by one task."""
_FEWEST = 20_000
"""Below this many nodes it is not worth while to start another task."""

EVENTS, MEMBERSHIPS, REFERENCES = "events", "memberships", "references"
"""What keeps nodes together.

Events; what is in which context, and contexts in contexts; and executions that name others in their
properties: the groups that hold them, and those whose results they reuse.
"""


def edges(tables: SparkTables, kinds: Collection[str]) -> DataFrame:
    """Return the edges of some kinds between nodes, which are given by their numbers."""
    from pyspark.sql import functions as f

    made = []
    if EVENTS in kinds:
        made.append(_pairs(tables["Event"], "artifact_id", "execution_id"))
    if MEMBERSHIPS in kinds:
        made.append(_pairs(tables["Association"], "execution_id", "context_id"))
        pairs = tables["ParentContext"]
        ends = [numbers("context", pairs[c]) for c in ("context_id", "parent_context_id")]
        made.append(pairs.select(ends[0].alias("u"), ends[1].alias("v")))
        if EVENTS in kinds:
            made.append(_pairs(tables["Attribution"], "artifact_id", "context_id"))
    if REFERENCES in kinds:
        names = sorted(
            {n for d in dialects() for n in (*d.original_properties, *d.group_properties)}
        )
        rows = tables["ExecutionProperty"].where(f.col("name").isin(sorted(names)))
        texts = f.when(f.col("string_value").rlike("^[0-9]{1,18}$"), f.col("string_value"))
        named = f.coalesce("int_value", texts.cast("bigint"), f.col("double_value").cast("bigint"))
        ends = [numbers("execution", column) for column in (rows["execution_id"], named)]
        # Only what is there: a number may name an execution of another store.
        there = tables["Execution"].select(numbers("execution", f.col("id")).alias("v"))
        found = rows.select(ends[0].alias("u"), ends[1].alias("v")).where("v IS NOT NULL")
        made.append(found.join(not_broadcast(there), "v", "left_semi").select("u", "v"))
    whole = made[0]
    for more in made[1:]:
        whole = whole.union(more)
    return whole


def _pairs(rows: DataFrame, first: str, second: str) -> DataFrame:
    ends = [numbers(name.removesuffix("_id"), rows[name]) for name in (first, second)]
    return rows.select(ends[0].alias("u"), ends[1].alias("v"))


def with_single_nodes(tables: SparkTables, found: DataFrame, kinds: Sequence[str]) -> DataFrame:
    """Return components with those of the nodes that nothing ties to others.

    Args:
        tables: The tables.
        found: Columns ``node`` and ``component``, both numbers of nodes.
        kinds: The kinds of nodes: ``artifact``, ``execution`` and ``context``.
    """
    from pyspark.sql import functions as f

    every = found.select("node", "component")
    for kind in kinds:
        own = tables[kind.capitalize()].select(numbers(kind, f.col("id")).alias("node"))
        every = every.union(own.withColumn("component", f.lit(None)))
    each = every.groupBy("node").agg(f.min("component").alias("component"))
    return each.select("node", f.coalesce("component", "node").alias("component"))


def parts_of(members: DataFrame, largest: int) -> PartNodes:
    """Return for each node the part in which it is answered for.

    Args:
        members: Columns ``node`` and ``component``.
        largest: How many nodes a component may have at most.

    Returns:
        The parts, kept by the executors.

    Raises:
        ConfigurationError: A component is larger.
    """
    from pyspark.sql import functions as f

    members = kept(members)
    sizes = members.groupBy("component").count()
    size, component, total = sizes.agg(
        f.max("count"), f.max_by("component", "count"), f.sum("count")
    ).first() or (0, 0, 0)
    size, total = size or 0, total or 0
    if size > largest:
        message = (
            f"{key_of(component)} is in a component of {size:,} nodes, and a task answers for "
            f"{largest:,} at most, as it holds a component in its memory. Give executors more "
            "memory and largest= a greater number (on the command line --largest); docs/spark.md "
            "says how much memory nodes take."
        )
        raise errors.ConfigurationError(message)
    cores = members.sparkSession.sparkContext.defaultParallelism
    count = max(-(-total // _TOGETHER), min(cores, -(-total // _FEWEST)), 1)
    together = f.lit(-1) - f.pmod(f.xxhash64("component"), f.lit(count))
    if size <= _TOGETHER:
        found = members.select("node", together.alias("part"))
    else:
        part = f.when(f.col("count") > _TOGETHER, f.col("component")).otherwise(together)
        sized = members.join(not_broadcast(sizes), "component")
        found = kept(sized.select("node", part.alias("part")))
    return PartNodes(found, total <= FEW)


def answered(packed: Sequence[DataFrame], task: Task, columns: Mapping[str, str]) -> DataFrame:
    """Return what a task answers from each part.

    Args:
        packed: The packed rows of all parts.
        task: Answers from the tables of a part; it is sent to the executors.
        columns: The columns of an answer with Spark's types.
    """

    def of_part(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from task(unpack(batches))

    rows = packed[0]
    for more in packed[1:]:
        rows = rows.union(more)
    schema = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    with without_pandas_warning():
        return rows.groupBy("part").applyInArrow(of_part, schema)
