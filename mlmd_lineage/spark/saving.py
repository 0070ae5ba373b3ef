"""Writes archives of parts of a store, for one machine, and all of its tables as Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    import os
    from pathlib import Path

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
    """Write each table as a folder of Parquet files, the steps of each path beside each other."""
    for name in ALL_TABLES:
        rows = tables[name]
        if name == "EventPath":
            rows = rows.repartitionByRange("event_id").sortWithinPartitions("event_id", ORDINAL)
            rows = rows.drop(ORDINAL)
        rows.write.parquet(f"{folder.rstrip('/')}/{name}")
