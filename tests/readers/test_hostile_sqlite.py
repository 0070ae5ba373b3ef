"""SQLite files that strangers made: refused by errors of ours, with little time and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import sqlite_stores as stores
import waiting

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.readers.sqlite import files

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="files as POSIX knows them")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return stores.new_store(tmp_path / "m.db")


def refused(path: Path, match: str) -> None:
    """Check that a store is refused in both ways: nothing is waited for, or read without end."""
    with pytest.raises(errors.DamagedStoreError, match=match):
        stores.snapshot(path)
    with pytest.raises(errors.DamagedStoreError, match=match):
        stores.reader(path).ask(lambda session: session.fetch("Artifact", {}))


class TestNeighbours:
    @pytest.mark.parametrize("end", ["-wal", "-journal", "-shm"])
    @pytest.mark.parametrize("target", ["/dev/zero", "/etc/passwd", "nowhere"])
    def test_links_are_not_followed(self, path: Path, end: str, target: str):
        path.with_name(path.name + end).symlink_to(target)
        refused(path, f"{end} is no regular file")

    @pytest.mark.parametrize("end", ["-wal", "-journal", "-shm"])
    def test_pipes_are_not_waited_for(self, path: Path, end: str):
        os.mkfifo(path.with_name(path.name + end))
        refused(path, f"{end} is no regular file")

    def test_a_log_with_holes_is_not_copied_whole(self, path: Path):
        with path.with_name(path.name + "-wal").open("wb") as file:
            file.truncate(1 << 40)
        refused(path, "-wal has 1,099,511,627,776 bytes, which is not plausible")

    def test_no_more_is_copied_than_there_is_space_for(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        path.with_name(path.name + "-wal").write_bytes(b"x" * 100)
        usage = (0, 0, 1000)
        monkeypatch.setattr(
            files.shutil, "disk_usage", lambda _: type("Usage", (), {"free": usage[2]})
        )
        with pytest.raises(errors.ReadError, match=r"no space \(1,000 are free\)"):
            stores.snapshot(path)


@pytest.mark.parametrize("column", ["double_value", "string_value", "int_value"])
def test_a_lost_column_of_values_beside_numbers_that_are_none(path: Path, column: str):
    lost = {"int_value", "double_value", "string_value", "proto_value", "bool_value"} - {column}
    with stores.connected(path) as connection:
        connection.execute("DROP TABLE ArtifactProperty")
        connection.execute(
            "CREATE TABLE ArtifactProperty (artifact_id, name, is_custom_property, "
            f"byte_value, {', '.join(sorted(lost))})"
        )
        number = "bool_value" if column == "int_value" else "int_value"
        connection.execute(
            f"INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, {number}) "  # noqa: S608
            "VALUES (1, 'a', 1, 1.5), (1, 'b', 1, 'text')"
        )
    held = stores.snapshot(path).artifact_properties
    assert held["double_value"].to_pylist() == [1.5, None]
    assert held["string_value"].to_pylist() == [None, "text"]


@pytest.mark.parametrize("column", ["is_custom_property", "name", "artifact_id"])
def test_a_lost_column_of_the_key_beside_rare_values(path: Path, column: str):
    kept = {"artifact_id", "name", "is_custom_property"} - {column}
    with stores.connected(path) as connection:
        connection.execute("DROP TABLE ArtifactProperty")
        connection.execute(
            f"CREATE TABLE ArtifactProperty ({', '.join(sorted(kept))}, int_value, double_value, "
            "string_value, byte_value, proto_value, bool_value)"
        )
        connection.execute(
            "INSERT INTO ArtifactProperty (int_value, bool_value, string_value) "
            "VALUES (1, NULL, NULL), (NULL, 1, NULL), (NULL, NULL, 'x'), (2, NULL, NULL)"
        )
    try:
        held = stores.snapshot(path).artifact_properties
    except errors.NotAMetadataStoreError:
        return
    assert sorted(map(str, held["int_value"].to_pylist())) == ["1", "2", "None", "None"]


@pytest.mark.parametrize("table", ["Context"])
def test_a_lost_table_has_no_nodes(path: Path, table: str):
    with stores.connected(path) as connection:
        connection.execute(f"DROP TABLE {table}")
    store = ml.connect(path)
    with pytest.raises(errors.NotFoundError, match="No node is called 'x'"):
        store.find_node("x")
    listed = stores.reader(path).ask(
        lambda session: session.page(table, "id", after=None, descending=True, limit=9, where={})
    )
    assert listed == []


@pytest.mark.slow
def test_a_long_value_among_nulls_takes_no_more_memory_than_it_has(path: Path):
    """Arrow reserves memory for each row as if its text were as long as the mean of the others."""
    with stores.connected(path) as connection:
        connection.execute("DROP TABLE ArtifactProperty")
        connection.execute(
            "CREATE TABLE ArtifactProperty (artifact_id, name, is_custom_property, int_value, "
            "double_value, string_value, byte_value, proto_value, bool_value)"
        )
        insert = "INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, {}) VALUES "
        numbers = [(1, f"n{n}", n) for n in range(60_000)]
        connection.executemany(insert.format("int_value") + "(?, ?, 0, ?)", numbers)
        connection.execute(insert.format("byte_value") + "(1, 'long', 0, zeroblob(1000000))")
        nulls = [(1, None)] * 60_000 + [(1, "x" * 1_000_000)]
        connection.executemany(
            "INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property) VALUES (?, ?, 1)",
            nulls,
        )
    found = stores.snapshot(path).artifact_properties
    assert found.num_rows == 120_002
    assert found.nbytes < 20_000_000


TERMINATED = """
import os, signal, sys, tempfile
from pathlib import Path
import mlmd_lineage as ml
from mlmd_lineage.readers.sqlite import files

copy = files._copy

def killing(*arguments):
    copy(*arguments)
    assert list(Path(tempfile.gettempdir()).iterdir())
    os.kill(os.getpid(), signal.SIGTERM)

files._copy = killing
ml.connect(sys.argv[1]).snapshot()
"""


@pytest.mark.slow
def test_a_process_that_is_terminated_leaves_no_copy(path: Path, tmp_path: Path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    path.with_name(path.name + "-wal").write_bytes(b"x" * 100)  # of a writer that died
    command = [sys.executable, "-c", TERMINATED, str(path)]
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 128 + 15, done.stderr
    assert not list(folder.iterdir())


ENDLESS = """
import sys
from mlmd_lineage.readers.sqlite.reader import SQLiteReader
from mlmd_lineage.stores import SQLiteMetadataStore

reader = SQLiteReader(SQLiteMetadataStore(uri=sys.argv[1]))
statement = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT SUM(i) FROM n"
try:
    print("asking", flush=True)
    reader.ask(lambda session: session.select(statement, ()))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("native", [False, True], ids=["here", "in another process"])
@pytest.mark.slow
def test_ctrl_c_ends_a_statement(path: Path, native: bool):  # noqa: FBT001 - a parameter
    code = ENDLESS
    if native:  # as if ml_metadata were loaded
        code = "import sys; sys.modules['ml_metadata.metadata_store.pywrap'] = sys\n" + ENDLESS
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asking\n"
        waiting.until(lambda: waiting.processes_with(path), "the statement")
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
