"""Puts that have to end: nothing is written, whatever they waited for."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
from typing import TYPE_CHECKING

import pytest
from test_sqlite_writer import counts, holding, one_step

import mlmd_lineage as ml
from mlmd_lineage.deadline import Deadline

if TYPE_CHECKING:
    from pathlib import Path

TOO_LATE = pytest.raises(ml.errors.DeadlineExceededError, match=r"seconds .* Nothing was written")
SHORT = 0.2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "metadata.db"
    ml.connect(found, create=True)
    return found


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "in another process"])
def test_a_locked_file(path: Path, *, elsewhere: bool):
    with contextlib.ExitStack() as stack:
        if elsewhere:
            stack.enter_context(path.open("rb"))  # as another copy of SQLite would
        writer = stack.enter_context(ml.connect(path).writer())
        writer.put(one_step("a"))
        with holding(path, "DELETE FROM EventPath", 30) as process:
            with Deadline(SHORT), TOO_LATE:
                writer.put(one_step("b"))
            process.kill()
        writer.put(one_step("c"))
    assert counts(path)[0] == 2


def test_a_statement_of_sqlite(path: Path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        # It runs for as long as it is let.
        connection.execute(
            "CREATE TRIGGER slow AFTER INSERT ON Event BEGIN SELECT COUNT(*) FROM (WITH RECURSIVE "
            "n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n); END"
        )
    with ml.connect(path).writer() as writer:
        with Deadline(SHORT), TOO_LATE:
            writer.put(one_step("a"))
        assert counts(path)[0] == 0
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TRIGGER slow")
        writer.put(one_step("a"))


def test_one_that_is_cancelled(path: Path):
    cancelled = Deadline()
    cancelled.cancel()
    with ml.connect(path).writer() as writer:
        with cancelled, pytest.raises(ml.errors.CancelledError, match="Nothing was written"):
            writer.put(one_step("a"))
        writer.put(one_step("b"))
    assert counts(path)[0] == 1


def test_a_service_that_never_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with ml.connect(f"grpc://127.0.0.1:{port}").writer() as writer:
            request = ml.message("PutTypesRequest")(artifact_types=[{"name": "Model"}])
            with Deadline(SHORT), pytest.raises(ml.errors.StoreError):
                writer.put(request)
