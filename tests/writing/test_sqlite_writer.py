"""Writing SQLite files: whole or not at all, beside readers, other writers and dead ones."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import re
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import waiting

import mlmd_lineage as ml
from mlmd_lineage.readers.sqlite import locks
from mlmd_lineage.writing.sql import sqlite_session
from mlmd_lineage.writing.sql.sqlite_connection import SQLiteWriteConnection

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
PROCESSES, PUTS = 4, 4


@pytest.fixture
def store(tmp_path: Path) -> ml.Store:
    return ml.connect(patient(tmp_path / "metadata.db"), create=True)


def patient(path: Path) -> ml.SQLiteMetadataStore:
    """Return a file's store that waits for locks for as long as a busy machine takes."""
    return ml.SQLiteMetadataStore(uri=str(path), busy_timeout=waiting.LONG)


def one_step(name: str) -> Any:
    """Return a batch with an execution that makes an artifact."""
    batch = ml.message("PutBatchRequest")(
        artifact_types=[{"name": "Model", "properties": {"epochs": 1}}],
        execution_types=[{"name": "Train"}],
        context_types=[{"name": "Run"}],
        artifacts=[{"type": "Model", "name": name, "uri": f"/models/{name}"}],
        executions=[{"type": "Train", "name": name, "last_known_state": 3}],
        contexts=[{"type": "Run", "name": "run"}],
        event_edges=[{"artifact_index": 0, "execution_index": 0, "event": {"type": 4}}],
        memberships=[
            {"context_index": 0, "artifact_index": 0},
            {"context_index": 0, "execution_index": 0},
        ],
        options={"reuse_contexts": True},
    )
    batch.artifacts[0].properties["epochs"].int_value = 3
    return batch


def put_steps(path: str, process: int) -> None:
    with ml.connect(patient(Path(path))).writer() as writer:
        for number in range(PUTS):
            writer.put(one_step(f"{process}.{number}"))


def counts(path: Path) -> list[int]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [
            connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]  # noqa: S608 - names
            for table in ("Artifact", "Execution", "Event", "Context", "Type", "Association")
        ]


def test_a_batch_is_read_as_it_was_put(store: ml.Store):
    with store.writer() as writer:
        answer = writer.put(one_step("a"))
    assert (answer.artifact_ids, answer.execution_ids) == ([1], [1])
    frame = store.frames.artifacts(properties=True)
    assert frame["uri"].tolist() == ["/models/a"]
    assert frame["properties.epochs"].tolist() == [3]
    assert store.upstream("artifact/1").nodes["type"].tolist() == ["Model", "Train"]


def test_a_refused_put_leaves_nothing(store: ml.Store, tmp_path: Path):
    before = (tmp_path / "metadata.db").read_bytes()
    batch = one_step("a")
    batch.event_edges[0].event.type = 0
    with store.writer() as writer, pytest.raises(ml.errors.PutRefusedError, match="no type"):
        writer.put(batch)
    assert (tmp_path / "metadata.db").read_bytes() == before


@pytest.mark.parametrize("text", ["mlmd-struct::x", "__MLMD_NULL__"])
def test_texts_that_mlmd_takes_for_something_else_are_refused(store: ml.Store, text: str):
    batch = one_step("a")
    batch.artifacts[0].custom_properties["note"].string_value = text
    with store.writer() as writer, pytest.raises(ml.errors.PutRefusedError, match="'note'"):
        writer.put(batch)


def test_nan_is_refused_and_infinity_is_kept(store: ml.Store):
    batch = one_step("a")
    batch.artifacts[0].custom_properties["loss"].double_value = math.nan
    with store.writer() as writer:
        with pytest.raises(ml.errors.PutRefusedError, match="NaN"):
            writer.put(batch)
        batch.artifacts[0].custom_properties["loss"].double_value = -math.inf
        writer.put(batch)
    frame = store.frames.artifacts(properties=True)
    assert frame["custom_properties.loss"].tolist() == [-math.inf]


def test_a_message_that_is_no_request_is_refused(store: ml.Store):
    with (
        store.writer() as writer,
        pytest.raises(ml.errors.ConfigurationError, match="Artifact"),
    ):
        writer.put(ml.message("Artifact")())


def test_creating_leaves_what_is_there(store: ml.Store, tmp_path: Path):
    path = tmp_path / "metadata.db"
    with store.writer() as writer:
        writer.put(one_step("a"))
    before = path.read_bytes()
    ml.connect(path, create=True)
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_left_alone(tmp_path: Path):
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE shop (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(ml.errors.NotAMetadataStoreError, match="shop"):
        ml.connect(path, create=True)
    with ml.connect(path).writer() as writer, pytest.raises(ml.errors.NotAMetadataStoreError):
        writer.put(one_step("a"))
    assert path.read_bytes() == before


def test_a_missing_file_is_not_made(tmp_path: Path):
    writer = ml.connect(tmp_path / "metadata.db").writer()
    with pytest.raises(ml.errors.StoreNotFoundError):
        writer.put(one_step("a"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("version", [4, 9, 11])
def test_other_schemas_are_refused_and_never_migrated(
    store: ml.Store, tmp_path: Path, version: int
):
    path = tmp_path / "metadata.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE MLMDEnv SET schema_version = ?", (version,))
        connection.commit()
    before = path.read_bytes()
    what = "newer mlmd-lineage" if version > 10 else "migrate"
    with store.writer() as writer, pytest.raises(ml.errors.UnsupportedSchemaError, match=what):
        writer.put(one_step("a"))
    with pytest.raises(ml.errors.UnsupportedSchemaError, match=str(version)):
        ml.connect(path, create=True)
    assert path.read_bytes() == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_may_not_be_written_is_named(store: ml.Store, tmp_path: Path):
    (tmp_path / "metadata.db").chmod(0o444)
    with store.writer() as writer, pytest.raises(ml.errors.StorePermissionError, match="written"):
        writer.put(one_step("a"))


def holding(path: Path, statement: str, seconds: float) -> subprocess.Popen[str]:
    """Start a process that holds a lock for a while; return once it does."""
    code = (
        "import sqlite3, sys, time\n"
        f"c = sqlite3.connect({str(path)!r}, isolation_level=None)\n"
        f"c.execute('BEGIN'); c.execute({statement!r})\n"
        f"print('held', flush=True); time.sleep({seconds}); c.execute('COMMIT')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("statement", ["SELECT * FROM Type", "DELETE FROM EventPath"])
def test_a_busy_file_is_waited_for(store: ml.Store, tmp_path: Path, statement: str):
    with holding(tmp_path / "metadata.db", statement, 0.5) as process, store.writer() as writer:
        writer.put(one_step("a"))
        process.wait()
    assert counts(tmp_path / "metadata.db")[0] == 1


@pytest.mark.parametrize("statement", ["SELECT * FROM Type", "DELETE FROM EventPath"])
def test_a_busy_file_is_waited_for_no_longer_than_was_said(tmp_path: Path, statement: str):
    path = tmp_path / "metadata.db"
    store = ml.connect(ml.SQLiteMetadataStore(uri=str(path), busy_timeout=0.2), create=True)
    with holding(path, statement, waiting.LONG) as process, store.writer() as writer:
        with waiting.ends_early(), pytest.raises(ml.errors.LockedStoreError):
            writer.put(one_step("a"))
        process.kill()
    assert counts(path)[0] == 0


def test_few_parameters_of_an_insert_have_numbers():
    """Python looks for each number when it binds a value, so that many cost their square."""
    rows = sqlite_session._inserting("INSERT", "t", ("a", "b"), ("c",), 100)
    assert {*re.findall(r"\?\d+", rows)} == {"?1", "?2"}
    kinds = (("int_value", False), ("string_value", True), ("int_value", True))
    shape = sqlite_session._inserting_shape("t", "a", kinds, 2)
    assert shape.partition("VALUES ")[2] == (
        "(?4, ?1, 0, ?, NULL), (?4, ?2, 1, NULL, ?), (?4, ?3, 1, ?, NULL), "
        "(?8, ?1, 0, ?, NULL), (?8, ?2, 1, NULL, ?), (?8, ?3, 1, ?, NULL)"
    )
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (a, name, is_custom_property, int_value, string_value)")
        connection.execute(shape, ["i", "s", "j", 7, 1, "x", 2, 8, 3, "y", 4])
        assert connection.execute("SELECT * FROM t").fetchall() == [
            (7, "i", 0, 1, None),
            (7, "s", 1, None, "x"),
            (7, "j", 1, 2, None),
            (8, "i", 0, 3, None),
            (8, "s", 1, None, "y"),
            (8, "j", 1, 4, None),
        ]


@pytest.mark.parametrize("released", [True, False])
def test_the_node_that_is_there_is_named_beside_another_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, released: bool
):
    """Between the refused transaction and the look at what is there, another writer begins."""
    path = tmp_path / "metadata.db"
    ml.connect(path, create=True)
    batch = one_step("a")
    batch.options.reuse_contexts = False
    writer = SQLiteWriteConnection(path)
    writer.put(waiting.LONG, batch)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    refused = writer._put

    def put(busy_timeout: float, request: Any) -> Any:
        try:
            return refused(busy_timeout, request)
        finally:
            other.execute("BEGIN EXCLUSIVE")
            if released:
                threading.Timer(0.05, other.execute, ["ROLLBACK"]).start()

    monkeypatch.setattr(writer, "_put", put)
    with (
        contextlib.closing(other),
        contextlib.closing(writer),
        pytest.raises(ml.errors.AlreadyExistsError) as caught,
    ):
        writer.put(waiting.LONG if released else 0.05, batch)
    assert ("is there already: id 1." in str(caught.value)) is released
    assert counts(path)[0] == 1


@pytest.mark.slow
def test_a_writer_killed_at_any_statement_leaves_all_or_nothing(tmp_path: Path):
    path = tmp_path / "metadata.db"
    done = subprocess.run(
        [sys.executable, str(HERE / "killed_writes.py"), str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) > 20
    assert {tuple(line) for line in lines[:-1]} == {("ok", "0", "0")}
    assert lines[-1] == ["ok", "2", "3"]


def run_processes(target: Callable[..., None], path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=target, args=(str(path), number)) for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * PROCESSES


@pytest.mark.usefixtures("store")
@pytest.mark.slow
def test_four_processes_lose_nothing_and_write_nothing_twice(tmp_path: Path):
    path, seen = tmp_path / "metadata.db", []
    done = threading.Event()

    def read() -> None:
        while True:
            tables = ml.connect(patient(path)).snapshot()
            seen.append((len(tables.artifacts), len(tables.executions), len(tables.events)))
            if done.wait(0.05):
                break

    reader = threading.Thread(target=read)
    reader.start()
    try:
        run_processes(put_steps, path)
    finally:
        done.set()
        reader.join()
    total = PROCESSES * PUTS
    assert counts(path) == [total, total, total, 1, 12, total]
    assert all(len(set(found)) == 1 for found in seen), "a reader saw half a put"
    names = ml.connect(path).frames.artifacts()["name"]
    assert sorted(names) == sorted(f"{p}.{n}" for p in range(PROCESSES) for n in range(PUTS))


def test_threads_share_a_writer(store: ml.Store, tmp_path: Path):
    with store.writer() as writer:
        threads = [
            threading.Thread(
                target=lambda number=number: [
                    writer.put(one_step(f"{number}.{place}")) for place in range(5)
                ]
            )
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert counts(tmp_path / "metadata.db")[:3] == [20, 20, 20]


def test_a_connection_that_is_kept_lets_readers_read_in_this_process(
    store: ml.Store, tmp_path: Path
):
    path = tmp_path / "metadata.db"
    with store.writer() as writer:
        writer.put(one_step("a"))
        assert locks.descriptors_of(path.stat()) <= locks.idle_descriptors
        with locks.taken(path, 1) as here:
            assert here
        assert len(store.snapshot().artifacts) == 1
        writer.put(one_step("b"))
    assert not locks.descriptors_of(path.stat())
    assert not locks.idle_descriptors
    assert len(store.snapshot().artifacts) == 2


def test_a_file_in_another_ones_place_is_the_one_that_is_written(store: ml.Store, tmp_path: Path):
    path = tmp_path / "metadata.db"
    with store.writer() as writer:
        writer.put(one_step("a"))
        path.rename(tmp_path / "old.db")
        ml.connect(path, create=True)
        writer.put(one_step("b"))
    assert store.frames.artifacts()["name"].tolist() == ["b"]


def test_the_journal_is_kept_between_puts_and_removed_at_the_end(store: ml.Store, tmp_path: Path):
    journal = tmp_path / "metadata.db-journal"
    with store.writer() as writer:
        writer.put(one_step("a"))
        held = journal.stat()
        assert not any(journal.read_bytes()[:28]), "a journal with a header is one to roll back"
        assert counts(tmp_path / "metadata.db")[0] == 1  # another connection reads beside it
        assert len(ml.connect(tmp_path / "metadata.db").snapshot().artifacts) == 1
        writer.put(one_step("b"))
        assert journal.stat().st_ino == held.st_ino
    assert not journal.exists()


def test_the_journal_of_another_file_in_its_place_is_left(store: ml.Store, tmp_path: Path):
    path = tmp_path / "metadata.db"
    with store.writer() as writer:
        writer.put(one_step("a"))
        path.rename(tmp_path / "old.db")
        path.touch()
        journal = tmp_path / "metadata.db-journal"
        journal.write_bytes(b"of the new file")
    assert journal.read_bytes() == b"of the new file"


def test_what_another_connection_removes_is_not_taken_for_there(store: ml.Store, tmp_path: Path):
    path = tmp_path / "metadata.db"
    with store.writer() as writer:
        writer.put(one_step("a"))
        edge = ml.message("PutEventsRequest")(
            events=[{"artifact_id": 1, "execution_id": 1, "type": 3}]
        )
        writer.put(edge)
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM Artifact")
        edge.events[0].type = 1
        with pytest.raises(ml.errors.PutRefusedError, match="artifact with id 1"):
            writer.put(edge)


def test_what_a_refused_put_made_is_not_taken_for_there(store: ml.Store):
    with store.writer() as writer:
        batch = one_step("a")
        batch.memberships.add(context_id=99, artifact_index=0)
        with pytest.raises(ml.errors.PutRefusedError, match="context with id 99"):
            writer.put(batch)
        edge = ml.message("PutEventsRequest")(
            events=[{"artifact_id": 1, "execution_id": 1, "type": 3}]
        )
        with pytest.raises(ml.errors.PutRefusedError, match="artifact with id 1"):
            writer.put(edge)


def test_a_write_ahead_log_is_written_too(store: ml.Store, tmp_path: Path):
    path = tmp_path / "metadata.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    with store.writer() as writer:
        writer.put(one_step("a"))
        # Between two puts it would hold a lock, which another copy of SQLite could take away.
        assert not locks.descriptors_of(path.stat())
        writer.put(one_step("b"))
    assert sorted(store.frames.artifacts()["name"]) == ["a", "b"]


def test_another_process_writes_where_this_one_has_the_file_open(store: ml.Store, tmp_path: Path):
    path = tmp_path / "metadata.db"
    with path.open("rb"), store.writer() as writer:
        assert writer.put(one_step("a")).artifact_ids == [1]
        with pytest.raises(ml.errors.AlreadyExistsError) as refused:
            writer.put(one_step("a"))
        assert refused.value.status == "ALREADY_EXISTS"
        assert not locks.idle_descriptors
    assert counts(path)[0] == 1
