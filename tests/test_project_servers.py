"""The servers that other tests rely on, and what is said where there are none."""

from __future__ import annotations

import contextlib
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pymysql
import pytest
import servers
from adbc_driver_postgresql import dbapi

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ["pytester"]

ALL = ["mariadb_server", "mariadb_tls_server", "postgresql_server", "postgresql_tls_server"]


@pytest.fixture(params=ALL)
def server(request: pytest.FixtureRequest) -> servers.Server:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, servers.Server)
    return found


def test_databases_are_new_and_apart(server: servers.Server):
    first, second = server.new_database(), server.new_database()
    assert first != second
    server.execute("CREATE TABLE t (a INT)", first)
    server.execute("CREATE TABLE t (a INT)", second)
    server.execute("INSERT INTO t VALUES (7)", first)
    assert server.execute("SELECT a FROM t", first) == [(7,)]
    assert server.execute("SELECT a FROM t", second) == []


def test_a_database_may_have_any_name(server: servers.Server):
    name = f"a-b {server.quote} {server.ca is None}"
    assert server.new_database(name) == name
    assert server.execute("SELECT 1", name) == [(1,)]


def test_mariadb_offers_tls_or_does_not(
    mariadb_server: servers.Server, mariadb_tls_server: servers.Server
):
    def cipher(server: servers.Server, ca: Path | None) -> str:
        context = ssl.create_default_context(cafile=ca)
        with contextlib.closing(
            pymysql.connect(
                host=server.host,
                port=server.port,
                user=server.user,
                password=server.password,
                ssl=context,
            )
        ) as connection:
            cursor = connection.cursor()
            cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
            return str(cursor.fetchone()[1])

    assert cipher(mariadb_tls_server, mariadb_tls_server.ca)
    with pytest.raises(pymysql.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        cipher(mariadb_tls_server, mariadb_tls_server.other_ca)
    with pytest.raises(pymysql.OperationalError, match="SSL"):
        cipher(mariadb_server, mariadb_tls_server.ca)


def test_postgresql_offers_tls_or_does_not(
    postgresql_server: servers.Server, postgresql_tls_server: servers.Server
):
    def connect(server: servers.Server, ca: Path | None) -> None:
        assert ca is not None
        url = server.url("postgres", sslmode="verify-full", sslrootcert=ca)
        dbapi.connect(url).close()

    connect(postgresql_tls_server, postgresql_tls_server.ca)
    with pytest.raises(dbapi.OperationalError, match="certificate verify failed"):
        connect(postgresql_tls_server, postgresql_tls_server.other_ca)
    with pytest.raises(dbapi.OperationalError, match="does not support SSL"):
        connect(postgresql_server, postgresql_tls_server.ca)


@pytest.mark.slow
def test_a_server_whose_port_is_taken_gets_another_and_is_gone_after_its_block(
    monkeypatch: pytest.MonkeyPatch,
):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))  # it is taken, and nobody answers there
        ports = iter((other.getsockname()[1], servers.free_port()))
        monkeypatch.setattr(servers, "free_port", lambda: next(ports))
        _is_gone_after_its_block()
    assert next(ports, None) is None


def _is_gone_after_its_block() -> None:
    try:
        with servers.postgresql() as server:
            server.execute("SELECT 1")
    except servers.MissingServerError as error:
        pytest.skip(str(error))
    with pytest.raises(dbapi.OperationalError, match="refused"):
        server.execute("SELECT 1")


def test_the_summary_says_what_was_missing(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile("def test_one(mariadb_server): ...\ndef test_two(mariadb_server): ...")
    monkeypatch.setattr(servers.shutil, "which", lambda *_args, **_options: None)
    outcome = pytester.runpytest_inprocess()
    outcome.assert_outcomes(skipped=2)
    outcome.stdout.fnmatch_lines(["mlmd_lineage: MySQL tests skipped: no mariadbd found"])


def test_a_real_store_is_copied(shared_stores: Path, shared_store: Callable[[str], Path]):
    copy = shared_store("tfx_local.db")
    assert copy.read_bytes() == (shared_stores / "tfx_local.db").read_bytes()
    assert shared_stores not in copy.parents
