"""ExploredStore: what the explorer asks of a store, as a protocol that ``Store`` fulfils.

The store itself opens the explorer, so that the explorer cannot import it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from mlmd_lineage.post_execution.lineage_queries import LineageQueries

if TYPE_CHECKING:
    import pandas as pd

    from mlmd_lineage.lineage.graph import LineageGraph, Trace
    from mlmd_lineage.lineage.graph_data import Labeler
    from mlmd_lineage.lineage.keys import Node
    from mlmd_lineage.post_execution.compare.impact import Impact
    from mlmd_lineage.post_execution.compare.lineage_diff import LineageDiff
    from mlmd_lineage.post_execution.description import StoreDescription
    from mlmd_lineage.post_execution.views import (
        ArtifactView,
        PipelineRunView,
        PipelineView,
        StepView,
    )
    from mlmd_lineage.snapshot.snapshot import Snapshot


class EdgeFlags(TypedDict):
    """The arguments of a lineage question that say which edges count."""

    internal: bool
    later: bool
    reuse: bool


class ExploredStore(LineageQueries, Protocol):
    """A store, as far as the explorer asks it."""

    @property
    def location(self) -> str:
        """Where it is, without any secret."""

    def snapshot(self) -> Snapshot:
        """Return all of it."""

    def describe(self, snapshot: Snapshot | None = None) -> StoreDescription:
        """Return what it holds."""

    def audit(self) -> pd.DataFrame:
        """Return its findings."""

    def get_pipeline(self, name: str | None = None) -> PipelineView:
        """Return a pipeline."""

    def get_run(self, name: str | None = None) -> PipelineRunView:
        """Return a run."""

    def get_step(self, step: str | int) -> StepView:
        """Return a step."""

    def get_artifact(self, artifact: Node) -> ArtifactView:
        """Return an artifact."""

    def find_node(self, text: str) -> str:
        """Return the key of a node."""

    def find_artifacts(self, where: str, *, properties: bool = False) -> pd.DataFrame:
        """Return the artifacts that a filter finds."""

    def find_executions(self, where: str, *, properties: bool = False) -> pd.DataFrame:
        """Return the executions that a filter finds."""

    def find_contexts(self, where: str, *, properties: bool = False) -> pd.DataFrame:
        """Return the contexts that a filter finds."""

    def lineage(self, *, properties: bool = False) -> LineageGraph:
        """Return the lineage of all of it."""

    def between(
        self,
        source: Node,
        target: Node,
        *,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
    ) -> Trace:
        """Return all paths from one node to another."""

    def diff(self, a: Node, b: Node) -> LineageDiff:
        """Return why two nodes or runs differ."""

    def impact(self, node: Node) -> Impact:
        """Return what an artifact reached."""

    def labeler(self) -> Labeler:
        """Return what finds the names of nodes."""


def frame_of(store: ExploredStore, kind: str, where: str, **options: Any) -> pd.DataFrame:
    """Return the nodes of a kind that a filter finds."""
    find = {
        "artifact": store.find_artifacts,
        "execution": store.find_executions,
        "context": store.find_contexts,
    }[kind]
    return find(where, **options)
