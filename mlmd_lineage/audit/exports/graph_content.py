"""Content of a graph as plain values, in the order in which every export writes it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import json
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mlmd_lineage.lineage import edge_attributes
from mlmd_lineage.lineage.nodes import node_attributes
from mlmd_lineage.snapshot.json_values import json_value
from mlmd_lineage.snapshot.values import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.lineage.graph_data import GraphData

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:mlmd-lineage")
_LATEST = 253_402_300_799_999  # the last millisecond of the year 9999
_TO_SECONDS = len("2020-09-13T12:26:40")

UNFINISHED = {None, "UNKNOWN", "NEW", "RUNNING"}
"""The states of executions that have no end."""


@dataclasses.dataclass(frozen=True)
class Node:
    """An artifact or an execution.

    Attributes:
        key: Its key.
        facts: Its columns that have a value, by MLMD's names.
        properties: Its properties, and then its custom properties.
    """

    key: str
    facts: dict[str, Any]
    properties: dict[str, Any]
    custom_properties: dict[str, Any]

    @property
    def type(self) -> str:
        """The full name of its type; of a node without a row, ``unknown``."""
        return str(self.facts.get("type") or "unknown")

    @property
    def name(self) -> str:
        """Its name, or else its key."""
        return str(self.facts.get("name") or self.key)

    @property
    def uri(self) -> str | None:
        """Its URI, None where it has none."""
        return self.facts.get("uri") or None

    @functools.cached_property
    def created(self) -> str | None:
        """When it was created, as ISO 8601 in UTC."""
        return iso_time(self.facts.get("create_time_since_epoch"))

    @functools.cached_property
    def updated(self) -> str | None:
        """When it was last changed."""
        return iso_time(self.facts.get("last_update_time_since_epoch"))

    @property
    def ended(self) -> str | None:
        """When an execution ended; None where it has not, or it is not known."""
        return None if self.facts.get("state") in UNFINISHED else self.updated

    def values(self) -> Iterator[tuple[str, str, Any]]:
        """Yield ``property`` or ``custom_property``, the name and the value of each property."""
        for kind, found in (
            ("property", self.properties),
            ("custom_property", self.custom_properties),
        ):
            for name, value in found.items():
                yield kind, name, value


@dataclasses.dataclass(frozen=True)
class Edge:
    """An event."""

    event: int
    artifact: str
    execution: str
    type: str
    role: str
    path: str
    time: str | None


@dataclasses.dataclass(frozen=True)
class ContextNode:
    """A context, and the nodes of the graph in it; of each the id of its membership."""

    id: int
    type: str
    name: str
    artifacts: list[tuple[int, str]]
    executions: list[tuple[int, str]]


@dataclasses.dataclass(frozen=True)
class GraphContent:
    """Nodes, events and contexts of a graph."""

    source: str
    artifacts: list[Node]
    executions: list[Node]
    edges: list[Edge]
    contexts: list[ContextNode]
    start: str | None
    """The node that was asked about, where it is one."""

    def urn(self, *parts: object) -> str:
        """Return the name of something of the store as a URN.

        >>> content.urn("artifact", 5)
        'urn:mlmd-lineage:metadata.db:artifact:5'
        """
        return ":".join([self._urn, *(quoted(str(part)) for part in parts)])

    def urn_of(self, key: str) -> str:
        """Return the name of a node as a URN, the same that ``urn()`` gives of its kind and id."""
        return f"{self._urn}:{key.replace('/', ':')}"

    @functools.cached_property
    def _urn(self) -> str:
        return f"urn:mlmd-lineage:{quoted(self.source)}"

    def uuid(self, *parts: object) -> str:
        """Return a UUID that is the same whenever the same thing of the store is named."""
        return str(uuid.uuid5(_NAMESPACE, self.urn(*parts)))

    def inputs(self) -> dict[str, list[Edge]]:
        """Return the events by which each execution took an artifact."""
        return self._by_execution({"uses", "internal", "resolves"})

    def outputs(self) -> dict[str, list[Edge]]:
        """Return the events by which each execution made an artifact, or claims to have."""
        return self._by_execution({"produces", "later", "reuses"})

    def _by_execution(self, roles: set[str]) -> dict[str, list[Edge]]:
        found: dict[str, list[Edge]] = {node.key: [] for node in self.executions}
        for edge in self.edges:
            if edge.role in roles:
                found[edge.execution].append(edge)
        return found

    @property
    def newest_time(self) -> str | None:
        """The newest time of an execution or artifact, None where there is none."""
        times = [node.updated or node.created for node in (*self.artifacts, *self.executions)]
        return max(filter(None, times), default=None)


def content_of(graph: GraphData | GraphContent, source: str | None) -> GraphContent:
    """Return the content of a graph; of content, which several exports share, itself.

    Args:
        graph: The graph.
        source: How the store is named; by default as ``source_name()`` does.
    """
    if isinstance(graph, GraphContent):
        return graph
    source = source_name(graph.tables.source) if source is None else source
    nodes: dict[str, list[Node]] = {"artifact": [], "execution": []}
    for key, found in node_attributes.node_dicts(graph):
        facts = dict(found)
        plain, custom = facts.pop("properties", {}), facts.pop("custom_properties", {})
        nodes[facts["kind"]].append(Node(key, facts, plain, custom))
    edges = []
    for one, other, event, edge in edge_attributes.edge_dicts(graph):
        artifact, execution = (one, other) if one.startswith("artifact/") else (other, one)
        path = json.dumps(list(edge["path"]), ensure_ascii=False) if edge["path"] else ""
        time = iso_time(edge.get("time"))
        edges.append(Edge(event, artifact, execution, edge["type"], edge["role"], path, time))
    trace = graph.as_trace
    start = trace.starts[0] if trace is not None and len(trace.starts) == 1 else None
    contexts = list(_contexts(graph))
    return GraphContent(source, nodes["artifact"], nodes["execution"], edges, contexts, start)


def _contexts(graph: GraphData) -> Iterator[ContextNode]:
    tables = graph.tables
    types = dict(rows_of(tables["Type"].select(["id", "name"])))
    members: dict[str, dict[int, list[tuple[int, str]]]] = {"artifact": {}, "execution": {}}
    index = graph.index
    ids = {
        "artifact": set(index.artifact_ids.tolist()),
        "execution": set(index.execution_ids.tolist()),
    }
    for kind, table in (("artifact", "Attribution"), ("execution", "Association")):
        columns = ["id", "context_id", f"{kind}_id"]
        for number, context, node in sorted(rows_of(tables[table].select(columns))):
            if node in ids[kind]:
                members[kind].setdefault(context, []).append((number, f"{kind}/{node}"))
    for number, type_id, name in sorted(
        rows_of(tables["Context"].select(["id", "type_id", "name"]))
    ):
        artifacts, executions = (members[kind].get(number, []) for kind in members)
        if artifacts or executions:
            yield ContextNode(
                number, types.get(type_id) or "unknown", name or "", artifacts, executions
            )


def iso_time(milliseconds: int | None) -> str | None:
    """Return one of MLMD's times as ISO 8601 in UTC, None where there is none.

    >>> iso_time(1_600_000_000_123)
    '2020-09-13T12:26:40.123Z'
    """
    if not milliseconds or not 0 < milliseconds <= _LATEST:
        return None
    seconds, rest = divmod(milliseconds, 1000)
    moment = dt.datetime.fromtimestamp(seconds, tz=dt.timezone.utc)
    return f"{moment.isoformat()[:_TO_SECONDS]}.{rest:03}Z"


@functools.lru_cache(maxsize=1 << 16)
def quoted(text: str) -> str:
    """Return a text as a part of a URN or of a qualified name, percent-encoded."""
    return quote(text, safe="-._~")


def text_of(value: Any) -> str:
    """Return a property's value as a text: JSON, unless it is a text or a number."""
    plain = json_value(value)
    if isinstance(plain, str):
        return plain
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, (int, float)):  # which is finite
        return repr(plain)
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)


def source_name(location: str) -> str:
    """Return how exports and bundles name a store: a server's URL, of a file its name.

    The same file has another path on each machine.

    >>> source_name("/srv/mlmd/metadata.db"), source_name("mysql://reader@db.example:3306/metadb")
    ('metadata.db', 'mysql://reader@db.example:3306/metadb')
    """
    if "://" in location:
        return location
    return location.replace("\\", "/").rstrip("/").rpartition("/")[2]
