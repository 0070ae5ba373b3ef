"""The attributes of a graph's nodes, by MLMD's names and as Python values.

networkx and the exports see a graph through this. Nothing is read or decoded before it is asked
for, and then for as many nodes at once as are wanted.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.snapshot import arrays, values
from mlmd_lineage.snapshot.enums import ArtifactState, ExecutionState, name_of
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    import pyarrow as pa

    from mlmd_lineage.lineage.graph_data import GraphData
    from mlmd_lineage.lineage.graph_tables import TableSource
    from mlmd_lineage.snapshot.tables import NodeSchema

    Array = np.ndarray[Any, np.dtype[Any]]
    Value: TypeAlias = Any

NODE_NAMES = (
    "kind",
    "id",
    "type",
    "name",
    "uri",
    "state",
    "external_id",
    "create_time_since_epoch",
    "last_update_time_since_epoch",
    "missing",
    "original_id",
    "imported_from",
    "contexts",
    "properties",
    "custom_properties",
)

_STATES = {"artifact": ArtifactState, "execution": ExecutionState}
_ROWS = 4096


class NodeAttributes:
    """The attributes of nodes of one kind, by their numbers in the order of their ids.

    A list holds one value a node, and None where it has none. Times are milliseconds since 1970
    in UTC; ``contexts`` is a tuple of sorted ``type:name``.
    """

    def __init__(self, tables: TableSource, kind: NodeSchema, ids: Array) -> None:
        self.kind = kind
        self.ids = ids
        self._tables = tables

    def batch(self, start: int, stop: int) -> Batch:
        """Return some of the nodes."""
        return Batch(self, start, stop)

    def batches(self) -> Iterator[Batch]:
        """Yield all nodes, some thousands at a time."""
        for start in range(0, len(self.ids), _ROWS):
            yield Batch(self, start, min(start + _ROWS, len(self.ids)))

    def column(self, name: str, start: int, stop: int) -> Sequence[Any]:
        """Return one attribute of some of the nodes."""
        made: Sequence[Any]
        if name == "kind":
            made = [self.kind.name] * (stop - start)
        elif name == "id":
            made = self.ids[start:stop].tolist()
        elif name == "missing":
            made = [None if row else True for row in self._stored("id", start, stop)]
        elif name == "type":
            made = [self._types.get(number) for number in self._stored("type_id", start, stop)]
        elif name == "state":
            made = self._states(start, stop)
        elif name == "contexts":
            made = self._contexts(start, stop)
        elif name not in self._table.column_names:
            made = [None] * (stop - start)
        else:
            made = self._stored(name, start, stop)
            if name.endswith("_since_epoch"):
                made = [time or None for time in made]
        return made

    @functools.cached_property
    def _table(self) -> pa.Table:
        return self._tables[self.kind.table]

    @functools.cached_property
    def _row_ids(self) -> Array:
        return arrays.to_numpy(self._table["id"])

    def _stored(self, column: str, start: int, stop: int) -> list[Any]:
        """Return what stands in the table, None for nodes that have no row."""
        ids = self.ids[start:stop]
        if len(self._row_ids) == len(self.ids):
            return self._table[column].slice(start, stop - start).to_pylist()  # type: ignore[no-any-return]  # pyarrow is untyped
        first, last = _rows_of(self._row_ids, ids)
        stored = dict(
            zip(
                self._row_ids[first:last].tolist(),
                self._table[column].slice(first, last - first).to_pylist(),
                strict=True,
            )
        )
        return [stored.get(number) for number in ids.tolist()]

    @functools.cached_property
    def _types(self) -> dict[int, str]:
        types = self._tables["Type"]
        return dict(zip(types["id"].to_pylist(), types["name"].to_pylist(), strict=True))

    def _states(self, start: int, stop: int) -> list[str | None]:
        if self.kind.state is None:
            return [None] * (stop - start)
        state = _STATES[self.kind.name]
        return [
            None if number is None else name_of(state, number)
            for number in self._stored(self.kind.state, start, stop)
        ]

    @functools.cached_property
    def _memberships(self) -> tuple[Array, Array]:
        """The members of contexts in order, and for each the id of its context."""
        pairs = self._tables[str(self.kind.membership)]
        members = arrays.to_numpy(pairs[self.kind.id_column])
        order = np.argsort(members, kind="stable")
        return members[order], arrays.to_numpy(pairs["context_id"])[order]

    @functools.cached_property
    def _context_labels(self) -> dict[int, str]:
        contexts = self._tables["Context"]
        return {
            number: f"{self._types.get(type_id, '')}:{name or ''}"
            for number, type_id, name in values.rows_of(contexts.select(["id", "type_id", "name"]))
        }

    def _contexts(self, start: int, stop: int) -> list[tuple[str, ...] | None]:
        if self.kind.membership is None:
            return [None] * (stop - start)
        members, contexts = self._memberships
        ids, labels = self.ids[start:stop], self._context_labels
        starts, ends = members.searchsorted(ids), members.searchsorted(ids, side="right")
        return [
            tuple(sorted({labels.get(c, f"context/{c}") for c in contexts[a:b].tolist()})) or None
            for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
        ]

    @functools.cached_property
    def _owners(self) -> Array | None:
        if self.kind.properties not in self._tables:
            return None
        owners = self._tables[self.kind.properties][self.kind.id_column]
        return arrays.to_numpy(owners)

    def properties(self, start: int, stop: int) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return some of the nodes' properties, and their custom properties."""
        nothing: Sequence[Any] = [None] * (stop - start)
        if self._owners is None:
            return nothing, nothing
        ids = self.ids[start:stop]
        first, last = _rows_of(self._owners, ids)
        rows = self._tables[self.kind.properties].slice(first, last - first)
        both = values.values_by_owner(rows)
        found = [both.get(number, ({}, {})) for number in ids.tolist()]
        return [plain or None for plain, _ in found], [custom or None for _, custom in found]


def _rows_of(owners: Array, ids: Array) -> tuple[int, int]:
    """Return where in their order the rows of the first node begin, and those of the last end.

    No number is added to an id: ids are kept in as few bytes as hold the greatest of them.
    """
    return int(owners.searchsorted(ids[0])), int(owners.searchsorted(ids[-1], side="right"))


class Batch:
    """Some nodes, whose attributes are decoded together, each when it is first asked for."""

    __slots__ = ("_columns", "_nodes", "start", "stop")

    names = NODE_NAMES

    def __init__(self, nodes: NodeAttributes, start: int, stop: int) -> None:
        self._nodes = nodes
        self.start = start
        self.stop = stop
        self._columns: dict[str, Sequence[Any]] = {}

    def __len__(self) -> int:
        return self.stop - self.start

    def value(self, name: str, at: int) -> Value:
        """Return an attribute of one of the nodes, None where it has none."""
        return self._column(name)[at]

    def of(self, at: int) -> dict[str, Any]:
        """Return all attributes of one of the nodes, those alone that have a value."""
        row = ((name, self._column(name)[at]) for name in NODE_NAMES)
        return {name: value for name, value in row if value is not None}

    def dicts(self, names: Sequence[str] = NODE_NAMES) -> Iterator[dict[str, Any]]:
        """Yield each node's attributes, those alone that have a value."""
        for row in zip(*(self._column(name) for name in names), strict=True):
            yield {name: value for name, value in zip(names, row, strict=True) if value is not None}

    def _column(self, name: str) -> Sequence[Any]:
        found = self._columns.get(name)
        if found is None and name.endswith("properties"):
            both = self._nodes.properties(self.start, self.stop)
            self._columns["properties"], self._columns["custom_properties"] = both
        elif found is None:
            self._columns[name] = self._nodes.column(name, self.start, self.stop)
        return self._columns[name]


def nodes_of(graph: GraphData) -> tuple[NodeAttributes, NodeAttributes]:
    """Return the attributes of a graph's artifacts, and of its executions."""
    index, tables = graph.index, graph.tables
    return (
        NodeAttributes(tables, KINDS["artifact"], index.artifact_ids),
        NodeAttributes(tables, KINDS["execution"], index.execution_ids),
    )


def node_dicts(
    graph: GraphData, names: Sequence[str] = NODE_NAMES
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each node's key and its attributes, artifacts first, by their ids."""
    for nodes in nodes_of(graph):
        for batch in nodes.batches():
            ids = nodes.ids[batch.start : batch.stop].tolist()
            for number, found in zip(ids, batch.dicts(names), strict=True):
                yield f"{nodes.kind.name}/{number}", found
