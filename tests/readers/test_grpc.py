"""Reading an MLMD service: in faults, in growth, behind TLS and tokens, and of every age."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import stat
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import server_stores
import trustme
from grpc_service import Fake, Refusal, running

import mlmd_lineage as ml
from mlmd_lineage.readers.grpc import calls, rows, session, status_errors
from mlmd_lineage.readers.grpc.reader import KubeflowReader
from mlmd_lineage.stores.kubectl import KubectlPortForward

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlmd_lineage.snapshot.snapshot import Snapshot

TOKEN = "s3same-open"
LENGTH = 250


@pytest.fixture
def fake() -> Fake:
    return Fake().chain(LENGTH)


@pytest.fixture
def store(fake: Fake) -> Iterator[ml.Store]:
    with running(fake) as port:
        yield ml.connect(f"grpc://127.0.0.1:{port}")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon, as what is waited for never comes."""
    monkeypatch.setattr(calls, "PATIENCE", 0.3)
    monkeypatch.setattr(calls, "FIRST_PATIENCE", 0.1)


def assert_whole(snapshot: Snapshot, length: int = LENGTH) -> None:
    ids = list(range(1, length + 1))
    assert snapshot.artifacts["id"].to_pylist() == ids
    assert snapshot.executions["id"].to_pylist() == ids
    assert snapshot.artifact_properties["int_value"].to_pylist() == ids
    assert snapshot.events.num_rows == 2 * length - 1
    assert snapshot.attributions["artifact_id"].to_pylist() == ids
    assert snapshot.associations["execution_id"].to_pylist() == ids
    assert snapshot.findings == ()


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """Yield a port where nobody listens, or can begin to while the body runs."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield int(sock.getsockname()[1])


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("pems")
    made = {"ca": trustme.CA(), "other": trustme.CA()}
    server, client = made["ca"].issue_cert("127.0.0.1"), made["ca"].issue_cert("me@client")
    for name, authority in made.items():
        authority.cert_pem.write_to_path(folder / f"{name}.pem")
    client.private_key_pem.write_to_path(folder / "key.pem")
    client.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    pair = (server.private_key_pem.bytes(), server.cert_chain_pems[0].bytes())
    return folder, pair, made["ca"].cert_pem.bytes()


class TestReading:
    def test_all_of_it(self, store: ml.Store, fake: Fake):
        assert_whole(store.snapshot())
        assert "GetContextsByArtifact" not in fake.seen  # not a call for each
        assert not any(method.startswith("Put") for method in fake.seen)

    def test_ids_with_wide_gaps(self, store: ml.Store, fake: Fake):
        for number in (10**6, 10**9, 2**40):
            fake.put("Artifact", number)
            fake.put("Execution", number)
            fake.tie(number, number, 4)
        snapshot = store.snapshot()
        assert snapshot.artifacts["id"].to_pylist()[LENGTH:] == [10**6, 10**9, 2**40]
        assert snapshot.executions["id"].to_pylist()[LENGTH:] == [10**6, 10**9, 2**40]
        assert snapshot.events.num_rows == 2 * LENGTH - 1 + 3
        assert len(set(snapshot.events["id"].to_pylist())) == 2 * LENGTH + 2
        assert len(fake.seen) < 300

    def test_round_trips_do_not_grow_with_the_width(self, store: ml.Store, fake: Fake):
        for number in range(1000, 2000):
            fake.put("Artifact", number)
            fake.tie(number, LENGTH, 3)
        fake.seen.clear()
        assert len(store.upstream(f"artifact/{LENGTH}", max_hops=2)) == 1003
        wide = len(fake.seen)
        fake.seen.clear()
        assert len(store.upstream(f"artifact/{LENGTH - 10}", max_hops=2)) == 3
        # A thousand ids are asked for by a few calls, which are under way together.
        assert wide - len(fake.seen) <= 12

    def test_answers_stay_far_from_the_limit_of_servers(self, store: ml.Store, fake: Fake):
        text = "x" * 100_000
        for node in fake.nodes["Artifact"].values():
            node.custom_properties["big"].string_value = text
        sizes: list[int] = []

        def refuse_large(method: str, asked: Any) -> None:
            if method == "GetArtifactsByID":
                sizes.append(len(asked.artifact_ids))
                if sizes[-1] * len(text) > 4 << 20:
                    msg = "RESOURCE_EXHAUSTED"
                    raise Refusal(msg, "larger than max")

        fake.before = refuse_large
        fake.members["Artifact"].clear()
        snapshot = store.snapshot()
        assert snapshot.artifact_properties.num_rows == 2 * LENGTH
        assert max(sizes[10:]) * len(text) < 4 << 20

    @pytest.mark.slow
    def test_a_property_of_50_mb(self, store: ml.Store, fake: Fake):
        text = "y" * (50 << 20)
        fake.nodes["Artifact"][7].custom_properties["huge"].string_value = text
        values = store.snapshot().artifact_properties["string_value"].drop_null()
        assert values.to_pylist() == [text]


class TestGrowth:
    def test_a_snapshot_is_closed(self, store: ml.Store, fake: Fake):
        newest = LENGTH

        def grow(*_: Any) -> None:
            nonlocal newest
            newest += 1
            fake.chain_on(newest)

        fake.before = grow
        snapshot = store.snapshot()
        nodes = {
            kind: set(table["id"].to_pylist())
            for kind, table in (
                ("artifact_id", snapshot.artifacts),
                ("execution_id", snapshot.executions),
            )
        }
        assert newest > LENGTH + 10
        for table in (snapshot.events, snapshot.attributions, snapshot.associations):
            for column in nodes.keys() & set(table.column_names):
                assert set(table[column].to_pylist()) <= nodes[column]
        assert not [f for f in snapshot.findings if f.code.startswith(("missing", "dangling"))]

    def test_an_id_that_is_committed_late(self, store: ml.Store, fake: Fake):
        held = fake.nodes["Artifact"].pop(100)

        def commit(method: str, _: Any) -> None:
            if method == "GetEventsByExecutionIDs":
                fake.nodes["Artifact"][100] = held

        fake.before = commit
        snapshot = store.snapshot()
        assert 100 not in snapshot.artifacts["id"].to_pylist()
        assert 100 not in snapshot.events["artifact_id"].to_pylist()
        assert snapshot.findings == ()

    def test_a_deleted_row_still_shows(self, store: ml.Store, fake: Fake):
        del fake.nodes["Artifact"][100]
        del fake.nodes["Execution"][LENGTH]
        found = {(f.code, f.subject) for f in store.snapshot().findings}
        assert found >= {
            ("missing_artifact", "artifact/100"),
            ("missing_execution", f"execution/{LENGTH}"),
        }


def test_events_of_deleted_executions_where_ids_are_sparse(store: ml.Store, fake: Fake):
    fake.put("Execution", 3_000_000)
    fake.tie(5, 3_000_000, 3)
    fake.tie(5, 2_000_000, 4)  # of which there is no row
    found = store.snapshot()
    assert found.events.num_rows == 2 * LENGTH - 1 + 2
    assert ("missing_execution", "execution/2000000") in {
        (f.code, f.subject) for f in found.findings
    }


def test_a_service_that_sends_events_that_nobody_asked_for(
    store: ml.Store, monkeypatch: pytest.MonkeyPatch
):
    of_node = Fake._of_node

    def more(self: Fake, kind: str, name: str, asked: Any, response: Any) -> None:
        of_node(self, kind, name, asked, response)
        response.events.add(artifact_id=1, execution_id=1, type=3)

    monkeypatch.setitem(Fake._fillers, "GetEventsBy{}IDs", more)
    assert store.snapshot().events.num_rows > 0  # it ends


def test_executions_are_bounded_before_what_they_make(store: ml.Store, fake: Fake):
    store.snapshot()
    lists = [m for m in fake.seen if m in {"GetExecutions", "GetArtifacts", "GetContexts"}]
    assert lists[0] == "GetExecutions"


class TestFaults:
    def test_what_fails_for_a_moment_is_tried_again(self, store: ml.Store, fake: Fake):
        failed = 0

        def fail_often(*_: Any) -> None:
            nonlocal failed
            if len(fake.seen) % 3 == 0:
                failed += 1
                msg = "UNAVAILABLE"
                raise Refusal(msg, "try again")

        fake.before = fail_often
        assert_whole(store.snapshot())
        assert failed > 3

    def test_a_service_that_stops_in_mid_read_and_comes_back(
        self, fake: Fake, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(calls, "PATIENCE", 300)
        reached, stopped = threading.Event(), threading.Event()

        def wait(method: str, _: Any) -> None:
            if method == "GetEventsByExecutionIDs" and not stopped.is_set():
                reached.set()
                stopped.wait(60)

        fake.before = wait
        with closed_port() as port:
            pass
        found: list[Snapshot] = []
        reader = threading.Thread(
            target=lambda: found.append(ml.connect(f"grpc://127.0.0.1:{port}").snapshot())
        )
        with running(fake, port=port):
            reader.start()
            assert reached.wait(60)
            stopped.set()
        time.sleep(0.2)  # nobody answers
        with running(fake, port=port):
            reader.join()
        assert_whole(found[0])

    @pytest.mark.usefixtures("impatient")
    def test_a_service_that_stops_for_good(self, fake: Fake):
        def vanish(method: str, _: Any) -> None:
            if method == "GetEventsByExecutionIDs":
                msg = "UNAVAILABLE"
                raise Refusal(msg, "Socket closed")

        fake.before = vanish
        with (
            running(fake) as port,
            pytest.raises(ml.errors.UnreachableError, match=rf"grpc://127\.0\.0\.1:{port}.*again"),
        ):
            ml.connect(f"grpc://127.0.0.1:{port}").snapshot()

    @pytest.mark.usefixtures("impatient")
    def test_nothing_there(self):
        with (
            closed_port() as port,
            pytest.raises(ml.errors.UnreachableError, match=rf"{port}.*Check the host"),
        ):
            ml.connect(f"grpc://127.0.0.1:{port}").snapshot()

    @pytest.mark.usefixtures("impatient")
    def test_something_else_there(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with pytest.raises(ml.errors.UnreachableError, match=r"did not answer|no call comes"):
                ml.connect(f"grpc://127.0.0.1:{port}?timeout=0.5").snapshot()

    def test_another_service_there(self):
        fake = Fake()
        fake.missing = {f"Get{kind}{what}" for kind in fake.nodes for what in ("s", "Types")}
        with (
            running(fake) as port,
            pytest.raises(ml.errors.NotAMetadataStoreError, match="no MLMD service"),
        ):
            ml.connect(f"grpc://127.0.0.1:{port}").snapshot()

    @pytest.mark.usefixtures("impatient")
    def test_an_answer_that_takes_too_long(self, fake: Fake):
        fake.before = lambda *_: time.sleep(0.4)
        with (
            running(fake) as port,
            pytest.raises(ml.errors.UnreachableError, match=r"within 0\.1 seconds.*timeout"),
        ):
            ml.connect(f"grpc://127.0.0.1:{port}?timeout=0.1").snapshot()

    def test_an_answer_that_is_none(self, store: ml.Store, fake: Fake, monkeypatch: Any):
        monkeypatch.setattr(fake, "answer", lambda *_: b"\xff\xff\xff")
        with pytest.raises(ml.errors.ReadError, match="no message of MLMD"):
            store.snapshot()

    @pytest.mark.parametrize("node", [b"\x08" + b"\xff" * 10, b"\x22\x7fshort"])
    def test_an_answer_whose_nodes_are_none(
        self, store: ml.Store, fake: Fake, monkeypatch: Any, node: bytes
    ):
        usual = fake.answer
        bad = b"\x0a" + bytes([len(node)]) + node

        def answer(method: str, request: bytes) -> bytes:
            return bad if method == "GetExecutionsByID" else usual(method, request)

        monkeypatch.setattr(fake, "answer", answer)
        with pytest.raises(ml.errors.ReadError, match="no message of MLMD"):
            store.lineage()


class TestBadNodes:
    @pytest.fixture(autouse=True)
    def bad(self, fake: Fake) -> None:
        fake.bad = {("Artifact", 3), ("Artifact", 150), ("Execution", 5), ("Artifact", LENGTH)}

    def test_the_others_are_read(self, store: ml.Store):
        snapshot = store.snapshot()
        found = [f.subject for f in snapshot.findings if f.code == "unreadable_node"]
        assert found == ["artifact/150", f"artifact/{LENGTH}", "artifact/3", "execution/5"]
        artifacts = set(range(1, LENGTH + 1)) - {3, 150, LENGTH}
        assert set(snapshot.artifacts["id"].to_pylist()) == artifacts
        assert set(snapshot.executions["id"].to_pylist()) == set(range(1, LENGTH + 1)) - {5}
        # Their memberships are told all the same.
        assert snapshot.attributions.num_rows == snapshot.associations.num_rows == LENGTH
        assert snapshot.events.num_rows == 2 * LENGTH - 1

    def test_of_memberships_alone(self, store: ml.Store):
        tables = store._reader.read(("Attribution", "Association"))
        assert tables["Attribution"].num_rows == tables["Association"].num_rows == LENGTH

    def test_an_answer_shows_them_as_missing(self, store: ml.Store):
        trace = store.upstream("artifact/6")
        assert "artifact/3" in trace
        assert {f.subject for f in trace.findings} >= {"artifact/3", "execution/5"}

    def test_a_service_that_fails_on_all(self, store: ml.Store, fake: Fake):
        fake.bad = {("Execution", number) for number in range(1, LENGTH + 1)}
        fake.bad |= {("Artifact", number) for number in range(1, LENGTH + 1)}
        with pytest.raises(ml.errors.ReadError, match="fails on"):
            store.snapshot()


class TestOlderServices:
    @pytest.mark.parametrize(
        "missing",
        [
            "GetParentContextsByContexts GetChildrenContextsByContexts",
            "GetParentContextsByContexts GetParentContextsByContext",
            "GetArtifactByTypeAndName GetExecutionByTypeAndName GetContextByTypeAndName",
            "GetArtifactsByExternalIds GetExecutionsByExternalIds GetArtifactType",
        ],
    )
    def test_are_read_without(self, store: ml.Store, fake: Fake, missing: str):
        fake.missing |= set(missing.split())
        fake.nodes["Execution"][9].name = "nine"
        assert_whole(store.snapshot())
        assert store.find_node("nine") == "execution/9"
        trace = store.upstream("artifact/9")
        assert len(trace) == 18
        assert trace.tables["Attribution"].num_rows == 9
        asked = {"external_id": ["none"]}
        assert store._reader.ask(lambda session: session.fetch("Artifact", asked)) == []


class TestSecurity:
    def test_headers_are_sent(self, fake: Fake):
        with running(fake) as port:
            store = ml.KubeflowMetadataStore(
                port=port, headers={"Authorization": f"Bearer {TOKEN}"}
            )
            ml.Store(store).snapshot()
        assert all(h["authorization"] == f"Bearer {TOKEN}" for h in fake.headers)

    @pytest.mark.parametrize(
        ("method", "says"),
        [
            ("PutTypes", "refuses PutTypes (PERMISSION_DENIED: It only reads). The service only"),
            ("GetTypes", "refuses GetTypes (PERMISSION_DENIED: It only reads). The token, or"),
        ],
    )
    def test_what_is_not_allowed_is_told(self, method: str, says: str):
        address = status_errors.Address("db.example", 8080, "grpc://db.example:8080")
        status = status_errors.GRPCStatus("PERMISSION_DENIED", "It only reads.")
        store = ml.KubeflowMetadataStore(host="db.example")
        assert says in str(status_errors.explained(store, address, method, status))

    @pytest.mark.parametrize(
        ("code", "error", "says"),
        [
            ("UNAUTHENTICATED", ml.errors.AuthenticationError, "refuses the token"),
            ("PERMISSION_DENIED", ml.errors.StorePermissionError, "not allowed"),
        ],
    )
    def test_a_token_never_shows(self, fake: Fake, code: str, error: type, says: str):
        def refuse(*_: Any) -> None:
            raise Refusal(code, f"not you, {TOKEN}")

        fake.before = refuse
        with running(fake) as port:
            metadata_store = ml.KubeflowMetadataStore(
                port=port, headers={"authorization": f"Bearer {TOKEN}"}
            )
            with pytest.raises(error, match=says) as caught:
                ml.Store(metadata_store).snapshot()
        assert str(port) in str(caught.value)
        assert not server_stores.secrets_in(caught.value, TOKEN)

    def test_a_missing_token(self, fake: Fake):
        def refuse(*_: Any) -> None:
            msg = "UNAUTHENTICATED"
            raise Refusal(msg, "who are you?")

        fake.before = refuse
        with (
            running(fake) as port,
            pytest.raises(ml.errors.AuthenticationError, match=r"asks for a token.*LINEAGE_TOKEN"),
        ):
            ml.connect(f"grpc://127.0.0.1:{port}").snapshot()

    @pytest.fixture
    def tls_port(self, fake: Fake, pems: Any) -> Iterator[int]:
        with running(fake, credentials=grpc.ssl_server_credentials([pems[1]])) as port:
            yield port

    def test_tls(self, tls_port: int, pems: Any):
        ca = pems[0] / "ca.pem"
        assert_whole(ml.connect(f"grpcs://127.0.0.1:{tls_port}?ssl_ca={ca}").snapshot())

    @pytest.mark.usefixtures("impatient")
    @pytest.mark.parametrize(
        ("url", "says"),
        [
            ("grpcs://127.0.0.1:{port}?ssl_ca={pems}/other.pem", "not to be trusted"),
            ("grpcs://127.0.0.1:{port}", "not to be trusted"),
            ("grpcs://localhost:{port}?ssl_ca={pems}/ca.pem", "not to be trusted.*host"),
            ("grpc://127.0.0.1:{port}", "Write grpcs://"),
        ],
    )
    def test_a_wrong_certificate(self, tls_port: int, pems: Any, url: str, says: str):
        with pytest.raises(ml.errors.TLSError, match=says):
            ml.connect(url.format(port=tls_port, pems=pems[0])).snapshot()

    @pytest.mark.usefixtures("impatient")
    def test_no_tls_there(self, fake: Fake):
        with (
            running(fake) as port,
            pytest.raises(ml.errors.TLSError, match="does not speak TLS"),
        ):
            ml.connect(f"grpcs://127.0.0.1:{port}").snapshot()

    @pytest.mark.usefixtures("impatient")
    def test_certificates_of_clients(self, fake: Fake, pems: Any):
        folder, pair, authority = pems
        credentials = grpc.ssl_server_credentials([pair], authority, require_client_auth=True)
        with running(fake, credentials=credentials) as port:
            url = f"grpcs://127.0.0.1:{port}?ssl_ca={folder}/ca.pem"
            mine = f"&ssl_cert={folder}/cert.pem&ssl_key={folder}/key.pem"
            assert_whole(ml.connect(url + mine).snapshot())
            with pytest.raises(ml.errors.TLSError, match="asks for a client's certificate"):
                ml.connect(url).snapshot()


KUBECTL = """#!{python}
import os, signal, socket, sys, threading
expected = ["--context=prod", "--namespace=kubeflow", "port-forward", "--address=127.0.0.1",
    "svc/metadata-grpc-service", ":8080"]
if sys.argv[1:] != expected:
    sys.exit('error: context "%s" does not exist' % sys.argv[1].partition("=")[2])
with open({pid!r}, "w") as file:
    file.write(str(os.getpid()))
def copy(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)
server = socket.create_server(("127.0.0.1", 0))
print("Forwarding from 127.0.0.1:%d -> 8080" % server.getsockname()[1], flush=True)
while True:
    here, _ = server.accept()
    there = socket.create_connection(("127.0.0.1", {port}))
    for pair in ((here, there), (there, here)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""


class TestForwarding:
    """``kubectl`` is an executable that forwards a port, as kubectl does."""

    @pytest.fixture
    def pid(self, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        folder, pid = tmp_path / "bin", tmp_path / "pid"
        folder.mkdir()
        with running(fake) as port:
            program = folder / "kubectl"
            text = KUBECTL.format(python=sys.executable, pid=str(pid), port=port)
            program.write_text(text, encoding="utf-8")
            program.chmod(stat.S_IRWXU)
            monkeypatch.setenv("PATH", str(folder))
            yield pid

    def test_a_port_is_forwarded_and_closed(self, pid: Path):
        store = ml.connect("kubeflow://prod/kubeflow")
        assert_whole(store.snapshot())
        number = int(pid.read_text(encoding="ascii"))
        assert len(store.upstream("artifact/2")) == 4
        assert int(pid.read_text(encoding="ascii")) == number  # one process for both
        assert store.location == "kubeflow://prod/kubeflow"
        del store
        gc.collect()
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)

    @pytest.mark.usefixtures("pid")
    def test_what_kubectl_says_is_told(self):
        with pytest.raises(ml.errors.UnreachableError, match=r'"test" does not exist.*get-'):
            ml.connect("kubeflow://test/kubeflow").snapshot()

    def test_without_kubectl(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ml.errors.ConfigurationError, match=r"kubectl.*grpc://"):
            ml.connect("kubeflow://prod/kubeflow").snapshot()

    def test_a_port_that_died_is_forwarded_again(self, pid: Path):
        reader = KubeflowReader(
            ml.KubeflowMetadataStore(kube_context="prod", kube_namespace="kubeflow")
        )
        reader.read(("Type",))
        assert isinstance(reader._forward, KubectlPortForward)
        reader._forward.close()
        first = pid.read_text(encoding="ascii")
        assert reader.read(("Artifact",))["Artifact"].num_rows == LENGTH
        assert pid.read_text(encoding="ascii") != first


class TestIds:
    def test_of_events_tell_them_apart(self):
        usual = [rows.event_id(a, e, k) for e in (1, 2) for a in (1, 5) for k in (3, 4)]
        assert usual == sorted(set(usual))
        rare = [
            rows.event_id(*ends)
            for ends in ((2**29, 1, 3), (1, 2**31, 3), (1, 1, 9), (1, 1, 3, 1), (1, 1, 3, 2))
        ]
        assert len(set(rare)) == len(rare)
        assert all(-(2**63) <= number < 0 for number in rare)
        assert 0 < rows.event_id(2**29 - 1, 2**31 - 1, 7) < 2**63


@pytest.mark.parametrize("compression", ["NoCompression", "Gzip"])
def test_an_answer_may_be_so_large(fake: Fake, compression: str):
    fake.put("Artifact", LENGTH + 1, uri="x" * 1_100_000)
    fake.compression = grpc.Compression[compression]
    with running(fake) as port:
        with pytest.raises(ml.errors.ReadError, match=r"may have 1 MiB.*max_message"):
            ml.connect(f"grpc://127.0.0.1:{port}?max_message=1").snapshot()
        snapshot = ml.connect(f"grpc://127.0.0.1:{port}?max_message=2").snapshot()
        assert snapshot.artifacts.num_rows == LENGTH + 1
    assert fake.seen.count("GetArtifacts") < 10  # what cannot be cut is not asked for again


def test_an_answer_that_is_too_large_is_asked_for_in_parts(fake: Fake):
    for number in range(LENGTH + 1, LENGTH + 7):
        fake.put("Artifact", number, uri="x" * 400_000)
    with running(fake) as port:
        snapshot = ml.connect(f"grpc://127.0.0.1:{port}?max_message=1").snapshot()
    assert snapshot.artifacts.num_rows == LENGTH + 6


def test_what_is_near_is_looked_for_among_the_newest(
    fake: Fake, store: ml.Store, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(session, "_NEWEST", 50)
    fake.nodes["Artifact"][LENGTH].name = "validation"
    fake.nodes["Artifact"][1].name = "preparation"
    with pytest.raises(ml.errors.NotFoundError, match=rf"mean artifact/{LENGTH} \(validation\)"):
        store.find_node("valdation")
    with pytest.raises(ml.errors.NotFoundError) as failed:
        store.find_node("prepraation")
    assert "artifact/1 " not in str(failed.value)
