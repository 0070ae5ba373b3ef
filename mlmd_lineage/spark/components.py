"""Connected components by alternating large-star and small-star operations.

Kiveris, Lattanzi, Mirrokni, Rastogi, Vassilvitskii: Connected Components in MapReduce and Beyond
(SoCC 2014, https://doi.org/10.1145/2670979.2670997). The number of rounds grows with the logarithm
of the number of nodes, however deep the graph is. Before the first round, each partition of the
edges is reduced to a star for each of its own components, which few edges of a store survive, as
the events of an execution stand beside each other.
"""

from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003 - pyspark reads the types of a task
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlmd_lineage import errors
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.spark.session import without_pandas_warning

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    Array = np.ndarray[Any, np.dtype[np.int64]]

_TOGETHER = 4 << 20
"""How many edges a task reduces at once."""
_MOST_ROUNDS = 100
"""Far more than any graph needs: 2 ** 50 nodes in a chain take about 50."""


def components(edges: DataFrame) -> DataFrame:
    """Return the component of each node that has an edge: the least node that it leads to.

    Args:
        edges: Columns ``u`` and ``v``: integers that stand for nodes.

    Returns:
        Columns ``node`` and ``component``; each round is kept, so that plans do not grow, on disk
        in the folder of ``SparkContext.setCheckpointDir()`` where one is set, else by executors.

    Raises:
        StoreError: The rounds came to no end, which only an error of Spark's could cause.
    """
    with without_pandas_warning():
        stars = kept(edges.mapInArrow(_stars_of_partition, "u long, v long"))
    for _ in range(_MOST_ROUNDS):
        if _is_done(stars):
            roots = stars.select(stars["v"].alias("node"), stars["v"].alias("component"))
            others = stars.select(stars["u"].alias("node"), stars["v"].alias("component"))
            return others.union(roots.distinct())
        stars = kept(_small_star(_large_star(stars)))
    message = f"The connected components were not found in {_MOST_ROUNDS} rounds."
    raise errors.StoreError(message)


def kept(frame: DataFrame) -> DataFrame:
    """Return rows that are computed now and once, with a plan that only reads them.

    Rows that are lost with an executor make what asks for them fail; they are never left out.
    """
    if frame.sparkSession.sparkContext.getCheckpointDir() is not None:
        return frame.checkpoint()
    return frame.localCheckpoint()


def _large_star(stars: DataFrame) -> DataFrame:
    """Tie the greater neighbours of each node to the least node around it."""
    from pyspark.sql import functions as f

    both = stars.union(stars.select("v", "u"))
    least = both.groupBy("u").agg(f.min("v").alias("least"))
    least = least.select("u", f.least("u", "least").alias("least"))
    found = both.where("v > u").join(least, "u")
    return found.select(f.col("v").alias("u"), f.col("least").alias("v")).distinct()


def _small_star(stars: DataFrame) -> DataFrame:
    """Tie each node and its lesser neighbours to the least of them."""
    from pyspark.sql import functions as f

    least = stars.groupBy("u").agg(f.min("v").alias("least"))
    own = least.select("u", f.col("least").alias("v"))
    found = stars.join(least, "u").where("v <> least")
    others = found.select(f.col("v").alias("u"), f.col("least").alias("v"))
    return own.union(others).distinct()


def _is_done(stars: DataFrame) -> bool:
    """Tell whether each node has one edge, to a node that has none to a lesser one."""
    from pyspark.sql import functions as f

    ends = stars.select(f.col("u").alias("node"), f.lit(1).alias("out"), f.lit(0).alias("into"))
    ends = ends.union(stars.select("v", f.lit(0), f.lit(1)))
    each = ends.groupBy("node").agg(f.sum("out").alias("out"), f.max("into").alias("into"))
    return bool(each.where("out > 1 OR out = 1 AND into = 1").isEmpty())


def _stars_of_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    held: list[tuple[Array, Array]] = []
    count = 0
    for batch in batches:
        held.append((arrays.to_numpy(batch["u"]), arrays.to_numpy(batch["v"])))
        count += batch.num_rows
        if count >= _TOGETHER:
            reduced = stars(*(np.concatenate(part) for part in zip(*held, strict=True)))
            held, count = [reduced], 0
            if len(reduced[0]) > _TOGETHER // 2:  # no room for as many again
                yield _batch(*reduced)
                held = []
    if held:
        yield _batch(*stars(*(np.concatenate(part) for part in zip(*held, strict=True))))


def _batch(first: Array, second: Array) -> pa.RecordBatch:
    columns = [arrays.from_numpy(first), arrays.from_numpy(second)]
    return pa.RecordBatch.from_arrays(columns, names=["u", "v"])


def stars(first: Array, second: Array) -> tuple[Array, Array]:
    """Return edges that tie each node to the least of its component.

    >>> stars(np.array([1, 2]), np.array([2, 3]))
    (array([2, 3]), array([1, 1]))

    Args:
        first: One end of each edge.
        second: The other one.
    """
    nodes, at = np.unique(np.concatenate([first, second]), return_inverse=True)
    a, b = at[: len(first)], at[len(first) :]
    root = np.arange(len(nodes))
    while True:
        low, high = np.minimum(root[a], root[b]), np.maximum(root[a], root[b])
        open_ = low != high
        if not open_.any():
            break
        a, b = a[open_], b[open_]
        np.minimum.at(root, high[open_], low[open_])
        while True:  # until all nodes name their roots
            above = root[root]
            if (above == root).all():
                break
            root = above
    others = np.flatnonzero(root != np.arange(len(nodes)))
    return nodes[others], nodes[root[others]]
