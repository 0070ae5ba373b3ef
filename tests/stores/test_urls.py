"""What a person types, and the metadata store that it means."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

import pytest

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.stores import (
    ArchiveMetadataStore,
    BaseMetadataStore,
    MySQLMetadataStore,
    PostgreSQLMetadataStore,
    SQLiteMetadataStore,
    metadata_store_from,
)

SECRET = "hush-hush"  # in every password here, and in no message


@pytest.fixture(autouse=True)
def _no_password_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLMD_LINEAGE_PASSWORD", raising=False)


class TestSQLite:
    @pytest.mark.parametrize(
        ("target", "uri"),
        [
            ("metadata.db", "metadata.db"),
            ("/abs/metadata.db", "/abs/metadata.db"),
            ("a b/100%.db?x#y", "a b/100%.db?x#y"),
            ("sqlite:///abs/metadata.db", "/abs/metadata.db"),
            ("SQLite:///abs/metadata.db", "/abs/metadata.db"),
            ("sqlite:////abs/metadata.db", "/abs/metadata.db"),
            ("sqlite:///a%20b/100%25.db", "/a b/100%.db"),
            ("sqlite:///C:/metadata.db", "/C:/metadata.db"),
            ("file:///abs/a%3Fb.db", "/abs/a?b.db"),
            ("file://localhost/abs/metadata.db", "/abs/metadata.db"),
            ("file:relative.db", "relative.db"),
            ("file:/abs/metadata.db?mode=ro&immutable=1", "/abs/metadata.db"),
            ("C:\\metadata.db", "C:\\metadata.db"),
            (Path("relative.db"), "relative.db"),
            (Path("file:odd.db"), os.path.join(".", "file:odd.db")),  # noqa: PTH118
        ],
    )
    def test_a_path_or_a_url(self, target: str | Path, uri: str):
        store = metadata_store_from(target)
        assert isinstance(store, SQLiteMetadataStore)
        assert store.uri == uri

    def test_options(self):
        store = metadata_store_from("sqlite:///m.db?busy_timeout=2.5")
        assert isinstance(store, SQLiteMetadataStore)
        assert store.busy_timeout == 2.5

    def test_home(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("HOME", "/home/me")
        assert SQLiteMetadataStore(uri="~/m.db").path == Path("/home/me/m.db")
        assert SQLiteMetadataStore(uri="~nobody-of-that-name/m.db").path == (
            Path.cwd() / "~nobody-of-that-name/m.db"
        )

    def test_a_file_that_looks_like_a_url(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(tmp_path)
        Path("kfp:run.db").touch()
        store = metadata_store_from("kfp:run.db")
        assert isinstance(store, SQLiteMetadataStore)
        assert store.path == tmp_path / "kfp:run.db"

    @pytest.mark.parametrize(
        "target",
        [
            ":memory:",
            "sqlite:///:memory:",
            "sqlite://:memory:",
            "file::memory:?cache=shared",
            "file:name?mode=memory",
        ],
    )
    def test_memory_is_refused_with_a_reason(self, target: str):
        with pytest.raises(errors.ConfigurationError, match="belongs to the one connection"):
            metadata_store_from(target)

    @pytest.mark.parametrize(
        ("target", "match"),
        [
            ("sqlite://host/m.db", "three slashes"),
            ("sqlite://m.db", "three slashes"),
            ("sqlite://", "names no file"),
            ("sqlite:///", "names no file"),
            ("file:", "names no file"),
            ("file://host/m.db", "names the host 'host'"),
            ("file:///m.db?vfs=unix-none", "cannot be kept to when reading: vfs"),
            ("file:///m#1.db", "write it as %23"),
            ("sqlite:///m.db?timeout=3", "'timeout' is not a field.* mean 'busy_timeout'"),
            ("sqlite:///m.db?busy_timeout=-1", "busy_timeout: "),
            ("sqlite:///m.db?busy_timeout=1&busy_timeout=2", "one of its options twice"),
            ("sqlite:///m.db?uri=x", "gives 'uri' after its"),
            ("", "name is empty"),
            ("  ", "name is empty"),
            ("sqlite:///a%00b", "NUL character"),
            ("m\0.db", "NUL character"),
        ],
    )
    def test_what_cannot_be(self, target: str, match: str):
        with pytest.raises(errors.ConfigurationError, match=match):
            metadata_store_from(target)


class TestFolders:
    def test_an_archive(self, tmp_path: Path):
        (tmp_path / "manifest.json").touch()
        for target in (tmp_path, str(tmp_path), f"{tmp_path}/"):
            store = metadata_store_from(target)
            assert isinstance(store, ArchiveMetadataStore)
            assert store.path == tmp_path

    def test_another_folder(self, tmp_path: Path):
        with pytest.raises(errors.NotAMetadataStoreError, match=r"without manifest\.json"):
            metadata_store_from(tmp_path)


class TestServers:
    def test_all_parts(self):
        store = metadata_store_from(
            "mysql://me%40team:hush%2Dhush%2F%3A@db.example:3307/meta%20db?connect_timeout=3"
        )
        assert isinstance(store, MySQLMetadataStore)
        assert (store.host, store.port, store.database) == ("db.example", 3307, "meta db")
        assert store.username == "me@team"
        assert store.password is not None
        assert store.password.get_secret_value() == f"{SECRET}/:"
        assert store.connect_timeout == 3

    @pytest.mark.parametrize(
        ("url", "flavor", "port"),
        [
            ("mysql://u@h/d", "mysql", 3306),
            ("MySQL://u@h/d", "mysql", 3306),
            ("mariadb://u@h/d", "mysql", 3306),
            ("postgresql://u@h/d", "postgresql", 5432),
            ("postgres://u@h/d", "postgresql", 5432),
        ],
    )
    def test_flavors_and_ports(self, url: str, flavor: str, port: int):
        store = metadata_store_from(url)
        assert (store.FLAVOR, getattr(store, "port", None)) == (flavor, port)
        assert getattr(store, "password", SECRET) is None

    def test_ipv6(self):
        store = metadata_store_from("postgresql://u@[::1]:5433/d")
        assert isinstance(store, PostgreSQLMetadataStore)
        assert (store.host, store.port) == ("::1", 5433)
        assert store.location() == "postgresql://u@[::1]:5433/d"

    def test_libpqs_names_for_tls(self, tmp_path: Path):
        pem = tmp_path / "ca.pem"
        pem.touch()
        store = metadata_store_from(f"postgresql://u@h/d?sslrootcert={pem}&sslmode=verify-ca")
        assert isinstance(store, PostgreSQLMetadataStore)
        assert (store.ssl_ca, store.effective_sslmode) == (pem, "verify-ca")

    @pytest.mark.parametrize("scheme", ["mysql", "postgresql"])
    @pytest.mark.parametrize(
        ("rest", "match"),
        [
            (f"u:{SECRET}@h", "names no database"),
            (f"u:{SECRET}@h/", "names no database"),
            ("h/d", "names no user"),
            ("/d", "names no host and no user"),
            ("", "names no host and no database and no user"),
            (f"u:{SECRET}@h:port/d", "its port or its brackets"),
            (f"u:{SECRET}@h:99999/d", "its port or its brackets"),
            (f"u:{SECRET}@h:0/d", "port: "),
            (f"u:{SECRET}@[h/d", "its port or its brackets"),
            (f"u:{SECRET}#more@h/d", "needs percent-encoding"),
            (f"u:{SECRET}@h/d#more", "write it as %23"),
            (f"u:{SECRET}@h/d?password={SECRET}", "gives 'password' after its"),
            (f"u:{SECRET}@h/d?user={SECRET}", "'user' is not a field .* mean 'username'"),
            (f"u:{SECRET}@h/d?ssl_ca=/no/such/{SECRET}", "ssl_ca: "),
            (f"u:{SECRET}@h/d?connect_timeout=0", "connect_timeout: "),
            (f"u:{SECRET}@h/{'d' * 65}", "database: "),
            (f"u:{SECRET}@h h/d", "host: "),
            (f":{SECRET}@h/d", "username: "),
        ],
    )
    def test_what_cannot_be(self, scheme: str, rest: str, match: str):
        with pytest.raises(errors.ConfigurationError, match=match) as caught:
            metadata_store_from(f"{scheme}://{rest}")
        told = "".join(traceback.format_exception(caught.value))
        message = told.rpartition("ConfigurationError")[2]
        assert SECRET not in message.replace(f"/no/such/{SECRET}", "")
        assert caught.value.__cause__ is None


class TestOthers:
    @pytest.mark.parametrize(
        ("target", "match"),
        [
            ("mysq://u@h/d", r"'mysq' is not a kind of store .* mean 'mysql'"),
            ("mysql+pymysql://u@h/d", r"not a kind of store .* mean 'mysql'"),
            ("postgresql+psycopg2://u@h/d", r"mean 'postgresql'"),
            ("ftp://example.com/m.db", "'ftp' is not a kind of store"),
            ("s4://bucket/archive", "'s4' is not a kind of store .* mean 's3'"),
        ],
    )
    def test_other_schemes(self, target: str, match: str):
        with pytest.raises(errors.ConfigurationError, match=match):
            metadata_store_from(target)

    @pytest.mark.parametrize("scheme", ["s3", "gs", "az", "abfs", "https"])
    def test_archives_in_object_storage(self, scheme: str):
        store = metadata_store_from(f"{scheme}://bucket/archive/")
        assert isinstance(store, ArchiveMetadataStore)
        assert store.location() == store.url == f"{scheme}://bucket/archive"
        assert store.local_path is None

    @pytest.mark.parametrize("target", [None, 5, b"m.db", {"m.db"}, {"uri": "m.db"}])
    def test_other_things(self, target: object):
        with pytest.raises(
            errors.ConfigurationError, match=f"this is of type {type(target).__name__}"
        ):
            metadata_store_from(target)

    def test_a_store_is_itself(self):
        store: BaseMetadataStore = SQLiteMetadataStore(uri="m.db")
        assert metadata_store_from(store) is store


@pytest.mark.parametrize(
    "make",
    [
        lambda word: ml.connect(f"mysql://u:{word}@h/d?ssl=maybe"),
        lambda word: ml.connect(f"mysql://u:{word}@h/d?ssl=1&ssl=0"),
        lambda word: ml.connect(f"postgresql://u:{word}@h/d?sslmode=bogus"),
        lambda word: ml.connect(f"mysql://u:{word}@h:port/d"),
        lambda word: ml.MySQLMetadataStore(
            host="h", database="d", username="u", password=word, ssl="maybe"
        ),
        lambda word: ml.MySQLMetadataStore(
            host="h", database="d", username="u", password=word, ssl_cert="x"
        ),
    ],
)
def test_a_refused_password_shows_in_no_frame_of_ours(make: Any):
    with pytest.raises(ml.errors.ConfigurationError) as caught:
        make("top" + "secret" * 2)
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in report.stack if "mlmd_lineage" in Path(frame.filename).parts]
    shown = [text for frame in ours for text in (frame.locals or {}).values()]
    assert shown
    assert not [text for text in shown if "secretsecret" in text]
    assert caught.value.__context__ is None
