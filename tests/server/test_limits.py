"""What a server withstands: large, slow and many calls, and what its errors give away."""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import service_requests
import sqlite_stores
from metadata_service import served
from service_requests import OWN, is_healthy, locked
from waiting import until

import mlmd_lineage as ml
from mlmd_lineage.server.backend import SERVICE
from mlmd_lineage.server.call_handler import CallHandler
from mlmd_lineage.server.error_reports import failure_of
from mlmd_lineage.server.settings import ServerSettings
from mlmd_lineage.server.status import StatusCode, StatusError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def waiting(path: Path) -> Iterator[Any]:
    """Serve a locked store that four clients wait for, though it answers three calls at a time."""
    with (
        served(path, "--read-only", "--max-calls", "3", "--timeout", "60") as service,
        contextlib.ExitStack() as stack,
        ThreadPoolExecutor(4) as threads,
    ):
        channels = [
            stack.enter_context(grpc.insecure_channel(service.address, OWN)) for _ in range(5)
        ]
        with locked(path):
            calls = [
                threads.submit(service_requests.client(channel), "GetArtifacts")
                for channel in channels[:4]
            ]
            until(lambda: any(call.done() for call in calls), "the call that is one too many")
            yield calls, channels[4]
        assert sorted(call.result()[0] for call in calls) == [0, 0, 0, 8]


@pytest.mark.slow
def test_health_is_answered_while_calls_wait(waiting: Any):
    calls, channel = waiting
    assert sum(call.done() for call in calls) == 1  # the fourth was refused
    assert is_healthy(channel)
    assert sum(call.done() for call in calls) == 1


@pytest.mark.slow
def test_clients_that_send_nothing_hinder_nobody(path: Path):
    with (
        served(path, "--read-only") as service,
        contextlib.ExitStack() as stack,
        service_requests.channel(service.address) as channel,
    ):

        def never() -> Iterator[bytes]:
            time.sleep(20)
            yield b""

        for _ in range(20):
            silent = stack.enter_context(grpc.insecure_channel(service.address, OWN))
            silent.stream_unary(f"/{SERVICE}/GetArtifacts").future(never())
            silent.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")(
                never()
            )
        time.sleep(0.5)
        assert service_requests.client(channel)("GetArtifactTypes")[0] == 0
        assert is_healthy(channel)


SLOW = "artifacts_a.id + artifacts_b.id + artifacts_c.id = -1"
"""A filter within the limits that takes minutes on a store with one large context."""


@pytest.mark.slow
def test_a_read_ends_with_its_client(path: Path):
    # Each of 500 artifacts with each other two.
    sqlite_stores.change(
        path,
        "INSERT INTO Attribution (context_id, artifact_id) WITH RECURSIVE n(i) AS "
        "(SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) SELECT 1, i FROM n",
        "INSERT INTO Artifact (id, type_id, create_time_since_epoch, last_update_time_since_epoch) "
        "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) "
        "SELECT i, 21, 0, 0 FROM n",
    )
    options = service_requests.options(filter_query=SLOW, max_result_size=10)
    request = service_requests.message("GetContextsRequest", options=options).SerializeToString()
    with (
        served(path, "--read-only") as service,
        service_requests.channel(service.address) as channel,
        ThreadPoolExecutor(16) as clients,
    ):
        ask = channel.unary_unary(f"/{SERVICE}/GetContexts")
        statuses = [clients.submit(service_requests.status_of, ask, request, 1) for _ in range(16)]
        assert {status.result() for status in statuses} == {4}
        # Eight of them had a thread each, which is free again.
        assert service_requests.client(channel)("GetArtifactTypes")[0] == 0


@pytest.mark.slow
def test_a_call_may_take_so_long(path: Path):
    with (
        served(path, "--read-only", "--timeout", "0.5") as service,
        service_requests.channel(service.address) as channel,
    ):
        call = service_requests.client(channel)
        with locked(path):
            status, said = call("GetArtifacts")
            assert (status, "longer than the 0.5 s" in said) == (4, True)
        assert call("GetArtifacts")[0] == 0


@pytest.mark.slow
def test_there_may_be_so_many_connections(path: Path):
    with (
        served(path, "--read-only", "--max-connections", "3") as service,
        contextlib.ExitStack() as stack,
    ):
        calls = [
            service_requests.client(
                stack.enter_context(grpc.insecure_channel(service.address, OWN))
            )
            for _ in range(5)
        ]
        assert [call("GetArtifactTypes")[0] for call in calls] == [0, 0, 0, 14, 14]


@pytest.mark.slow
def test_long_requests_and_connections_without_calls(path: Path):
    with (
        served(path, "--read-only", "--max-message", "1", "--max-idle", "1") as service,
        grpc.insecure_channel(service.address, OWN) as channel,
    ):
        states: list[grpc.ChannelConnectivity] = []
        channel.subscribe(states.append)
        call = service_requests.client(channel)
        assert call("GetArtifactsByURI", uris=["x" * 1_000_000])[0] == 0
        assert call("GetArtifactsByURI", uris=["x" * 1_100_000])[0] == 8
        ends = [grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.IDLE]
        until(lambda: states[-2:] == ends, "the end of an idle connection")
        assert call("GetArtifactTypes")[0] == 0


@pytest.mark.slow
def test_a_response_may_be_so_large(path: Path):
    sqlite_stores.change(path, "UPDATE Artifact SET uri = hex(zeroblob(100000))")
    with (
        served(path, "--read-only", "--max-response", "1") as service,
        service_requests.channel(service.address) as channel,
    ):
        call = service_requests.client(channel)
        status, said = call("GetArtifacts")
        assert (status, "at most 1 MiB" in said, "max_result_size" in said) == (8, True, True)
        page = service_requests.options(max_result_size=4)
        assert call("GetArtifacts", options=page)[0] == 0


@pytest.mark.slow
def test_errors_say_nothing_of_where_the_store_is(path: Path):
    with (
        served(path, "--read-only") as service,
        service_requests.channel(service.address) as channel,
    ):
        call = service_requests.client(channel)
        assert call("GetArtifactTypes")[0] == 0
        path.rename(path.with_name("elsewhere.db"))
        status, said = call("GetArtifactTypes")
        assert status == 14
        assert not {str(path), path.name, "elsewhere"} & set(said.split())
        assert str(path.parent) not in said
        number = said.split()[-1].rstrip(".")
        service.wait_for(f"error {number}")
        [line] = [line for line in service.log.splitlines() if number in line]
        assert str(path) in line
        assert "GetArtifactTypes UNAVAILABLE" in line


@pytest.mark.parametrize(
    ("error", "code", "logged"),
    [
        (
            StatusError(
                13,
                "mysql_query failed: errno: 1366, Incorrect string value: 'secret' for column "
                "`metadb`.`Artifact`.`uri` query: INSERT INTO `Artifact` VALUES ('secret')",
                public=False,
            ),
            StatusCode.INTERNAL,
            "mysql_query failed: errno: 1366, Incorrect string value: '...' for column '...'",
        ),
        (ValueError("secret"), StatusCode.INTERNAL, "ValueError"),
        (
            ml.errors.LockedStoreError("secret.db is locked"),
            StatusCode.ABORTED,
            "secret.db is locked",
        ),
        (
            ml.errors.UncertainWriteError("the connection to db.example was lost"),
            StatusCode.UNKNOWN,
            "db.example",
        ),
    ],
    ids=["native", "unexpected", "locked", "uncertain"],
)
def test_what_is_told_and_what_is_logged(error: Exception, code: StatusCode, logged: str):
    failure = failure_of("PutArtifacts", error)
    assert failure.code is code
    assert not {"secret", "db.example", "metadb"} & set(failure.message.replace("'", " ").split())
    assert "secret" not in failure.message
    number = failure.logged.split()[1].rstrip(":")
    assert number in failure.message
    assert logged in failure.logged
    assert isinstance(error, ml.errors.MLMDLineageError) or "secret" not in failure.logged


def test_what_a_client_did_is_told_in_full():
    for code in (StatusCode.NOT_FOUND, StatusCode.FAILED_PRECONDITION):
        failure = failure_of("PutArtifacts", StatusError(code, "what was sent", public=False))
        assert failure == (code, "what was sent", "")
    refused = ml.errors.PutRefusedError("what was sent", "OUT_OF_RANGE")
    assert failure_of("PutArtifacts", refused) == (StatusCode.OUT_OF_RANGE, "what was sent", "")


def test_calls_that_arrive_together_are_counted_one_by_one():
    class Waiting:
        """A backend whose calls wait until they are let go."""

        def __init__(self) -> None:
            self.go = asyncio.Event()

        async def call(self, _method: str, _request: bytes) -> bytes:
            await self.go.wait()
            return b"answered"

    class Call:
        method = f"/{SERVICE}/GetArtifacts"
        code: Any = None

        def set_code(self, code: Any) -> None:
            self.code = code

        def set_details(self, details: str) -> None: ...

    async def codes() -> list[Any]:
        backend: Any = Waiting()
        handler = CallHandler(backend, ServerSettings(max_calls=3), log=lambda _: None)
        calls = [Call() for _ in range(5)]
        handle = handler.service(Call).unary_unary
        # All five begin before anything that the first one waits for.
        waiting = asyncio.gather(*(handle(b"", call) for call in calls))
        await asyncio.sleep(0)
        backend.go.set()
        await waiting
        return [call.code for call in calls]

    refused = grpc.StatusCode.RESOURCE_EXHAUSTED
    assert asyncio.run(codes()) == [None, None, None, refused, refused]
