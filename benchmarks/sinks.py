"""Bulk loading of generated rows into a store that ``ml_metadata`` made."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import tempfile
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import SplitResult, unquote, urlsplit

import shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

HERE = Path(__file__).parent
UNKNOWN_DATABASE = 1049  # MySQL's ER_BAD_DB_ERROR


class GenerateError(Exception):
    """A store could not be generated; the message says why."""


def empty_store(config: str) -> shape.TypeIds:
    """Let ``ml_metadata`` make an empty store with its types, and return their ids.

    Args:
        config: A ``ConnectionConfig`` in text format.
    """
    if subprocess.run(
        [sys.executable, "-c", "import ml_metadata"], capture_output=True, check=False
    ).returncode:
        message = "ml_metadata is not installed here: the generator needs it for the empty store"
        raise GenerateError(message)
    made = subprocess.run(
        [sys.executable, str(HERE / "empty_store.py")],
        input=config,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        message = f"ml_metadata could not make the empty store:\n{made.stderr.strip()}"
        raise GenerateError(message)
    return shape.TypeIds(**json.loads(made.stdout))


def load_sqlite(path: Path, executions: int) -> None:
    """Write a store with that many executions to a new SQLite file, in place once complete."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    types = empty_store(f"sqlite {{ filename_uri: {json.dumps(str(partial))} }}")
    connection = sqlite3.connect(partial, isolation_level=None)
    with contextlib.closing(connection):
        connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; "
            "PRAGMA cache_size = -2000000; PRAGMA temp_store = MEMORY"
        )
        indexes = [
            (name, sql)
            for name, sql, table in connection.execute(
                "SELECT name, sql, tbl_name FROM sqlite_master WHERE sql LIKE 'CREATE INDEX%'"
            )
            if table in shape.COLUMNS
        ]
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute("BEGIN")
        for batch in shape.rows(executions, types):
            for table, rows in batch.items():
                _insert(connection, table, rows)
        connection.execute("COMMIT")
        for _, sql in indexes:
            connection.execute(sql)
        connection.execute("PRAGMA journal_mode = DELETE")
    partial.replace(path)


def _insert(
    connection: sqlite3.Connection, table: str, rows: Sequence[tuple[Any, ...]], together: int = 50
) -> None:
    """Insert rows, so many with each statement: that takes three quarters of the time."""
    columns = shape.COLUMNS[table]
    row = f"({', '.join('?' * len(columns))})"
    values = ", ".join([row] * together)
    many = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values}"  # noqa: S608 - names of ours
    end = len(rows) - len(rows) % together
    parts = (rows[start : start + together] for start in range(0, end, together))
    connection.executemany(many, (tuple(chain.from_iterable(part)) for part in parts))
    if together > 1:
        _insert(connection, table, rows[end:], 1)


def holds_rows(url: str, executions: int) -> bool:
    """Return whether a MariaDB or MySQL database holds a whole store of that many executions."""
    import pymysql

    try:
        connection = _connection(url)
    except pymysql.OperationalError as error:
        if error.args[0] == UNKNOWN_DATABASE:
            return False
        raise
    with contextlib.closing(connection), connection.cursor() as cursor:
        if not cursor.execute("SHOW TABLES LIKE 'ParentContext'"):
            return False
        if not _number(cursor, "SELECT COUNT(*) FROM ParentContext"):  # it is filled last
            return False
        return _number(cursor, "SELECT COUNT(*) FROM Execution") == executions


def load_mariadb(url: str, executions: int) -> None:
    """Write a store with that many executions to an empty database of a MariaDB or MySQL server.

    Text is stored as ``ml_metadata`` stores it: UTF-8 bytes sent over a latin1 connection.
    """
    types = empty_store(_mysql_config(urlsplit(url)))
    connection = _connection(url)
    with (
        contextlib.closing(connection),
        connection.cursor() as cursor,
        tempfile.TemporaryDirectory() as folder,
    ):
        if _number(cursor, "SELECT COUNT(*) FROM Artifact"):
            message = (
                f"the database {urlsplit(url).path!r} already holds artifacts; give an empty one"
            )
            raise GenerateError(message)
        files = _text_files(Path(folder), shape.rows(executions, types))
        cursor.execute("SET unique_checks = 0, foreign_key_checks = 0")
        for table in shape.COLUMNS:
            file = files[table]
            with _without_indexes(cursor, table):
                columns = ", ".join(shape.COLUMNS[table])
                load = f"LOAD DATA LOCAL INFILE %s INTO TABLE {table} CHARACTER SET latin1"
                cursor.execute(f"{load} ({columns})", (str(file),))
            connection.commit()
            file.unlink()
        cursor.execute("ANALYZE TABLE " + ", ".join(files))


def _mysql_config(parts: SplitResult) -> str:
    fields = {
        "host": parts.hostname,
        "port": parts.port or 3306,
        "database": parts.path.strip("/"),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }
    return (
        f"mysql {{ {' '.join(f'{name}: {json.dumps(value)}' for name, value in fields.items())} }}"
    )


def _connection(url: str) -> Connection[Cursor]:
    try:
        import pymysql
    except ImportError as error:
        message = "PyMySQL is not installed: loading a store into MariaDB needs it"
        raise GenerateError(message) from error
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.strip("/"),
        charset="latin1",
        local_infile=True,
    )


def _number(cursor: Cursor, sql: str) -> int:
    cursor.execute(sql)
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def _text_files(folder: Path, batches: Iterable[shape.Rows]) -> dict[str, Path]:
    """Write the rows to one file for each table, in the form that LOAD DATA reads."""
    with contextlib.ExitStack() as stack:
        files: dict[str, TextIO] = {}
        for batch in batches:
            for table, rows in batch.items():
                if table not in files:
                    files[table] = stack.enter_context(
                        (folder / table).open("w", encoding="utf-8", newline="\n")
                    )
                files[table].writelines(
                    "\t".join([_text(value) for value in row]) + "\n" for row in rows
                )
        return {table: Path(file.name) for table, file in files.items()}


def _text(value: object) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, str):
        return value.replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n")
    return str(value)


@contextlib.contextmanager
def _without_indexes(cursor: Cursor, table: str) -> Iterator[None]:
    """Drop the table's plain indexes, and make them again when the rows are in."""
    cursor.execute(f"SHOW CREATE TABLE {table}")
    _, ddl = cursor.fetchone() or ("", "")
    lines = [line.strip().rstrip(",") for line in ddl.splitlines()]
    keys = [line for line in lines if line.startswith("KEY ")]
    if keys:
        cursor.execute(
            f"ALTER TABLE {table} "
            + ", ".join("DROP " + " ".join(key.split(" ")[:2]) for key in keys)
        )
    yield
    if keys:
        cursor.execute(f"ALTER TABLE {table} " + ", ".join(f"ADD {key}" for key in keys))
