"""Writing to MariaDB and PostgreSQL: beside other writers, through faults, and what fits in."""

from __future__ import annotations

import contextlib
import math
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import waiting
from cutting_proxy import cutting_proxy
from test_sqlite_writer import PROCESSES, PUTS, one_step, run_processes

import mlmd_lineage as ml
from mlmd_lineage.deadline import Deadline
from mlmd_lineage.stores import metadata_store_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server


@pytest.fixture(params=["mariadb_server", "postgresql_server"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def database(server: Server) -> str:
    return server.new_database()


@pytest.fixture
def store(server: Server, database: str) -> ml.Store:
    return ml.connect(server.url(database), create=True)


def through(server: Server, database: str, port: int) -> ml.Store:
    """Return the store as it is reached over a proxy's port."""
    return ml.connect(metadata_store_from(server.url(database)).model_copy(update={"port": port}))


def names(store: ml.Store) -> list[str]:
    found: list[str] = sorted(store.frames.artifacts()["name"])
    return found


def put_steps(url: str, process: int) -> None:
    with ml.connect(url).writer() as writer:
        for number in range(PUTS):
            writer.put(one_step(f"{process}.{number}"))


def test_a_batch_is_read_as_it_was_put(store: ml.Store):
    with store.writer() as writer:
        answer = writer.put(one_step("a"))
    assert (answer.artifact_ids, answer.execution_ids) == ([1], [1])
    frame = store.frames.artifacts(properties=True)
    assert frame["properties.epochs"].tolist() == [3]
    assert store.upstream("artifact/1").nodes["type"].tolist() == ["Model", "Train"]


def test_creating_again_leaves_what_is_there(store: ml.Store, server: Server, database: str):
    with store.writer() as writer:
        writer.put(one_step("a"))
    ml.connect(server.url(database), create=True)
    assert names(store) == ["a"]


def test_what_was_begun_and_not_ended_is_made_whole(mariadb_server: Server):
    database = mariadb_server.new_database()
    ml.connect(mariadb_server.url(database), create=True)
    mariadb_server.execute("DELETE FROM MLMDEnv", database)
    mariadb_server.execute("DELETE FROM Type", database)
    mariadb_server.execute("DROP TABLE Event", database)
    store = ml.connect(mariadb_server.url(database), create=True)
    with store.writer() as writer:
        writer.put(one_step("a"))
    assert names(store) == ["a"]


def test_a_database_of_something_else_is_left_alone(server: Server, database: str):
    server.execute("CREATE TABLE shop (id INTEGER)", database)
    server.execute("INSERT INTO shop VALUES (1)", database)
    writer = ml.connect(server.url(database)).writer()
    with writer, pytest.raises(ml.errors.NotAMetadataStoreError, match="shop"):
        writer.put(one_step("a"))


def test_another_schema_is_refused(store: ml.Store, server: Server, database: str):
    server.execute("UPDATE MLMDEnv SET schema_version = 7", database)
    with store.writer() as writer, pytest.raises(ml.errors.UnsupportedSchemaError, match="migrate"):
        writer.put(one_step("a"))


@pytest.mark.parametrize(
    "text",
    ["", "Zürich", "Ã¼ ist ü", "日本 🎉", 'it\'s \\ "%s" ? $1 {} \n\t\r\x1a', " end ", "\\'"],
)
def test_texts_are_exact(store: ml.Store, text: str):
    batch = one_step("a")
    batch.artifacts[0].uri = text
    batch.artifacts[0].custom_properties[f"k{text[:3]}"].string_value = text
    with store.writer() as writer:
        writer.put(batch)
        # The same once more is no change, however it is spelled in the database.
        frame = store.frames.artifacts(properties=True)
        assert frame["uri"].tolist() == [text]
        assert frame[f"custom_properties.k{text[:3]}"].tolist() == [text]
        artifact = batch.artifacts[0]
        artifact.id = 1
        artifact.ClearField("type")
        artifact.custom_properties[f"k{text[:3]}"].string_value = text + "!"
        writer.put(ml.message("PutArtifactsRequest")(artifacts=[artifact]))
    frame = store.frames.artifacts(properties=True)
    assert frame[f"custom_properties.k{text[:3]}"].tolist() == [text + "!"]


@pytest.mark.parametrize(
    "number", [0.1, 1e-7, math.pi, 5e-324, 1.7976931348623157e308, -1 / 3, 123456789012345680.0]
)
def test_doubles_are_exact(store: ml.Store, number: float):
    batch = one_step("a")
    batch.artifacts[0].custom_properties["x"].double_value = number
    with store.writer() as writer:
        writer.put(batch)
    [found] = store.frames.artifacts(properties=True)["custom_properties.x"]
    assert found.hex() == number.hex()


def test_what_a_server_cannot_hold_is_refused_by_a_sentence(store: ml.Store, server: Server):
    values: list[tuple[str, Any, str]] = [
        ("int_value", 2**31, "beyond 32 bits"),
        ("double_value", math.nan, "nan"),
        ("double_value", math.inf, "inf"),
        ("string_value", "a\0b", "NUL"),
    ]
    held = {"mysql": {"NUL"}, "postgresql": {"nan", "inf"}}[server.scheme]
    with store.writer() as writer:
        for number, (field, value, said) in enumerate(values):
            batch = one_step(str(number))
            setattr(batch.artifacts[0].custom_properties["x"], field, value)
            if said in held:
                writer.put(batch)
                continue
            with pytest.raises(ml.errors.PutRefusedError, match=said) as refused:
                writer.put(batch)
            assert refused.value.status == "INVALID_ARGUMENT"
        with pytest.raises(ml.errors.PutRefusedError, match="256 characters is longer than 255"):
            writer.put(one_step("x" * 256))
        batch = one_step("long")
        # PostgreSQL's indexes take what they can make smaller.
        batch.artifacts[0].uri = Random(1).randbytes(35_000).hex()  # noqa: S311 - no secret
        with pytest.raises(ml.errors.PutRefusedError):
            writer.put(batch)
    assert len(names(store)) == len(held)


def check_steps(store: ml.Store) -> None:
    """Check that every step of ``put_steps`` is there once."""
    expected = sorted(f"{p}.{n}" for p in range(PROCESSES) for n in range(PUTS))
    assert names(store) == expected
    assert len(store.snapshot().events) == len(expected)
    # They all put the same types and the same context first, at the same time.
    assert store.frames.contexts()["name"].tolist() == ["run"]
    types = store.frames.types()["name"]
    assert sorted(types[types.index > 9]) == ["Model", "Run", "Train"]


@pytest.mark.slow
def test_four_processes_lose_nothing_and_write_nothing_twice(mariadb_server: Server):
    url = mariadb_server.url(mariadb_server.new_database())
    store = ml.connect(url, create=True)
    run_processes(put_steps, url)
    check_steps(store)


def test_four_writers_lose_nothing_and_write_nothing_twice(
    store: ml.Store, server: Server, database: str
):
    url = server.url(database)
    with ThreadPoolExecutor(PROCESSES) as pool:
        for done in [pool.submit(put_steps, url, number) for number in range(PROCESSES)]:
            done.result()
    check_steps(store)


def cut_and_put(server: Server, database: str, *, answered: int | None) -> int:
    """Put a batch of which the connection is cut at COMMIT; return how often."""
    with cutting_proxy(server.port) as proxy:
        with through(server, database, proxy.port).writer() as writer:
            writer.put(one_step("before"))
            proxy.cut_at(b"COMMIT", answered=answered)
            answer = writer.put(one_step("a"))
            assert len(answer.artifact_ids) == 1
            assert writer.put(one_step("after")).artifact_ids[0] > answer.artifact_ids[0]
        return proxy.cut


@pytest.mark.parametrize("answered", [None, 1])
def test_a_commit_that_is_not_answered_is_made_once(
    store: ml.Store, server: Server, database: str, answered: int | None
):
    assert cut_and_put(server, database, answered=answered) == 1
    assert names(store) == ["a", "after", "before"]
    assert len(store.snapshot().events) == 3
    ids = store.frames.artifacts().index.tolist()
    # Where it was committed the first time, no id was taken in vain.
    if answered is not None and server.scheme == "mysql":
        assert ids == [1, 2, 3]


def test_a_connection_lost_in_mid_transaction_is_tried_again(
    store: ml.Store, server: Server, database: str
):
    with cutting_proxy(server.port) as proxy:
        with through(server, database, proxy.port).writer() as writer:
            writer.put(one_step("before"))
            for word in (b"INSERT INTO", b"BEGIN" if server.scheme != "mysql" else b"START TRANS"):
                proxy.cut_at(word, answered=None)
                writer.put(one_step(word.decode()))
        assert proxy.cut == 2
    assert len(names(store)) == 3


def test_a_server_that_is_gone_is_an_error(server: Server, database: str):
    with socket.socket() as taken:  # so that nobody else begins to listen there
        taken.bind(("127.0.0.1", 0))
        writer = through(server, database, taken.getsockname()[1]).writer()
        with writer, pytest.raises(ml.errors.UnreachableError):
            writer.put(one_step("a"))


@pytest.fixture
def other(server: Server, database: str, store: ml.Store) -> Iterator[Any]:
    """Return another writer's connection, in a transaction that has much to lose."""
    del store
    with contextlib.closing(server.connect(server, database)) as connection:
        cursor = connection.cursor()
        if server.scheme == "postgresql":  # whoever looks for a deadlock is the one that gives way
            cursor.execute("SET deadlock_timeout = '1h'")
        cursor.execute("BEGIN")
        for number in range(20):
            row = f"({number + 1000}, TRUE, 1, NULL)"
            cursor.execute(f"INSERT INTO EventPath VALUES {row}")  # noqa: S608 - numbers
        yield cursor
        cursor.execute("ROLLBACK")
        cursor.close()


def a_lock_is_waited_for(server: Server) -> bool:
    """Return whether a transaction of a server waits for a lock.

    MariaDB's table of transactions would not do: who looks at it more often than each tenth of a
    second always sees the same.
    https://mariadb.com/kb/en/information-schema-innodb_trx-table/
    """
    waiting_ones = {
        "mysql": "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'",
        "postgresql": "SELECT COUNT(*) FROM pg_locks WHERE NOT granted",
    }
    [found] = server.execute(waiting_ones[server.scheme])
    return int(found[-1]) > 0


def test_a_deadlock_is_tried_again(store: ml.Store, other: Any, server: Server, database: str):
    if server.scheme == "postgresql":  # ours looks once, and only then: the other has to wait too
        server.execute(f"ALTER DATABASE {database} SET deadlock_timeout = '3s'")
    with store.writer() as writer:
        for name in ("a", "b"):
            writer.put(one_step(name))
        other.execute("UPDATE Artifact SET uri = 'other' WHERE id = 2")
        request = ml.message("PutArtifactsRequest")(
            artifacts=[{"id": 1, "uri": "ours"}, {"id": 2, "uri": "ours"}]
        )
        putting = threading.Thread(target=writer.put, args=(request,))
        putting.start()
        # It has locked the first, and waits for the second.
        waiting.until(lambda: a_lock_is_waited_for(server), "the second update")
        other.execute("UPDATE Artifact SET uri = 'other' WHERE id = 1")
        other.execute("COMMIT")
        putting.join()
    assert store.frames.artifacts()["uri"].tolist() == ["ours", "ours"]


def test_a_lock_is_waited_for_until_the_deadline(store: ml.Store, other: Any):
    with store.writer() as writer:
        writer.put(one_step("a"))
        request = ml.message("PutArtifactsRequest")(artifacts=[{"id": 1, "uri": "ours"}])
        other.execute("UPDATE Artifact SET uri = 'other' WHERE id = 1")
        with (
            Deadline(0.2),
            pytest.raises(ml.errors.DeadlineExceededError, match="Nothing was written"),
        ):
            writer.put(request)
        other.execute("COMMIT")
        writer.put(one_step("b"))
    assert store.frames.artifacts()["uri"].tolist() == ["other", "/models/b"]


def test_an_update_waits_for_another_and_sees_it(store: ml.Store, other: Any, server: Server):
    with store.writer() as writer:
        writer.put(one_step("a"))
        updated = int(
            store.frames.artifacts()["last_update_time_since_epoch"].iloc[0].timestamp() * 1000
        )
        request = ml.message("PutArtifactsRequest")(
            artifacts=[{"id": 1, "uri": "ours", "last_update_time_since_epoch": updated}],
            options={"abort_if_latest_updated_time_changed": True},
        )
        other.execute("UPDATE Artifact SET last_update_time_since_epoch = 5 WHERE id = 1")
        found: list[str] = []

        def put() -> None:
            try:
                writer.put(request)
            except ml.errors.PutRefusedError as error:
                found.append(error.status)

        putting = threading.Thread(target=put)
        putting.start()
        waiting.until(lambda: a_lock_is_waited_for(server), "our update")
        other.execute("COMMIT")
        putting.join()
    assert found == ["FAILED_PRECONDITION"]
