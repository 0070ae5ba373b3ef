"""Snapshots and questions while others write: each shows a state that really was."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import sqlite_stores as stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlmd_lineage.snapshot.reader import Session

# Each transaction adds an execution with what it reads and writes, and counts one up in a property
# of every execution. One in four is rolled back, and one in eight is too large for the cache.
WRITER = """
import contextlib, sqlite3, sys, threading
path, how = sys.argv[1:]
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()

def connected():
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
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
SNAPSHOTS = 60
QUESTIONS = 120


class Writer(NamedTuple):
    """A process that writes until it is told to stop."""

    process: subprocess.Popen[str]

    def stop(self) -> int:
        """Stop it, and return how many transactions it committed."""
        said, errors = self.process.communicate(timeout=60)
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
    reader = stores.reader(path, busy_timeout=30)
    with writing(WRITER, path, how) as writer:
        seen = [consistent(stores.snapshot(path)) for _ in range(SNAPSHOTS)]
        seen += [reader.ask(answer) for _ in range(QUESTIONS)]
        written = writer.stop()
    assert seen == sorted(seen)
    assert seen[0] < seen[-1] <= written, "the writer must have made progress meanwhile"
    assert consistent(stores.snapshot(path)) == written
    with stores.connected(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert [file.name for file in tmp_path.iterdir()] == ["m.db"]
