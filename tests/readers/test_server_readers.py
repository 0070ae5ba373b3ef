"""What reading from MySQL and from PostgreSQL has in common."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
import server_stores
import sqlite_stores
import waiting
from server_stores import Database, assert_same, secrets_in

from mlmd_lineage import errors
from mlmd_lineage.snapshot.snapshot import Snapshot
from mlmd_lineage.snapshot.tables import SCHEMAS
from mlmd_lineage.stores import SQLiteMetadataStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import servers

    from mlmd_lineage.readers.base import Session

# Every transaction adds a run of one execution and counts its three properties up: at any moment
# each execution has exactly three, of equal value, and each event has its nodes.
WRITER = """
import json, sys, threading
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[2])
import servers
settings = json.loads(sys.argv[1])
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
mysql = settings["scheme"] == "mysql"
connect = servers._connect_mariadb if mysql else servers._connect_postgresql
server = servers.Server(connect=connect, quote="`" if mysql else '"', **settings["server"])
connection = connect(server, settings["database"])
cursor = connection.cursor()
n = 0
while not stop.is_set():
    n += 1
    yes = "1" if mysql else "TRUE"
    for statement in (
        "BEGIN",
        f"INSERT INTO Artifact (id, type_id, uri) VALUES ({n}, 1, '/{n}')",
        f"INSERT INTO Execution (id, type_id) VALUES ({n}, 2)",
        f"INSERT INTO Event (id, artifact_id, execution_id, type) VALUES ({n}, {n}, {n}, 4)",
        *(
            "INSERT INTO ExecutionProperty (execution_id, name, is_custom_property, int_value) "
            f"VALUES ({n}, 'p{k}', {yes}, {n})" for k in range(3)
        ),
        f"UPDATE ExecutionProperty SET int_value = int_value + 1 WHERE execution_id > {n - 20}",
        "ROLLBACK" if n % 5 == 0 else "COMMIT",
    ):
        cursor.execute(statement)
    if n == 5:
        print("writing", flush=True)
cursor.close()
connection.close()
print(n)
"""


@pytest.fixture(params=["mariadb_server", "postgresql_server"])
def server(request: pytest.FixtureRequest) -> servers.Server:
    found: servers.Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def database(server: servers.Server) -> Database:
    """Give an empty database."""
    return Database(server, server.new_database())


@pytest.fixture
def sqlite(tmp_path: Path) -> Path:
    """Give an SQLite store in which every table has rows."""
    return sqlite_stores.new_store(tmp_path / "store.db")


@pytest.fixture
def store(database: Database, sqlite: Path) -> Database:
    """Give a database with the rows of the SQLite store."""
    return database.create().copy(sqlite)


def test_every_table_is_the_same_as_in_sqlite(store: Database, sqlite: Path):
    found = store.reader().read()
    assert_same(found, sqlite_stores.reader(sqlite).read())
    assert found.schema_version == 10
    assert found.source == store.store().location()
    assert Snapshot.of(found).findings == Snapshot.of(sqlite_stores.reader(sqlite).read()).findings


@pytest.mark.native
def test_what_mlmd_wrote_is_the_same_as_in_sqlite(database: Database, tmp_path: Path):
    length = 1_500_000 if database.is_mysql else 1_000
    server_stores.fill_natively(database.store(), length)
    twin = SQLiteMetadataStore(uri=tmp_path / "twin.db")
    server_stores.fill_natively(twin, length)
    expected = sqlite_stores.reader(tmp_path / "twin.db").read()
    found = database.reader().read()
    assert found["ArtifactProperty"].num_rows > 80
    assert_same(found, expected, without=sorted(server_stores.TIMES))
    assert len(found["ArtifactProperty"]["string_value"][-1].as_py()) == length + 3
    for kind in ("Artifact", "Execution", "Context"):
        assert min(found[kind]["create_time_since_epoch"].to_pylist()) > 1_600_000_000_000


@pytest.mark.parametrize("name", ["tfx_local.db", "kfp2_emulated.db", "zenml_0132.db"])
def test_real_stores_are_the_same_as_in_sqlite(
    database: Database, shared_store: Callable[[str], Path], name: str
):
    path = shared_store(name)
    database.create().copy(path)
    assert_same(database.reader().read(), sqlite_stores.reader(path).read())


@pytest.mark.parametrize("version", [4, 5, 6, 7, 8, 9])
def test_old_schemas_are_read_as_they_are(database: Database, tmp_path: Path, version: int):
    path = sqlite_stores.new_store(tmp_path / "old.db", version=version)
    database.create(version=version).copy(path)
    found = database.reader().read()
    assert found.schema_version == version
    assert_same(found, sqlite_stores.reader(path).read())
    rows = database.reader().ask(lambda session: session.fetch("Artifact", {"id": [1]}))
    assert len(rows[0]) == len(SCHEMAS["Artifact"])


def test_an_empty_store_has_empty_tables(database: Database):
    database.create()
    found = database.reader().read()
    assert all(found[table].num_rows == 0 for table in SCHEMAS)
    assert all(found[table].schema == SCHEMAS[table] for table in SCHEMAS)


def test_only_the_tables_asked_for_are_read(store: Database):
    assert store.reader().read(["Event", "Type"]).names == ("Type", "Event")


def test_a_question_is_answered_as_by_sqlite(store: Database, sqlite: Path):
    def question(session: Session) -> list[list[tuple[Any, ...]]]:
        return [
            session.fetch("Artifact", {"id": [3, 1, *range(10, 2500)]}),
            session.fetch("Artifact", {"uri": ["/data/2", "/nothing"]}),
            session.fetch("Artifact", {"name": ["data-1"], "type_id": [1]}),
            session.fetch("Artifact", {"id": []}),
            session.fetch("Event", {"artifact_id": [1, 2], "type": [3]}),
            session.fetch("EventPath", {"event_id": [1]}),
            sorted(session.fetch("ArtifactProperty", {"artifact_id": [1]}), key=lambda r: r[1]),
            session.fetch("ParentContext", {}),
        ]

    found = store.reader().ask(question)
    assert found == sqlite_stores.reader(sqlite).ask(question)
    assert len(found[0]) == 2


def test_texts_are_found_exactly(database: Database):
    texts = ["a", "A", "a ", "ä", "Zürich", "zürich", "中文", "\U0001f600", "Ã¼", 'it\'s %s \\ "x"']
    database.create().insert(
        "Artifact", [{"id": n, "type_id": 1, "uri": text} for n, text in enumerate(texts, 1)]
    )
    reader = database.reader()
    for n, text in enumerate(texts, 1):
        found = reader.ask(lambda session, text=text: session.fetch("Artifact", {"uri": [text]}))
        assert [(row[0], row[2]) for row in found] == [(n, text)]
    assert reader.ask(lambda session: session.fetch("Artifact", {"uri": ["a\0"]})) == []
    every = reader.ask(lambda session: session.fetch("Artifact", {"uri": texts * 300}))
    assert {row[0] for row in every} == set(range(1, len(texts) + 1))


def test_numbers_are_exact(database: Database):
    numbers = [0.1, 1e-7, 1.7976931348623157e308, 5e-324, -2.5e-9, 3.141592653589793, 1 / 3]
    rows = [
        {"artifact_id": 1, "name": f"d{n}", "is_custom_property": 0, "double_value": number}
        for n, number in enumerate(numbers)
    ]
    rows += [
        {"artifact_id": 1, "name": f"i{n}", "is_custom_property": 0, "int_value": number}
        for n, number in enumerate([-(2**31), 2**31 - 1, 0])
    ]
    database.create().insert("ArtifactProperty", rows)
    found = database.reader().read()["ArtifactProperty"]
    assert [repr(v) for v in found["double_value"].to_pylist()[:7]] == [repr(n) for n in numbers]
    assert found["int_value"].to_pylist()[7:] == [-(2**31), 2**31 - 1, 0]


@pytest.mark.slow
def test_a_busy_writer_is_seen_between_its_transactions(database: Database):
    database.create()
    server = database.server
    settings = {
        "scheme": server.scheme,
        "database": database.name,
        "server": {"scheme": server.scheme, "port": server.port},
    }
    command = [sys.executable, "-c", WRITER, json.dumps(settings), json.dumps(sys.path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "writing\n"
        sizes: list[int] = []
        waiting.until(lambda: sizes.append(_checked(database)) or len(set(sizes)) > 5, "a commit")
        process.stdin.close()
        assert int(process.stdout.read()) > sizes[-1]
    assert process.returncode == 0
    assert sizes == sorted(sizes)


def _checked(database: Database) -> int:
    tables = database.reader().read()
    nodes = set(tables["Execution"]["id"].to_pylist())
    assert set(tables["Event"]["execution_id"].to_pylist()) == nodes
    assert set(tables["Event"]["artifact_id"].to_pylist()) == set(
        tables["Artifact"]["id"].to_pylist()
    )
    values: dict[int, list[int]] = {}
    for row in tables["ExecutionProperty"].to_pylist():
        values.setdefault(row["execution_id"], []).append(row["int_value"])
    assert set(values) == nodes
    assert all(len(found) == 3 and len(set(found)) == 1 for found in values.values())

    def question(session: Session) -> None:
        events = session.fetch("Event", {})
        rows = session.fetch("ExecutionProperty", {"execution_id": [row[2] for row in events]})
        assert len(rows) == 3 * len(events)

    database.reader().ask(question)
    return len(nodes)


def test_reading_needs_no_more_than_select(store: Database, sqlite: Path):
    user = _new_user(store, tables=[*SCHEMAS, "MLMDEnv"])
    found = store.reader(username=user, password="selector").read()
    assert_same(found, sqlite_stores.reader(sqlite).read())


@pytest.mark.parametrize("hidden", ["ParentContext", "Event", "MLMDEnv", "EventPath"])
def test_a_table_that_may_not_be_read_is_an_error(store: Database, hidden: str):
    user = _new_user(store, tables=[t for t in (*SCHEMAS, "MLMDEnv") if t != hidden])
    with pytest.raises(errors.StorePermissionError, match="SELECT") as caught:
        store.reader(username=user, password="selector").read()
    assert hidden.lower() in str(caught.value).lower()


def _new_user(database: Database, tables: list[str]) -> str:
    user = f"u_{database.name}"
    if database.is_mysql:
        database.run(f"CREATE USER {user} IDENTIFIED BY 'selector'")
    else:
        database.run(f"CREATE ROLE {user} LOGIN PASSWORD 'selector'")
    database.run(*(f"GRANT SELECT ON {table} TO {user}" for table in tables))
    return user


def test_a_lost_table_is_a_finding(store: Database):
    store.run("DROP TABLE EventPath")
    found = Snapshot.of(store.reader().read())
    assert found["EventPath"].num_rows == 0
    assert ("missing_table", "table/EventPath") in {(f.code, f.subject) for f in found.findings}


def test_nothing_is_changed(store: Database):
    before = _contents(store)
    store.reader().read()
    store.reader().ask(lambda session: session.fetch("Artifact", {}))
    assert _contents(store) == before


def _contents(database: Database) -> object:
    where = f"table_schema = '{database.name}'" if database.is_mysql else "table_schema = 'public'"
    tables = sorted(database.run(f"SELECT table_name FROM information_schema.tables WHERE {where}"))  # noqa: S608
    return [(name, sorted(map(repr, database.run(f"SELECT * FROM {name}")))) for (name,) in tables]  # noqa: S608


def failing(made: Database, **fields: Any) -> errors.StoreError:
    """Return the error of a read, having checked that no password is in it."""
    store = made.store(**fields)
    found: errors.StoreError | None = None
    try:
        made.reader(**fields).read()
    except errors.StoreError as error:
        found = error
    assert found is not None
    assert store.location() in str(found)
    assert found.__context__ is None
    assert found.__cause__ is None
    assert store.password is not None
    assert secrets_in(found, store.password.get_secret_value()) == []
    return found


def test_a_wrong_password_is_an_error(store: Database):
    error = failing(store, password="wrong-s3cret")
    assert isinstance(error, errors.AuthenticationError)
    assert "'mlmd'" in str(error)


def test_an_unknown_user_is_an_error(store: Database):
    assert isinstance(failing(store, username="nobody"), errors.AuthenticationError)


def test_no_password_is_an_error(store: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MLMD_LINEAGE_PASSWORD", raising=False)
    with pytest.raises(errors.AuthenticationError, match="set MLMD_LINEAGE_PASSWORD"):
        store.reader(password=None).read()


def test_a_missing_database_is_an_error(store: Database):
    assert isinstance(failing(store, database="no_such_db"), errors.StoreNotFoundError)


def test_a_database_that_is_closed_to_the_user_is_an_error(store: Database):
    user = _new_user(store, tables=[])
    if not store.is_mysql:
        store.run(f"REVOKE CONNECT ON DATABASE {store.name} FROM PUBLIC")
    error = failing(store, username=user, password="selector")
    assert isinstance(error, errors.StorePermissionError)


def test_a_port_where_nobody_listens_is_an_error(store: Database):
    with socket.socket() as taken:  # so that nobody else begins to listen there
        taken.bind(("127.0.0.1", 0))
        error = failing(store, port=taken.getsockname()[1])
    assert isinstance(error, errors.UnreachableError)
    assert "refused" in str(error)


def test_a_host_that_does_not_exist_is_an_error(store: Database):
    error = failing(store, host="no-such-host.invalid")
    assert isinstance(error, errors.UnreachableError)


def test_a_server_that_says_nothing_is_an_error(store: Database):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        error = failing(store, port=listener.getsockname()[1], connect_timeout=1)
    assert isinstance(error, errors.UnreachableError)
    assert "within 1 seconds" in str(error)


def test_a_server_of_another_kind_is_an_error(store: Database):
    with _answering(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n") as port:
        error = failing(store, port=port, connect_timeout=5)
    assert isinstance(error, errors.UnreachableError)
    assert "port" in str(error)


@contextlib.contextmanager
def _answering(answer: bytes) -> Iterator[int]:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def answer_all() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(answer)

        threading.Thread(target=answer_all, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def test_a_database_without_mlmd_is_an_error(database: Database):
    assert isinstance(failing(database), errors.NotAMetadataStoreError)
    database.run("CREATE TABLE other (a INT)")
    error = failing(database)
    assert isinstance(error, errors.NotAMetadataStoreError)
    assert "other" in str(error)


def test_a_newer_schema_is_an_error(store: Database):
    store.run("UPDATE MLMDEnv SET schema_version = 11")
    error = failing(store)
    assert isinstance(error, errors.UnsupportedSchemaError)
    assert "11" in str(error)


def test_a_connection_killed_once_is_tried_again(store: Database):
    kills = iter([True, False])

    def question(session: Session) -> int:
        if next(kills):
            store.end_connections()
        return len(session.fetch("Artifact", {}))

    assert store.reader().ask(question) == 3


def test_a_connection_killed_each_time_is_an_error(store: Database):
    def question(session: Session) -> int:
        store.end_connections()
        return len(session.fetch("Artifact", {}))

    with pytest.raises(errors.ReadError, match="lost") as caught:
        store.reader().ask(question)
    assert type(caught.value) is errors.ReadError
    assert secrets_in(caught.value, store.server.password) == []


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_no_connection_is_left_open(store: Database, failure: type[BaseException]):
    user = _new_user(store, tables=[*SCHEMAS, "MLMDEnv"])
    reader = store.reader(username=user, password="selector")

    def question(session: Session) -> None:
        session.fetch("Artifact", {})
        assert store.connections(user) == 1
        raise failure

    with pytest.raises(failure):
        reader.ask(question)
    reader.read()
    gc.collect()
    waiting.until(lambda: store.connections(user) == 0, "the end of all connections")


def test_an_interrupt_ends_a_read(store: Database):
    sleep = "SELECT SLEEP({})" if store.is_mysql else "SELECT pg_sleep({})::text"
    statement = sleep.format(waiting.LONG)

    def question(session: Any) -> list[Any]:
        timer.start()
        return list(session._execute(statement, ()))

    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    with waiting.ends_early(), pytest.raises(KeyboardInterrupt):
        store.reader().ask(question)


def test_a_locked_table_is_an_error_and_no_hang(store: Database, monkeypatch: pytest.MonkeyPatch):
    from mlmd_lineage.readers.mysql import reader as mysql_reader
    from mlmd_lineage.readers.postgresql import reader as postgresql_reader

    for module in (mysql_reader, postgresql_reader):
        quick = tuple(s.replace("= 30", "= 1").replace("'30s'", "'1s'") for s in module._BEGIN)
        monkeypatch.setattr(module, "_BEGIN", quick)
    connection = store.server.connect(store.server, store.name)
    with contextlib.closing(connection), contextlib.closing(connection.cursor()) as cursor:
        if store.is_mysql:
            cursor.execute("LOCK TABLES Artifact WRITE")
        else:
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE Artifact IN ACCESS EXCLUSIVE MODE")
        error = failing(store)
        if not store.is_mysql:
            cursor.execute("ROLLBACK")
    assert isinstance(error, errors.LockedStoreError)


def test_passwords_show_nowhere(store: Database, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    reader = store.reader()
    found = reader.read()
    described = [repr(store.store()), str(store.store()), found.source, repr(vars(reader))]
    assert all(store.server.password not in text for text in [*described, caplog.text])
