"""Answers from this library's own readers: every method that reads, and none that writes.

Nothing in the store is ever changed, ``ml_metadata`` is not needed, and stores of old schemas and
archives are served too. The answers are those of MLMD's own library, but complete where it cuts
them, and where it fails on a row the rest is answered.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mlmd_lineage import _proto
from mlmd_lineage.readers.registry import reader_for
from mlmd_lineage.server import dispatch, messages
from mlmd_lineage.server.dispatch import INVALID_ARGUMENT, NOT_FOUND, StatusError
from mlmd_lineage.server.lineage_subgraph import subgraph
from mlmd_lineage.server.list_options import listed
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.snapshot.tables import NodeSchema
    from mlmd_lineage.store import Store

    Answer = Callable[[Session, Any], Any]


class ReadingAnswers:
    """Answers from one store that is only read."""

    def __init__(self, store: Store) -> None:
        """Check that the store can be read.

        Raises:
            StoreError: The store cannot be read.
        """
        self._reader = reader_for(store.metadata_store)
        keep_connections = getattr(self._reader, "keep_connections", None)
        if keep_connections is not None:  # those of files have none
            keep_connections()
        self._reader.ask(lambda session: session.fetch("Type", {"id": [0]}))

    def answer(self, method: str, request: bytes) -> bytes:
        """Return the response to a request, from one consistent read of the store."""
        answer = _ANSWERS.get(method)
        if answer is None:
            raise dispatch.unimplemented(method)
        asked = dispatch.parsed(f"{method}Request", request)
        size = asked.ByteSize()
        asked.DiscardUnknownFields()
        if asked.ByteSize() != size:
            message = (
                f"The {method}Request has a field or a value that this server does not know, and "
                "whose meaning it must not ignore."
            )
            raise StatusError(INVALID_ARGUMENT, message)
        response = self._reader.ask(lambda session: _response_or_status(answer, session, asked))
        if isinstance(response, StatusError):
            raise response
        return bytes(response.SerializeToString())


def _response_or_status(answer: Answer, session: Session, asked: Any) -> Any:
    """Return a status instead of raising it, as to the reader it is an answer like any other."""
    try:
        return answer(session, asked)
    except StatusError as status:
        return status


def _response(method: str, **fields: Any) -> Any:
    return _proto.message(f"{method}Response")(**fields)


# Nodes


def _all(kind: NodeSchema, session: Session, asked: Any) -> Any:
    rows, token = listed(session, kind, _options(asked))
    return _page(f"Get{kind.table}s", session, kind, rows, token)


def _by_type(kind: NodeSchema, session: Session, asked: Any) -> Any:
    method = f"Get{kind.table}sByType"
    found = _type(session, kind, asked.type_name, asked.type_version)
    if found is None:
        return _response(method)
    rows, token = listed(session, kind, _options(asked), type_id=found[0])
    return _page(method, session, kind, rows, token)


def _by_context(kind: NodeSchema, session: Session, asked: Any) -> Any:
    assert kind.membership is not None
    place = ("id", "context_id", kind.id_column).index(kind.id_column)
    members = session.fetch(kind.membership, {"context_id": [asked.context_id]})
    among = {row[place] for row in members}
    rows, token = listed(session, kind, _options(asked), among=among)
    return _page(f"Get{kind.table}sByContext", session, kind, rows, token)


def _options(asked: Any) -> Any:
    return asked.options if asked.HasField("options") else None


def _page(
    method: str, session: Session, kind: NodeSchema, rows: list[tuple[Any, ...]], token: str
) -> Any:
    response = _response(method, **{f"{kind.name}s": messages.nodes(session, kind, rows)})
    if token:
        response.next_page_token = token
    return response


def _by_id(kind: NodeSchema, session: Session, asked: Any) -> Any:
    ids = sorted(set(getattr(asked, f"{kind.name}_ids")))
    rows = session.fetch(kind.table, {"id": ids})
    response = _response(
        f"Get{kind.table}sByID", **{f"{kind.name}s": messages.nodes(session, kind, rows)}
    )
    if kind.name == "artifact" and asked.populate_artifact_types:
        types = session.fetch("Type", {"id": sorted({row[1] for row in rows})})
        response.artifact_types.extend(messages.types(session, types))
    return response


def _by_type_and_name(kind: NodeSchema, session: Session, asked: Any) -> Any:
    response = _response(f"Get{kind.table}ByTypeAndName")
    found = _type(session, kind, asked.type_name, asked.type_version)
    name = getattr(asked, f"{kind.name}_name")
    if found is not None and name:
        rows = session.fetch(kind.table, {"type_id": [found[0]], "name": [name]})
        if rows:
            [node] = messages.nodes(session, kind, rows[:1])
            getattr(response, kind.name).CopyFrom(node)
    return response


def _by_external_ids(kind: NodeSchema, session: Session, asked: Any) -> Any:
    rows = _with_external_ids(session, kind.table, asked, f"{kind.name}s")
    made = messages.nodes(session, kind, rows)
    return _response(f"Get{kind.table}sByExternalIds", **{f"{kind.name}s": made})


def _with_external_ids(
    session: Session, table: str, asked: Any, what: str
) -> list[tuple[Any, ...]]:
    wanted = sorted(set(asked.external_ids))
    if not wanted:
        return []
    if not all(wanted):
        message = "Invalid argument because at least one empty external_id exists."
        raise StatusError(INVALID_ARGUMENT, message)
    rows = session.fetch(table, {"external_id": wanted})
    if not rows:
        raise StatusError(NOT_FOUND, f"No {what} found for external_ids.")
    return sorted(rows)


def _by_uri(session: Session, asked: Any) -> Any:
    kind = KINDS["artifact"]
    rows = sorted(session.fetch("Artifact", {"uri": sorted(set(asked.uris))}))
    return _response("GetArtifactsByURI", artifacts=messages.nodes(session, kind, rows))


# Types


def _type(session: Session, kind: NodeSchema, name: str, version: str) -> tuple[Any, ...] | None:
    """Return the row of a type; one without a version where none is given."""
    for row in session.fetch("Type", {"name": [name]}):
        if row[3] == kind.type_kind and (row[2] or "") == version:
            return row
    return None


def _one_type(kind: NodeSchema, session: Session, asked: Any) -> Any:
    row = _type(session, kind, asked.type_name, asked.type_version)
    if row is None:
        version = asked.type_version or "nullopt"
        message = f"No type found for query, name: `{asked.type_name}`, version: `{version}`"
        raise StatusError(NOT_FOUND, message)
    [made] = messages.types(session, [row])
    return _response(f"Get{kind.table}Type", **{f"{kind.name}_type": made})


def _all_types(kind: NodeSchema, session: Session, _asked: Any) -> Any:
    rows = session.fetch("Type", {"type_kind": [kind.type_kind]})
    made = messages.types(session, [row for row in rows if row[1] not in messages.BASE_TYPES])
    return _response(f"Get{kind.table}Types", **{f"{kind.name}_types": made})


def _types_by_id(kind: NodeSchema, session: Session, asked: Any) -> Any:
    rows = {row[0]: row for row in session.fetch("Type", {"id": sorted(set(asked.type_ids))})}
    # As often as they were asked for, and in that order.
    wanted = [rows[i] for i in asked.type_ids if i in rows and rows[i][3] == kind.type_kind]
    made = messages.types(session, wanted)
    return _response(f"Get{kind.table}TypesByID", **{f"{kind.name}_types": made})


def _types_by_external_ids(kind: NodeSchema, session: Session, asked: Any) -> Any:
    rows = _with_external_ids(session, "Type", asked, "types")
    made = messages.types(session, [row for row in rows if row[3] == kind.type_kind])
    return _response(f"Get{kind.table}TypesByExternalIds", **{f"{kind.name}_types": made})


# Edges


def _events(kind: NodeSchema, session: Session, asked: Any) -> Any:
    ids = sorted(set(getattr(asked, f"{kind.name}_ids")))
    rows = sorted(session.fetch("Event", {kind.id_column: ids}))
    return _response(f"GetEventsBy{kind.table}IDs", events=messages.events(session, rows))


def _contexts_of(kind: NodeSchema, session: Session, asked: Any) -> Any:
    assert kind.membership is not None
    number = getattr(asked, kind.id_column)
    contexts = {row[1] for row in session.fetch(kind.membership, {kind.id_column: [number]})}
    if not contexts:
        raise StatusError(NOT_FOUND, f"No contexts found for {kind.id_column}: {number}")
    return _response(f"GetContextsBy{kind.table}", contexts=_contexts(session, contexts))


def _related(whose: str, session: Session, asked: Any) -> Any:
    found = _relatives(session, whose, [asked.context_id])
    made = _contexts(session, found.get(asked.context_id, ()))
    return _response(f"Get{whose}ContextsByContext", contexts=made)


def _related_to_all(whose: str, session: Session, asked: Any) -> Any:
    response = _response(f"Get{whose}ContextsByContexts")
    found = _relatives(session, whose, sorted(set(asked.context_ids)))
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
    kind = KINDS["context"]
    return messages.nodes(session, kind, session.fetch(kind.table, {"id": sorted(ids)}))


def _table() -> dict[str, Answer]:
    found: dict[str, Answer] = {
        "GetArtifactsByURI": _by_uri,
        "GetLineageSubgraph": subgraph,
    }
    for kind in KINDS.values():
        for name, answer in (
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
            found[f"Get{name.format(kind.table)}"] = partial(answer, kind)
        if kind.membership is not None:
            found[f"Get{kind.table}sByContext"] = partial(_by_context, kind)
            found[f"GetContextsBy{kind.table}"] = partial(_contexts_of, kind)
            found[f"GetEventsBy{kind.table}IDs"] = partial(_events, kind)
    for whose in ("Parent", "Children"):
        found[f"Get{whose}ContextsByContext"] = partial(_related, whose)
        found[f"Get{whose}ContextsByContexts"] = partial(_related_to_all, whose)
    return found


_ANSWERS = _table()
