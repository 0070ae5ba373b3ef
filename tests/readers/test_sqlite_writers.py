"""Snapshots and questions while others write: each shows a state that really was."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest
import sqlite_stores as stores
import waiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlmd_lineage.readers.base import Session

pytestmark = pytest.mark.slow

# Each transaction adds an execution with what it reads and writes, and counts one up in a property
# of every execution. One in four is rolled back, and one in eight is too large for the cache.
WRITER = """
import contextlib, sqlite3, sys, threading
path, how = sys.argv[1:]
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()

def connected():
    connection = sqlite3.connect(path, timeout=600, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=20")
    return contextlib.closing(connection)

def write(connection, n):
    run = connection.execute
    run("BEGIN IMMEDIATE")
    rounds = 1 + run("SELECT COUNT(*) FROM Execution").fetchone()[0]
    run("INSERT INTO Artifact (id, type_id, uri) VALUES (?, 1, ?)", (rounds, f"/{rounds}"))
    run("INSERT INTO Execution (id, type_id) VALUES (?, 2)", (rounds,))
    run("INSERT INTO Event (artifact_id, execution_id, type) VALUES (?, ?, 4)", (rounds, rounds))
    if rounds > 1:
        run("INSERT INTO Event (artifact_id, execution_id, type) VALUES (?, ?, 3)",
            (rounds - 1, rounds))
    run("INSERT INTO ExecutionProperty (execution_id, name, is_custom_property, string_value) "
        "VALUES (?, 'ballast', 1, ?)", (rounds, "x" * (50_000 if n % 8 == 0 else 10)))
    run("INSERT INTO ExecutionProperty (execution_id, name, is_custom_property, int_value) "
        "VALUES (?, 'rounds', 1, 0)", (rounds,))
    run("UPDATE ExecutionProperty SET int_value = ? WHERE name = 'rounds'", (rounds,))
    run("ROLLBACK" if n % 4 == 3 else "COMMIT")
    return n % 4 != 3

done = n = 0
with contextlib.ExitStack() as stack:
    kept = stack.enter_context(connected()) if how == "connected" else None
    while not stop.is_set():
        if kept:
            done += write(kept, n)
        else:
            with connected() as connection:
                done += write(connection, n)
        n += 1
        if n == 5:
            print("writing", flush=True)
print(done)
"""
SNAPSHOTS = 15
QUESTIONS = 30


class Writer(NamedTuple):
    """A process that writes until it is told to stop."""

    process: subprocess.Popen[str]

    def stop(self) -> int:
        """Stop it, and return how many transactions it committed."""
        said, errors = self.process.communicate(timeout=600)
        assert self.process.returncode == 0, errors
        assert not errors
        return int(said)


@contextlib.contextmanager
def writing(code: str, *arguments: object) -> Iterator[Writer]:
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writing\n", process.communicate()[1]
            yield Writer(process)
        finally:
            process.kill()


def consistent(snapshot: stores.Snapshot) -> int:
    """Check what every transaction of the writer keeps, and return how many there were."""
    executions = snapshot.executions["id"].to_pylist()
    rounds = len(executions)
    assert executions == list(range(1, rounds + 1))
    assert snapshot.artifacts["id"].to_pylist() == executions
    assert snapshot.events.num_rows == 2 * rounds - 1
    assert snapshot.findings == ()
    values = snapshot.execution_properties
    assert values.num_rows == 2 * rounds
    assert set(values["int_value"].drop_null().to_pylist()) == {rounds}
    return rounds


def answer(session: Session) -> int:
    """Ask for the same in several statements."""
    executions = [row[0] for row in session.fetch("Execution", {})]
    rounds = len(executions)
    values = session.fetch("ExecutionProperty", {"execution_id": executions, "name": ["rounds"]})
    assert {row[3] for row in values} == {rounds}
    assert len(session.fetch("Artifact", {})) == rounds
    assert len(session.fetch("Event", {"execution_id": executions})) == 2 * rounds - 1
    return rounds


@pytest.mark.parametrize("how", ["connected", "reconnecting"])
@pytest.mark.parametrize("wal", [False, True], ids=["rollback", "wal"])
def test_another_process_writes(tmp_path: Path, how: str, *, wal: bool):
    path = stores.new_store(tmp_path / "m.db", wal=wal, rows=False)
    stores.change(
        path,
        "INSERT INTO Type (id, name, type_kind) VALUES (1, 'Data', 1)",
        "INSERT INTO Type (id, name, type_kind) VALUES (2, 'Train', 0)",
    )
    reader = stores.reader(path, busy_timeout=300)
    with writing(WRITER, path, how) as writer:
        seen = [consistent(stores.snapshot(path)) for _ in range(SNAPSHOTS)]
        seen += [reader.ask(answer) for _ in range(QUESTIONS)]
        waiting.until(lambda: seen.append(reader.ask(answer)) or seen[-1] > seen[0], "a put")
        written = writer.stop()
    assert seen == sorted(seen)
    assert seen[0] < seen[-1] <= written, "the writer must have made progress meanwhile"
    assert consistent(stores.snapshot(path)) == written
    with stores.connected(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert [file.name for file in tmp_path.iterdir()] == ["m.db"]


# Each call is one transaction: an execution with what it reads, what it writes and its context.
NATIVE = """
import sys, threading
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

def opened(path):
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = path
    config.sqlite.connection_mode = 3
    store = MetadataStore(config)
    data = store.put_artifact_type(pb.ArtifactType(name="Data"))
    run = pb.ContextType(name="Run")
    train = pb.ExecutionType(name="Train")
    train.properties["round"] = pb.INT
    return store, data, store.put_execution_type(train), store.put_context_type(run)

def write(store, data, train, run, n):
    execution = pb.Execution(type_id=train, name=f"run-{n}")
    execution.properties["round"].int_value = n
    pairs = []
    if n > 1:
        (before,) = store.get_artifacts_by_id([n - 1])
        pairs.append((before, pb.Event(type=pb.Event.INPUT)))
    made = pb.Artifact(type_id=data, uri=f"/{n}", name=f"data-{n}")
    made.custom_properties["round"].int_value = n
    pairs.append((made, pb.Event(type=pb.Event.OUTPUT)))
    store.put_execution(execution, pairs, [pb.Context(type_id=run, name=f"run-{n}")])
"""
NATIVE_WRITER = """
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
store, *types = opened(sys.argv[1])
n = 0
while not stop.is_set():
    n += 1
    write(store, *types, n)
    if n == 2:
        print("writing", flush=True)
print(n)
"""
NATIVE_BESIDE_READERS = """
import json
from pathlib import Path
import test_sqlite_writers as tests

path = sys.argv[1]
store, *types = opened(path)
write(store, *types, 1)
stop = threading.Event()
written = [1]
failures = []
seen = []

def noting(action):
    def run():
        try:
            while not stop.is_set():
                seen.append(action())
        except BaseException as error:
            failures.append(repr(error))
    return threading.Thread(target=run)

def put():
    write(store, *types, written[0] + 1)
    written[0] += 1

readers = [
    noting(lambda: tests.consistent_native(tests.stores.snapshot(Path(path)))),
    noting(lambda: tests.stores.reader(Path(path)).ask(tests.answer_native)),
]
writers = [noting(put)]
for thread in readers + writers:
    thread.start()
try:  # until the readers have seen some of what was written meanwhile, or one has failed
    tests.waiting.until(lambda: failures or len([n for n in list(seen) if n and n > 1]) > 2)
finally:
    stop.set()
for thread in readers + writers:
    thread.join()
print(json.dumps({
    "failures": failures,
    "written": written[0],
    "seen": [n for n in seen if n is not None],
    "kept": len(store.get_executions()),
}))
"""


def consistent_native(snapshot: stores.Snapshot) -> int:
    """Check what every call of the native writer keeps, and return how many there were."""
    numbers = snapshot.executions["id"].to_pylist()
    rounds = len(numbers)
    assert numbers == list(range(1, rounds + 1))
    assert snapshot.findings == ()
    for table in ("Artifact", "Context", "Association"):
        assert snapshot[table].num_rows == rounds, table
    for table in ("Event", "Attribution"):  # of what is read and of what is written
        assert snapshot[table].num_rows == 2 * rounds - 1, table
    for kind in ("execution", "artifact"):
        assert snapshot[f"{kind.title()}Property"]["int_value"].to_pylist() == numbers
    return rounds


def answer_native(session: Session) -> int:
    numbers = [row[0] for row in session.fetch("Execution", {})]
    values = session.fetch("ExecutionProperty", {"execution_id": numbers})
    assert [row[3] for row in values] == numbers
    assert len(session.fetch("Event", {"execution_id": numbers})) == 2 * len(numbers) - 1
    return len(numbers)


@pytest.mark.native
@pytest.mark.parametrize("wal", [False, True], ids=["rollback", "wal"])
def test_ml_metadata_writes_in_another_process(tmp_path: Path, *, wal: bool):
    path = tmp_path / "m.db"
    if wal:
        stores.change(path, "PRAGMA journal_mode=WAL")
    with writing(NATIVE + NATIVE_WRITER, path) as writer:
        seen = [consistent_native(stores.snapshot(path)) for _ in range(6)]
        seen += [stores.reader(path).ask(answer_native) for _ in range(10)]
        again = stores.reader(path)
        waiting.until(lambda: seen.append(again.ask(answer_native)) or seen[-1] > seen[0], "a put")
        written = writer.stop()
    assert seen == sorted(seen)
    assert seen[0] < seen[-1] <= written
    assert consistent_native(stores.snapshot(path)) == written


@pytest.mark.native
@pytest.mark.parametrize("wal", [False, True], ids=["rollback", "wal"])
def test_ml_metadata_writes_in_another_thread(tmp_path: Path, *, wal: bool):
    path = tmp_path / "m.db"
    if wal:
        stores.change(path, "PRAGMA journal_mode=WAL")
    done = subprocess.run(
        [sys.executable, "-c", NATIVE + NATIVE_BESIDE_READERS, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["failures"] == []
    assert told["kept"] == told["written"]
    assert consistent_native(stores.snapshot(path)) == told["written"]
    with stores.connected(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
