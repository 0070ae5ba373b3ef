"""Puts a batch into an SQLite file again and again, killed at one statement after the other.

Run as a program with the file's path. Prints for each statement the number of artifacts that the
file holds afterwards, until one put was not killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import sys
from pathlib import Path

from mlmd_lineage.writing.sql.sqlite_connection import SQLiteWriteConnection
from mlmd_lineage.writing.writer import message


def batch(number: int) -> object:
    request = message("PutBatchRequest")(
        artifact_types=[{"name": f"T{number}", "properties": {"i": 1}}],
        execution_types=[{"name": "E"}],
        context_types=[{"name": "C"}],
        artifacts=[{"type": f"T{number}", "name": f"{number}.{place}"} for place in range(2)],
        executions=[{"type": "E", "name": str(number)}],
        contexts=[{"type": "C", "name": f"c{number}"}, {"type": "C", "name": f"p{number}"}],
        event_edges=[
            {"artifact_index": 0, "execution_index": 0, "event": {"type": 3}},
            {"artifact_index": 1, "execution_index": 0, "event": {"type": 4}},
        ],
        memberships=[{"context_index": 0, "artifact_index": 0}],
        parent_contexts=[{"child_index": 0, "parent_index": 1}],
    )
    request.event_edges[0].event.path.steps.add(key="k")
    for artifact in request.artifacts:
        artifact.properties["i"].int_value = number
        artifact.custom_properties["d"].double_value = number / 3
    return request


def put_and_die(path: Path, number: int, statement: int) -> None:
    """Put a batch, and be killed when a statement of it is about to run."""
    connection = SQLiteWriteConnection(path)
    left = [statement]

    def count(_: str) -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    connection._connection.set_trace_callback(count)
    connection.put(1, batch(number))


def main() -> None:
    path = Path(sys.argv[1])
    SQLiteWriteConnection(path, create=True).create(1)
    killed, statement = True, 0
    while killed:
        statement += 1
        child = os.fork()
        if not child:
            put_and_die(path, statement, statement)
            os._exit(0)
        killed = os.waitpid(child, 0)[1] == signal.SIGKILL
        # Opening it rolls back what the dead writer left.
        with contextlib.closing(sqlite3.connect(path)) as connection:
            [(check,)] = connection.execute("PRAGMA integrity_check").fetchall()
            [(rows,)] = connection.execute("SELECT COUNT(*) FROM Artifact").fetchall()
            [(others,)] = connection.execute(
                "SELECT (SELECT COUNT(*) FROM Event) + (SELECT COUNT(*) FROM ParentContext)"
            ).fetchall()
        print(check, rows, others)  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main()
