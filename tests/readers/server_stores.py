"""MLMD stores in databases of the servers that the tests start."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import mlmd_schema
import pyarrow as pa
import pymysql

from mlmd_lineage.readers.registry import reader_for
from mlmd_lineage.snapshot.tables import SCHEMAS, SORT_KEYS
from mlmd_lineage.stores import MySQLMetadataStore, PostgreSQLMetadataStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import servers

    from mlmd_lineage.readers.base import Reader
    from mlmd_lineage.snapshot.tables import Tables

TESTS = Path(__file__).resolve().parent.parent

TIMES = {
    "create_time_since_epoch",
    "last_update_time_since_epoch",
    "milliseconds_since_epoch",
}
KEYS = {
    "ParentType": "type_id, parent_type_id",
    "TypeProperty": "type_id, name",
    "ParentContext": "context_id, parent_context_id",
    "ArtifactProperty": "artifact_id, name, is_custom_property",
    "ExecutionProperty": "execution_id, name, is_custom_property",
    "ContextProperty": "context_id, name, is_custom_property",
}

# Makes a store with a bit of everything. With PostgreSQL, MLMD fails on backslashes and, as it has
# an index on them, on long texts.
FILL = r"""
import json, sys
from google.protobuf import any_pb2, json_format, struct_pb2
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb
store = metadata_store.MetadataStore(
    json_format.Parse(sys.stdin.read(), pb.ConnectionConfig()), enable_upgrade_migration=False)
kinds = dict(INT=1, DOUBLE=2, STRING=3, STRUCT=4, PROTO=5, BOOLEAN=6)
kind = lambda cls, name: cls(name=name, properties={"p_" + k.lower(): v for k, v in kinds.items()})
data = store.put_artifact_type(kind(pb.ArtifactType, "Données"))
model = store.put_artifact_type(pb.ArtifactType(name="Model", version="v2", description="dépôt",
    base_type=pb.ArtifactType.MODEL))
train = store.put_execution_type(kind(pb.ExecutionType, "Train"))
run = store.put_context_type(kind(pb.ContextType, "Run"))
TEXTS = ["plain", "Zürich", "中文 \U0001f600", "Ã¼", "", "a'b\"c%s\n", "x" * 300, "é" * 70000]
def give(node, n):
    node.properties["p_int"].int_value = n - 5
    node.properties["p_double"].double_value = n * 0.125
    node.properties["p_string"].string_value = TEXTS[n % len(TEXTS)]
    node.properties["p_boolean"].bool_value = n % 2 == 0
    struct = struct_pb2.Struct()
    struct.update({"ключ": [1, None, {"x": True}]})
    node.properties["p_struct"].struct_value.CopyFrom(struct)
    node.properties["p_proto"].proto_value.CopyFrom(
        any_pb2.Any(type_url="type.googleapis.com/x", value=bytes(range(256))))
    node.custom_properties["Größe " + str(n)].string_value = TEXTS[(n + 1) % len(TEXTS)]
    return node
contexts = store.put_contexts([give(pb.Context(type_id=run, name=f"контекст-{n}"), n)
    for n in range(3)])
store.put_parent_contexts([pb.ParentContext(child_id=contexts[1], parent_id=contexts[0])])
previous = None
for n in range(12):
    execution = give(pb.Execution(type_id=train, name=f"run-{n}", last_known_state=n % 7,
        external_id=f"ausführung-{n}"), n)
    artifact = give(pb.Artifact(type_id=data, uri=f"s3://bücket/{n}", name=f"Datei {n}",
        state=n % 4), n)
    event = pb.Event(type=pb.Event.OUTPUT)
    event.path.steps.add().key = "sortie é"
    event.path.steps.add().index = n
    pairs = [(artifact, event)]
    if previous:
        used = pb.Event(type=pb.Event.INPUT)
        used.path.steps.add().key = "entrée"
        pairs.append((previous, used))
    _, ids, _ = store.put_execution(execution, pairs, [])
    store.put_attributions_and_associations(
        [pb.Attribution(artifact_id=ids[0], context_id=contexts[n % 3])],
        [pb.Association(execution_id=n + 1, context_id=contexts[n % 3])])
    [previous] = store.get_artifacts_by_id([ids[0]])
long = pb.Artifact(type_id=model, uri="u" * 50000)
long.custom_properties["long"].string_value = "é" * int(sys.argv[1]) + "end"
store.put_artifacts([long])
"""


class Database(NamedTuple):
    """A database of a server."""

    server: servers.Server
    name: str

    @property
    def is_mysql(self) -> bool:
        return self.server.scheme == "mysql"

    def store(self, **fields: Any) -> MySQLMetadataStore | PostgreSQLMetadataStore:
        """Return its metadata store, some fields of which may be others than usual."""
        usual = {
            "host": self.server.host,
            "port": self.server.port,
            "database": self.name,
            "username": self.server.user,
            "password": self.server.password,
        }
        flavor = MySQLMetadataStore if self.is_mysql else PostgreSQLMetadataStore
        return flavor(**{**usual, **fields})

    def reader(self, **fields: Any) -> Reader:
        """Return the reader of its metadata store."""
        return reader_for(self.store(**fields))

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements on one connection, and return the rows of the last one."""
        with contextlib.closing(self._connected()) as connection:
            rows: list[tuple[Any, ...]] = []
            for statement in statements:
                # MLMD sends UTF-8, and lets MySQL take it for latin1.
                sent = statement.encode() if self.is_mysql else statement
                with contextlib.closing(connection.cursor()) as cursor:
                    cursor.execute(sent)
                    rows = [tuple(r) for r in cursor.fetchall()] if cursor.description else []
            return rows

    def connections(self, user: str) -> int:
        """Return how many connections a user has to the server."""
        table, column = (
            ("information_schema.processlist", "user")
            if self.is_mysql
            else ("pg_stat_activity", "usename")
        )
        ((count,),) = self.run(f"SELECT COUNT(*) FROM {table} WHERE {column} = '{user}'")  # noqa: S608
        return int(count)

    def end_connections(self) -> None:
        """End all connections to it from outside, as a server does that restarts."""
        if not self.is_mysql:
            self.server.execute(
                "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity "  # noqa: S608
                f"WHERE datname = '{self.name}'"
            )
            return
        query = f"SELECT id FROM information_schema.processlist WHERE db = '{self.name}'"  # noqa: S608
        for (number,) in self.server.execute(query):
            try:
                self.server.execute(f"KILL {number}")
            except pymysql.OperationalError as error:
                # One that its client has just closed may go between the two statements.
                if error.args[0] != pymysql.constants.ER.NO_SUCH_THREAD:
                    raise

    def create(self, *, version: int = 10, charset: str = "utf8mb4") -> Database:
        """Make MLMD's tables without ``ml_metadata``: the columns and keys that reading meets."""
        q = self.server.quote
        statements = []
        for table, columns in {**columns_of(version), "MLMDEnv": ["schema_version"]}.items():
            defined = [f"{q}{name}{q} {self._type(table, name)}" for name in columns]
            if "id" in columns:
                defined.append(f"PRIMARY KEY ({q}id{q})")
            elif table in KEYS:
                defined.append(f"PRIMARY KEY ({KEYS[table]})")
            if table in {"Attribution", "Association"}:
                defined.append(f"UNIQUE ({columns[1]}, {columns[2]})")
            end = f" ENGINE=InnoDB DEFAULT CHARSET={charset}" if self.is_mysql else ""
            name = f"{q}{table}{q}" if self.is_mysql else table
            statements.append(f"CREATE TABLE {name} ({', '.join(defined)}){end}")
        self.run(*statements, f"INSERT INTO MLMDEnv VALUES ({version})")  # noqa: S608
        return self

    def _type(self, table: str, column: str) -> str:
        mysql = self.is_mysql
        if column == "schema_version":
            return "INT"
        if column in TIMES:
            return "BIGINT"
        if column in {"name", "external_id", "version"}:
            return "VARCHAR(255)"
        if mysql and column == "string_value":
            return "MEDIUMTEXT"
        kind = str(SCHEMAS[table].field(column).type)
        return {
            "bool": "TINYINT(1)" if mysql else "BOOLEAN",
            "int64": "INT",
            "double": "DOUBLE" if mysql else "DOUBLE PRECISION",
            "large_binary": "MEDIUMBLOB" if mysql else "BYTEA",
        }.get(kind, "TEXT")

    def insert(self, table: str, rows: Sequence[dict[str, Any]]) -> Database:
        """Insert rows, as MLMD does."""
        self.run(*self._inserts(table, rows))
        return self

    def _inserts(self, table: str, rows: Sequence[dict[str, Any]]) -> Iterator[str]:
        names = list(dict.fromkeys(name for row in rows for name in row))
        for start in range(0, len(rows), 500):
            lines = [
                "(" + ", ".join(self._literal(table, name, row.get(name)) for name in names) + ")"
                for row in rows[start : start + 500]
            ]
            yield f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join(lines)}"  # noqa: S608

    def _connected(self) -> Any:
        if not self.is_mysql:
            return self.server.connect(self.server, self.name)
        return pymysql.connect(
            host=self.server.host,
            port=self.server.port,
            user=self.server.user,
            password=self.server.password,
            database=self.name,
            charset="latin1",
            autocommit=True,
            ssl_disabled=True,
        )

    def _literal(self, table: str, column: str, value: object) -> str:
        if value is None:
            return "NULL"
        kind = SCHEMAS[table].field(column).type
        if pa.types.is_boolean(kind):
            return str(int(bool(value))) if self.is_mysql else str(bool(value)).upper()
        if isinstance(value, (int, float)):
            return repr(value)
        if column == "proto_value" and not self.is_mysql:
            return f"decode('{value}', 'base64')"
        if isinstance(value, bytes):
            return f"x'{value.hex()}'" if self.is_mysql else f"'\\x{value.hex()}'::bytea"
        text = str(value).replace("\\", "\\\\").replace("'", "''")
        return f"'{text}'" if self.is_mysql else f"E'{text}'"

    def copy(self, path: Path) -> Database:
        """Insert the rows of an SQLite store, as they lie there."""
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            statements: list[str] = []
            for table in SCHEMAS:
                with contextlib.suppress(sqlite3.OperationalError):  # an old schema lacks some
                    found = connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()  # noqa: S608
                    statements += self._inserts(table, [dict(row) for row in found])
        self.run(*statements)
        return self


def columns_of(version: int) -> dict[str, list[str]]:
    """Return the columns of each table of a schema version."""
    held = {table: mlmd_schema.columns(table, version) for table in SCHEMAS}
    return {table: names for table, names in held.items() if names}


def fill_natively(store: Any, length: int) -> None:
    """Have ``ml_metadata`` make a store with a bit of everything, in a process of its own.

    Args:
        store: The metadata store of an empty database.
        length: How long the longest text is.
    """
    from google.protobuf import json_format

    config = store.connection_config()
    if store.FLAVOR == "sqlite":
        config.sqlite.connection_mode = 3
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FILL, str(length)],
        input=json_format.MessageToJson(config),
        text=True,
        check=True,
    )


def assert_same(found: Tables, expected: Tables, *, without: Sequence[str] = ()) -> None:
    """Check that two stores hold the same rows, in the same order where there is one."""
    assert found.names == expected.names
    for table in expected.names:
        assert found[table].schema.equals(expected[table].schema)
        columns = [name for name in SCHEMAS[table].names if name not in without]
        one, other = (_sorted(table, t[table].select(columns)) for t in (found, expected))
        for column in columns:
            assert one[column].to_pylist() == other[column].to_pylist(), (table, column)


def _sorted(table: str, data: pa.Table) -> pa.Table:
    keys = SORT_KEYS[table]
    if table.endswith("Property"):
        keys = tuple(data.column_names[: 2 if table == "TypeProperty" else 3])
    plain = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in data.unify_dictionaries().columns
    ]
    data = pa.table(plain, names=data.column_names)
    if keys == ("event_id",):
        return data
    return data.sort_by([(key, "ascending") for key in keys])


def secrets_in(error: BaseException, password: str) -> list[str]:
    """Return where a password shows in what a reporter of errors may print.

    That is all errors in the chain, and the local variables in all frames but those of tests.
    """
    seen: list[str] = []
    link: BaseException | None = error
    while link is not None:
        said = [repr(link), str(link), repr(link.args)]
        for frame, _ in traceback.walk_tb(link.__traceback__):
            if not Path(frame.f_code.co_filename).is_relative_to(TESTS):
                said += [f"{frame.f_code.co_name}: {v!r}" for v in frame.f_locals.values()]
        seen += [text for text in said if password in text]
        link = link.__cause__ or link.__context__
    return seen
