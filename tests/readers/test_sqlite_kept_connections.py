"""A connection to an SQLite file that is kept between questions never answers from another file."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

import pytest
import sqlite_stores as stores

from mlmd_lineage import errors
from mlmd_lineage.readers.sqlite import locks
from mlmd_lineage.readers.sqlite.reader import SQLiteReader
from mlmd_lineage.stores import SQLiteMetadataStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no connection is kept there")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return stores.new_store(tmp_path / "m.db")


@pytest.fixture
def reader(path: Path) -> Iterator[SQLiteReader]:
    made = SQLiteReader(SQLiteMetadataStore(uri=str(path), busy_timeout=1))
    made.keep_connections()
    assert uris(made) == ["/data/1", "/data/2", "/data/3"]
    yield made
    made.close()


def uris(reader: SQLiteReader) -> list[str]:
    return [row[2] for row in reader.ask(lambda session: session.fetch("Artifact", {}))]


def is_kept(path: Path) -> bool:
    """Tell whether this process has the file open, and only as a kept connection."""
    descriptors = locks.descriptors_of(path.stat())
    assert descriptors <= locks.idle_descriptors
    return bool(descriptors)


def test_what_another_writes_is_read(path: Path, reader: SQLiteReader):
    with stores.held(path, "UPDATE Artifact SET uri = 'new'"):
        assert uris(reader) == ["new"] * 3
    assert is_kept(path)


def test_it_keeps_no_writer_waiting(path: Path, reader: SQLiteReader):
    with stores.held(path, "BEGIN EXCLUSIVE"), pytest.raises(errors.LockedStoreError):
        uris(reader)
    assert uris(reader)[0] == "/data/1"


def test_a_column_that_is_added_is_read(tmp_path: Path):
    path = stores.new_store(tmp_path / "old.db", version=6)
    reader = stores.reader(path)
    reader.keep_connections()
    assert reader.ask(lambda session: session.fetch("Artifact", {"id": [1]}))[0][5] is None
    stores.change(
        path,
        "ALTER TABLE Artifact ADD COLUMN external_id VARCHAR(255)",
        "UPDATE Artifact SET external_id = 'x'",
    )
    assert reader.ask(lambda session: session.fetch("Artifact", {"id": [1]}))[0][5] == "x"
    reader.close()


def test_a_store_of_a_new_version_is_noticed(path: Path, reader: SQLiteReader):
    stores.change(path, "UPDATE MLMDEnv SET schema_version = 11")
    with pytest.raises(errors.UnsupportedSchemaError, match="version 11"):
        uris(reader)


def _replaced(path: Path) -> None:
    other = stores.new_store(path.with_name("other.db"))
    stores.change(other, "UPDATE Artifact SET uri = 'other'")
    other.replace(path)


def _in_write_ahead_mode(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("UPDATE Artifact SET uri = 'other'")
        connection.commit()


@pytest.mark.parametrize("changed", [_replaced, _in_write_ahead_mode])
def test_a_file_that_became_another_is_opened_anew(
    path: Path, reader: SQLiteReader, changed: Callable[[Path], None]
):
    changed(path)
    before = stores.state_of(path)
    for _ in range(2):
        assert uris(reader) == ["other"] * 3
    assert stores.state_of(path) == before


def test_a_file_that_is_cut_is_noticed(path: Path, reader: SQLiteReader):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(errors.DamagedStoreError, match="truncated"):
        uris(reader)
    assert not locks.idle_descriptors


def test_a_file_that_is_gone_is_noticed(path: Path, reader: SQLiteReader):
    path.unlink()
    with pytest.raises(errors.StoreNotFoundError):
        uris(reader)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_opens_its_own(path: Path, reader: SQLiteReader):
    child = os.fork()
    if not child:
        os._exit(0 if uris(reader)[0] == "/data/1" else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert is_kept(path)


def test_it_is_closed_where_another_copy_of_sqlite_may_have_the_file_open(
    path: Path, reader: SQLiteReader
):
    with path.open("rb"):
        assert uris(reader)[0] == "/data/1"
        assert not locks.idle_descriptors


def test_one_that_is_forgotten_is_closed(path: Path):
    forgotten = stores.reader(path)
    forgotten.keep_connections()
    uris(forgotten)
    assert is_kept(path)
    del forgotten
    assert not is_kept(path)
    assert not locks.idle_descriptors
