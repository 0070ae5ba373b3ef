"""The flavor ``kubernetes``: what is deployed, and that what is deployed can be read.

There is no cluster here. The manifests are held to Kubernetes' own schemas, and the official client
talks to a stand-in at the HTTP edge, whose forwarded port leads to a real MariaDB server.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_server
import kubernetes_validate
import pytest
import server_stores
import waiting

import mlmd_lineage as ml
from mlmd_lineage.kubernetes import cluster, manifests, port_forward
from mlmd_lineage.kubernetes.metadata_store import KubernetesMetadataStore
from mlmd_lineage.stores.lifecycle import is_deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import servers

ALL = {"secrets", "persistentvolumeclaims", "deployments", "services"}
DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"


@pytest.fixture
def api(
    mariadb_server: servers.Server,
    config_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[kubernetes_server.ApiServer]:
    del config_folder
    monkeypatch.setattr(cluster, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(port_forward, "_START_SECONDS", waiting.LONG)
    monkeypatch.setattr(port_forward, "_STOP_SECONDS", waiting.LONG)
    mariadb_server.execute("DROP DATABASE IF EXISTS metadb")
    with kubernetes_server.running(mariadb_server) as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        yield server
        assert server.invalid == []


@pytest.fixture
def no_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def store(**fields: Any) -> KubernetesMetadataStore:
    return KubernetesMetadataStore(
        **{"deployment_name": "mydb", "kubernetes_context": "test", **fields}
    )


def refused(kind: type[ml.MLMDLineageError], ask: Any) -> str:
    with pytest.raises(kind) as caught:
        ask()
    assert kubernetes_server.TOKEN not in str(caught.value)
    return str(caught.value)


def test_whether_it_is_deployed_is_known_without_its_cluster(api: kubernetes_server.ApiServer):
    assert is_deployed(store())
    assert not is_deployed(ml.SQLiteMetadataStore(uri="metadata.db"))
    assert api.calls == []


# Manifests


BODIES = [
    manifests.namespace("n"),
    manifests.secret("mydb", "n", "pw"),
    manifests.volume_claim("mydb", "n", "5Gi"),
    manifests.deployment("mydb", "n"),
    manifests.service("mydb", "n"),
]


@pytest.mark.parametrize("version", ["1.25", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body["kind"])
def test_manifests_are_what_kubernetes_takes(body: dict[str, Any], version: str):
    kubernetes_validate.validate(body, version, strict=True)
    wrong = {**body, "spce": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


@pytest.mark.parametrize("name", ["mydb", "another"])
def test_the_service_finds_the_pods_of_its_deployment_and_no_others(name: str):
    # What the original got wrong: its selector was "app: mysql", whatever the deployment's name.
    deployment, service = manifests.deployment(name, "n"), manifests.service(name, "n")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selector = service["spec"]["selector"]
    assert selector.items() <= labels.items()
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    other = manifests.deployment("third", "n")["spec"]["template"]["metadata"]["labels"]
    assert not selector.items() <= other.items()
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["image"].startswith("mysql:8")
    assert service["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("deployment_name", "My_DB"),
        ("deployment_name", "1db"),
        ("deployment_name", "x" * 64),
        ("kubernetes_namespace", "a/b"),
        ("kubernetes_context", ""),
        ("storage_capacity", "10 GB"),
        ("storage_capacity", "0"),
    ],
)
def test_fields_are_checked_before_anything_is_made(field: str, value: str):
    assert f"{field}:" in refused(ml.errors.ConfigurationError, lambda: store(**{field: value}))


# From up to down


@pytest.mark.usefixtures("no_kubectl")
def test_from_up_to_down_through_the_client(
    api: kubernetes_server.ApiServer, mariadb_server: servers.Server
):
    told: list[str] = []
    it = store(kubernetes_namespace="ml", storage_capacity="5Gi")
    assert (it.is_provisioned, it.is_running) == (False, False)
    assert "metadata-store up" in refused(ml.errors.UnreachableError, it.connection_config)
    it.provision(told.append)
    assert api.kinds() == ALL
    assert api.namespaces == {"ml"}
    claim = api.objects["ml", "persistentvolumeclaims", "mydb"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi"
    it.resume(told.append)
    try:
        assert (it.is_provisioned, it.is_running) == (True, True)
        assert told[-1] == "kubernetes://test/ml/mydb answers."
        server_stores.Database(mariadb_server, "metadb").create().copy(DEMO_STORE)
        # Whoever means the same server finds it, also in another process.
        connected = ml.connect(store(kubernetes_namespace="ml", name="another-name"))
        assert len(connected.frames.events()) == 136
        assert len(connected.upstream("artifact/43")) == 12
        assert list(it.logs(follow=False)) == ["ready for connections", "line two"]

        posts = [call for call in api.calls if call.startswith("POST")]
        it.provision(told.append)
        it.resume(told.append)
        assert [call for call in api.calls if call.startswith("POST")] == posts  # nothing made anew
    finally:
        it.suspend(told.append)
    assert not it.is_running
    assert api.kinds() == ALL

    it.deprovision(told.append, delete_data=False)
    it.provision(told.append)
    password = api.objects["ml", "secrets", "mydb"]["data"]
    it.deprovision(told.append, delete_data=False)
    assert not it.is_provisioned
    assert api.objects["ml", "secrets", "mydb"]["data"] == password  # the volume is lost without
    it.deprovision(told.append, delete_data=True)
    assert not it.is_provisioned
    assert all("deletionTimestamp" in left["metadata"] for left in api.objects.values())
    assert api.namespaces == {"ml"}


FAKE_KUBECTL = """#!{python}
import socket, sys, threading
assert sys.argv[1:6] == ["--context=test", "--namespace=mlmd-lineage", "port-forward",
                         "--address=127.0.0.1", "svc/mydb"], sys.argv
local, remote = sys.argv[6].split(":")
assert remote == "3306"
listener = socket.create_server(("127.0.0.1", int(local)))
print(f"Forwarding from 127.0.0.1:{{local}} -> 3306", flush=True)

def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass

for _ in range({connections}):
    here, _ = listener.accept()
    there = socket.create_connection(("{host}", {port}))
    threading.Thread(target=pump, args=(here, there)).start()
    threading.Thread(target=pump, args=(there, here)).start()
"""


def test_kubectl_forwards_where_it_is_there_and_is_started_anew(
    api: kubernetes_server.ApiServer,
    mariadb_server: servers.Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """A stand-in for kubectl, which ends after some connections, as if the pod was replaced."""
    del api
    (tmp_path / "bin").mkdir()
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.write_text(
        FAKE_KUBECTL.format(
            python=sys.executable, host=mariadb_server.host, port=mariadb_server.port, connections=4
        )
    )
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{kubectl.parent}{os.pathsep}{os.environ['PATH']}")
    it = store()
    it.provision(lambda _: None)
    server_stores.Database(mariadb_server, "metadb").create().copy(DEMO_STORE)
    it.resume(lambda _: None)
    try:
        port = it._forward.port
        for _ in range(4):
            waiting.until(lambda: _types(it) > 20, "an answer")  # kubectl is started again
        assert it._forward.port == port
    finally:
        it.suspend(lambda _: None)
    assert not it.is_running


def _types(it: KubernetesMetadataStore) -> int:
    """Return how many types a store has; 0 where it cannot be reached."""
    try:
        return len(ml.connect(it).frames.types())
    except ml.errors.StoreError:
        return 0


def test_a_forwarder_that_died_is_nobodys(config_folder: Path):
    del config_folder
    it = store()
    forward = it._forward
    # A process of this id is there: ours. It is no forwarder, as it holds no lock.
    forward._state.write_text(f'{{"pid": {os.getpid()}, "port": 1}}')
    assert forward.port is None
    assert not forward.stop()


@pytest.mark.usefixtures("no_kubectl")
def test_inside_the_cluster_it_connects_directly(
    api: kubernetes_server.ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    import kubernetes.config.incluster_config as incluster

    it = store()
    it.provision(lambda _: None)
    (tmp_path / "token").write_text(kubernetes_server.TOKEN)
    (tmp_path / "ca").write_text("-----BEGIN CERTIFICATE-----\n")
    monkeypatch.setattr(cluster, "_TOKEN", tmp_path / "token")
    monkeypatch.setattr(incluster, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster, "SERVICE_CERT_FILENAME", str(tmp_path / "ca"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(api.server_port))
    assert it.is_running
    monkeypatch.setenv("MLMD_LINEAGE_PASSWORD", "given")
    mysql = store()._mysql()
    assert (mysql.host, mysql.port) == ("mydb.mlmd-lineage.svc", 3306)
    assert mysql.password is not None
    assert mysql.password.get_secret_value() == "given"


# Refusals


@pytest.mark.parametrize(
    ("refuse", "kind", "told"),
    [
        ({"secrets": 403}, ml.errors.StorePermissionError, "does not allow it in the namespace"),
        ({"deployments": 401}, ml.errors.AuthenticationError, "does not accept these credentials"),
        ({"services": 500}, ml.errors.StoreError, "says 500"),
    ],
)
def test_what_the_cluster_refuses_is_a_sentence(
    api: kubernetes_server.ApiServer,
    refuse: dict[str, int],
    kind: type[ml.MLMDLineageError],
    told: str,
):
    api.refuse = refuse
    assert told in refused(kind, lambda: store().provision(lambda _: None))


def test_who_may_not_look_at_namespaces_may_work_in_one(api: kubernetes_server.ApiServer):
    api.refuse = {"namespaces": 403}
    store().provision(lambda _: None)
    assert api.kinds() == ALL


def test_wrong_credentials_and_contexts_and_no_server(
    api: kubernetes_server.ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked = lambda **fields: lambda: store(**fields).provision(lambda _: None)  # noqa: E731
    told = refused(ml.errors.ConfigurationError, asked(kubernetes_context="tets"))
    assert told.endswith("it has test. Did you mean 'test'?")
    api.kubeconfig(tmp_path, token="wrong")
    refused(ml.errors.AuthenticationError, asked())
    config = (tmp_path / "kubeconfig").read_text()
    (tmp_path / "kubeconfig").write_text(config.replace(str(api.server_port), "1"))
    assert "does not answer" in refused(ml.errors.UnreachableError, asked())
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert "There is no kubeconfig" in refused(ml.errors.ConfigurationError, asked())


@pytest.mark.usefixtures("no_kubectl")
def test_a_server_that_does_not_come_up_says_why(api: kubernetes_server.ApiServer):
    api.waiting_reason = "ImagePullBackOff"
    it = store(ready_timeout=0.2)
    told = refused(ml.errors.UnreachableError, lambda: it.provision(lambda _: None))
    assert "took longer than 0.2 seconds. Its container waits: ImagePullBackOff." in told
    told = refused(ml.errors.UnreachableError, lambda: it.resume(lambda _: None))
    assert "No port could be forwarded" in told or "does not answer" in told
    it.suspend(lambda _: None)


def test_what_others_made_is_left_alone(api: kubernetes_server.ApiServer):
    service = manifests.service("mydb", "mlmd-lineage")
    del service["metadata"]["labels"]
    api.objects["mlmd-lineage", "services", "mydb"] = service
    it = store()
    for ask in (
        lambda: it.provision(lambda _: None),
        lambda: it.deprovision(lambda _: None, delete_data=True),
    ):
        assert "that mlmd-lineage did not create" in refused(ml.errors.ConfigurationError, ask)
    assert ("mlmd-lineage", "services", "mydb") in api.objects


def test_a_volume_without_its_password_is_not_ruined(api: kubernetes_server.ApiServer):
    it = store()
    it.provision(lambda _: None)
    del api.objects["mlmd-lineage", "secrets", "mydb"]
    told = refused(ml.errors.ConfigurationError, lambda: it.provision(lambda _: None))
    assert "the Secret with its password is gone" in told
    assert ("mlmd-lineage", "secrets", "mydb") not in api.objects


def test_another_size_does_not_resize(api: kubernetes_server.ApiServer):
    store().provision(lambda _: None)
    told: list[str] = []
    store(storage_capacity="20Gi").provision(told.append)
    assert "The volume has 10Gi, and is not resized to 20Gi." in told
    assert api.kinds() == ALL


def test_without_the_client_it_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    told = refused(ml.errors.ConfigurationError, lambda: store().is_provisioned)
    assert "pip install 'mlmd-lineage[kubernetes]'" in told
