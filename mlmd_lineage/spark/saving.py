"""Writes archives of parts of a store, for one machine, and all of its tables as Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.snapshot import archive
from mlmd_lineage.snapshot.tables import ALL_TABLES
from mlmd_lineage.spark.packed_rows import MARKS, ORDINAL, pack, unpack
from mlmd_lineage.spark.part_rows import (
    contexts_of,
    events_of,
    members_of,
    node_rows,
    paths_of,
)
from mlmd_lineage.spark.session import explained
from mlmd_lineage.spark.sources import literal

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from pyspark.sql import DataFrame

    from mlmd_lineage.spark.node_numbers import PartNodes
    from mlmd_lineage.spark.spark_tables import SparkTables


def save(
    tables: SparkTables,
    directory: str | os.PathLike[str],
    nodes: PartNodes | None = None,
    *,
    has_contexts: bool = True,
) -> Path:
    """Write an archive of all tables, or of some nodes, and return its folder.

    The rows come to this process, which needs as much memory as a snapshot of them.

    Args:
        tables: The tables.
        directory: A folder that does not exist yet, or is empty.
        nodes: The nodes; None for all.
        has_contexts: The contexts are among the nodes; otherwise those are taken that hold them.
    """
    if nodes is None:
        held = {name: tables.collected(name) for name in ALL_TABLES}
    else:
        kinds = ("artifact", "execution", *(("context",) if has_contexts else ()))
        events = events_of(tables, nodes, "artifact")
        memberships = ("Association", "Attribution", "ParentContext")
        packed = [
            *node_rows(tables, nodes, kinds),
            pack(events, "Event"),
            paths_of(tables, events, nodes),
            *(
                members_of(tables, nodes, memberships)
                if has_contexts
                else contexts_of(tables, nodes)
            ),
        ]
        rows = packed[0]
        for more in packed[1:]:
            rows = rows.union(more)
        held = unpack(rows.toArrow().to_batches())
        held.pop(MARKS)
        held = {**tables.types, **held}
    return archive.save(tables.tables_of(held), directory)


def write_parquet(tables: SparkTables, folder: str) -> None:
    """Write each table as a folder of Parquet files, the steps of each path beside each other.

    Raises:
        StoreError: They cannot be written, or are not there afterwards: see ``write``.
    """
    for name in ALL_TABLES:
        rows = tables[name]
        if name == "EventPath":
            rows = rows.repartitionByRange("event_id").sortWithinPartitions("event_id", ORDINAL)
            rows = rows.drop(ORDINAL)
        write(rows, f"{folder.rstrip('/')}/{name}")


def write(rows: DataFrame, folder: str) -> None:
    """Write rows as Parquet files into a new folder, and see that they are there.

    Where it is a folder of each machine and not one that they share, executors write rows that
    nobody finds again, and Spark reports no error.

    Raises:
        StoreError: They cannot be written, or are not there afterwards.
    """
    from pyspark.sql import Observation
    from pyspark.sql import functions as f

    seen = Observation()
    with explained(f"write {folder}"):
        rows.observe(seen, f.count(f.lit(1)).alias("rows")).write.parquet(folder)
        count = seen.get["rows"]
        # Without rows there may be no file, whose columns could be read.
        found = rows.sparkSession.read.schema(rows.schema).parquet(literal(folder)).count()
    if found != count:
        message = (
            f"Spark wrote {count:,} rows to {folder}, and only {found:,} are there: each of the "
            "machines seems to have a folder of its own under this name. Remove it, and write to "
            "one that all machines share, or to object storage."
        )
        raise errors.StoreError(message)
