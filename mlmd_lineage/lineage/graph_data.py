"""The data of a lineage graph, as pictures, frames and exports see it.

These protocols stand below the graph, so that what draws or writes a graph need not know the class
that answers questions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, TypeAlias

    import numpy as np
    import pandas as pd

    from mlmd_lineage.lineage.graph_tables import TableSource
    from mlmd_lineage.lineage.index import Index
    from mlmd_lineage.lineage.question import Question
    from mlmd_lineage.lineage.render.node_labels import NodeLabel

    Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


class GraphData(Protocol):
    """The nodes and edges of a graph, as arrays and as tables."""

    @property
    def index(self) -> Index:
        """The nodes and edges as arrays."""

    @property
    def tables(self) -> TableSource:
        """The tables of its nodes and events."""

    @property
    def as_trace(self) -> TraceData | None:
        """The graph itself where it answers a question, otherwise None."""

    @property
    def node_labels(self) -> Mapping[str, NodeLabel]:
        """What the platforms call the nodes, by their keys."""

    def __len__(self) -> int:
        """Return the number of nodes."""

    def __iter__(self) -> Iterator[str]:
        """Yield the nodes' keys, artifacts first, by their ids."""


class TraceData(GraphData, Protocol):
    """The answer to a question: a graph, and what bounds it."""

    question: Question

    @property
    def nodes(self) -> pd.DataFrame:
        """The nodes as a DataFrame."""

    @property
    def edges(self) -> pd.DataFrame:
        """The edges as a DataFrame."""

    @property
    def starts(self) -> tuple[str, ...]:
        """The nodes that were asked about."""

    @property
    def ends(self) -> tuple[str, ...]:
        """The nodes to which ``between()`` was asked; none for other questions."""

    @property
    def direction(self) -> str:
        """Which question it answers: ``upstream``, ``downstream`` or ``between``."""

    @property
    def hops(self) -> Array:
        """For each node how many edges away from the start it is."""

    @property
    def complete(self) -> bool:
        """Whether nothing was left out."""

    @property
    def truncated_by(self) -> tuple[str, ...]:
        """The arguments that left something out."""

    @property
    def boundary(self) -> tuple[str, ...]:
        """The nodes at which more was left out, in order."""


class Labeler(Protocol):
    """Finds what platforms call the nodes of a graph."""

    def __call__(self, graph: GraphData) -> Mapping[str, NodeLabel]:
        """Return the labels of a graph's nodes by their keys; those without one are left out."""
