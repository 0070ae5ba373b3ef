"""Fields of metadata stores are checked before anything native sees them, and keep secrets."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic
import pytest

from mlmd_lineage import _proto, errors
from mlmd_lineage.kubernetes.metadata_store import KubernetesMetadataStore
from mlmd_lineage.stores import (
    BUILT_IN,
    ArchiveMetadataStore,
    BaseMetadataStore,
    KubeflowArchiveMetadataStore,
    KubeflowMetadataStore,
    MySQLMetadataStore,
    PostgreSQLMetadataStore,
    SQLiteMetadataStore,
)

if TYPE_CHECKING:
    from google.protobuf.message import Message

SECRET = "hush-hush"
MINIMAL: dict[type[BaseMetadataStore], dict[str, Any]] = {
    SQLiteMetadataStore: {"uri": "m.db"},
    ArchiveMetadataStore: {"uri": "folder"},
    KubeflowArchiveMetadataStore: {"uri": "run-history.json"},
    MySQLMetadataStore: {"host": "h", "database": "d", "username": "u"},
    PostgreSQLMetadataStore: {"host": "h", "database": "d", "username": "u"},
    KubernetesMetadataStore: {"deployment_name": "mlmd", "kubernetes_context": "c"},
}
SERVERS = [MySQLMetadataStore, PostgreSQLMetadataStore]
every_flavor = pytest.mark.parametrize("flavor", MINIMAL)
every_server = pytest.mark.parametrize("flavor", SERVERS)


@pytest.fixture(autouse=True)
def _no_password_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLMD_LINEAGE_PASSWORD", raising=False)


def made(flavor: type[BaseMetadataStore], **fields: Any) -> Any:
    return flavor(**{**MINIMAL[flavor], **fields})


def refused(flavor: type[BaseMetadataStore], **fields: Any) -> str:
    with pytest.raises(errors.ConfigurationError) as caught:
        made(flavor, **fields)
    assert isinstance(caught.value, ValueError)
    assert not isinstance(caught.value, pydantic.ValidationError)
    assert caught.value.__suppress_context__
    return str(caught.value)


def test_the_registry_holds_every_flavor():
    # The one that needs no field at all has its tests in test_kubeflow.py.
    flavors = {*MINIMAL, KubeflowMetadataStore} - {KubernetesMetadataStore}  # an entry point
    assert {flavor.FLAVOR: flavor for flavor in flavors} == BUILT_IN


class TestEveryFlavor:
    @every_flavor
    def test_the_least_that_is_needed(self, flavor: type[BaseMetadataStore]):
        assert isinstance(made(flavor), flavor)
        for name in [] if flavor is SQLiteMetadataStore else MINIMAL[flavor]:
            rest = {key: value for key, value in MINIMAL[flavor].items() if key != name}
            with pytest.raises(errors.ConfigurationError, match=f"field '{name}' is required"):
                flavor(**rest)

    @every_flavor
    def test_a_wrong_name_is_told_with_the_right_ones(self, flavor: type[BaseMetadataStore]):
        name = next(iter(MINIMAL[flavor]))
        message = refused(flavor, **{f"{name}s": "x"})
        assert f"{flavor.FLAVOR!r} metadata store" in message
        assert f"'{name}s' is not a field of it (it has {name}" in message
        assert f"Did you mean '{name}'" in message

    @every_flavor
    def test_nothing_can_be_changed(self, flavor: type[BaseMetadataStore]):
        with pytest.raises(pydantic.ValidationError, match="frozen"):
            setattr(made(flavor), next(iter(MINIMAL[flavor])), "x")

    @every_flavor
    def test_equal_fields_make_equal_stores(self, flavor: type[BaseMetadataStore]):
        store = made(flavor)
        assert store == made(flavor) == copy.deepcopy(store) == pickle.loads(pickle.dumps(store))  # noqa: S301
        assert hash(store) == hash(made(flavor))

    @every_flavor
    def test_it_shows_how_it_is_made(self, flavor: type[BaseMetadataStore]):
        assert repr(made(flavor)).startswith(f"{flavor.__name__}(")
        assert str(made(flavor)) == repr(made(flavor))

    @pytest.mark.parametrize(
        ("flavor", "value"),
        [
            (flavor, value)
            for flavor in MINIMAL
            for value in (None, 5, ["x"], *([b"\xff", "", "a\0b"] if flavor in SERVERS else []))
        ],
    )
    def test_no_text_but_a_text_will_do(self, flavor: type[BaseMetadataStore], value: object):
        name = next(iter(MINIMAL[flavor]))
        assert f"{name}: " in refused(flavor, **{name: value})


class TestSecrets:
    @every_server
    def test_a_password_never_shows(self, flavor: type[BaseMetadataStore]):
        store = made(flavor, password=SECRET)
        shown = [
            repr(store),
            str(store),
            f"{store}",
            store.location(),
            repr(store.model_dump()),
            store.model_dump_json(),
            json.dumps(store.model_dump(mode="json")),
            repr([store]),
        ]
        assert SECRET not in "".join(shown)
        assert store.password.get_secret_value() == SECRET

    @every_server
    def test_no_error_shows_any_value(self, flavor: type[BaseMetadataStore]):
        for fields in (
            {"password": SECRET, "port": SECRET},
            {"password": SECRET, "passwort": SECRET},
            {"password": [SECRET]},
            {"password": SECRET, "host": None},
            {"password": SECRET, "connect_timeout": SECRET},
            {"password": SECRET, "ssl_ca": SECRET},
        ):
            with pytest.raises(errors.ConfigurationError) as caught:
                made(flavor, **fields)
            message = "".join(traceback.format_exception_only(caught.value))
            assert SECRET not in message.replace(f"no file '{SECRET}'", "")

    @every_server
    def test_from_the_environment(
        self, flavor: type[BaseMetadataStore], monkeypatch: pytest.MonkeyPatch
    ):
        assert made(flavor).password is None
        monkeypatch.setenv("MLMD_LINEAGE_PASSWORD", SECRET)
        assert made(flavor).password.get_secret_value() == SECRET
        assert made(flavor, password="other").password.get_secret_value() == "other"
        assert SECRET not in repr(made(flavor))
        monkeypatch.setenv("MLMD_LINEAGE_PASSWORD", "")
        assert made(flavor).password is None


class TestServers:
    @every_server
    @pytest.mark.parametrize("port", [0, -1, 65536, 1.5, "x", None])
    def test_ports(self, flavor: type[BaseMetadataStore], port: object):
        assert "port: " in refused(flavor, port=port)
        assert made(flavor, port="3307").port == 3307

    @every_server
    @pytest.mark.parametrize("host", ["a b", "a/b", "u@h", "h\n", "", "h\0", "x" * 256])
    def test_hosts(self, flavor: type[BaseMetadataStore], host: str):
        assert "host: " in refused(flavor, host=host)

    @every_server
    @pytest.mark.parametrize("seconds", [0, -1, 3601, float("nan"), float("inf"), "soon"])
    def test_timeouts(self, flavor: type[BaseMetadataStore], seconds: object):
        assert "connect_timeout: " in refused(flavor, connect_timeout=seconds)

    @every_server
    def test_files_for_tls_must_be_there(
        self, flavor: type[BaseMetadataStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        assert "ssl_ca: there is no file" in refused(flavor, ssl_ca=tmp_path / "no.pem")
        assert "ssl_ca: there is no file" in refused(flavor, ssl_ca=tmp_path)
        (tmp_path / "ca.pem").touch()
        monkeypatch.setenv("HOME", str(tmp_path))
        assert made(flavor, ssl_ca="~/ca.pem").ssl_ca == tmp_path / "ca.pem"

    @every_server
    def test_a_certificate_needs_its_key(self, flavor: type[BaseMetadataStore], tmp_path: Path):
        pem = tmp_path / "x.pem"
        pem.touch()
        for name in ("ssl_cert", "ssl_key"):
            assert "ssl_cert and ssl_key go together" in refused(flavor, **{name: pem})
        assert made(flavor, ssl_cert=pem, ssl_key=pem).ssl_key == pem

    def test_database_names_that_mysql_has(self):
        for name in ("a-b", "a b", "a`b", "ü", "x" * 64):
            assert made(MySQLMetadataStore, database=name).database == name
        for name in ("", "x" * 65, "a/b", "a\\b", "a\0"):
            assert "database: " in refused(MySQLMetadataStore, database=name)

    def test_localhost_is_its_tcp_port_for_mysql(self):
        for host in ("localhost", "LocalHost"):
            store = made(MySQLMetadataStore, host=host)
            assert store.address == "127.0.0.1"
            assert store.connection_config().mysql.host == "127.0.0.1"

    def test_mysql_asks_for_tls_where_any_of_it_is_asked_for(self, tmp_path: Path):
        pem = tmp_path / "x.pem"
        pem.touch()
        assert not made(MySQLMetadataStore).tls
        for fields in (
            {"ssl": True},
            {"ssl_ca": pem},
            {"ssl_cert": pem, "ssl_key": pem},
            {"ssl_verify_server_cert": True},
        ):
            assert made(MySQLMetadataStore, **fields).tls
        assert "ssl=False contradicts" in refused(MySQLMetadataStore, ssl=False, ssl_ca=pem)

    @pytest.mark.parametrize(
        ("fields", "mode"),
        [
            ({}, "prefer"),
            ({"ssl_ca": True}, "verify-full"),
            ({"ssl_ca": True, "sslmode": "verify-ca"}, "verify-ca"),
            ({"ssl_cert": True, "ssl_key": True}, "require"),
            ({"sslmode": "disable"}, "disable"),
        ],
    )
    def test_the_sslmode_in_force(self, tmp_path: Path, fields: dict[str, Any], mode: str):
        pem = tmp_path / "x.pem"
        pem.touch()
        given = {name: pem if value is True else value for name, value in fields.items()}
        assert made(PostgreSQLMetadataStore, **given).effective_sslmode == mode

    @pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require"])
    def test_no_mode_that_leaves_an_authority_unused(self, tmp_path: Path, mode: str):
        pem = tmp_path / "x.pem"
        pem.touch()
        message = refused(PostgreSQLMetadataStore, ssl_ca=pem, sslmode=mode)
        assert "does not check the server against ssl_ca" in message

    def test_an_unknown_mode(self):
        assert "sslmode: " in refused(PostgreSQLMetadataStore, sslmode="on")


class TestSQLite:
    @pytest.mark.parametrize("seconds", [-1, 3601, float("nan"), float("inf"), "soon", None])
    def test_timeouts(self, seconds: object):
        assert "busy_timeout: " in refused(SQLiteMetadataStore, busy_timeout=seconds)

    @pytest.mark.parametrize("uri", ["s3://b/m.db", "https://h/m.db", "sqlite:///m.db"])
    def test_no_url_but_a_file(self, uri: str):
        assert "is not a local file" in refused(SQLiteMetadataStore, uri=uri)

    def test_paths(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(tmp_path)
        for uri in ("m.db", Path("m.db"), b"m.db", "file:m.db", f"file://{tmp_path}/m.db"):
            assert made(SQLiteMetadataStore, uri=uri).path == tmp_path / "m.db"


class TestConnectionConfigs:
    @every_flavor
    def test_they_are_mlmds_own_or_of_the_same_bytes(self, flavor: type[BaseMetadataStore]):
        if flavor in {ArchiveMetadataStore, KubeflowArchiveMetadataStore}:
            with pytest.raises(errors.ConfigurationError, match=r"is a (Parquet|transfer) archive"):
                made(flavor).connection_config()
            return
        if flavor is KubernetesMetadataStore:  # tests/kubernetes/test_kubernetes.py
            return
        config = made(flavor).connection_config()
        ours = _proto.message("ConnectionConfig")()
        ours.ParseFromString(config.SerializeToString())
        assert ours.WhichOneof("config") == flavor.FLAVOR
        assert isinstance(config, _proto.connection_config_class())

    def test_sqlite_makes_no_file(self, tmp_path: Path):
        config: Any = made(SQLiteMetadataStore, uri=tmp_path / "m.db").connection_config()
        assert config.sqlite.filename_uri == str(tmp_path / "m.db")
        assert config.sqlite.connection_mode == 2

    @every_server
    def test_servers_make_no_database_and_get_the_password(
        self, flavor: type[BaseMetadataStore], tmp_path: Path
    ):
        pem = tmp_path / "x.pem"
        pem.touch()
        store = made(flavor, password=SECRET, port=1234, ssl_ca=pem, ssl_cert=pem, ssl_key=pem)
        config: Any = getattr(store.connection_config(), flavor.FLAVOR)
        assert config.skip_db_creation
        assert config.password == SECRET
        assert str(config.port) == "1234"
        if flavor is MySQLMetadataStore:
            assert (config.database, config.user) == ("d", "u")
            assert config.ssl_options.ca == config.ssl_options.key == str(pem)
            assert config.ssl_options.verify_server_cert
        else:
            assert (config.dbname, config.user) == ("d", "u")
            assert config.ssloption.sslmode == "verify-full"
            assert config.ssloption.sslrootcert == config.ssloption.sslkey == str(pem)

    @pytest.mark.native
    def test_the_native_library_takes_them(self, tmp_path: Path):
        code = (
            "import sys\n"
            "from ml_metadata import MetadataStore\n"
            "from mlmd_lineage.stores import SQLiteMetadataStore\n"
            "config = SQLiteMetadataStore(uri=sys.argv[1]).connection_config()\n"
            "print(len(MetadataStore(config).get_artifacts()))\n"
        )
        missing = [sys.executable, "-c", code, str(tmp_path / "m.db")]
        assert subprocess.run(missing, capture_output=True, check=False).returncode != 0
        assert not (tmp_path / "m.db").exists()


class TestFlavorsOfOnesOwn:
    class TeamStore(BaseMetadataStore):
        FLAVOR = "team"
        team: str

        def connection_config(self) -> Message:
            return SQLiteMetadataStore(uri=f"/mlmd/{self.team}.db").connection_config()

    def test_it_takes_no_more_than_a_field_and_a_method(self):
        store = self.TeamStore(team="search")
        config: Any = store.connection_config()
        assert config.sqlite.filename_uri == "/mlmd/search.db"
        assert repr(store) == "TeamStore(team='search')"
        assert store.location() == "the team metadata store"

    def test_its_fields_are_checked_alike(self):
        with pytest.raises(errors.ConfigurationError, match=r"'team' metadata store: .*'team'"):
            self.TeamStore(name="search")

    def test_without_the_method_it_is_none(self):
        class Nothing(BaseMetadataStore):
            FLAVOR = "nothing"

        with pytest.raises(TypeError, match="connection_config"):
            Nothing()
