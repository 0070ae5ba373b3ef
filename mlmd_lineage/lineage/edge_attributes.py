"""The attributes of a graph's edges, by MLMD's names and as Python values."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.lineage.nodes import node_keys
from mlmd_lineage.lineage.roles import ROLES
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.enums import EventType, name_of, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    import pyarrow as pa

    from mlmd_lineage.lineage.graph_data import GraphData

    Value: TypeAlias = Any

_EVENT_TYPES = dict(enumerate(names_of(EventType)))
EDGE_NAMES = ("type", "role", "path", "time")


class EdgeAttributes:
    """The attributes of a graph's edges, by their numbers in the order of their events."""

    names = EDGE_NAMES

    def __init__(self, graph: GraphData) -> None:
        self._graph = graph

    def value(self, name: str, edge: int) -> Value:
        """Return an attribute of an edge, None where it has none."""
        if name == "type":
            return self._type(edge)
        if name == "role":
            return ROLES[self._roles[edge]]
        if name == "time":
            return self._times[edge] or None
        if name == "path":
            return self._paths.of(edge)
        return None

    def of(self, edge: int) -> dict[str, Any]:
        """Return an edge's attributes, those alone that have a value."""
        found: dict[str, Any] = {
            "type": self._type(edge),
            "role": ROLES[self._roles[edge]],
            "path": self._paths.of(edge),
        }
        if self._times[edge]:
            found["time"] = self._times[edge]
        return found

    def _type(self, edge: int) -> str:
        number = self._types[edge]
        # An index of the archive may contradict the table, which then has any number.
        return _EVENT_TYPES.get(number) or name_of(EventType, number)

    @functools.cached_property
    def ids(self) -> memoryview[Any]:
        """The events' ids."""
        return self._event_column("id")

    @functools.cached_property
    def _types(self) -> memoryview[Any]:
        return self._event_column("type")

    @functools.cached_property
    def _times(self) -> memoryview[Any]:
        return self._event_column("milliseconds_since_epoch")

    @functools.cached_property
    def _roles(self) -> memoryview[Any]:
        return node_keys.numbers(self._graph.index.roles)

    @functools.cached_property
    def _paths(self) -> Paths:
        return Paths(self._graph.tables["EventPath"], np.asarray(self.ids))

    def _event_column(self, name: str) -> memoryview[Any]:
        column = self._graph.tables["Event"][name]
        array, rows = arrays.to_numpy(column), self._graph.index.event_rows
        return node_keys.numbers(array if len(array) == len(rows) else array[rows])


class Paths:
    """The paths of some events."""

    def __init__(self, steps: pa.Table, event_ids: np.ndarray[Any, np.dtype[Any]]) -> None:
        owners = arrays.to_numpy(steps["event_id"])
        self._starts = node_keys.numbers(owners.searchsorted(event_ids))
        self._ends = node_keys.numbers(owners.searchsorted(event_ids, side="right"))
        # Each chunk may have a dictionary of its own.
        keys = steps["step_key"].unify_dictionaries()
        names = keys.chunk(0).dictionary.to_pylist() if keys.num_chunks else []
        self._names: list[str | None] = [*names, None]  # the last for a step without a key
        codes = [arrays.to_numpy(chunk.indices, -1) for chunk in keys.chunks]
        self._codes = node_keys.numbers(np.concatenate([*codes, np.empty(0, np.int32)]))
        self._indexes = node_keys.numbers(arrays.to_numpy(steps["step_index"]))
        self._is_index = node_keys.numbers(arrays.to_numpy(steps["is_index_step"]))

    def of(self, edge: int) -> tuple[str | int | None, ...]:
        """Return the path of an event: texts for its keys, ints for its indexes."""
        names, codes, indexes, is_index = self._names, self._codes, self._indexes, self._is_index
        steps = range(self._starts[edge], self._ends[edge])
        return tuple([indexes[s] if is_index[s] else names[codes[s]] for s in steps])


def edge_dicts(graph: GraphData) -> Iterator[tuple[str, str, int, dict[str, Any]]]:
    """Yield each edge's nodes, its event's id and its attributes, in the order of the events."""
    index, attributes, keys = graph.index, EdgeAttributes(graph), node_keys.NodeKeys(graph.index)
    ends = zip(node_keys.numbers(index.sources), node_keys.numbers(index.targets), strict=True)
    for edge, (source, target) in enumerate(ends):
        yield keys.key(source), keys.key(target), attributes.ids[edge], attributes.of(edge)
