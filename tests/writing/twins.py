"""Stores that take the same requests, MLMD's library's and ours, and the rows that they hold."""

from __future__ import annotations

import contextlib
import sqlite3
import warnings
from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import PutRefusedError
from mlmd_lineage.stores import metadata_store_from
from mlmd_lineage.writing.registry import writer_for
from mlmd_lineage.writing.schema import TABLES
from mlmd_lineage.writing.sql.sqlite_connection import SQLiteWriteConnection
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from servers import Server

STATUS = {
    "OK": 0,
    "INVALID_ARGUMENT": 3,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "FAILED_PRECONDITION": 9,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
}
_TIMES = ("create_time_since_epoch", "last_update_time_since_epoch")
RESET_TIME = 7
"""What the times of all nodes are set to between two requests, to see which ones a request sets."""
_GIVEN_TIME = 1000
"""Times of events below it were given."""


class NativeTwin:
    """A store that ``ml_metadata`` writes, made by it."""

    def __init__(self, config: Any) -> None:
        from ml_metadata import MetadataStore
        from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.store = MetadataStore(config)
        self._functions = metadata_store

    def put(self, request: Any) -> tuple[int, Any]:
        """Put a request; return the status code, and the response or what is said of the error."""
        method = request.DESCRIPTOR.name.removesuffix("Request")
        response, said, code = getattr(self._functions, method)(
            self.store._metadata_store, request.SerializeToString()
        )
        if code:
            return code, said.decode()
        return 0, message(f"{method}Response").FromString(response)


def sqlite_config(path: Path) -> Any:
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = 3
    return config


class OurTwin:
    """An SQLite store that we write, in this process: nothing else opens the file."""

    def __init__(self, path: Path) -> None:
        self.connection = SQLiteWriteConnection(path, create=True)
        self.connection.create(1)

    def close(self) -> None:
        self.connection.close()

    def put(self, request: Any) -> tuple[int, Any]:
        return put_code(lambda: self.connection.put(1, request))


def put_code(put: Any) -> tuple[int, Any]:
    try:
        return 0, put()
    except PutRefusedError as error:
        return STATUS[error.status], str(error)


def resets() -> list[str]:
    """Return the statements that set the times of all nodes."""
    times = ", ".join(f"{time} = {RESET_TIME}" for time in _TIMES)
    return [f"UPDATE {table} SET {times}" for table in ("Artifact", "Execution", "Context")]  # noqa: S608 - names of tables


def reset_sqlite(path: Path) -> None:
    """Set the times of all nodes in a file."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in resets():
            connection.execute(statement)


def put_again(random: Random, native: NativeTwin) -> Any:
    """Return a request that puts a stored node as it is, or nearly so."""
    name = random.choice(["Artifact", "Execution", "Context"])
    stored = getattr(native.store, f"get_{name.lower()}s")()
    node = message(name).FromString(random.choice(stored).SerializeToString())
    present = [field.name for field, _ in node.ListFields() if field.name != "id"]
    if random.randrange(2):
        node.ClearField(random.choice(present))
    if random.randrange(4) == 0 and name == "Artifact":
        node.uri = random.choice(["", "other"])
    if name == "Execution" and random.randrange(2):
        options = {"force_update_time": bool(random.randrange(2))}
        return message("PutExecutionRequest")(execution=node, options=options)
    request = message(f"Put{name}sRequest")(**{f"{name.lower()}s": [node]})
    if random.randrange(3) == 0:
        request.update_mask.paths.append(random.choice([*present, "properties.k"]))
    return request


def sqlite_rows(path: Path) -> dict[str, Any]:
    """Return what a store holds, and in place of times which ones the last request set."""
    found: dict[str, Any] = {}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for table in TABLES:
            cursor = connection.execute(f"SELECT * FROM `{table}`")  # noqa: S608 - names of tables
            names = [column[0] for column in cursor.description]
            found[table] = comparable(table, names, cursor.fetchall())
        # Those of memberships nobody sees, and one that is there already takes one from us.
        ids = connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
        found["ids"] = {name: number for name, number in ids if not name.startswith("A")}
        found["ids"]["Artifact"] = dict(ids).get("Artifact")
    return found


def comparable(table: str, names: list[str], rows: list[tuple[Any, ...]]) -> list[Any]:
    """Return rows, of times only which were set, in an order where theirs means nothing."""
    made = [dict(zip(names, row, strict=True)) for row in rows]
    for row in made:
        for time in row.keys() & _TIMES:
            assert row[time] == RESET_TIME or row[time] > _GIVEN_TIME
            row[time] = row[time] != RESET_TIME
        if table in {"Association", "Attribution"}:
            del row["id"]  # in the order of a hash table
        if table == "Event" and row["milliseconds_since_epoch"] > _GIVEN_TIME:
            del row["milliseconds_since_epoch"]
    if table == "Attribution":
        # Of a pair without an artifact, which MLMD gives the id -1.
        made = [row for row in made if row["artifact_id"] != -1]
    if table == "EventPath":
        return made
    return sorted(made, key=lambda row: [str(value) for value in row.values()])


class ServerTwin:
    """A store on a server that we write."""

    def __init__(self, url: str) -> None:
        self.writer = writer_for(metadata_store_from(url))
        self.writer.create()

    def put(self, request: Any) -> tuple[int, Any]:
        return put_code(lambda: self.writer.put(request))


def server_config(server: Server, database: str) -> Any:
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    if server.scheme == "mysql":
        config.mysql.host, config.mysql.port = server.host, server.port
        config.mysql.user, config.mysql.password = server.user, server.password
        config.mysql.database = database
        config.mysql.skip_db_creation = True
    else:
        config.postgresql.host, config.postgresql.port = server.host, str(server.port)
        config.postgresql.user, config.postgresql.password = server.user, server.password
        config.postgresql.dbname = database
        config.postgresql.skip_db_creation = True
    return config


def server_rows(server: Server, database: str) -> dict[str, Any]:
    """Return what a store holds, and in place of times which ones the last request set."""
    found = {}
    with contextlib.closing(server.connect(server, database)) as connection:
        for table in TABLES:
            with contextlib.closing(connection.cursor()) as cursor:
                name = table if server.scheme == "mysql" else table.lower()
                cursor.execute(f"SELECT * FROM {server.quote}{name}{server.quote}")  # noqa: S608 - names of tables
                names = [column[0] for column in cursor.description]
                rows = [tuple(row) for row in cursor.fetchall()]
            if table == "EventPath":
                rows.sort(key=lambda row: row[0])  # a server may give them in another order
            found[table] = comparable(table, names, rows)
    return found
