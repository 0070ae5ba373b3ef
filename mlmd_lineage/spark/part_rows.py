"""Selects the rows of parts of a store: those of their nodes, and those that these refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.snapshot.enums import OUTPUT_EVENTS
from mlmd_lineage.snapshot.imported import ORIGINAL, SOURCE
from mlmd_lineage.snapshot.tables import KINDS
from mlmd_lineage.snapshot.text_states import STATE_PROPERTY
from mlmd_lineage.spark.components import kept
from mlmd_lineage.spark.node_numbers import FEW, not_broadcast, numbers
from mlmd_lineage.spark.packed_rows import MARKS, pack

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pyspark.sql import Column, DataFrame

    from mlmd_lineage.spark.node_numbers import PartNodes
    from mlmd_lineage.spark.spark_tables import SparkTables

_OF_GRAPH = (ORIGINAL, SOURCE, STATE_PROPERTY)
"""The properties without which a graph would show other states and times."""


def node_rows(
    tables: SparkTables,
    nodes: PartNodes,
    kinds: Sequence[str],
    *,
    properties: Collection[str] | None = None,
) -> list[DataFrame]:
    """Return the rows of nodes and of their properties.

    Args:
        tables: The tables.
        nodes: The nodes.
        kinds: The kinds of nodes.
        properties: The names of the properties, or ``NAME*`` for all that begin so; None for all.
    """
    made = []
    for name in kinds:
        kind = KINDS[name]
        made.append(pack(tables[kind.table].join(nodes.of_kind(name, "id"), "id"), kind.table))
        values = tables[kind.properties]
        if properties is not None:
            values = values.where(_is_named(properties))
        owners = nodes.of_kind(name, kind.id_column)
        made.append(pack(values.join(owners, kind.id_column), kind.properties))
    return made


def _is_named(names: Collection[str]) -> Column:
    from pyspark.sql import functions as f

    found = f.col("name").isin([name for name in names if not name.endswith("*")])
    for name in names:
        if name.endswith("*"):
            found |= f.col("name").startswith(name[:-1])
    return found


def graph_rows(tables: SparkTables, nodes: PartNodes) -> list[DataFrame]:
    """Return the rows that the lineage graphs of parts are built from.

    Args:
        tables: The tables.
        nodes: The nodes: components by events.
    """
    made = node_rows(tables, nodes, ("artifact", "execution"), properties=_OF_GRAPH)
    return [*made, pack(events_of(tables, nodes, "artifact"), "Event")]


def events_of(tables: SparkTables, nodes: PartNodes, kind: str) -> DataFrame:
    """Return the events of the artifacts, or of the executions, of parts."""
    column = KINDS[kind].id_column
    return tables["Event"].join(nodes.of_kind(kind, column), column)


def paths_of(tables: SparkTables, events: DataFrame, nodes: PartNodes) -> DataFrame:
    """Return the packed rows of the paths of the events of parts."""
    owners = events.select(events["id"].alias("event_id"), "part")
    return pack(tables["EventPath"].join(nodes.to_join(owners), "event_id"), "EventPath")


def several_paths_of(tables: SparkTables, events: DataFrame, nodes: PartNodes) -> DataFrame:
    """Return the packed rows of the paths of those events that have several keys."""
    from pyspark.sql import functions as f

    keys = tables["EventPath"].where("NOT coalesce(is_index_step, false)")
    counts = keys.groupBy("event_id").agg(f.count("*").alias("keys"))
    several = kept(counts.where("keys > 1").select(f.col("event_id").alias("id")))
    several = f.broadcast(several) if several.count() <= FEW else not_broadcast(several)
    chosen = events.join(several, "id", "left_semi")
    return paths_of(tables, kept(chosen.select("id", "part")), nodes)


def contexts_of(tables: SparkTables, nodes: PartNodes) -> list[DataFrame]:
    """Return the rows of the contexts that hold nodes of parts, and of all contexts above those.

    A part has only those of a context's members that are nodes of the part.
    """
    from pyspark.sql import functions as f

    made, held = [], None
    for name in ("artifact", "execution"):
        kind = KINDS[name]
        assert kind.membership is not None
        rows = tables[kind.membership].join(nodes.of_kind(name, kind.id_column), kind.id_column)
        made.append(pack(rows, kind.membership))
        found = rows.select("part", f.col("context_id").alias("id"))
        held = found if held is None else held.union(found)
    assert held is not None
    contexts = held.distinct()
    pairs = tables["ParentContext"].select(
        f.col("context_id").alias("id"), f.col("parent_context_id").alias("above")
    )
    new = contexts
    while not tables.has_no_parents:
        above = (
            pairs.join(nodes.to_join(new), "id")
            .select("part", f.col("above").alias("id"))
            .distinct()
        )
        new = kept(above.join(nodes.to_join(contexts), ["part", "id"], "left_anti"))
        if new.isEmpty():
            break
        contexts = kept(contexts.union(new))
    numbered = contexts.select(numbers("context", f.col("id")).alias("node"), "part")
    made += node_rows(tables, nodes.others(numbered), ("context",))
    children = nodes.to_join(contexts.select(f.col("id").alias("context_id"), "part"))
    return [*made, pack(tables["ParentContext"].join(children, "context_id"), "ParentContext")]


def members_of(tables: SparkTables, nodes: PartNodes, names: Sequence[str]) -> list[DataFrame]:
    """Return what is in the contexts that are nodes of parts.

    Args:
        tables: The tables.
        nodes: The nodes.
        names: The tables that say so: ``Association``, ``Attribution`` and ``ParentContext``.
    """
    contexts = nodes.of_kind("context", "context_id")
    return [pack(tables[name].join(contexts, "context_id"), name) for name in names]


def rival_rows(tables: SparkTables, events: DataFrame, nodes: PartNodes) -> list[DataFrame]:
    """Return the outputs by which other parts' executions wrote artifacts of a part's events.

    Which event counts as that of the producer depends on them. Those executions come without
    their contexts, and are marked, as they are no steps of the part.

    Args:
        tables: The tables.
        events: The events of the executions of parts.
        nodes: The nodes.
    """
    from pyspark.sql import functions as f

    touched = events.select("artifact_id", "part").distinct()
    own = nodes.of_kind("execution", "execution_id")
    outputs = tables["Event"].where(f.col("type").isin([int(kind) for kind in OUTPUT_EVENTS]))
    claims = outputs.join(nodes.to_join(touched), "artifact_id")
    claims = claims.join(own, ["execution_id", "part"], "left_anti")
    others = claims.select(
        numbers("execution", f.col("execution_id")).alias("node"), "part"
    ).distinct()
    marked = pack(others.withColumn("mark", f.lit(None)), MARKS)
    rows = node_rows(tables, nodes.others(others), ("execution",), properties=_OF_GRAPH)
    return [pack(claims, "Event"), marked, *rows]


def artifacts_of(
    tables: SparkTables,
    events: DataFrame,
    nodes: PartNodes,
    properties: Collection[str] | None = None,
) -> list[DataFrame]:
    """Return the rows of the artifacts of events, and of their properties.

    Args:
        tables: The tables.
        events: Events, or attributions, of the parts.
        nodes: The nodes.
        properties: The names of the properties; None for all.
    """
    from pyspark.sql import functions as f

    ids = events.select("artifact_id", "part").distinct()
    found = ids.select(numbers("artifact", f.col("artifact_id")).alias("node"), "part")
    return node_rows(tables, nodes.others(found), ("artifact",), properties=properties)
