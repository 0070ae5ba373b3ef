"""A metadata service as a metadata store: its fields, its URLs and its secrets."""

from __future__ import annotations

import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from mlmd_lineage import _proto, errors
from mlmd_lineage.readers.registry import reader_for
from mlmd_lineage.stores import BaseMetadataStore, KubeflowMetadataStore, metadata_store_from

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hush-hush"


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "MLMD_LINEAGE_TOKEN",
        "METADATA_GRPC_SERVICE_HOST",
        "METADATA_GRPC_SERVICE_PORT",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("grpc://metadata.example:8080", {"host": "metadata.example", "port": 8080}),
        ("grpc://h", {"host": "h", "port": 8081, "tls": False}),
        ("grpcs://h", {"port": 443, "tls": True}),
        ("grpcs://h:9000?timeout=5", {"port": 9000, "timeout": 5.0}),
        ("GRPC://[::1]:9000", {"host": "::1", "port": 9000}),
        ("grpc://h?ssl=true", {"tls": True}),
        ("kubeflow://prod/kubeflow", {"kube_context": "prod", "kube_namespace": "kubeflow"}),
        (
            "kubeflow://arn:aws:eks:eu-west-1:123:cluster/prod/ml?timeout=9",
            {"kube_context": "arn:aws:eks:eu-west-1:123:cluster/prod", "timeout": 9.0},
        ),
    ],
)
def test_urls(url: str, fields: dict[str, Any]):
    store = metadata_store_from(url)
    assert isinstance(store, KubeflowMetadataStore)
    assert {name: getattr(store, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("grpc://", "names no host"),
        ("grpc://h/path", "neither user nor path"),
        (f"grpc://user:{SECRET}@h", "MLMD_LINEAGE_TOKEN"),
        ("grpc://h:99999", "cannot be read"),
        ("grpc://h:0", "port"),
        ("grpc://h?tls=1", "not a field"),
        ("grpc://h?headers=x", "headers"),
        ("grpc://h?timeout=0", "timeout"),
        ("grpcs://h?ssl=false&ssl_ca=/none.pem", "there is no file"),
        ("kubeflow://prod", "kubeflow://context/namespace"),
        ("kubeflow:///ml", "kubeflow://context/namespace"),
        ("kubeflow://prod/ML", "kube_namespace"),
        ("kubeflow://--insecure/ml", "kube_context"),
        ("kubeflow://prod/ml?host=h", "belongs before"),
    ],
)
def test_urls_that_cannot_be(url: str, says: str):
    with pytest.raises(errors.ConfigurationError, match=says) as caught:
        metadata_store_from(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"host": "a b"}, "host"),
        ({"port": 0}, "port"),
        ({"timeout": float("inf")}, "timeout"),
        ({"kube_context": "prod"}, "go together"),
        ({"kube_context": "prod", "kube_namespace": "ml", "port": 1}, "address of its own"),
        ({"headers": {"a b": SECRET}}, "cannot be the name"),
        ({"headers": {"grpc-timeout": SECRET}}, "cannot be the name"),
        ({"headers": {"token-bin": SECRET}}, "cannot be the name"),
        ({"headers": {"a": f"{SECRET}\n"}}, "no header can"),
        ({"headers": {"a": f"{SECRET}ü"}}, "no header can"),
        ({"headers": {"a": SECRET, "A": "x"}}, "twice"),
        ({"headers": [SECRET]}, "headers"),
        ({"token": SECRET}, "not a field"),
    ],
)
def test_fields_that_cannot_be(fields: dict[str, Any], says: str):
    with pytest.raises(errors.ConfigurationError, match=says) as caught:
        KubeflowMetadataStore(**fields)
    assert SECRET not in str(caught.value)


def test_in_a_pod(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("METADATA_GRPC_SERVICE_HOST", "10.0.0.7")
    monkeypatch.setenv("METADATA_GRPC_SERVICE_PORT", "8080")
    assert KubeflowMetadataStore().location() == "grpc://10.0.0.7:8080"
    assert KubeflowMetadataStore(host="h", port=1).location() == "grpc://h:1"
    monkeypatch.setenv("METADATA_GRPC_SERVICE_PORT", "tcp://10.0.0.7:8080")
    with pytest.raises(errors.ConfigurationError, match="port"):
        KubeflowMetadataStore()


def test_tokens_do_not_show(monkeypatch: pytest.MonkeyPatch):
    store = KubeflowMetadataStore(headers={"Authorization": f"Bearer {SECRET}"})
    for shown in (repr(store), str(store), store.location(), store.model_dump_json()):
        assert SECRET not in shown
    assert copy.deepcopy(store) == store
    assert SECRET.encode() not in pickle.dumps(store)
    assert pickle.loads(pickle.dumps(store)).headers == {}  # noqa: S301 - our own bytes
    monkeypatch.setenv("MLMD_LINEAGE_TOKEN", SECRET)
    for taken in (KubeflowMetadataStore(), pickle.loads(pickle.dumps(store))):  # noqa: S301
        assert taken.headers["authorization"].get_secret_value() == f"Bearer {SECRET}"
    assert SECRET not in json.dumps(KubeflowMetadataStore().model_dump(mode="json"))


def test_the_config_of_mlmds_client(tmp_path: Path):
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text(f"the {name}", encoding="ascii")
    store = KubeflowMetadataStore(
        host="h",
        port=7,
        timeout=5,
        ssl_ca=tmp_path / "ca",
        ssl_cert=tmp_path / "cert",
        ssl_key=tmp_path / "key",
    )
    with _proto.only_ours():
        config: Any = store.connection_config()
    assert (config.host, config.port, config.client_timeout_sec) == ("h", 7, 5.0)
    ssl = config.ssl_config
    assert (ssl.custom_ca, ssl.server_cert, ssl.client_key) == ("the ca", "the cert", "the key")
    forwarded = KubeflowMetadataStore(kube_context="prod", kube_namespace="ml")
    with pytest.raises(errors.ConfigurationError, match="port-forward"):
        forwarded.connection_config()


def test_a_flavor_of_ones_own():
    class Own(BaseMetadataStore):
        FLAVOR = "own"
        tls: bool = False

        def connection_config(self) -> Any:
            inner = KubeflowMetadataStore(host="h", port=7, timeout=5, ssl=self.tls)
            return inner.connection_config()

    assert reader_for(Own())._store.location() == "grpc://h:7"
    with pytest.raises(errors.ConfigurationError, match="certificates"):
        reader_for(Own(tls=True))
