"""Deadlines: questions that end when their time is over, or when another thread ends them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import sqlite_stores as stores
import waiting
from server_stores import Database

from mlmd_lineage import deadline, errors
from mlmd_lineage.deadline import Deadline
from mlmd_lineage.readers.grpc.reader import KubeflowReader
from mlmd_lineage.readers.sqlite.subprocess_reader import SubprocessReader
from mlmd_lineage.stores import KubeflowMetadataStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import servers

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT SUM(i) FROM n"

LONG_JOIN = (
    "SELECT COUNT(*) FROM information_schema.COLLATIONS a, information_schema.COLLATIONS b, "
    "information_schema.COLLATIONS c, information_schema.COLLATIONS d WHERE a.ID + b.ID > c.ID"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return stores.new_store(tmp_path / "m.db")


def ends(question: Callable[[], object], *, seconds: float = 0.3) -> None:
    """Check that a question ends by its deadline, and when it is cancelled."""
    with (
        waiting.ends_early(),
        Deadline(seconds),
        pytest.raises(errors.DeadlineExceededError, match=f"{seconds:g} sec"),
    ):
        question()
    with waiting.ends_early(), Deadline() as limit:
        timer = threading.Timer(seconds, limit.cancel)
        timer.start()
        with pytest.raises(errors.CancelledError, match="cancelled"):
            question()
    timer.join()
    assert deadline.current() is None


def test_the_earlier_of_two_counts():
    with Deadline(1000), Deadline(0.01), Deadline(500) as inner:
        assert inner.remaining is not None
        assert inner.remaining < 1
        time.sleep(0.02)
        with pytest.raises(errors.DeadlineExceededError):
            deadline.check()
    deadline.check()
    assert deadline.remaining() is None


def test_cancelling_the_outer_one_cancels_the_inner():
    with Deadline() as outer, Deadline():
        deadline.check()
        outer.cancel()
        with pytest.raises(errors.CancelledError):
            deadline.check()


def test_it_is_for_one_thread():
    seen = []
    with Deadline(10):
        thread = threading.Thread(target=lambda: seen.append(deadline.current()))
        thread.start()
        thread.join()
    assert seen == [None]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_seconds_are_a_positive_number(seconds: float):
    with pytest.raises(errors.ConfigurationError, match="positive number"):
        Deadline(seconds)


def test_a_statement_of_sqlite(path: Path):
    reader = stores.reader(path)
    ends(lambda: reader.ask(lambda session: session.select(ENDLESS, ())))
    assert reader.ask(lambda session: session.select("SELECT 1", ())) == [(1,)]


@pytest.mark.slow
def test_a_statement_in_another_process(path: Path):
    reader: Any = SubprocessReader(path, 5)
    ends(lambda: reader.ask(lambda session: session.select(ENDLESS, ())), seconds=1.5)
    assert reader.ask(lambda session: session.select("SELECT 1", ())) == [(1,)]


def test_whole_tables_of_sqlite(path: Path):
    with Deadline() as limit:
        limit.cancel()
        with pytest.raises(errors.CancelledError):
            stores.reader(path).read()


def test_waiting_for_a_lock(path: Path):
    statements = ("BEGIN EXCLUSIVE", "UPDATE Artifact SET uri = 'x'")
    with stores.held(path, *statements):
        ends(lambda: stores.reader(path, busy_timeout=waiting.LONG).read())


@pytest.mark.parametrize("keep", [False, True])
def test_a_statement_of_mysql(mariadb_server: servers.Server, keep: bool):  # noqa: FBT001 - a parameter
    database = Database(mariadb_server, mariadb_server.new_database()).create()
    reader = database.reader()
    if keep:
        reader.keep_connections()
    ends(lambda: reader.ask(lambda session: session.select(f"SELECT SLEEP({waiting.LONG})", ())))
    ends(lambda: reader.ask(lambda session: session.select(LONG_JOIN, ())))
    assert reader.ask(lambda session: session.select("SELECT 1", ())) == [(1,)]


@pytest.mark.parametrize("keep", [False, True])
def test_a_statement_of_postgresql(postgresql_server: servers.Server, keep: bool):  # noqa: FBT001 - a parameter
    database = Database(postgresql_server, postgresql_server.new_database()).create()
    reader = database.reader()
    if keep:
        reader.keep_connections()
    ends(
        lambda: reader.ask(
            lambda session: session.select(f"SELECT pg_sleep({waiting.LONG})::text", ())
        )
    )
    assert reader.ask(lambda session: session.select("SELECT 1", ())) == [(1,)]


def test_calls_of_a_service():
    """A service that never answers: only its socket listens."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        store = KubeflowMetadataStore(host="127.0.0.1", port=listener.getsockname()[1])
        reader = KubeflowReader(store)
        ends(lambda: reader.ask(lambda session: session.fetch("Type", {})))
        ends(reader.read)
