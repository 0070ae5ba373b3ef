"""The tables that we make are those that MLMD's library makes, on each database."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from twins import NativeTwin, server_config, sqlite_config

import mlmd_lineage as ml
from mlmd_lineage.writing.schema import TABLES

if TYPE_CHECKING:
    from pathlib import Path

    from servers import Server

pytestmark = pytest.mark.native


def sqlite_schema(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for table in TABLES:
            found[table] = connection.execute(f"PRAGMA table_info({table})").fetchall()
            [(made,)] = connection.execute(
                "SELECT sql FROM sqlite_master WHERE name = ?", (table,)
            ).fetchall()
            found[table].append("AUTOINCREMENT" in made)
            indexes = connection.execute(f"PRAGMA index_list({table})").fetchall()
            for _, name, unique, origin, partial in indexes:
                columns = connection.execute(f"PRAGMA index_info({name})").fetchall()
                key = name if origin == "c" else str(columns)
                found[key] = (table, unique, origin, partial, columns)
        found["types"] = connection.execute("SELECT * FROM Type").fetchall()
        found["version"] = connection.execute("SELECT * FROM MLMDEnv").fetchall()
        found["names"] = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        for name, made in connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql LIKE '% WHERE %'"
        ):
            found[f"where of {name}"] = re.sub(r"[`\s]", "", made.partition("WHERE")[2])
    return found


def test_sqlite(tmp_path: Path):
    NativeTwin(sqlite_config(tmp_path / "native.db"))
    ml.connect(tmp_path / "ours.db", create=True)
    assert sqlite_schema(tmp_path / "ours.db") == sqlite_schema(tmp_path / "native.db")


def mysql_schema(server: Server, database: str) -> dict[str, list[str]]:
    found = {}
    for table in TABLES:
        [(_, made)] = server.execute(f"SHOW CREATE TABLE `{table}`", database)
        lines = [line.strip().rstrip(",") for line in made.splitlines()]
        found[table] = sorted(re.sub("AUTO_INCREMENT=[0-9]+ ", "", line) for line in lines)
    return found


def test_mysql(mariadb_server: Server):
    theirs, ours = mariadb_server.new_database(), mariadb_server.new_database()
    NativeTwin(server_config(mariadb_server, theirs))
    ml.connect(mariadb_server.url(ours), create=True)
    assert mysql_schema(mariadb_server, ours) == mysql_schema(mariadb_server, theirs)
    rows = [mariadb_server.execute("SELECT * FROM Type", name) for name in (theirs, ours)]
    assert rows[0] == rows[1]


_COLUMNS = """
    SELECT table_name::text, column_name::text, data_type::text, is_nullable::text,
        column_default::text, character_maximum_length::bigint, ordinal_position::bigint
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 7
"""
_INDEXES = "SELECT indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"


def test_postgresql(postgresql_server: Server):
    theirs, ours = postgresql_server.new_database(), postgresql_server.new_database()
    NativeTwin(server_config(postgresql_server, theirs))
    ml.connect(postgresql_server.url(ours), create=True)
    for statement in (_COLUMNS, _INDEXES, "SELECT * FROM type ORDER BY id"):
        rows = [postgresql_server.execute(statement, name) for name in (theirs, ours)]
        assert rows[1] == rows[0]
