"""Session of MLMD's gRPC service: single questions, as they are asked of a database's tables."""

from __future__ import annotations

import functools
import itertools
import operator
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.readers.grpc import rows as grpc_rows
from mlmd_lineage.readers.grpc.calls import Chunks, ServiceCall, request
from mlmd_lineage.readers.grpc.context_members import Members, children, memberships_of, parents
from mlmd_lineage.readers.grpc.memberships import artifacts_near
from mlmd_lineage.readers.grpc.node_listing import Listing, Numbers, plural
from mlmd_lineage.readers.grpc.status_errors import MissingMethodError
from mlmd_lineage.readers.grpc.tables import WholeRead
from mlmd_lineage.readers.grpc.types import type_tables
from mlmd_lineage.snapshot.enums import OUTPUT_EVENTS
from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS, SORT_KEYS, Tables

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mlmd_lineage.readers.grpc.calls import ServiceClient
    from mlmd_lineage.snapshot.tables import NodeSchema

    Row = tuple[Any, ...]
    Where = Mapping[str, Collection[int | str]]

_NEWEST = 1000
"""How many of the last ids are asked for: MLMD gives them one after the other."""

_KIND_OF = {
    table: kind
    for kind in KINDS.values()
    for table in (kind.table, kind.properties, kind.membership)
    if table is not None
}


class WireSession:
    """Answers single questions; what was read once is not asked for again.

    A question sees each node, and the events of each, as they were when it first asked for them.
    """

    def __init__(self, service: ServiceClient) -> None:
        self.source = service.address.location
        self._service = service
        self._listing = Listing(service)
        self._nodes: dict[str, dict[int, Any]] = {name: {} for name in KINDS}
        """The nodes that were asked for; None where there is no such node."""
        self._paths: dict[int, list[Row]] = {}
        """The paths of the events that were met."""

    @functools.cached_property
    def _types(self) -> dict[str, list[Row]]:
        return type_tables(self._service)

    def fetch(self, table: str, where: Where) -> list[Row]:
        """Return a table's rows, each with all of its schema's columns."""
        if not all(where.values()) and where:
            return []
        names = SCHEMAS[table].names
        rows = self._rows(table, where)
        wanted = [(names.index(column), set(values)) for column, values in where.items()]
        rows = [row for row in rows if all(row[at] in values for at, values in wanted)]
        if table != "EventPath":
            keys = [names.index(name) for name in SORT_KEYS[table]]
            rows.sort(key=operator.itemgetter(*keys))
        return rows

    def newest(self, table: str, limit: int) -> list[Row]:
        """Return the newest nodes of a kind, as ``Newest`` says."""
        last = self._listing.last_id(_KIND_OF[table])
        first = max(1, last - min(limit, _NEWEST) + 1)
        return self.fetch(table, {"id": range(first, last + 1)})

    def reachable(
        self,
        artifacts: Collection[int],
        first: Collection[int],
        _second: Collection[int],
        hops: int,
        _most: int,
    ) -> list[int] | None:
        """Return the artifacts to which others lead, as ``Reachability`` says.

        Old services lack the method, and those of ml_metadata 1.21 the filters that it takes.
        """
        found = set(artifacts)
        up = set(first) <= set(OUTPUT_EVENTS)
        try:
            self._service.run([artifacts_near(sorted(found), hops, found.update, up=up)])
        except errors.ReadError:
            return None
        return sorted(found)

    def _rows(self, table: str, where: Where) -> Iterable[Row]:
        """Return rows that hold all those that are asked for."""
        if table in {"Type", "TypeProperty", "ParentType"}:
            return self._types[table]
        kind = _KIND_OF.get(table)
        if kind is None:
            found = {"Event": self._events, "EventPath": self._event_paths}.get(
                table, self._parents
            )
            return found(where)
        if table == kind.membership:
            return self._memberships(kind, where)
        nodes = self._found(kind, where if table == kind.table else _only_id(kind, where))
        if table == kind.table:
            return grpc_rows.texts(table, (grpc_rows.node_row(kind, node) for node in nodes))
        rows = itertools.chain.from_iterable(map(grpc_rows.property_rows, nodes))
        return grpc_rows.texts(table, rows)

    def _whole(self, table: str) -> list[Row]:
        """Return all rows of a table: for what no call of the service finds."""
        tables: Tables = WholeRead(self._service, (table,)).tables()
        columns = [column.to_pylist() for column in tables[table].columns]
        return list(zip(*columns, strict=True))

    # Nodes

    def _found(self, kind: NodeSchema, where: Where) -> Iterable[Any]:
        """Return messages of the nodes that may be those asked for."""
        if "id" in where:
            return self._by_id(kind, where["id"])
        if kind.name == "artifact" and "uri" in where:
            return self._by_texts(kind, "GetArtifactsByURI", "uris", where["uri"])
        if "external_id" in where:
            method = f"Get{plural(kind)}ByExternalIds"
            return self._by_texts(kind, method, "external_ids", where["external_id"])
        if "name" in where:
            return self._by_name(kind, where)
        if "type_id" in where:
            found: list[bytes] = []
            self._listing.of_types(kind, self._types_with(kind, where), found.extend)
            return self._keep(kind, found)
        return self._all(kind)

    def _by_id(self, kind: NodeSchema, ids: Iterable[int | str]) -> list[Any]:
        held = self._nodes[kind.name]
        numbers = _numbers(ids)
        new = [number for number in numbers if number not in held]
        held.update(dict.fromkeys(new))
        found: list[bytes] = []
        self._listing.by_id(kind, new, found.extend)
        self._keep(kind, found)
        return [held[number] for number in numbers if held[number] is not None]

    def _keep(self, kind: NodeSchema, parts: Sequence[bytes]) -> list[Any]:
        """Return nodes as they were when they were first met."""
        held = self._nodes[kind.name]
        kept = []
        with self._service.decoding(f"answered a question for {kind.name}s"):
            nodes = grpc_rows.nodes_of(kind, parts)
        for node in nodes:
            if held.get(node.id) is None:
                held[node.id] = node
            kept.append(held[node.id])
        return kept

    def _by_texts(
        self, kind: NodeSchema, method: str, field: str, texts: Collection[int | str]
    ) -> list[Any]:
        found: list[bytes] = []

        def take(answer: bytes) -> None:
            found.extend(grpc_rows.parts_in(answer)[0])

        asked = request(f"{method}Request", **{field: sorted(set(map(str, texts)))})
        try:
            self._service.run([ServiceCall(method, asked, take)])
        except MissingMethodError:
            return list(self._all(kind))
        return self._keep(kind, found)

    def _by_name(self, kind: NodeSchema, where: Where) -> list[Any]:
        method = f"Get{kind.table}ByTypeAndName"
        found: list[bytes] = []

        def take(answer: bytes) -> None:
            found.extend(grpc_rows.parts_in(answer)[0])

        def call(type_name: str, version: str | None, name: object) -> ServiceCall:
            asked = request(f"{method}Request", type_name=type_name)
            setattr(asked, f"{kind.name}_name", name)
            if version is not None:
                asked.type_version = version
            return ServiceCall(method, asked, take)

        names = sorted(set(where["name"]), key=str)
        types = self._types_with(kind, where)
        try:
            self._service.run(call(*pair, name) for pair in types for name in names)
        except MissingMethodError:
            self._listing.of_types(kind, types, found.extend)
        return self._keep(kind, found)

    def _types_with(self, kind: NodeSchema, where: Where) -> list[tuple[str, str | None]]:
        """Return name and version of the types that the nodes asked for may have."""
        ids = where.get("type_id")
        return [
            (row[1], row[2])
            for row in self._types["Type"]
            if row[3] == kind.type_kind and (ids is None or row[0] in ids)
        ]

    def _all(self, kind: NodeSchema) -> Iterable[Any]:
        found: list[bytes] = []
        self._listing.sweep(kind, self._listing.last_id(kind), Numbers(), found.extend)
        return self._keep(kind, found)

    # Events

    def _events(self, where: Where) -> list[Row]:
        for name in ("artifact", "execution"):
            ids = where.get(f"{name}_id")
            if ids is not None:
                method = f"GetEventsBy{name.capitalize()}IDs"
                return self._events_by(method, f"{name}_ids", ids)
        return self._whole("Event")

    def _events_by(self, method: str, field: str, ids: Collection[int | str]) -> list[Row]:
        found: list[Row] = []

        def take(answer: bytes) -> None:
            for row, path in grpc_rows.event_rows(grpc_rows.events_in(answer)):
                found.append(row)
                self._paths[row[0]] = grpc_rows.texts("EventPath", path)

        self._service.run(Chunks(method, field, _numbers(ids), take))
        return found

    def _event_paths(self, where: Where) -> list[Row]:
        events = where.get("event_id")
        if events is None or any(number not in self._paths for number in events):
            return self._whole("EventPath")
        return [row for number in events for row in self._paths[int(number)]]

    # Contexts

    def _memberships(self, kind: NodeSchema, where: Where) -> list[Row]:
        if "context_id" in where:
            pairs: list[tuple[int, int]] = []

            def take(context: int, nodes: Sequence[bytes]) -> None:
                pairs.extend((context, node.id) for node in self._keep(kind, nodes))

            members = Members(self._service, kind, take)
            members.fetch(_numbers(where["context_id"]))
            if members.is_stuck:
                return self._whole(kind.membership or "")
        elif kind.id_column in where:
            pairs = memberships_of(self._service, kind, _numbers(where[kind.id_column]))
        else:
            return self._whole(kind.membership or "")
        return [(grpc_rows.membership_id(*pair), *pair) for pair in pairs]

    def _parents(self, where: Where) -> list[Row]:
        for column, find in (("context_id", parents), ("parent_context_id", children)):
            if column in where:
                return list(find(self._service, _numbers(where[column])))
        return self._whole("ParentContext")


def _only_id(kind: NodeSchema, where: Where) -> dict[str, Collection[int | str]]:
    """Return what a question for properties says of their nodes."""
    return {"id": where[kind.id_column]} if kind.id_column in where else {}


def _numbers(values: Iterable[int | str]) -> list[int]:
    """Return the ids among some values, in order: none is less than one or longer than 63 bits."""
    numbers = {int(value) for value in values if not isinstance(value, str)}
    return sorted(number for number in numbers if 0 < number < 1 << 63)
