"""Records a run again and again, killed at one statement after the other.

Run as a program with the store's URL and by how many statements each kill comes later than the one
before. Prints what the store holds of each run then, as JSON, until one was not killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pymysql

import mlmd_lineage as ml
from mlmd_lineage.recording.liveness import dead_runs
from mlmd_lineage.recording.store_access import StoreAccess

DATA, MODEL = Path("train.csv"), Path("model.pkl")


class Countdown:
    """Kills the process at a statement."""

    def __init__(self, statement: int) -> None:
        self.left = statement

    def __call__(self, *_: object) -> None:
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)


def record_and_die(url: str, name: str, statement: int) -> None:
    count = Countdown(statement)
    connect, command = sqlite3.connect, pymysql.connections.Connection._execute_command

    def traced(path: Any, *rest: Any, **options: Any) -> Any:
        connection = connect(path, *rest, **options)
        if "mode=ro" not in str(path) and "digests.db" not in str(path):
            connection.set_trace_callback(count)
        return connection

    def counted(connection: Any, number: int, statement: Any) -> None:
        # An odd count is before the statement is sent, an even one after it.
        count()
        command(connection, number, statement)
        count()

    sqlite3.connect = traced
    pymysql.connections.Connection._execute_command = counted
    store = ml.connect(url)
    options: Any = {"capture_code": False, "capture_software": False}
    with (
        store.record("p", name, **options) as run,
        run.step("s", parameters={"a": 1, "b": "x"}, inputs={"x": DATA, "y": DATA}) as step,
    ):
        Path(f"{name}.began").touch()
        step.use(MODEL, "z", type="Model")
        step.produce("out", uri=MODEL, type="Model", properties={"n": 1}, metrics={"auc": 0.5})
        step.log_metrics({"loss": 0.1})


def held(store: ml.Store, name: str) -> dict[str, Any]:
    """Return what the store holds of a run."""
    try:
        run = store.get_run(name)
    except ml.errors.NotFoundError:
        return {"run": None}
    found: dict[str, Any] = {"run": run.status, "began": Path(f"{name}.began").exists()}
    for step in run.steps:
        found |= {
            "step": step.status,
            "parameters": dict(step.parameters),
            "inputs": sorted(step.inputs),
            "outputs": sorted(step.outputs),
            "metrics": dict(step.metrics),
        }
    return found


def main() -> None:
    url, stride = sys.argv[1], int(sys.argv[2])
    DATA.write_text("a\n", encoding="utf-8")
    MODEL.write_bytes(b"model")
    store = ml.connect(url, create=True)
    ml.connect(url).get_runs()  # load what reading needs before there are children
    killed, statement = True, 1 - stride
    while killed:
        statement += stride
        name = f"r{statement}"
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                record_and_die(url, name, statement)
            os._exit(0)
        killed = os.waitpid(child, 0)[1] == signal.SIGKILL
        before = held(store, name)
        access = StoreAccess(store._reader, store.writer(), store.location)
        dead = dead_runs.find(access)
        dead_runs.mark_failed(access, dead)
        access.close()
        after = held(store, name)
        print(json.dumps([before, sorted({node.run for node in dead}), after]))  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main()
