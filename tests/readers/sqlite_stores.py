"""Small SQLite stores with MLMD's tables, made without ``ml_metadata``."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import mlmd_schema

from mlmd_lineage.readers.sqlite.reader import SQLiteReader
from mlmd_lineage.snapshot.snapshot import Snapshot
from mlmd_lineage.stores import SQLiteMetadataStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement).fetchall()
print("held", flush=True)
sys.stdin.read()
"""

# Two runs of an execution that reads one artifact and writes another: all tables have rows.
ROWS: dict[str, list[dict[str, Any]]] = {
    "Type": [
        {"id": 1, "name": "Data", "type_kind": 1, "version": "v1", "external_id": "t1"},
        {"id": 2, "name": "Train", "type_kind": 0},
        {"id": 3, "name": "Run", "type_kind": 2},
    ],
    "TypeProperty": [{"type_id": 1, "name": "span", "data_type": 1}],
    "ParentType": [{"type_id": 1, "parent_type_id": 2}],
    "Artifact": [
        {
            "id": n,
            "type_id": 1,
            "uri": f"/data/{n}",
            "state": 2,
            "name": f"data-{n}",
            "external_id": f"a{n}",
            "create_time_since_epoch": 1_600_000_000_000 + n,
            "last_update_time_since_epoch": 1_600_000_000_001 + n,
        }
        for n in (1, 2, 3)
    ],
    "Execution": [
        {"id": n, "type_id": 2, "last_known_state": 3, "name": f"run-{n}"} for n in (1, 2)
    ],
    "Context": [{"id": n, "type_id": 3, "name": f"context-{n}"} for n in (1, 2)],
    "ArtifactProperty": [
        {"artifact_id": 1, "name": "span", "is_custom_property": 0, "int_value": 7},
        {"artifact_id": 1, "name": "rate", "is_custom_property": 1, "double_value": 0.1},
        {"artifact_id": 1, "name": "text", "is_custom_property": 1, "string_value": "Zoë"},
        {"artifact_id": 1, "name": "flag", "is_custom_property": 1, "bool_value": 1},
        {
            "artifact_id": 1,
            "name": "any",
            "is_custom_property": 1,
            "proto_value": "CgFhEgFi",  # the base64 of an Any: type_url a, value b
        },
    ],
    "ExecutionProperty": [
        {"execution_id": 1, "name": "epochs", "is_custom_property": 0, "int_value": 3}
    ],
    "ContextProperty": [
        {"context_id": 1, "name": "owner", "is_custom_property": 1, "string_value": "me"}
    ],
    "Event": [
        {"id": 1, "artifact_id": 1, "execution_id": 1, "type": 3, "milliseconds_since_epoch": 5},
        {"id": 2, "artifact_id": 2, "execution_id": 1, "type": 4, "milliseconds_since_epoch": 6},
        {"id": 3, "artifact_id": 2, "execution_id": 2, "type": 3, "milliseconds_since_epoch": 7},
        {"id": 4, "artifact_id": 3, "execution_id": 2, "type": 4, "milliseconds_since_epoch": 8},
    ],
    "EventPath": [
        {"event_id": 1, "is_index_step": 0, "step_key": "data"},
        {"event_id": 1, "is_index_step": 1, "step_index": 0},
    ],
    "Attribution": [{"id": 1, "context_id": 1, "artifact_id": 1}],
    "Association": [{"id": 1, "context_id": 1, "execution_id": 1}],
    "ParentContext": [{"context_id": 2, "parent_context_id": 1}],
}


@contextlib.contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that commits and closes."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA synchronous=OFF")  # the disk need not keep up with the tests
        yield connection


def new_store(path: Path, *, version: int = 10, wal: bool = False, rows: bool = True) -> Path:
    """Make a store of some schema version; columns and tables that it lacks are left out."""
    with connected(path) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(mlmd_schema.ddl(version))
        connection.execute("INSERT INTO MLMDEnv VALUES (?)", (version,))
        for table, some in ROWS.items() if rows else ():
            for row in some:
                insert(connection, table, row)
    return path


def insert(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    """Insert what a table has columns for."""
    columns = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}
    kept = {name: value for name, value in row.items() if name in columns}
    if kept:
        marks = ", ".join("?" * len(kept))
        statement = f"INSERT INTO {table} ({', '.join(kept)}) VALUES ({marks})"  # noqa: S608
        connection.execute(statement, tuple(kept.values()))


def change(path: Path, *statements: str) -> Path:
    """Run some statements on a store."""
    with connected(path) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def reader(path: Path, **settings: Any) -> SQLiteReader:
    """Return the reader of a store."""
    return SQLiteReader(SQLiteMetadataStore(uri=str(path), **settings))


def snapshot(path: Path) -> Snapshot:
    """Read a store."""
    return Snapshot.of(reader(path).read())


def rows(path: Path, table: str) -> list[dict[str, Any]]:
    """Read a table of a store, and leave the columns out that are null throughout."""
    data = snapshot(path)[table]
    some = [name for name in data.column_names if data[name].null_count < data.num_rows]
    return data.select(some).to_pylist()


@contextlib.contextmanager
def held(path: Path, *statements: str) -> Iterator[None]:
    """Have another process run some statements and stay connected."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), *statements],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield
        finally:
            process.communicate()


def state_of(path: Path) -> dict[str, tuple[int, str]]:
    """Return the time and the content of a file and of all beside it that has its name."""
    return {
        file.name: (file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest())
        for file in path.parent.iterdir()
        if file.name.startswith(path.name)
    }
