"""The processes that call MLMD's own library: ended, replaced, and kept from what ends them."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import service_requests
import waiting
from metadata_service import served
from service_requests import is_healthy

from mlmd_lineage import _proto

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.native

DEADLY = "NOT " * 15_000 + "id > 3"
"""A filter that ends the process of MLMD's library: its parser recurses too deeply."""


def lineage(**ends: str) -> Any:
    asked: Any = _proto.message("LineageSubgraphQueryOptions")(max_num_hops=1)
    asked.starting_artifacts.filter_query = "id = 4"
    for name, query in ends.items():
        getattr(asked, name).filter_query = query
    return asked


def test_filters_are_checked_before_the_library_sees_them(path: Path):
    with (
        served(path, "--engine", "native") as service,
        service_requests.channel(service.address) as channel,
    ):
        call = service_requests.client(channel)
        options = service_requests.options(filter_query=DEADLY)
        subgraph = "lineage_subgraph_query_options"
        for method, fields in (
            ("GetArtifacts", {"options": options}),
            ("GetExecutionsByType", {"type_name": "Trainer", "options": options}),
            ("GetArtifactsByContext", {"context_id": 1, "options": options}),
            ("GetContexts", {"options": options}),
            ("GetLineageSubgraph", {subgraph: lineage(starting_artifacts=DEADLY)}),
            ("GetLineageSubgraph", {subgraph: lineage(ending_executions=DEADLY)}),
        ):
            status, said = call(method, **fields)
            assert (status, "nested deeper" in said) == (3, True), method
        assert "ended" not in service.log


def test_a_process_that_ends_is_replaced_while_the_others_answer(path: Path):
    with (
        served(path, "--engine", "native") as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        call = service_requests.client(channel)
        worker, *native = service.workers
        assert len(native) == 2  # one answers, one is spare
        for count, pid in enumerate(native, 1):
            os.kill(pid, signal.SIGKILL)
            service.wait_for(f"native process {pid} was ended by SIGKILL")
            # It was idle, so that no call is lost with it.
            assert {call("GetArtifactTypes")[0] for _ in range(10)} == {0}
            service.wait_for("another one", times=count)
            waiting.until(lambda: len(service.workers) == 3, "another process")
        assert service.workers[0] == worker
        assert not set(native) & set(service.workers)
        assert is_healthy(channel)


def test_a_worker_that_ends_is_replaced_with_its_native_processes(path: Path):
    with served(path, "--engine", "native") as service:
        before = service.workers
        os.kill(before[0], signal.SIGKILL)
        service.wait_for("another one takes its place", times=3)
        with grpc.insecure_channel(service.address) as channel:
            ask = channel.unary_unary(f"/{service_requests.SERVICE}/GetArtifactTypes")
            ask(b"", timeout=60, wait_for_ready=True)
        assert not set(before) & set(service.workers)


def test_calls_that_do_not_end_give_their_processes_back(path: Path):
    with (
        served(path, "--engine", "native", "--timeout", "3") as service,
        service_requests.channel(service.address) as channel,
    ):
        first, second = service.workers[1:]
        for pid in (first, second):
            os.kill(pid, signal.SIGSTOP)
        # The client leaves, and the server ends the process.
        [call] = service_requests.started(channel, "GetArtifacts")
        call.cancel()
        service.wait_for("was ended by SIGKILL")
        # The client stays, and the time of the call is over. It is the other process's turn.
        status, said = service_requests.client(channel)("GetArtifacts")
        assert (status, "longer than the 3 s" in said) == (4, True)
        service.wait_for("was ended by SIGKILL", times=2)
        # While new processes start, calls wait for them.
        statuses = (service_requests.client(channel)("GetArtifacts")[0] for _ in range(40))
        assert next(status for status in statuses if status != 4) == 0
        assert not {first, second} & set(service.workers)


def test_a_call_in_a_process_that_ends_is_unavailable(path: Path):
    with (
        served(path, "--engine", "native") as service,
        grpc.insecure_channel(service.address, [("grpc.enable_retries", 0)]) as channel,
    ):
        for pid in service.workers[1:]:
            os.kill(pid, signal.SIGSTOP)
        [call] = service_requests.started(channel, "GetArtifacts")
        for pid in service.workers[1:]:
            os.kill(pid, signal.SIGKILL)
        assert call.code() is grpc.StatusCode.UNAVAILABLE
        assert "GetArtifacts ended" in call.details()
        # Until it is noticed that the other has ended too, a call may still be given to it.
        answers = service_requests.client(channel)
        waiting.until(lambda: answers("GetArtifacts")[0] == 0, "an answer of a new process")
