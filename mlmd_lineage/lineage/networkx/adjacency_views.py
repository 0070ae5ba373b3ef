"""The mappings that networkx keeps a multigraph in, as views on the arrays of a lineage graph.

They read only, and make nothing before it is asked for. See ``graph_views`` for what they serve.
"""

from __future__ import annotations

import abc
import functools
from collections.abc import ItemsView, ValuesView
from typing import TYPE_CHECKING, Any

import networkx as nx

from mlmd_lineage.lineage.edge_attributes import EdgeAttributes
from mlmd_lineage.lineage.networkx.frozen import Frozen
from mlmd_lineage.lineage.nodes import node_keys
from mlmd_lineage.lineage.nodes.node_attributes import NodeAttributes, nodes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from mlmd_lineage.lineage.graph_data import GraphData
    from mlmd_lineage.lineage.nodes.node_attributes import Batch

    Value: TypeAlias = Any


class Arrays:
    """What the views of one graph share."""

    def __init__(self, graph: GraphData) -> None:
        self.graph = graph
        self.edges = EdgeAttributes(graph)

    @functools.cached_property
    def keys(self) -> node_keys.NodeKeys:
        """The nodes' keys."""
        return node_keys.NodeKeys(self.graph.index)

    @functools.cached_property
    def names(self) -> node_keys.NodeNames:
        """The nodes' keys, remembered."""
        return node_keys.NodeNames(self.keys)

    @functools.cached_property
    def nodes(self) -> tuple[NodeAttributes, NodeAttributes]:
        """The attributes of artifacts, and of executions."""
        return nodes_of(self.graph)

    @functools.cached_property
    def lists(self) -> tuple[tuple[memoryview[Any], memoryview[Any], memoryview[Any]], ...]:
        """Downwards and upwards: where a node's edges begin, their other ends, their numbers."""
        numbers = node_keys.numbers
        lists = []
        for edges in (self.graph.index.outgoing, self.graph.index.incoming):
            neighbours, events = edges.by_event()
            lists.append((numbers(edges.offsets), numbers(neighbours), numbers(events)))
        return tuple(lists)


class _Attributes(Frozen):
    """The attributes of one node or edge, each decoded when it is asked for."""

    __slots__ = ("_at", "_of")

    def __init__(self, of: Batch | EdgeAttributes, at: int) -> None:
        self._of = of
        self._at = at

    def __getitem__(self, name: Value) -> Value:
        found = self._of.value(name, self._at) if name in self._of.names else None
        if found is None:
            raise KeyError(name)
        return found

    def get(self, name: Value, default: Value = None) -> Value:
        found = self._of.value(name, self._at) if name in self._of.names else None
        return default if found is None else found

    def __contains__(self, name: Value) -> bool:
        return self.get(name) is not None

    def items(self) -> ItemsView[Any, Any]:
        return self._of.of(self._at).items()

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._of.names if self._of.value(name, self._at) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _ByNode(Frozen):
    """A mapping from every node's key."""

    __slots__ = ("_arrays",)

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays

    def __len__(self) -> int:
        return self._arrays.graph.index.nodes

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays.keys)

    def __contains__(self, key: Value) -> bool:
        try:
            self._arrays.names.number(key)
        except KeyError:
            return False
        return True

    def items(self) -> ItemsView[Any, Any]:
        return _Items(self)

    def values(self) -> ValuesView[Any]:
        return _Values(self)

    @abc.abstractmethod
    def in_order(self) -> Iterable[Any]:
        """Yield the values in the order of the keys."""


class _Items(ItemsView[Any, Any]):
    _mapping: _ByNode

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return zip(self._mapping, self._mapping.in_order(), strict=True)


class _Values(ValuesView[Any]):
    _mapping: _ByNode

    def __iter__(self) -> Iterator[Any]:
        return iter(self._mapping.in_order())


class Nodes(_ByNode):
    """Node to attributes."""

    __slots__ = ()

    def __getitem__(self, key: Value) -> _Attributes:
        at, (artifacts, executions) = self._arrays.names.number(key), self._arrays.nodes
        if at < len(artifacts.ids):
            return _Attributes(artifacts.batch(at, at + 1), 0)
        at -= len(artifacts.ids)
        return _Attributes(executions.batch(at, at + 1), 0)

    def in_order(self) -> Iterable[_Attributes]:
        """Yield each node's attributes."""
        for nodes in self._arrays.nodes:
            for batch in nodes.batches():
                for at in range(len(batch)):
                    yield _Attributes(batch, at)


class Adjacency(_ByNode):
    """Node to neighbour to edge key to attributes, in one direction."""

    __slots__ = ("_known", "_up")

    def __init__(self, arrays: Arrays, *, up: bool) -> None:
        super().__init__(arrays)
        self._up = up
        self._known: dict[str, tuple[str, ...]] = {}

    def __getitem__(self, key: Value) -> _Neighbours:
        return _Neighbours(self, key, self._arrays.names.number(key))

    def in_order(self) -> Iterable[_Neighbours]:
        """Yield each node's neighbours."""
        return (_Neighbours(self, key, at) for at, key in enumerate(self))

    @property
    def attributes(self) -> EdgeAttributes:
        """The edges' attributes."""
        return self._arrays.edges

    def iterate(self, key: Value) -> Iterator[str]:
        """Return an iterator over a node's neighbours.

        Raises:
            NetworkXError: There is no such node.
        """
        found = self._known.get(key)
        if found is None:
            try:
                found = self.neighbours(key, self._arrays.names.number(key))
            except KeyError:
                message = f"The node {key} is not in the digraph."
                raise nx.NetworkXError(message) from None
        return iter(found)

    def neighbours(self, key: str, at: int) -> tuple[str, ...]:
        """Return a node's neighbours, and remember them."""
        found = self._known.get(key)
        if found is None:
            offsets, others, _ = self._arrays.lists[self._up]
            names = self._arrays.names
            found = tuple([names[other] for other in others[offsets[at] : offsets[at + 1]]])
            if len(found) > 1:
                found = tuple(dict.fromkeys(found))
            if len(self._known) >= node_keys.REMEMBERED:
                self._known.clear()
            self._known[key] = found
        return found

    def edges(self, at: int) -> dict[str, _Keyed]:
        """Return each neighbour's edges."""
        offsets, others, edges = self._arrays.lists[self._up]
        names = self._arrays.names
        found: dict[str, list[int]] = {}
        for place in range(offsets[at], offsets[at + 1]):
            found.setdefault(names[others[place]], []).append(edges[place])
        return {key: _Keyed(self.attributes, numbers) for key, numbers in found.items()}

    def edges_between(self, at: int, key: Value) -> list[int]:
        """Return the edges of a pair of nodes, looked for on the side that has fewer."""
        try:
            other = self._arrays.names.number(key)
        except KeyError:
            return []
        up = self._up
        offsets = self._arrays.lists[up][0]
        back = self._arrays.lists[not up][0]
        if offsets[at + 1] - offsets[at] > back[other + 1] - back[other]:
            at, other, up, offsets = other, at, not up, back
        _, others, edges = self._arrays.lists[up]
        return [edges[p] for p in range(offsets[at], offsets[at + 1]) if others[p] == other]


class _Neighbours(Frozen):
    """Neighbour to edge key to attributes, of one node."""

    __slots__ = ("_adjacency", "_at", "_key")

    def __init__(self, adjacency: Adjacency, key: str, at: int) -> None:
        self._adjacency = adjacency
        self._key = key
        self._at = at

    def __len__(self) -> int:
        return len(self._adjacency.neighbours(self._key, self._at))

    def __iter__(self) -> Iterator[str]:
        return iter(self._adjacency.neighbours(self._key, self._at))

    def __contains__(self, key: Value) -> bool:
        return bool(self._adjacency.edges_between(self._at, key))

    def __getitem__(self, key: Value) -> _Keyed:
        edges = self._adjacency.edges_between(self._at, key)
        if not edges:
            raise KeyError(key)
        return _Keyed(self._adjacency.attributes, edges)

    def items(self) -> ItemsView[Any, Any]:
        return self._adjacency.edges(self._at).items()

    def values(self) -> ValuesView[Any]:
        return self._adjacency.edges(self._at).values()


class _Keyed(Frozen):
    """Edge key to attributes, of one pair of nodes."""

    __slots__ = ("_attributes", "_edges")

    def __init__(self, edge_attributes: EdgeAttributes, edges: list[int]) -> None:
        self._attributes = edge_attributes
        self._edges = edges

    def __len__(self) -> int:
        return len(self._edges)

    def __iter__(self) -> Iterator[int]:
        return (self._attributes.ids[edge] for edge in self._edges)

    def __getitem__(self, key: Value) -> _Attributes:
        for edge in self._edges:
            if self._attributes.ids[edge] == key:
                return _Attributes(self._attributes, edge)
        raise KeyError(key)

    def items(self) -> ItemsView[Any, Any]:
        of = self._attributes
        return {of.ids[edge]: _Attributes(of, edge) for edge in self._edges}.items()

    def values(self) -> ValuesView[Any]:
        of = self._attributes
        return {edge: _Attributes(of, edge) for edge in self._edges}.values()
