"""What only PostgreSQL has: its schemas, its encodings, its raw protos and its TLS."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import waiting
from server_stores import Database, secrets_in

from mlmd_lineage import deadline, errors
from mlmd_lineage.readers.postgresql import reader
from mlmd_lineage.snapshot.snapshot import Snapshot
from mlmd_lineage.stores import PostgreSQLMetadataStore

if TYPE_CHECKING:
    from pathlib import Path

    import servers


@pytest.fixture
def database(postgresql_server: servers.Server) -> Database:
    return Database(postgresql_server, postgresql_server.new_database())


def artifacts(*texts: str) -> list[dict[str, Any]]:
    return [{"id": n, "type_id": 1, "uri": text} for n, text in enumerate(texts, 1)]


def in_encoding(server: servers.Server, encoding: str) -> Database:
    name = f"in_{encoding.lower()}"
    server.execute(
        f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' "
        "TEMPLATE template0"
    )
    return Database(server, name).create()


def test_texts_of_an_unknown_encoding_are_kept_and_noted(postgresql_server: servers.Server):
    database = in_encoding(postgresql_server, "SQL_ASCII").insert("Artifact", artifacts("Zürich"))
    database.run(
        "INSERT INTO Artifact (id, type_id, uri) "
        "VALUES (2, 1, convert_from('\\x5aff'::bytea, 'SQL_ASCII'))"
    )
    found = Snapshot.of(database.reader().read())
    assert found["Artifact"]["uri"].to_pylist() == ["Zürich", "Z\\xff"]
    assert [(f.code, f.subject) for f in found.findings if f.code == "invalid_text"] == [
        ("invalid_text", "artifact/2")
    ]
    rows = database.reader().ask(lambda session: session.fetch("Artifact", {"id": [2]}))
    assert rows[0][2] == "Z\\xff"
    rows = database.reader().ask(lambda session: session.fetch("Artifact", {"uri": ["Zürich"]}))
    assert [row[0] for row in rows] == [1]


def test_texts_in_latin1_are_what_mlmd_sent(postgresql_server: servers.Server):
    texts = ["Zürich", "中文"]
    database = in_encoding(postgresql_server, "LATIN1").insert("Artifact", artifacts(*texts))
    assert database.run("SELECT length(uri) FROM Artifact WHERE id = 1") == [(7,)]
    assert database.reader().read()["Artifact"]["uri"].to_pylist() == texts
    for text, wanted in (("Zürich", 1), ("中文", 1), ("Zurich", 0)):
        rows = database.reader().ask(lambda s, text=text: s.fetch("Artifact", {"uri": [text]}))
        assert len(rows) == wanted


def test_texts_of_another_encoding_are_translated(postgresql_server: servers.Server):
    database = in_encoding(postgresql_server, "EUC_JP")
    database.run(
        "SET client_encoding = 'UTF8'",
        "INSERT INTO Artifact (id, type_id, uri) VALUES (1, 1, '日本')",
    )
    assert database.reader().read()["Artifact"]["uri"].to_pylist() == ["日本"]
    rows = database.reader().ask(lambda session: session.fetch("Artifact", {"uri": ["日本"]}))
    assert [row[0] for row in rows] == [1]


def test_protos_are_raw(database: Database):
    raw = bytes(range(256))
    database.create().insert(
        "ArtifactProperty",
        [{"artifact_id": 1, "name": "p", "is_custom_property": False, "byte_value": raw}],
    )
    database.run("UPDATE ArtifactProperty SET proto_value = byte_value, bool_value = FALSE")
    [row] = database.reader().read()["ArtifactProperty"].to_pylist()
    assert (row["proto_value"], row["bool_value"], row["is_custom_property"]) == (raw, False, False)
    [found] = database.reader().ask(lambda s: s.fetch("ArtifactProperty", {"artifact_id": [1]}))
    assert found == tuple(row.values())


def test_a_schema_of_its_own(database: Database):
    server = database.server
    database.run(
        "CREATE SCHEMA lineage", f"ALTER DATABASE {database.name} SET search_path = lineage"
    )
    database.create().insert("Artifact", artifacts("x"))
    assert database.reader().read()["Artifact"].num_rows == 1
    server.execute(f"ALTER DATABASE {database.name} RESET search_path")
    with pytest.raises(errors.NotAMetadataStoreError, match=r"schema 'lineage'.*search_path"):
        database.reader().read()
    database.run("CREATE ROLE outsider LOGIN PASSWORD 'x'")
    with pytest.raises(errors.StorePermissionError, match=r"schema 'lineage'.*USAGE"):
        database.reader(username="outsider", password="x").read()


@pytest.mark.parametrize(
    "odd", ["a b", "o'brien", "back\\slash", "ünï", "p=1 host=x", "50%25@/:?#"]
)
def test_odd_names_and_passwords(postgresql_server: servers.Server, odd: str):
    name = postgresql_server.new_database(f"db {odd}")
    literal = odd.replace("'", "''")
    postgresql_server.execute(f"CREATE ROLE \"{odd}\" LOGIN PASSWORD '{literal}'")
    database = Database(postgresql_server, name).create()
    for table in ("MLMDEnv", "Type", "Artifact"):
        postgresql_server.execute(f'GRANT SELECT ON {table} TO "{odd}"', name)
    found = database.reader(username=odd, password=odd).read(["Artifact"])
    assert found["Artifact"].num_rows == 0


def test_the_steps_of_a_path_keep_their_order(database: Database):
    steps = [
        {"event_id": event, "is_index_step": True, "step_index": step}
        for step in range(3)
        for event in range(3000, 0, -1)
    ]
    database.create().insert("EventPath", steps)
    found = database.reader().read()["EventPath"]
    assert found["event_id"].to_pylist() == [n for n in range(1, 3001) for _ in range(3)]
    assert found["step_index"].to_pylist() == [0, 1, 2] * 3000


def test_many_batches_make_one_table(database: Database):
    database.create()
    database.run(
        "INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, string_value) "
        "SELECT n, 'name ' || n % 7, n % 2 = 0, repeat('é', 150) FROM generate_series(1, 120000) n"
    )
    found = database.reader().read()["ArtifactProperty"]
    assert found["name"].num_chunks > 1
    assert found["artifact_id"].to_pylist() == list(range(1, 120001))
    assert set(found["string_value"].to_pylist()) == {"é" * 150}
    assert found["name"].to_pylist()[:8] == [f"name {n % 7}" for n in range(1, 9)]


# TLS


@pytest.fixture
def tls(postgresql_tls_server: servers.Server) -> Database:
    return Database(postgresql_tls_server, postgresql_tls_server.new_database()).create()


def uses_tls(store: PostgreSQLMetadataStore) -> bool:
    def asked(connection: Any) -> bool:
        statement = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        return bool(reader._rows(connection, statement)[0][0])

    return reader.PostgreSQLReader(store).ask(lambda session: asked(session._connection))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("mode", [None, "verify-full", "verify-ca"])
def test_tls_that_is_checked(tls: Database, host: str, mode: str | None):
    assert uses_tls(tls.store(host=host, ssl_ca=tls.server.ca, sslmode=mode))
    assert tls.reader(host=host, ssl_ca=tls.server.ca).read()["Artifact"].num_rows == 0


def test_tls_that_is_not_checked(tls: Database):
    assert uses_tls(tls.store(sslmode="require"))
    assert uses_tls(tls.store())
    assert not uses_tls(tls.store(sslmode="disable"))


@pytest.mark.parametrize("fields", [{"ssl_ca": "other_ca"}, {"sslmode": "verify-full"}])
def test_a_certificate_that_is_not_trusted_is_an_error(
    tls: Database, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    if "ssl_ca" in fields:
        fields = {"ssl_ca": tls.server.other_ca}
    with pytest.raises(errors.TLSError, match=r"not trusted.*ssl_ca") as caught:
        tls.reader(**fields).read()
    assert secrets_in(caught.value, tls.server.password) == []


def test_a_name_that_is_not_in_the_certificate_is_an_error(
    tls: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
    with pytest.raises(errors.TLSError, match="not trusted"):
        tls.reader(host="other.example", ssl_ca=tls.server.ca).read()


@pytest.mark.parametrize("fields", [{"sslmode": "require"}, {"ssl_ca": "ca"}])
def test_tls_that_is_not_offered_is_an_error(
    database: Database, postgresql_tls_server: servers.Server, fields: dict[str, Any]
):
    if "ssl_ca" in fields:
        fields = {"ssl_ca": postgresql_tls_server.ca}
    with pytest.raises(errors.TLSError, match="offers no TLS") as caught:
        database.reader(**fields).read()
    assert secrets_in(caught.value, database.server.password) == []


def test_a_key_that_is_none_is_an_error(tls: Database, tmp_path: Path):
    path = tmp_path / "no.pem"
    path.write_text("no key")
    path.chmod(0o600)
    with pytest.raises(errors.TLSError, match="no secure connection"):
        tls.reader(ssl_ca=tls.server.ca, ssl_cert=path, ssl_key=path).read()


def test_a_server_that_stops_answering(database: Database):
    reader_of = database.create().reader(read_timeout=3)
    with pytest.raises(errors.ReadError, match=r"sent nothing for 3 seconds"):
        reader_of.ask(lambda session: session.select(f"SELECT pg_sleep({waiting.LONG})::text", ()))
    assert reader_of.ask(lambda session: session.select("SELECT 1", ())) == [(1,)]


def test_tables_in_two_cases(database: Database):
    """As where Kubeflow's Model Registry, which writes no MLMD any more, shares the database."""
    database.create().insert("Artifact", artifacts("mlmd"))
    for table in ("Type", "Artifact", "Execution", "Event"):
        database.run(f'CREATE TABLE "{table}" (LIKE "{table.lower()}")')
    database.run("INSERT INTO \"Artifact\" (id, type_id, uri) VALUES (7, 1, 'registry')")
    database.run('ALTER TABLE "Type" ALTER COLUMN id DROP NOT NULL')
    with pytest.raises(errors.ConfigurationError, match=r"artifact, .* and Artifact, .*table_case"):
        database.reader().read()
    for case, uri in (("lower", "mlmd"), ("mixed", "registry")):
        found = database.reader(table_case=case)
        assert found.read()["Artifact"]["uri"].to_pylist() == [uri]
        assert [row[2] for row in found.ask(lambda s: s.fetch("Artifact", {}))] == [uri]


LOGGED_IN = (
    b"R\0\0\0\x08\0\0\0\0"
    b"S\0\0\0\x19server_version\x0014.00\0"
    b"K\0\0\0\x0c\0\0\0\1\0\0\0\1"
    b"Z\0\0\0\x05I"
)


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["deadline", "read_timeout"])
def test_a_server_that_stops_answering_what_the_driver_asks(limit: str):
    """The driver asks for all types as soon as it is logged in, and sets itself no limit."""
    left = threading.Event()
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(10_000)
                    connection.sendall(LOGGED_IN)
                    left.wait(waiting.LONG)

        threading.Thread(target=serve, daemon=True).start()
        store = PostgreSQLMetadataStore(
            host="127.0.0.1",
            port=listener.getsockname()[1],
            database="d",
            username="u",
            sslmode="disable",
            read_timeout=waiting.LONG if limit == "deadline" else 0.5,
            connect_timeout=waiting.LONG if limit == "deadline" else 0.5,
        )
        try:
            if limit == "deadline":
                with (
                    waiting.ends_early(),
                    pytest.raises(errors.DeadlineExceededError),
                    deadline.Deadline(0.5),
                ):
                    reader.PostgreSQLReader(store).read()
            else:
                with waiting.ends_early(), pytest.raises(errors.ReadError, match="sent nothing"):
                    reader.PostgreSQLReader(store).read()
        finally:
            left.set()
