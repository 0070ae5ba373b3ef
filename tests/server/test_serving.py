"""The server as its operators and its clients meet it: processes, signals, logs, certificates."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import service_requests
import sqlite_stores
import trustme
import waiting
from metadata_service import STOP_SECONDS, served
from service_requests import DEMO_STORE, OWN, locked, refused

import mlmd_lineage as ml
from mlmd_lineage import _proto
from mlmd_lineage.server.backend import SERVICE, methods, writes
from mlmd_lineage.server.settings import ServerSettings
from mlmd_lineage.server.supervisor import Supervisor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self").exists(), reason="it tells processes by /proc"),
]


def test_each_call_is_a_line_of_the_log(path: Path):
    with (
        served(path, "--read-only") as service,
        service_requests.channel(service.address) as channel,
    ):
        call = service_requests.client(channel)
        assert call("GetArtifactsByID", artifact_ids=[4])[0] == 0
        assert call("GetArtifactType", type_name="secret value")[0] == 5
        assert call("PutArtifacts", artifacts=[{"type_id": 1, "uri": "secret value"}])[0] == 7
        service.stop()
        lines = [line.split(maxsplit=1)[1] for line in service.log.splitlines()]
        assert [line.rsplit(maxsplit=2)[0] for line in lines[:3]] == [
            "GetArtifactsByID OK",
            "GetArtifactType NOT_FOUND",
            "PutArtifacts PERMISSION_DENIED",
        ]
        assert "secret value" not in service.log


def test_nothing_is_written(path: Path):
    before = sqlite_stores.state_of(path)
    with (
        served(path, "--read-only") as service,
        service_requests.channel(service.address) as channel,
    ):
        for method in filter(writes, methods()):
            status, said = service_requests.client(channel)(method)
            assert (status, "only reads" in said) == (7, True)
    assert sqlite_stores.state_of(path) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_calls_in_flight_are_finished(path: Path, number: int):
    with (
        served(path, "--read-only") as service,
        service_requests.channel(service.address) as channel,
    ):
        with locked(path):
            [call] = service_requests.started(channel, "GetArtifacts")
            service_requests.wait_until_locked_out(service, path)
            service.process.send_signal(number)
            service.wait_for("stopping")
            assert not call.done()
        found: Any = _proto.message("GetArtifactsResponse").FromString(call.result())
        assert len(found.artifacts) == 47
        assert service.process.wait(STOP_SECONDS) == 0


def test_calls_that_take_too_long_are_ended(path: Path):
    with (
        served(path, "--read-only", "--grace", "0.2") as service,
        grpc.insecure_channel(service.address, OWN) as channel,
        locked(path),
    ):
        [call] = service_requests.started(channel, "GetArtifacts")
        service_requests.wait_until_locked_out(service, path)
        assert service.stop() == 0
        assert call.code() in {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}


def test_a_worker_that_dies_takes_only_its_own_calls_along(path: Path):
    with (
        served(path, "--read-only", "--workers", "2") as service,
        contextlib.ExitStack() as stack,
    ):
        # Each connection belongs to one of the two workers, as chance has it.
        channels = [
            stack.enter_context(grpc.insecure_channel(service.address, OWN)) for _ in range(24)
        ]
        first, second = service.workers
        with locked(path):
            calls = [service_requests.started(channel, "GetArtifacts")[0] for channel in channels]
            os.kill(first, signal.SIGKILL)
            service.wait_for(f"worker {first} was ended by SIGKILL")
        assert {call.code().value[0] for call in calls} == {0, 14}
        waiting.until(lambda: len(service.workers) == 2, "another worker")
        assert second in service.workers
        for channel in channels:
            ask = channel.unary_unary(f"/{SERVICE}/GetArtifacts")
            ask(b"", timeout=60, wait_for_ready=True)


def lives(pid: int) -> bool:
    """Tell whether a process runs; in a container nobody may collect those that have ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_workers_do_not_outlive_their_supervisor(path: Path):
    with served(path, "--read-only", "--workers", "2") as service:
        workers = service.workers
        service.process.kill()
        service.process.wait()
        waiting.until(lambda: not any(map(lives, workers)), "their end")


def test_garbage_and_clients_that_vanish_harm_nobody(path: Path):
    with served(path, "--read-only", "--workers", "1") as service:
        before = service.workers
        for garbage in (
            b"",
            b"GET / HTTP/1.1\r\n\r\n",
            os.urandom(100_000),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 1000,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" * 500,
        ):
            with (
                contextlib.suppress(OSError),
                socket.create_connection((service.host, service.port), 5) as connection,
            ):
                connection.sendall(garbage)
        for _ in range(20):
            channel = grpc.insecure_channel(service.address, OWN)
            future = channel.unary_unary(f"/{SERVICE}/GetArtifacts").future(b"")
            channel.close()
            waiting.until(future.done, "the end of a call")
        with service_requests.channel(service.address) as channel:
            assert service_requests.client(channel)("GetArtifacts")[0] == 0
            ask = channel.unary_unary(f"/{SERVICE}/NoSuchMethod")
            with pytest.raises(grpc.RpcError) as caught:
                ask(b"", timeout=60)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert service.workers == before


def test_a_call_whose_client_left_is_not_answered(path: Path):
    with (
        served(path, "--read-only") as service,
        service_requests.channel(service.address) as channel,
    ):
        with locked(path):
            for call in service_requests.started(channel, *["GetArtifacts"] * 30):
                call.cancel()
            # One that was cancelled before its turn came leaves no line.
            assert service_requests.is_healthy(channel)
            service.wait_for("GetArtifacts CANCELLED")
        assert service_requests.client(channel)("GetArtifacts")[0] == 0
        service.wait_for("GetArtifacts OK")
        assert service.log.count("GetArtifacts OK") == 1


def test_long_messages(path: Path, engine: str):
    text = "ü" * 6_000_000  # more than the 4 MB that gRPC takes unless it is told
    artifact: Any = _proto.message("Artifact")(type_id=21)
    artifact.custom_properties["long"].string_value = text
    with (
        served(path, "--engine", engine) as service,
        service_requests.channel(service.address) as channel,
    ):
        call = service_requests.client(channel)
        status, made = call("PutArtifacts", artifacts=[artifact])
        assert status == 0
        status, found = call("GetArtifactsByID", artifact_ids=made.artifact_ids)
        assert found.artifacts[0].custom_properties["long"].string_value == text
        artifact.type_id = 9999
        # MLMD's library quotes the whole node, which fits into no trailer.
        status, said = call("PutArtifacts", artifacts=[artifact])
        assert status == 5
        assert "9999" in said
        assert len(said) < 10_000
        assert (
            found
            == service_requests.reader_client(path)(
                "GetArtifactsByID", artifact_ids=made.artifact_ids
            )[1]
        )


def test_many_clients_at_once(path: Path, engine: str):
    ids = ml.connect(path).snapshot()["Artifact"]["id"].to_pylist()
    wrong: list[Any] = []
    with (
        served(path, "--workers", "2", "--engine", engine) as service,
        contextlib.ExitStack() as stack,
    ):

        def use(number: int) -> None:
            call = service_requests.client(channels[number])
            for calls in range(25):
                wanted = ids[(number * 7 + calls) % len(ids)]
                status, found = call("GetArtifactsByID", artifact_ids=[wanted])
                if status or [a.id for a in found.artifacts] != [wanted]:
                    wrong.append((status, found))

        channels = [
            stack.enter_context(grpc.insecure_channel(service.address, OWN)) for _ in range(24)
        ]
        with ThreadPoolExecutor(24) as clients:
            list(clients.map(use, range(24)))
            memory = sum(map(_memory, service.workers))
            list(clients.map(use, range(24)))
        assert not wrong
        assert sum(map(_memory, service.workers)) < memory + 100


def _memory(pid: int) -> int:
    """Return how many MB of memory a process has."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    return 0


def test_tls_and_certificates_of_clients(path: Path, tmp_path: Path):
    authority, stranger = trustme.CA(), trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    for blob in issued.cert_chain_pems:
        blob.write_to_path(str(tmp_path / "cert.pem"), append=True)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = ["--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")]

    def status(service: Any, trusted: trustme.CA, certified_by: trustme.CA | None) -> int:
        client = certified_by and certified_by.issue_cert("client@example.org")
        credentials = grpc.ssl_channel_credentials(
            trusted.cert_pem.bytes(),
            client and client.private_key_pem.bytes(),
            client and b"".join(blob.bytes() for blob in client.cert_chain_pems),
        )
        with grpc.secure_channel(service.address, credentials, OWN) as channel:
            return int(service_requests.client(channel)("GetArtifactTypes")[0])

    with served(path, "--read-only", *tls) as service:
        assert status(service, authority, None) == 0
        assert status(service, stranger, None) == 14
        with service_requests.channel(service.address) as channel:
            assert service_requests.client(channel)("GetArtifactTypes")[0] == 14
    with served(path, "--read-only", *tls, "--client-ca", str(tmp_path / "ca.pem")) as service:
        assert status(service, authority, authority) == 0
        assert status(service, authority, stranger) == 14
        assert status(service, authority, None) == 14


def test_health_and_reflection(path: Path):
    from google.protobuf import descriptor_pb2
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    with (
        served(path, "--read-only") as service,
        service_requests.channel(service.address) as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", SERVICE):
            found = health.Check(health_pb2.HealthCheckRequest(service=name))
            assert found.status == health_pb2.HealthCheckResponse.SERVING
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        questions = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
        ]
        listed, described = reflection.ServerReflectionInfo(iter(questions))
        assert {s.name for s in listed.list_services_response.service} == {
            SERVICE,
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        }
        files = [
            descriptor_pb2.FileDescriptorProto.FromString(file)
            for file in described.file_descriptor_response.file_descriptor_proto
        ]
        [declared] = [s for file in files for s in file.service]
        assert [method.name for method in declared.method] == list(methods())
        assert declared.method[0].input_type == ".ml_metadata.PutArtifactTypeRequest"
        # While it stops, a probe takes it out of the balance.
        with locked(path):
            [call] = service_requests.started(channel, "GetArtifacts")
            watched = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
            assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
            service.process.terminate()
            assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING
            watched.cancel()
        assert call.code() is grpc.StatusCode.OK


def test_what_cannot_be_served(path: Path, tmp_path: Path):
    archive = ml.connect(path).snapshot().save(tmp_path / "archive")
    assert "With --read-only" in refused(archive)
    assert "There is no file" in refused(tmp_path / "none.db", "--read-only")
    files = ["--tls-cert", str(path), "--tls-key", str(path)]
    assert "certificate" in refused(path, "--read-only", *files)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"host": "no.such.host.invalid"}, "is not known"),
        ({"host": "192.0.2.1"}, "cannot listen"),
        ({"tls_cert": __file__}, "go together"),
        ({"client_ca": __file__}, "client_ca needs"),
        ({"tls_cert": "none", "tls_key": "none"}, "there is no file"),
        ({"port": 70000}, "port"),
        ({"workers": 0}, "workers"),
        ({"grace": -1}, "grace"),
        ({"wrokers": 2}, "'workers'"),
        ({"engine": "google"}, "engine"),
        ({"create": True, "read_only": True}, "exclude each other"),
        ({"timeout": 0}, "timeout"),
        ({"max_message": 4096}, "max_message"),
    ],
)
def test_settings_that_cannot_be(fields: dict[str, Any], said: str):
    with pytest.raises(ml.errors.ConfigurationError, match=said):
        serve_here({"port": 0, **fields})


def test_a_port_that_is_taken(path: Path):
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ml.errors.ConfigurationError, match="Another program listens"),
    ):
        serve_here({"port": taken.getsockname()[1]})
    with (
        served(path, "--read-only") as service,
        pytest.raises(ml.errors.ConfigurationError, match="Another program listens"),
    ):
        serve_here({"port": service.port})


def serve_here(fields: dict[str, Any]) -> None:
    """Serve in this process, which comes to nothing before it forks."""
    lines: list[str] = []
    Supervisor(ml.connect(DEMO_STORE), ServerSettings(**fields), lines.append).run(lines.append)


def test_an_old_store_is_served_only_for_reading(tmp_path: Path, engine: str):
    old = sqlite_stores.new_store(tmp_path / "old.db", version=7)
    before = sqlite_stores.state_of(old)
    expected = {"own": "--read-only", "native": "Without --engine native"}[engine]
    assert expected in refused(old, "--engine", engine)
    assert sqlite_stores.state_of(old) == before


def test_an_address_of_version_6(path: Path):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with (
        served(path, "--read-only", "--host", "::1") as service,
        service_requests.channel(f"[::1]:{service.port}") as channel,
    ):
        assert service_requests.client(channel)("GetArtifactTypes")[0] == 0
