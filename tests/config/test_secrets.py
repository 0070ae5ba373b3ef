"""Registered secrets: in a keyring where there is one, else in an encrypted file; never shown."""

from __future__ import annotations

import json
import pickle
import stat
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import keyring
import keyring.backend
import keyring.errors
import pytest

import mlmd_lineage as ml
from mlmd_lineage.config.secrets import secret_store

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "pl9-cannot-be-guessed"


class KeyringOfTheTest(keyring.backend.KeyringBackend):
    """What the operating system's keyring is to ``keyring``: a backend of some priority."""

    priority = 5

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        self._refuse_if_locked()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._refuse_if_locked()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._refuse_if_locked()
        if (service, username) not in self.kept:
            raise keyring.errors.PasswordDeleteError
        del self.kept[service, username]

    def _refuse_if_locked(self) -> None:
        if self.locked:
            message = f"locked, and somebody asked for {SECRET}"
            raise keyring.errors.KeyringLocked(message)


@pytest.fixture
def backend(config_folder: Path) -> Iterator[KeyringOfTheTest]:
    del config_folder
    before = keyring.get_keyring()
    made = KeyringOfTheTest()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def folder(config_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLMD_LINEAGE_SECRETS", "file")
    return config_folder


def test_a_keyring_is_used_where_there_is_one(backend: KeyringOfTheTest, config_folder: Path):
    assert secret_store.register("db", {"password": SECRET, "user": "u"}) == "keyring"
    index = json.loads((config_folder / "secrets.json").read_text())
    stored_as = index["secrets"]["db"].pop("stored_as")
    assert index == {
        "secrets": {"db": {"backend": "keyring", "hosts": [], "keys": ["password", "user"]}}
    }
    assert backend.kept["mlmd-lineage", f"{stored_as}.password"] == SECRET
    assert secret_store.resolved("{{db.password}}") == SECRET
    assert not (config_folder / "secrets.enc").exists()
    del backend.kept["mlmd-lineage", f"{stored_as}.user"]
    with pytest.raises(ml.errors.ConfigurationError, match="no longer where it was kept"):
        secret_store.resolved("{{db.user}}")
    secret_store.delete("db")
    assert backend.kept == {}


def test_a_keyring_that_is_locked_says_so_and_nothing_more(backend: KeyringOfTheTest):
    secret_store.register("db", {"password": SECRET})
    backend.locked = True
    with pytest.raises(
        ml.errors.ConfigurationError, match=r"refuses \(KeyringLocked\): unlock"
    ) as c:
        secret_store.resolved("{{db.password}}")
    assert SECRET not in "".join(traceback.format_exception(c.value))


def test_a_keyring_of_plain_text_is_not_used(backend: KeyringOfTheTest):
    KeyringOfTheTest.priority = 0.5
    try:
        assert secret_store.register("db", {"password": SECRET}) == "file"
        assert backend.kept == {}
    finally:
        KeyringOfTheTest.priority = 5


def test_the_file_is_encrypted_and_its_owners_alone(folder: Path):
    assert secret_store.register("db", {"password": SECRET}) == "file"
    assert secret_store.resolved("{{ db.password }}") == SECRET
    for name in ("secrets.enc", "secrets.key", "secrets.json"):
        data = (folder / name).read_bytes()
        assert SECRET.encode() not in data
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    secret_store.delete("db")
    assert secret_store.secrets() == {}


def test_the_key_may_be_kept_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLMD_LINEAGE_SECRETS_KEY", "one")
    secret_store.register("db", {"password": SECRET})
    assert secret_store.resolved("{{db.password}}") == SECRET
    assert not (folder / "secrets.key").exists()
    before = (folder / "secrets.enc").read_bytes()
    for key in ("two", ""):
        monkeypatch.setenv("MLMD_LINEAGE_SECRETS_KEY", key)
        for ask in (
            lambda: secret_store.resolved("{{db.password}}"),
            lambda: secret_store.register("other", {"k": "v"}),
        ):
            with pytest.raises(ml.errors.ConfigurationError, match="cannot be decrypted"):
                ask()
    assert (folder / "secrets.enc").read_bytes() == before


@pytest.mark.parametrize("name", ["secrets.enc", "secrets.json"])
def test_what_is_damaged_is_never_overwritten(folder: Path, name: str):
    secret_store.register("db", {"password": SECRET})
    (folder / name).write_bytes((folder / name).read_bytes()[:-9])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for ask in (
        lambda: secret_store.resolved("{{db.password}}"),
        lambda: secret_store.register("other", {"k": "v"}),
        lambda: secret_store.delete("db"),
    ):
        with pytest.raises(ml.errors.ConfigurationError, match="left as it is") as caught:
            ask()
        assert name in str(caught.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{dbs.password}}", "No secret 'dbs' is registered .* Did you mean 'db'"),
        ("{{db.pasword}}", "has no key 'pasword'; it has password"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_reference_to_nothing_says_what_there_is(text: str, told: str):
    secret_store.register("db", {"password": SECRET})
    with pytest.raises(ml.errors.ConfigurationError, match=told):
        ml.MySQLMetadataStore(host="h", database="d", username="u", password=text)


@pytest.mark.parametrize(
    "text",
    ["{{db}}", "{db.password}", "x{{db.password}}", "{{db.password}}\n", "{{.x}}", "{{a.b.c}}"],
)
def test_what_is_no_reference_is_a_password(text: str):
    store = ml.MySQLMetadataStore(host="h", database="d", username="u", password=text)
    assert store.password.get_secret_value() == text


@pytest.mark.usefixtures("folder")
def test_names_and_values_are_checked():
    for name, values in (("a.b", {"k": "v"}), ("a", {"k.l": "v"}), ("", {"k": "v"})):
        with pytest.raises(ml.errors.ConfigurationError, match="cannot name a secret"):
            secret_store.register(name, values)
    with pytest.raises(ml.errors.ConfigurationError, match="needs a value"):
        secret_store.register("a", {})
    secret_store.register("a", {"k": "v"})
    with pytest.raises(ml.errors.ConfigurationError, match="is registered already"):
        secret_store.register("a", {"k": "w"})
    secret_store.register("a", {"l": "w"}, replace=True)
    assert secret_store.secrets()["a"].keys == ("k", "l")
    with pytest.raises(ml.errors.NotFoundError, match="No secret 'b' is registered"):
        secret_store.delete("b")


@pytest.mark.usefixtures("folder")
def test_a_pickle_takes_the_reference_along_and_not_the_secret():
    secret_store.register("db", {"password": SECRET})
    store = ml.MySQLMetadataStore(
        host="db.example", database="d", username="u", password="{{db.password}}"
    )
    assert store.host == "db.example"
    data = pickle.dumps(store)
    assert SECRET.encode() not in data
    assert pickle.loads(data) == store  # noqa: S301 - our own bytes
    assert SECRET not in f"{store!r} {store.model_dump_json()}"
    secret_store.register("db", {"password": "another"}, replace=True)
    loaded = pickle.loads(data)  # noqa: S301 - our own bytes
    assert loaded.password.get_secret_value() == "another"


# TLS material


PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("how", ["given", "environment", "reference", "path"])
@pytest.mark.usefixtures("folder")
def test_tls_material_may_come_from_anywhere(monkeypatch: pytest.MonkeyPatch, how: str):
    Path("ca.pem").write_text(PEM)
    secret_store.register("tls", {"ca": PEM})
    if how == "environment":
        monkeypatch.setenv("MLMD_LINEAGE_SSL_CA", PEM)
    given = {"given": PEM, "reference": "{{tls.ca}}", "path": "ca.pem"}
    fields = {"ssl_ca": given[how]} if how in given else {}
    for flavor in (ml.MySQLMetadataStore, ml.PostgreSQLMetadataStore):
        store = flavor(host="h", database="d", username="u", **fields)
        assert store.ssl_ca is not None
        assert store.ssl_ca.read_text() == PEM
        if how != "path":
            assert stat.S_IMODE(store.ssl_ca.stat().st_mode) == 0o600
            assert stat.S_IMODE(store.ssl_ca.parent.stat().st_mode) == 0o700


@pytest.mark.usefixtures("folder")
def test_a_variable_that_names_no_file_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLMD_LINEAGE_SSL_CA", "nowhere.pem")
    with pytest.raises(ml.errors.ConfigurationError, match="MLMD_LINEAGE_SSL_CA names no PEM"):
        ml.MySQLMetadataStore(host="h", database="d", username="u")
