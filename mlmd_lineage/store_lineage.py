"""StoreLineage: the questions about lineage, differences and impact that a store answers."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, TypeVar

from mlmd_lineage.deadline import within

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mlmd_lineage.kubeflow.run_names import RunNames
    from mlmd_lineage.lineage.graph import LineageGraph, Trace
    from mlmd_lineage.lineage.graph_base import GraphBase
    from mlmd_lineage.lineage.graph_data import GraphData, Labeler
    from mlmd_lineage.lineage.keys import Node
    from mlmd_lineage.lineage.question import Time
    from mlmd_lineage.lineage.render.node_labels import NodeLabel
    from mlmd_lineage.post_execution.compare.impact import Impact
    from mlmd_lineage.post_execution.compare.lineage_diff import LineageDiff
    from mlmd_lineage.readers.base import Reader

_Graph = TypeVar("_Graph", bound="LineageGraph")


class StoreLineage(abc.ABC):
    """What of a ``Store`` answers questions about nodes and what came from what."""

    @property
    @abc.abstractmethod
    def _reader(self) -> Reader:
        """What reads the store."""

    @property
    @abc.abstractmethod
    def run_names(self) -> RunNames | None:
        """The names that people gave to runs; None where there is no database of runs."""

    def lineage(self, *, properties: bool = False, timeout: float | None = None) -> LineageGraph:
        """Return the lineage of the whole store.

        >>> graph = store.lineage()
        >>> graph.upstream("artifact/46").nodes

        Args:
            properties: Read the properties of the nodes too.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.lineage.graph import LineageGraph

        with within(timeout):
            return self._labeled(LineageGraph.of_store(self._reader, properties=properties))

    def upstream(  # noqa: PLR0913 - each stands alone
        self,
        node: Node,
        *,
        max_hops: int | None = None,
        until: str | Collection[str] | None = None,
        types: str | Collection[str] | None = None,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
        timeout: float | None = None,
    ) -> Trace:
        """Return what a node came from, without reading the whole store.

        >>> store.upstream("artifact/46").nodes
        >>> store.upstream("Model:churn"), store.upstream("s3://bucket/model/7")
        >>> store.upstream(run), store.upstream("churn-2024-06-01")

        Each hop takes a fixed number of statements, in one transaction, and nothing limits their
        number. The arguments are those of ``LineageGraph.upstream``; a node may also be named by
        a URI, a name, or a type and a name, and a run or a step stands for its executions.
        ``timeout`` is how many seconds the answer may take; by default there is no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            NotFoundError: The store holds no such node or type.
            AmbiguousNameError: A name fits several nodes.
            ConfigurationError: An argument cannot be right.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.lineage import traversal
        from mlmd_lineage.lineage.question import Question

        question = Question.of(
            max_hops=max_hops,
            until=until,
            types=types,
            reuse=reuse,
            internal=internal,
            later=later,
            as_of=as_of,
        )
        with within(timeout):
            return self._labeled(traversal.upstream(self._reader, self._nodes(node), question))

    def downstream(  # noqa: PLR0913 - each stands alone
        self,
        node: Node,
        *,
        max_hops: int | None = None,
        until: str | Collection[str] | None = None,
        types: str | Collection[str] | None = None,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
        timeout: float | None = None,
    ) -> Trace:
        """Return what came from a node; otherwise like ``upstream()``.

        >>> store.downstream("artifact/1", until="Model").nodes
        """
        from mlmd_lineage.lineage import traversal
        from mlmd_lineage.lineage.question import Question

        question = Question.of(
            max_hops=max_hops,
            until=until,
            types=types,
            reuse=reuse,
            internal=internal,
            later=later,
            as_of=as_of,
        )
        with within(timeout):
            return self._labeled(traversal.downstream(self._reader, self._nodes(node), question))

    def between(  # noqa: PLR0913 - each stands alone
        self,
        source: Node,
        target: Node,
        *,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
        timeout: float | None = None,
    ) -> Trace:
        """Return all paths from one node to another, without reading the whole store.

        >>> store.between("artifact/1", "artifact/46").nodes
        """
        from mlmd_lineage.lineage import traversal
        from mlmd_lineage.lineage.question import Question

        question = Question.of(
            max_hops=None,
            until=None,
            types=None,
            reuse=reuse,
            internal=internal,
            later=later,
            as_of=as_of,
        )
        with within(timeout):
            sources, targets = self._nodes(source), self._nodes(target)
            return self._labeled(traversal.between(self._reader, sources, targets, question))

    def _labeled(self, graph: _Graph) -> _Graph:
        """Return a graph that asks this store for the names of its nodes."""
        graph.use_labeler(self._labels)
        graph.use_explorer(self._explored)
        return graph

    @abc.abstractmethod
    def _explored(self, graph: GraphBase, height: int) -> Any:
        """Return a widget that shows one of this store's graphs."""

    def _labels(self, graph: GraphData) -> Mapping[str, NodeLabel]:
        """Return the names of a graph's nodes; what finds them is imported only then."""
        return self.labeler()(graph)

    def labeler(self) -> Labeler:
        """Return what finds the names of the nodes of this store's graphs; it is not public."""
        from mlmd_lineage.post_execution.loading.store_labels import StoreLabels

        return StoreLabels(self._reader, self.run_names)

    def _nodes(self, node: Node) -> tuple[str, ...]:
        """Return the keys of the nodes that something means."""
        from mlmd_lineage.post_execution.loading import node_resolution

        return node_resolution.nodes(self._reader, node)

    def diff(self, a: Node, b: Node, *, timeout: float | None = None) -> LineageDiff:
        """Return why two models, other artifacts, steps or runs differ.

        >>> diff = store.diff("artifact/4", "artifact/15")
        >>> diff.first, diff.to_pandas()
        >>> print(diff.text())

        Args:
            a: A view, a node's key, an artifact's id, a URI, a name, or the name of a run.
            b: What to compare it with: another of the same kind.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            NotFoundError: The store holds no such node or run.
            AmbiguousNameError: A name fits several.
            ConfigurationError: One of them has no lineage, or they are of different kinds.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution.compare import lineage_diff

        with within(timeout):
            return lineage_diff.diff(self._reader, a, b)

    def impact(
        self,
        node: Node,
        *,
        models: str | Collection[str] | None = None,
        deployments: str | Collection[str] | None = None,
        timeout: float | None = None,
    ) -> Impact:
        """Return every model and every deployment that an artifact reached.

        >>> impact = store.impact("s3://bucket/bad.csv")
        >>> impact.deployments, impact.models
        >>> print(impact.text())

        Args:
            node: A view, a node's key, an artifact's id, a URI or a name.
            models: The types of models, instead of ``impact.MODELS``.
            deployments: The types of deployments, instead of ``impact.DEPLOYMENTS``.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            NotFoundError: The store holds no such node.
            AmbiguousNameError: A name fits several.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.post_execution.compare import impact

        with within(timeout):
            return impact.impact(self._reader, node, models=models, deployments=deployments)

    def find_node(self, text: str, *, timeout: float | None = None) -> str:
        """Return the key of the node that a text names, without reading the whole store.

        >>> store.find_node("s3://bucket/model/7")
        'artifact/46'

        Args:
            text: A key, an artifact's id, a URI, a name, or a type and a name: ``Model:churn``; the
                path of an artifact of HPE CMF; the pod of a step of Kubeflow; a run's id or name.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            NotFoundError: Nothing is called so; the message suggests what is near.
            AmbiguousNameError: More than one node is called so; the message lists them.
            ConfigurationError: It is empty, or no text.
            StoreError: The store cannot be read.
        """
        from mlmd_lineage.lineage.nodes import node_lookup

        with within(timeout):
            return node_lookup.find_node(self._reader, text)
