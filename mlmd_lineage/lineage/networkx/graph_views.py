"""The graph as networkx's ``MultiDiGraph``: views on its arrays, or a copy in networkx's dicts.

networkx keeps a multigraph as mappings of mappings: node to attributes, and node to neighbour to
edge key to attributes, once for each direction. Its algorithms only read these, so mappings that
read the arrays serve them as well, and cost nothing to make.
"""

from __future__ import annotations

import copy as copying
import functools
from typing import TYPE_CHECKING, Any

import networkx as nx
from networkx.classes import reportviews

from mlmd_lineage.lineage import edge_attributes
from mlmd_lineage.lineage.networkx import adjacency_views
from mlmd_lineage.lineage.networkx.frozen import refuse
from mlmd_lineage.lineage.nodes import node_attributes
from mlmd_lineage.snapshot import arrays, values
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from mlmd_lineage.lineage.graph_data import GraphData

    Value: TypeAlias = Any
    # Generic to type checkers only.
    MultiDiGraph = nx.MultiDiGraph[Any]
    DegreeView = reportviews.DiDegreeView[Any]
    InDegreeView = reportviews.InMultiDegreeView[Any]
    OutDegreeView = reportviews.OutMultiDegreeView[Any]
    BothDegreeView = reportviews.DiMultiDegreeView[Any]
else:
    MultiDiGraph = nx.MultiDiGraph
    DegreeView = reportviews.DiDegreeView
    InDegreeView = reportviews.InMultiDegreeView
    OutDegreeView = reportviews.OutMultiDegreeView
    BothDegreeView = reportviews.DiMultiDegreeView


def to_networkx(graph: GraphData, *, copy: bool, contexts: bool) -> MultiDiGraph:
    """Return a graph as networkx's; see ``LineageGraph.to_networkx()``."""
    if contexts:
        return _with_contexts(graph)
    return _copied(graph) if copy else LineageView.over(graph)


class LineageView(MultiDiGraph):
    """A lineage graph as networkx sees it: nothing is copied, and nothing can be changed.

    What networkx makes of it, such as ``copy()``, ``reverse()`` or ``subgraph()``, is networkx's
    own; and so is what comes out of a pickle.
    """

    frozen = True  # what networkx.is_frozen() asks
    _arrays: adjacency_views.Arrays
    _node: adjacency_views.Nodes
    _succ: adjacency_views.Adjacency
    _pred: adjacency_views.Adjacency

    # networkx calls a graph's class to make others, and means to fill them.
    def __new__(cls, *args: Value, **kwargs: Value) -> MultiDiGraph:  # type: ignore[misc]  # noqa: D102
        return nx.MultiDiGraph(*args, **kwargs)

    @classmethod
    def over(cls, graph: GraphData) -> LineageView:
        """Return the view of a graph."""
        view = object.__new__(cls)
        arrays = adjacency_views.Arrays(graph)
        view.__networkx_cache__ = {}
        view.graph = _graph_attributes(graph)
        view._node = adjacency_views.Nodes(arrays)
        view._succ = adjacency_views.Adjacency(arrays, up=False)  # and _adj, in one
        view._pred = adjacency_views.Adjacency(arrays, up=True)
        view._arrays = arrays
        return view

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (
            dict(self._node.items()),
            list(self.edges(keys=True, data=True)),
            self.graph,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> MultiDiGraph:
        return copying.deepcopy(self.copy(), memo)

    # Shorter ways to what networkx finds out by itself

    def successors(self, n: object) -> Iterator[str]:
        """Return an iterator over what came from a node in one step."""
        return self._succ.iterate(n)

    neighbors = successors

    def predecessors(self, n: object) -> Iterator[str]:
        """Return an iterator over what a node came from in one step."""
        return self._pred.iterate(n)

    def size(self, weight: str | None = None) -> Value:
        """Return the number of edges, or the sum of their weights."""
        return len(self._arrays.edges.ids) if weight is None else super().size(weight)

    @functools.cached_property
    def in_degree(self) -> _InDegrees:
        """The number of edges into each node."""
        return _InDegrees(self)

    @functools.cached_property
    def out_degree(self) -> _OutDegrees:
        """The number of edges out of each node."""
        return _OutDegrees(self)

    @functools.cached_property
    def degree(self) -> _Degrees:
        """The number of edges at each node."""
        return _Degrees(self)

    add_node = add_nodes_from = remove_node = remove_nodes_from = refuse
    add_edge = add_edges_from = add_weighted_edges_from = refuse
    remove_edge = remove_edges_from = clear = clear_edges = update = refuse
    add_cycle = add_path = add_star = refuse


def _restored(nodes: dict[str, Any], edges: list[Any], graph: dict[str, Any]) -> MultiDiGraph:
    made: MultiDiGraph = nx.MultiDiGraph(**graph)
    made.add_nodes_from(nodes.items())
    made.add_edges_from(edges)
    return made


def _graph_attributes(graph: GraphData) -> dict[str, Any]:
    return {"source": graph.tables.source}


class _Counts(DegreeView):
    """Degrees that are read from the arrays, unless edges have weights."""

    directions: slice
    _graph: LineageView
    _weight: str | None
    _nodes: Any

    def __getitem__(self, n: Value) -> Value:
        if self._weight is not None:
            return super().__getitem__(n)
        return self._count(self._graph._arrays.names.number(n))  # noqa: SLF001 - made for it

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        if self._weight is not None:
            return super().__iter__()
        if self._nodes is self._graph._succ:  # noqa: SLF001 - made for it
            return ((n, self._count(at)) for at, n in enumerate(self._nodes))
        return ((n, self[n]) for n in self._nodes)

    def _count(self, at: int) -> int:
        lists = self._graph._arrays.lists[self.directions]  # noqa: SLF001 - made for it
        return sum(offsets[at + 1] - offsets[at] for offsets, _, _ in lists)


class _InDegrees(_Counts, InDegreeView):
    directions = slice(1, 2)


class _OutDegrees(_Counts, OutDegreeView):
    directions = slice(0, 1)


class _Degrees(_Counts, BothDegreeView):
    directions = slice(0, 2)


# Copies


def _copied(graph: GraphData) -> MultiDiGraph:
    copy: MultiDiGraph = nx.MultiDiGraph(**_graph_attributes(graph))
    copy.add_nodes_from(node_attributes.node_dicts(graph))
    copy.add_edges_from(edge_attributes.edge_dicts(graph))  # type: ignore[arg-type]  # the stubs know no keys
    return copy


def _with_contexts(graph: GraphData) -> MultiDiGraph:
    """Return a copy in which contexts are nodes."""
    copy = _copied(graph)
    for _, found in copy.nodes(data=True):
        found.pop("contexts", None)
    tables = graph.tables
    contexts = node_attributes.NodeAttributes(
        tables, KINDS["context"], arrays.to_numpy(tables["Context"]["id"])
    )
    for batch in contexts.batches():
        copy.add_nodes_from((f"context/{found['id']}", found) for found in batch.dicts())
    for kind in (KINDS["artifact"], KINDS["execution"]):
        table = str(kind.membership)
        name = table.lower()
        for number, context, member in values.rows_of(tables[table]):
            # A member that has neither a row nor an event is no node; the findings list it.
            if f"{kind.name}/{member}" in copy:
                _add_context(copy, context)
                copy.add_edge(
                    f"context/{context}",
                    f"{kind.name}/{member}",
                    (name, number),
                    type=name.upper(),
                )
    for child, parent in values.rows_of(tables["ParentContext"]):
        _add_context(copy, child)
        _add_context(copy, parent)
        copy.add_edge(
            f"context/{parent}",
            f"context/{child}",
            ("parent_context", child),
            type="PARENT_CONTEXT",
        )
    return copy


def _add_context(copy: MultiDiGraph, number: int) -> None:
    if f"context/{number}" not in copy:
        copy.add_node(f"context/{number}", kind="context", id=number, missing=True)
