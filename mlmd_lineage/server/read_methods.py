"""The methods of MLMD's service that read, on this library's readers."""

from __future__ import annotations

import operator
from functools import partial
from typing import TYPE_CHECKING, Any

from mlmd_lineage import _proto
from mlmd_lineage.server import messages, response_size
from mlmd_lineage.server.filter_check import check_filter
from mlmd_lineage.server.lineage_subgraph import subgraph
from mlmd_lineage.server.list_options import list_page
from mlmd_lineage.server.status import StatusCode, StatusError
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.snapshot.tables import NodeSchema

    Method = Callable[[Session, Any], Any]


def _response(method: str, **fields: Any) -> Any:
    return _proto.message(f"{method}Response")(**fields)


# Nodes


def _all(kind: NodeSchema, session: Session, request: Any) -> Any:
    rows, token = list_page(session, kind, _options(request))
    return _page(f"Get{kind.table}s", session, kind, rows, token)


def _by_type(kind: NodeSchema, session: Session, request: Any) -> Any:
    method = f"Get{kind.table}sByType"
    found = _type(session, kind, request.type_name, request.type_version)
    if found is None:
        if request.options.filter_query:  # one that is wrong is refused whatever is there
            check_filter(kind.name, request.options.filter_query)
        return _response(method)
    rows, token = list_page(session, kind, _options(request), type_id=found[0])
    return _page(method, session, kind, rows, token)


def _by_context(kind: NodeSchema, session: Session, request: Any) -> Any:
    assert kind.membership is not None
    position = ("id", "context_id", kind.id_column).index(kind.id_column)
    members = session.fetch(kind.membership, {"context_id": [request.context_id]})
    among = {row[position] for row in members}
    rows, token = list_page(session, kind, _options(request), among=among)
    return _page(f"Get{kind.table}sByContext", session, kind, rows, token)


def _options(request: Any) -> Any:
    return request.options if request.HasField("options") else None


def _page(
    method: str, session: Session, kind: NodeSchema, rows: Iterable[tuple[Any, ...]], token: str
) -> Any:
    response = _response(method, **{f"{kind.name}s": messages.nodes(session, kind, rows)})
    if token:
        response.next_page_token = token
    return response


def _by_id(kind: NodeSchema, session: Session, request: Any) -> Any:
    ids = sorted(set(getattr(request, f"{kind.name}_ids")))
    made = _nodes_with(session, kind, ids)
    response = _response(f"Get{kind.table}sByID", **{f"{kind.name}s": made})
    if kind.name == "artifact" and request.populate_artifact_types:
        types = session.fetch("Type", {"id": sorted({node.type_id for node in made})})
        response.artifact_types.extend(messages.types(session, types))
    return response


def _nodes_with(session: Session, kind: NodeSchema, ids: Sequence[int]) -> list[Any]:
    parts = response_size.chunks(ids)
    rows = (row for part in parts for row in session.fetch(kind.table, {"id": part}))
    return messages.nodes(session, kind, rows)


def _by_type_and_name(kind: NodeSchema, session: Session, request: Any) -> Any:
    response = _response(f"Get{kind.table}ByTypeAndName")
    found = _type(session, kind, request.type_name, request.type_version)
    name = getattr(request, f"{kind.name}_name")
    if found is not None and name:
        rows = session.fetch(kind.table, {"type_id": [found[0]], "name": [name]})
        if rows:
            [node] = messages.nodes(session, kind, rows[:1])
            getattr(response, kind.name).CopyFrom(node)
    return response


def _by_external_ids(kind: NodeSchema, session: Session, request: Any) -> Any:
    rows = _with_external_ids(session, kind.table, request, f"{kind.name}s")
    made = messages.nodes(session, kind, rows)
    return _response(f"Get{kind.table}sByExternalIds", **{f"{kind.name}s": made})


def _with_external_ids(
    session: Session, table: str, request: Any, what: str
) -> list[tuple[Any, ...]]:
    wanted = sorted(set(request.external_ids))
    if not wanted:
        return []
    if not all(wanted):
        message = "Invalid argument because at least one empty external_id exists."
        raise StatusError(StatusCode.INVALID_ARGUMENT, message)
    rows = session.fetch(table, {"external_id": wanted})
    if not rows:
        raise StatusError(StatusCode.NOT_FOUND, f"No {what} found for external_ids.")
    return sorted(rows)


def _by_uri(session: Session, request: Any) -> Any:
    kind = KINDS["artifact"]
    rows = sorted(session.fetch("Artifact", {"uri": sorted(set(request.uris))}))
    return _response("GetArtifactsByURI", artifacts=messages.nodes(session, kind, rows))


# Types


def _type(session: Session, kind: NodeSchema, name: str, version: str) -> tuple[Any, ...] | None:
    """Return the row of a type; one without a version where none is given."""
    for row in session.fetch("Type", {"name": [name]}):
        if row[3] == kind.type_kind and (row[2] or "") == version:
            return row
    return None


def _one_type(kind: NodeSchema, session: Session, request: Any) -> Any:
    row = _type(session, kind, request.type_name, request.type_version)
    if row is None:
        version = request.type_version or "nullopt"
        message = f"No type found for query, name: `{request.type_name}`, version: `{version}`"
        raise StatusError(StatusCode.NOT_FOUND, message)
    [made] = messages.types(session, [row])
    return _response(f"Get{kind.table}Type", **{f"{kind.name}_type": made})


def _all_types(kind: NodeSchema, session: Session, _request: Any) -> Any:
    rows = session.fetch("Type", {"type_kind": [kind.type_kind]})
    made = messages.types(session, [row for row in rows if row[1] not in messages.BASE_TYPES])
    return _response(f"Get{kind.table}Types", **{f"{kind.name}_types": made})


def _types_by_id(kind: NodeSchema, session: Session, request: Any) -> Any:
    rows = {row[0]: row for row in session.fetch("Type", {"id": sorted(set(request.type_ids))})}
    # As often as they were asked for, and in that order.
    wanted = [rows[i] for i in request.type_ids if i in rows and rows[i][3] == kind.type_kind]
    made = messages.types(session, wanted)
    return _response(f"Get{kind.table}TypesByID", **{f"{kind.name}_types": made})


def _types_by_external_ids(kind: NodeSchema, session: Session, request: Any) -> Any:
    rows = _with_external_ids(session, "Type", request, "types")
    made = messages.types(session, [row for row in rows if row[3] == kind.type_kind])
    return _response(f"Get{kind.table}TypesByExternalIds", **{f"{kind.name}_types": made})


# Edges


def _events(kind: NodeSchema, session: Session, request: Any) -> Any:
    ids = sorted(set(getattr(request, f"{kind.name}_ids")))
    made: list[tuple[int, Any]] = []
    for part in response_size.chunks(ids):
        rows = sorted(session.fetch("Event", {kind.id_column: part}))
        made += zip((row[0] for row in rows), messages.events(session, rows), strict=True)
    made.sort(key=operator.itemgetter(0))
    return _response(f"GetEventsBy{kind.table}IDs", events=[event for _, event in made])


def _contexts_of(kind: NodeSchema, session: Session, request: Any) -> Any:
    assert kind.membership is not None
    number = getattr(request, kind.id_column)
    contexts = {row[1] for row in session.fetch(kind.membership, {kind.id_column: [number]})}
    if not contexts:
        raise StatusError(StatusCode.NOT_FOUND, f"No contexts found for {kind.id_column}: {number}")
    return _response(f"GetContextsBy{kind.table}", contexts=_contexts(session, contexts))


def _related(whose: str, session: Session, request: Any) -> Any:
    found = _relatives(session, whose, [request.context_id])
    made = _contexts(session, found.get(request.context_id, ()))
    return _response(f"Get{whose}ContextsByContext", contexts=made)


def _related_to_all(whose: str, session: Session, request: Any) -> Any:
    response = _response(f"Get{whose}ContextsByContexts")
    found = _relatives(session, whose, sorted(set(request.context_ids)))
    every = {c.id: c for c in _contexts(session, set().union(*found.values()))}
    for context, others in found.items():
        held = getattr(response.contexts[context], f"{whose.lower()}_contexts")
        held.extend(every[other] for other in sorted(others) if other in every)
    return response


def _relatives(session: Session, whose: str, contexts: Collection[int]) -> dict[int, set[int]]:
    """Return the parents or the children of some contexts."""
    parents = whose == "Parent"
    column = "context_id" if parents else "parent_context_id"
    found: dict[int, set[int]] = {}
    for child, parent in session.fetch("ParentContext", {column: contexts}):
        one, other = (child, parent) if parents else (parent, child)
        found.setdefault(one, set()).add(other)
    return found


def _contexts(session: Session, ids: Collection[int]) -> list[Any]:
    return _nodes_with(session, KINDS["context"], sorted(ids))


def _methods() -> dict[str, Method]:
    found: dict[str, Method] = {
        "GetArtifactsByURI": _by_uri,
        "GetLineageSubgraph": subgraph,
    }
    for kind in KINDS.values():
        for name, function in (
            ("{}s", _all),
            ("{}sByID", _by_id),
            ("{}sByType", _by_type),
            ("{}ByTypeAndName", _by_type_and_name),
            ("{}sByExternalIds", _by_external_ids),
            ("{}Type", _one_type),
            ("{}Types", _all_types),
            ("{}TypesByID", _types_by_id),
            ("{}TypesByExternalIds", _types_by_external_ids),
        ):
            found[f"Get{name.format(kind.table)}"] = partial(function, kind)
        if kind.membership is not None:
            found[f"Get{kind.table}sByContext"] = partial(_by_context, kind)
            found[f"GetContextsBy{kind.table}"] = partial(_contexts_of, kind)
            found[f"GetEventsBy{kind.table}IDs"] = partial(_events, kind)
    for whose in ("Parent", "Children"):
        found[f"Get{whose}ContextsByContext"] = partial(_related, whose)
        found[f"Get{whose}ContextsByContexts"] = partial(_related_to_all, whose)
    return found


METHODS: Mapping[str, Method] = _methods()
"""The function of each method that reads, which takes a session and the request as a message."""
