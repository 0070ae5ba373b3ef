"""The nodes and edges of several answers as one graph, in arrays."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.dialects.statuses import STATUSES
from mlmd_lineage.lineage import edge_attributes, keys
from mlmd_lineage.lineage.nodes import node_attributes
from mlmd_lineage.lineage.render.node_labels import NO_LABEL
from mlmd_lineage.lineage.render.scene import NODE_NAMES
from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mlmd_lineage.lineage.graph import LineageGraph
    from mlmd_lineage.lineage.render.node_labels import NodeLabel

    Array = np.ndarray[Any, np.dtype[Any]]


class SceneGraph:
    """The union of some answers about one store: each node and each event once.

    Attributes:
        parts: The answers.
        artifact_ids, execution_ids: The ids of the nodes, in order; artifacts come first.
        sources, targets: The positions of each edge's nodes.
        roles: Each edge's role, as its place in ``roles.ROLES``.
    """

    def __init__(
        self, parts: Sequence[LineageGraph], *, only: Collection[str] | None = None
    ) -> None:
        """Join answers.

        Args:
            parts: The answers.
            only: The keys of the nodes that are kept; all where None is given.
        """
        self.parts = tuple(parts)
        indexes = [part.index for part in parts]
        self.artifact_ids = _union(index.artifact_ids for index in indexes)
        self.execution_ids = _union(index.execution_ids for index in indexes)
        if only is not None:
            kept = [keys.parse(key) for key in only]
            for kind, name in (("artifact", "artifact_ids"), ("execution", "execution_ids")):
                wanted = [number for each, number in kept if each == kind]
                setattr(self, name, np.intersect1d(getattr(self, name), wanted).astype(np.int64))
        ends, events = [np.empty((3, 0), np.int64)], [np.empty(0, np.int64)]
        for part in parts:
            index, places = part.index, self.positions_of(part)
            rows = np.stack([places[index.sources], places[index.targets], index.roles])
            inside = (rows[0] >= 0) & (rows[1] >= 0)
            ends.append(rows[:, inside].astype(np.int64))
            ids = arrays.to_numpy(part.tables["Event"]["id"])[index.event_rows]
            events.append(ids[inside].astype(np.int64))
        _, first = np.unique(np.concatenate(events), return_index=True)
        self.sources, self.targets, self.roles = np.concatenate(ends, axis=1)[:, first]

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.artifact_ids) + len(self.execution_ids)

    def positions_of(self, part: LineageGraph) -> Array:
        """Return where the nodes of a part stand in the whole; -1 for those left out."""
        artifacts = _places(self.artifact_ids, part.index.artifact_ids)
        executions = _places(self.execution_ids, part.index.execution_ids)
        executions[executions >= 0] += len(self.artifact_ids)
        return np.concatenate([artifacts, executions])

    @functools.cached_property
    def keys(self) -> list[str]:
        """The nodes' keys."""
        return [
            *(f"artifact/{number}" for number in self.artifact_ids.tolist()),
            *(f"execution/{number}" for number in self.execution_ids.tolist()),
        ]

    @functools.cached_property
    def labels(self) -> Mapping[str, NodeLabel]:
        """What the platforms call the nodes, by their keys."""
        found: dict[str, NodeLabel] = {}
        for part in reversed(self.parts):
            found |= part.node_labels
        return found

    def label(self, key: str) -> NodeLabel:
        """Return what the platform calls a node."""
        return self.labels.get(key, NO_LABEL)

    @functools.cached_property
    def rows(self) -> list[tuple[str, dict[str, Any]]]:
        """The key and the attributes of each node, as pictures show them."""
        found: dict[str, dict[str, Any]] = {}
        for part in self.parts:
            found |= dict(node_attributes.node_dicts(part, NODE_NAMES))
        return [(key, found[key]) for key in self.keys]

    def edge_rows(self) -> Iterable[tuple[str, str, int, Mapping[str, Any]]]:
        """Return the source, the target, the event's id and the attributes of each edge."""
        found: dict[int, tuple[str, str, int, Mapping[str, Any]]] = {}
        for part in self.parts:
            found |= {edge[2]: edge for edge in edge_attributes.edge_dicts(part)}
        known = set(self.keys)
        inside = ((event, found[event]) for event in sorted(found))
        return [edge for _, edge in inside if edge[0] in known and edge[1] in known]

    @functools.cached_property
    def types(self) -> tuple[list[str], Array]:
        """The names of the nodes' types, and each node's type as its place among them."""
        names: list[str] = []
        places: dict[str, int] = {}
        found = np.zeros(len(self), np.int64)
        for part in self.parts:
            types = part.tables["Type"]
            known = dict(zip(types["id"].to_pylist(), types["name"].to_pylist(), strict=True))
            ids, inverse = np.unique(part.index.type_ids, return_inverse=True)
            mine = []
            for number in ids.tolist():
                name = known.get(number) or ""
                if name not in places:
                    places[name] = len(names)
                    names.append(name)
                mine.append(places[name])
            places_of_part = self.positions_of(part)
            inside = places_of_part >= 0
            found[places_of_part[inside]] = np.array([*mine, 0])[inverse][inside]
        return names, found

    @functools.cached_property
    def statuses(self) -> Array:
        """Each execution's status as its place in ``STATUS_CODES``, by MLMD's states alone."""
        codes = np.zeros(100, np.uint8)
        for state, status in STATUSES.items():
            codes[state] = STATUS_CODES.index(status)
        found = np.zeros(len(self), np.uint8)
        for part in self.parts:
            rows = part.tables["Execution"]
            ids = arrays.to_numpy(rows["id"])
            states = np.clip(arrays.to_numpy(rows["last_known_state"]), 0, 99)
            places = _places(self.execution_ids, ids)
            inside = places >= 0
            found[places[inside] + len(self.artifact_ids)] = codes[states[inside]]
        return found


STATUS_CODES: tuple[str | None, ...] = (
    *(None, "completed", "cached", "failed", "running", "canceled"),
)
"""The statuses, by the numbers that stand for them in columns."""


def _places(ordered: Array, ids: Array) -> Array:
    """Return where some ids stand among others, which are in order; -1 where they do not."""
    if not len(ordered):
        return np.full(len(ids), -1)
    at = ordered.searchsorted(ids).clip(max=len(ordered) - 1)
    return np.where(ordered[at] == ids, at, -1)


def _union(some: Iterable[Array]) -> Array:
    return np.unique(np.concatenate([*some, np.empty(0, np.int64)]).astype(np.int64))
