"""Selects the rows of parts that a frame is made from: those that one machine reads for it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal, TypeAlias

from mlmd_lineage.dialects.registry import dialects
from mlmd_lineage.post_execution.loading.run_outlines import needed_properties
from mlmd_lineage.post_execution.loading.step_images import needs_all, selected_properties
from mlmd_lineage.spark.components import kept
from mlmd_lineage.spark.packed_rows import pack
from mlmd_lineage.spark.part_rows import (
    artifacts_of,
    events_of,
    members_of,
    node_rows,
    paths_of,
    rival_rows,
    several_paths_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pyspark.sql import DataFrame

    from mlmd_lineage.spark.node_numbers import PartNodes
    from mlmd_lineage.spark.spark_tables import SparkTables

    Frame: TypeAlias = Literal["runs", "steps", "parameters", "metrics"]


class FrameParts:
    """The rows of all runs of a store, in parts, as frames need them."""

    def __init__(self, tables: SparkTables, parts: Callable[[], PartNodes]) -> None:
        """Take tables, and what returns the part of each execution and context."""
        self._tables = tables
        self._parts = parts
        self._names = needed_properties(dialects())

    @functools.cached_property
    def nodes(self) -> PartNodes:
        """The executions and contexts with their parts."""
        return self._parts()

    def are_outlines_enough(self, frame: Frame) -> bool:
        """Tell whether the frame of most runs is made from outlines, and not of their steps."""
        return frame == "runs" and self._names is not None

    def holding(self, numbers: list[int]) -> PartNodes:
        """Return the nodes of the parts that hold some nodes.

        Args:
            numbers: The numbers of the nodes: one for each part.
        """
        from pyspark.sql import functions as f

        rows = self.nodes.rows
        named = rows.where(f.col("node").isin(numbers)).select("part")
        return self.nodes.others(kept(rows.join(f.broadcast(named), "part", "left_semi")))

    def rows(self, frame: Frame) -> list[DataFrame]:
        """Return the packed rows that a frame is made from, or in outline.

        Args:
            frame: Which one.
        """
        if self._names is None:
            return self.all_rows()
        if frame == "runs":
            names = self._names["ExecutionProperty"]
            events = events_of(self._tables, self.nodes, "execution")
            return [*self._members(names), pack(events, "Event")]
        types = self._tables.types["Type"]["name"].to_pylist()
        if needs_all(frame, dialects(), types):
            return self.all_rows()
        selected = selected_properties(frame, self._names)
        events = self._events
        paths = paths_of if frame == "metrics" else several_paths_of
        return [
            *self._members(selected.get("ExecutionProperty")),
            pack(events, "Event"),
            paths(self._tables, events, self.nodes),
            *rival_rows(self._tables, events, self.nodes),
            *artifacts_of(self._tables, events, self.nodes, selected.get("ArtifactProperty")),
        ]

    def all_rows(self, nodes: PartNodes | None = None) -> list[DataFrame]:
        """Return all packed rows of parts, from which every frame can be made.

        Args:
            nodes: Those of some parts; None for all.
        """
        tables = self._tables
        events = self._events if nodes is None else kept(events_of(tables, nodes, "execution"))
        nodes = self.nodes if nodes is None else nodes
        contexts = nodes.of_kind("context", "context_id")
        attributed = tables["Attribution"].join(contexts, "context_id")
        held = events.select("artifact_id", "part").union(attributed.select("artifact_id", "part"))
        return [
            *self._members(None, nodes),
            pack(events, "Event"),
            pack(attributed, "Attribution"),
            paths_of(tables, events, nodes),
            *rival_rows(tables, events, nodes),
            *artifacts_of(tables, held, nodes),
        ]

    @functools.cached_property
    def _events(self) -> DataFrame:
        return kept(events_of(self._tables, self.nodes, "execution"))

    def _members(
        self, properties: Collection[str] | None, nodes: PartNodes | None = None
    ) -> list[DataFrame]:
        """Return the rows of executions and contexts, and of what is in which."""
        nodes = self.nodes if nodes is None else nodes
        return [
            *node_rows(self._tables, nodes, ("execution",), properties=properties),
            *node_rows(self._tables, nodes, ("context",)),
            *members_of(self._tables, nodes, ("Association", "ParentContext")),
        ]
