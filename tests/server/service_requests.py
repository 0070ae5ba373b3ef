"""Requests to a metadata service about what a store holds, and calls that make them."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import waiting

import mlmd_lineage as ml
from mlmd_lineage import _proto
from mlmd_lineage.server.backend import SERVICE
from mlmd_lineage.server.own_backend import OwnBackend
from mlmd_lineage.server.status import StatusError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from metadata_service import Service

    from mlmd_lineage.snapshot.tables import Tables

Request = tuple[str, dict[str, Any]]
"""A method, and the fields of its request."""

KINDS = {"Artifact": 1, "Execution": 0, "Context": 2}
UNKNOWN = 987654
DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"
OWN = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
"""Options of a channel: a connection of its own, and failures that are reported at once."""


def client(channel: grpc.Channel) -> Callable[..., tuple[int, Any]]:
    """Return a function that calls a method, and returns its status and its response."""

    def call(method: str, *, raw: bytes | None = None, **fields: Any) -> tuple[int, Any]:
        if raw is None:
            raw = _proto.message(f"{method}Request")(**fields).SerializeToString()
        answer: Any = _proto.message(f"{method}Response")
        ask = channel.unary_unary(f"/{SERVICE}/{method}")
        try:
            return 0, answer.FromString(ask(raw, timeout=60))
        except grpc.RpcError as error:
            return error.code().value[0], error.details()

    return call


def reader_client(store: Path | ml.BaseMetadataStore) -> Callable[..., tuple[int, Any]]:
    """Return a function like that of ``client``, which asks our own readers in this process."""
    ours = OwnBackend(ml.connect(store), read_only=True)

    def call(method: str, *, raw: bytes | None = None, **fields: Any) -> tuple[int, Any]:
        if raw is None:
            raw = _proto.message(f"{method}Request")(**fields).SerializeToString()
        try:
            answer = ours.call(method, raw)
        except StatusError as error:
            return error.code, error.message
        return 0, _proto.message(f"{method}Response").FromString(answer)

    return call


def channel(address: str) -> grpc.Channel:
    return grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep an SQLite store locked, so that calls wait."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def started(channel: grpc.Channel, *methods: str) -> list[Any]:
    """Begin calls, and return them once the server has them all.

    It takes calls of one connection one after the other: once it has answered one, those before it
    have begun.
    """
    assert is_healthy(channel)
    futures = [channel.unary_unary(f"/{SERVICE}/{method}").future(b"") for method in methods]
    assert is_healthy(channel)
    return futures


def wait_until_locked_out(service: Service, path: Path) -> None:
    """Wait until a worker has an SQLite store open, which it has to wait for."""
    waiting.until(lambda: waiting.processes_with(path) & set(service.workers), "a worker")


def refused(store: Path, *options: str) -> str:
    """Return what the command says where it cannot serve."""
    command = [sys.executable, "-m", "mlmd_lineage", "serve", str(store), "--port", "0", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    return done.stderr


def message(kind: str, /, **fields: Any) -> Any:
    """Return one of MLMD's messages."""
    return _proto.message(kind)(**fields)


def status_of(ask: Any, request: bytes, timeout: float) -> int:
    """Call a method and return its status."""
    try:
        ask(request, timeout=timeout)
    except grpc.RpcError as error:
        code: int = error.code().value[0]
        return code
    return 0


def is_healthy(channel: grpc.Channel) -> bool:
    """Ask a server's health service for MLMD's service."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    found: Any = health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service=SERVICE), timeout=60
    )
    return bool(found.status == health_pb2.HealthCheckResponse.SERVING)


def requests_about(tables: Tables) -> Iterator[Request]:
    """Yield requests to every method that reads, and can, about the nodes of a store."""
    for kind, number in KINDS.items():
        yield from _nodes(tables, kind)
        yield from _types(tables, kind, number)
    yield from _edges(tables)


def options(**fields: Any) -> Any:
    return _proto.message("ListOperationOptions")(**fields)


def orders(size: int) -> Iterator[Any]:
    for field, ascending in itertools.product((1, 2, 3), (True, False)):
        yield options(max_result_size=size, order_by_field={"field": field, "is_asc": ascending})


def _nodes(tables: Tables, kind: str) -> Iterator[Request]:
    lower = kind.lower()
    ids = tables[kind]["id"].to_pylist()
    every = f"Get{kind}s"
    yield every, {}
    for size in (1, 7, 20, 100):
        yield every, {"options": options(max_result_size=size)}
    yield every, {"options": options()}
    for order in orders(5):
        yield every, {"options": order}
    for wrong in (0, -3):
        yield every, {"options": options(max_result_size=wrong)}
    yield every, {"options": options(order_by_field={"field": 0})}
    yield every, {"options": options(next_page_token="$")}
    for some in ([], ids, ids[::-3], [UNKNOWN], [*ids[:2], UNKNOWN, *ids[:2]]):
        yield f"Get{kind}sByID", {f"{lower}_ids": some}
    if kind == "Artifact":
        yield "GetArtifactsByID", {"artifact_ids": ids, "populate_artifact_types": True}
        uris = [uri for uri in tables[kind]["uri"].to_pylist() if uri]
        for some in ([], uris[:1], uris[:9] + uris[:2], ["", "none"], ["none"]):
            yield "GetArtifactsByURI", {"uris": some}
    for given in _given_types(tables, KINDS[kind]):
        yield f"Get{kind}sByType", given
        yield f"Get{kind}sByType", {**given, "options": options(max_result_size=2)}
        yield f"Get{kind}ByTypeAndName", {**given, f"{lower}_name": "none"}
        yield f"Get{kind}ByTypeAndName", given
    yield f"Get{kind}sByType", {}
    yield f"Get{kind}ByTypeAndName", {}
    types = {row["id"]: row for row in tables["Type"].to_pylist()}
    for row in tables[kind].to_pylist()[::9]:
        type_ = types.get(row["type_id"])
        if row["name"] and type_:
            given = {"type_name": type_["name"], f"{lower}_name": row["name"]}
            yield f"Get{kind}ByTypeAndName", {**given, "type_version": type_["version"] or ""}
            yield f"Get{kind}ByTypeAndName", {**given, "type_version": "none"}
    yield from _external(f"Get{kind}sByExternalIds", tables[kind]["external_id"].to_pylist())


def _types(tables: Tables, kind: str, number: int) -> Iterator[Request]:
    rows = tables["Type"].to_pylist()
    ids = [row["id"] for row in rows]
    yield f"Get{kind}Types", {}
    for some in ([], ids, ids[::-1], [UNKNOWN], ids[:3] * 2):
        yield f"Get{kind}TypesByID", {"type_ids": some}
    for given in _given_types(tables, number):
        yield f"Get{kind}Type", given
    yield f"Get{kind}Type", {}
    own = [row["external_id"] for row in rows if row["type_kind"] == number]
    yield from _external(f"Get{kind}TypesByExternalIds", own)


def _given_types(tables: Tables, number: int) -> Iterator[dict[str, Any]]:
    for row in tables["Type"].to_pylist():
        if row["type_kind"] == number:
            yield {"type_name": row["name"]}
            yield {"type_name": row["name"], "type_version": row["version"] or ""}
            yield {"type_name": row["name"], "type_version": "none"}
    yield {"type_name": "none"}
    yield {"type_name": ""}


def _external(method: str, held: list[str | None]) -> Iterator[Request]:
    ids = [value for value in held if value]
    for some in ([], ids[:1], ids[:4], [*ids[:2], *ids[:2]], ["none"], [""], [*ids[:1], "none"]):
        yield method, {"external_ids": some}
    yield method, {"external_ids": [*ids[:1], ""]}


def _edges(tables: Tables) -> Iterator[Request]:
    for kind in ("Artifact", "Execution"):
        lower = kind.lower()
        ids = tables[kind]["id"].to_pylist()
        for some in ([], ids, ids[::-2], [UNKNOWN], [*ids[:2], UNKNOWN, *ids[:2]]):
            yield f"GetEventsBy{kind}IDs", {f"{lower}_ids": some}
        for number in [*ids[::9], UNKNOWN]:
            yield f"GetContextsBy{kind}", {f"{lower}_id": number}
        yield f"GetContextsBy{kind}", {}
        yield f"Get{kind}sByContext", {}
        for number in [*tables["Context"]["id"].to_pylist()[::9], UNKNOWN]:
            yield f"Get{kind}sByContext", {"context_id": number}
            yield (
                f"Get{kind}sByContext",
                {"context_id": number, "options": options(max_result_size=3)},
            )
    contexts = tables["Context"]["id"].to_pylist()
    for whose in ("Parent", "Children"):
        for number in [*contexts[::9], UNKNOWN]:
            yield f"Get{whose}ContextsByContext", {"context_id": number}
        for some in ([], contexts, [UNKNOWN], contexts[:3] * 2):
            yield f"Get{whose}ContextsByContexts", {"context_ids": some}
    for number in contexts[:3]:
        for order in orders(2):
            yield "GetArtifactsByContext", {"context_id": number, "options": order}


def pages(call: Callable[..., tuple[int, Any]], method: str, **fields: Any) -> Iterator[Any]:
    """Yield a list's pages, from the first to the last."""
    token = ""
    while True:
        request = _proto.message("ListOperationOptions")()
        request.CopyFrom(fields.get("options", request))
        if token:
            request.next_page_token = token
        status, page = call(method, **{**fields, "options": request})
        assert status == 0, page
        yield page
        token = page.next_page_token
        if not token:
            return


FILTERS = {
    "Artifact": (
        "id > 0",
        "id < 9 AND state = LIVE",
        "type = 'Model' OR type = 'Donn\u00e9es'",
        "uri LIKE '%1%'",
        "name IS NULL",
        "contexts_a.id = 1",
        "contexts_a.type LIKE 'p%' AND contexts_b.id = 2",
        "events_0.type = OUTPUT AND events_0.execution_id < 20",
        "custom_properties.is_external.int_value = 0",
        "id = 999999",
        "id =",
        "nonsense = 1",
    ),
    "Execution": (
        "id > 0",
        "last_known_state = COMPLETE",
        "last_known_state IN (COMPLETE, CACHED) AND id != 7",
        "contexts_a.id = 1 AND events_0.type = INPUT",
        "create_time_since_epoch > 0 AND NOT (id > 12)",
        "id = 'text'",
    ),
    "Context": (
        "id > 0",
        "name LIKE '%e%'",
        "parent_contexts_p.id = 1",
        "child_contexts_c.id > 1",
        "artifacts_a.id < 5",
        "executions_e.id < 5 AND type = 'pipeline_run'",
        "(",
    ),
}


def filter_requests(tables: Tables) -> Iterator[Request]:
    """Yield lists of what filters find."""
    context, type_ = tables["Context"]["id"][0].as_py(), tables["Type"]
    for kind, filters in FILTERS.items():
        names = [r["name"] for r in type_.to_pylist() if r["type_kind"] == KINDS[kind]]
        for query, size in itertools.product(filters, (2, 100)):
            request = options(filter_query=query, max_result_size=size)
            yield f"Get{kind}s", {"options": request}
            yield f"Get{kind}sByType", {"type_name": names[-1], "options": request}
            if kind != "Context":
                yield f"Get{kind}sByContext", {"context_id": context, "options": request}
            if size == 2:
                request.order_by_field.field = 1
                request.order_by_field.is_asc = False
                yield f"Get{kind}s", {"options": request}


MASK = ("artifacts", "executions", "events")


def lineage_requests(tables: Tables) -> Iterator[Request]:
    """Yield requests for lineage: from many nodes, up and down, so far and so far."""
    artifacts, executions = tables["Artifact"]["id"], tables["Execution"]["id"]
    for number, direction in itertools.product(artifacts.to_pylist()[::12], range(4)):
        for hops in (0, 1, 2, 3, 100):
            yield _lineage("artifacts", f"id = {number}", direction, hops)
    for number, direction in itertools.product(executions.to_pylist()[::25], range(4)):
        for hops in (1, 2, 100):
            yield _lineage("executions", f"id = {number}", direction, hops)
    last = artifacts[-1].as_py()
    for mask in ([], ["contexts"], ["attributions", "associations"], ["none"], ["context_types"]):
        yield _lineage("artifacts", f"id = {last}", 1, 5, mask=mask)
    for query in ("id < 4", "id > 100000", "", "id ="):
        yield _lineage("artifacts", query, 3, 1)
        yield _lineage("executions", query, 3, 1)
    yield _lineage("artifacts", f"id = {last}", 1, -1)
    yield "GetLineageSubgraph", {}
    ends = ("id < 5", "id > 3 AND id < 9", f"id = {last}", "id > 100000")
    for query, kept, of in itertools.product(ends, (True, False), ("artifacts", "executions")):
        ending = {f"ending_{of}": {"filter_query": query, "include_ending_nodes": kept}}
        yield _lineage("artifacts", f"id = {last}", 1, 100, **ending)
        yield _lineage("executions", "id = 1", 3, 3, **ending)


def _lineage(
    start: str, query: str, direction: int, hops: int, *, mask: Sequence[str] = MASK, **more: Any
) -> Request:
    request: Any = _proto.message("LineageSubgraphQueryOptions")(
        max_num_hops=hops, direction=direction
    )
    getattr(request, f"starting_{start}").filter_query = query
    for field, values in more.items():
        for name, value in values.items():
            setattr(getattr(request, field), name, value)
    return "GetLineageSubgraph", {
        "lineage_subgraph_query_options": request,
        "read_mask": {"paths": mask},
    }
