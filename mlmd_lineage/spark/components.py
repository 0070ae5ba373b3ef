"""Connected components: each task contracts what it reads, and Spark only joins the contractions.

A task gives each node that its edges name a label, the least node that they lead to from there. A
node that several tasks met has several labels, and these are all that is still to be tied to each
other: few of them, as the events of an execution stand beside each other. One task does that, or,
where they are too many, alternating large-star and small-star operations do, whose number of rounds
grows with the logarithm of the number of nodes, however deep the graph is (Kiveris, Lattanzi,
Mirrokni, Rastogi, Vassilvitskii: Connected Components in MapReduce and Beyond, SoCC 2014,
https://doi.org/10.1145/2670979.2670997).
"""

from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003 - pyspark reads the types of a task
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlmd_lineage import errors
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.spark.node_numbers import not_broadcast
from mlmd_lineage.spark.session import explained, without_pandas_warning

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    Array = np.ndarray[Any, np.dtype[np.int64]]

_TOGETHER = 1 << 20
"""How many edges a task contracts at once, in some 100 MB."""
MOST_LINKS = 4 << 20
"""How many labels one task ties to each other."""
_MOST_ROUNDS = 100
"""Far more than any graph needs: 2 ** 50 nodes in a chain take about 50."""


def components(edges: DataFrame, *, most_links: int = MOST_LINKS) -> DataFrame:
    """Return the component of each node that has an edge: the least node that it leads to.

    Args:
        edges: Columns ``u`` and ``v``: integers that stand for nodes.
        most_links: How many labels one task ties to each other.

    Returns:
        Columns ``node`` and ``component``; each step is kept, so that plans do not grow, on disk
        in the folder of ``SparkContext.setCheckpointDir()`` where one is set, else by executors.

    Raises:
        StoreError: The rounds came to no end, which only an error of Spark's could cause.
    """
    from pyspark.sql import functions as f

    with without_pandas_warning():
        labelled = kept(edges.mapInArrow(_labels_of_partition, "node long, label long"))
    each = labelled.groupBy("node").agg(f.min("label").alias("least"), f.max("label").alias("most"))
    each = kept(each)
    several = each.where("least < most").select("node", "least")
    links = labelled.join(several, "node").where("label > least")
    links = kept(links.select(f.col("label").alias("u"), f.col("least").alias("v")).distinct())
    count = links.count()
    if not count:
        return each.select("node", f.col("least").alias("component"))
    if count <= most_links:
        with without_pandas_warning():
            tied = links.coalesce(1).mapInArrow(_labels_of_all, "label long, component long")
        tied = f.broadcast(kept(tied))
    else:
        tied = _contracted(links)
    found = each.withColumnRenamed("least", "label").join(tied, "label", "left")
    return kept(found.select("node", f.coalesce("component", "label").alias("component")))


def joined(found: DataFrame, edges: DataFrame) -> DataFrame:
    """Return the components that some more edges make of those that are known.

    Args:
        found: Columns ``node`` and ``component``, as ``components()`` returns them.
        edges: Columns ``u`` and ``v``, far fewer.

    Raises:
        StoreError: As ``components()`` does.
    """
    from pyspark.sql import functions as f

    edges = kept(edges)
    if edges.isEmpty():
        return found
    for end in ("u", "v"):
        known = found.select(f.col("node").alias(end), f.col("component").alias("known"))
        known = not_broadcast(known)
        named = f.coalesce("known", end).alias(end)
        edges = edges.join(known, end, "left").select(*(named if c == end else c for c in "uv"))
    tied = components(edges).withColumnRenamed("component", "tied")
    known = found.select("node", f.col("component").alias("label"))
    # What had no edge before is a component of its own until now.
    new = tied.select("node", f.col("node").alias("label")).join(
        not_broadcast(known), "node", "left_anti"
    )
    each = known.union(new).join(tied.withColumnRenamed("node", "label"), "label", "left")
    return kept(each.select("node", f.coalesce("tied", "label").alias("component")))


def kept(frame: DataFrame) -> DataFrame:
    """Return rows that are computed now and once, with a plan that only reads them.

    Rows that are lost with an executor make what asks for them fail; they are never left out.

    Raises:
        StoreError: They cannot be computed, such as where a file has columns of other types.
    """
    with explained("read the store"):
        if frame.sparkSession.sparkContext.getCheckpointDir() is not None:
            return frame.checkpoint()
        return frame.localCheckpoint()


def _contracted(stars: DataFrame) -> DataFrame:
    """Return the component of each label that an edge names, by star contraction.

    Args:
        stars: Columns ``u`` and ``v``, the lesser one.

    Raises:
        StoreError: The rounds came to no end.
    """
    for _ in range(_MOST_ROUNDS):
        if _is_done(stars):
            return stars.select(stars["u"].alias("label"), stars["v"].alias("component"))
        stars = kept(_small_star(_large_star(stars)))
    message = f"The connected components were not found in {_MOST_ROUNDS} rounds."
    raise errors.StoreError(message)


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


def _labels_of_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Label the nodes of a partition, some edges at a time, so that they fit into memory."""
    held: list[tuple[Array, Array]] = []
    count = 0
    for batch in batches:
        held.append(_edges(batch))
        count += batch.num_rows
        if count >= _TOGETHER:
            yield _batch(*labels(*_joined(held)), ("node", "label"))
            held, count = [], 0
    if held:
        yield _batch(*labels(*_joined(held)), ("node", "label"))


def _labels_of_all(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    held = [_edges(batch) for batch in batches]
    if held:
        yield _batch(*labels(*_joined(held)), ("label", "component"))


def _edges(batch: pa.RecordBatch) -> tuple[Array, Array]:
    return arrays.to_numpy(batch["u"]), arrays.to_numpy(batch["v"])


def _joined(held: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    first, second = zip(*held, strict=True)
    return np.concatenate(first), np.concatenate(second)


def _batch(first: Array, second: Array, names: tuple[str, str]) -> pa.RecordBatch:
    columns = [arrays.from_numpy(first), arrays.from_numpy(second)]
    return pa.RecordBatch.from_arrays(columns, names=list(names))


def labels(first: Array, second: Array) -> tuple[Array, Array]:
    """Return the nodes of some edges, and the least node of the component of each.

    >>> labels(np.array([1, 2, 5]), np.array([2, 3, 5]))
    (array([1, 2, 3, 5]), array([1, 1, 1, 5]))

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
            return nodes, nodes[root]
        a, b = a[open_], b[open_]
        np.minimum.at(root, high[open_], low[open_])
        while True:  # until all nodes name their roots
            above = root[root]
            if (above == root).all():
                break
            root = above
