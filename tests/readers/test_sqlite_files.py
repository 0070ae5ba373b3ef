"""SQLite files in every state: read without a trace, or refused with a clear error of ours."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlite_stores as stores
import waiting

from mlmd_lineage import errors
from mlmd_lineage.readers.sqlite import files

if TYPE_CHECKING:
    from mlmd_lineage.readers.base import Session

posix_only = pytest.mark.skipif(os.name == "nt", reason="files as POSIX knows them")

# Writes too much for the cache, so that pages reach the file before the commit; then dies.
DIE_IN_TRANSACTION = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size=2")
connection.execute("BEGIN")
connection.execute("UPDATE Artifact SET uri = 'half-done'")
connection.execute("CREATE TABLE ballast (x)")
connection.executemany("INSERT INTO ballast VALUES (randomblob(2000))", [()] * 100)
os._exit(0)
"""
DIE_AFTER_COMMIT = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("UPDATE Artifact SET uri = 'done'")
os._exit(0)
"""


def run(code: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=True)


def uris(path: Path) -> list[str]:
    """Read a store in all ways, which must agree, and must leave no trace."""
    before = stores.state_of(path)
    read = stores.snapshot(path).artifacts["uri"].to_pylist()
    keeping = stores.reader(path)
    keeping.keep_connections()
    for reader in (stores.reader(path), keeping, keeping):
        asked = reader.ask(lambda session: session.fetch("Artifact", {}))
        assert [row[2] for row in asked] == read
    assert stores.state_of(path) == before
    keeping.close()
    return read


def both_fail(path: Path, error: type[Exception], match: str, **settings: float) -> None:
    """Read a store in both ways, which must fail alike, and must leave no trace."""
    reader = stores.reader(path, **settings)
    with pytest.raises(error, match=match):
        reader.read()
    with pytest.raises(error, match=match):
        reader.ask(lambda session: session.fetch("Artifact", {}))


AS_MADE = ["/data/1", "/data/2", "/data/3"]


@pytest.mark.parametrize("wal", [False, True], ids=["rollback", "wal"])
class TestReadingLeavesNoTrace:
    def test_at_rest(self, tmp_path: Path, *, wal: bool):
        path = stores.new_store(tmp_path / "m.db", wal=wal)
        assert uris(path) == AS_MADE
        assert list(stores.state_of(path)) == ["m.db"]

    def test_while_a_writer_is_connected(self, tmp_path: Path, *, wal: bool):
        path = stores.new_store(tmp_path / "m.db", wal=wal)
        with stores.held(path, "UPDATE Artifact SET uri = 'new'"):
            assert uris(path) == ["new"] * 3

    def test_while_a_transaction_is_open(self, tmp_path: Path, *, wal: bool):
        path = stores.new_store(tmp_path / "m.db", wal=wal)
        with stores.held(path, "BEGIN IMMEDIATE", "UPDATE Artifact SET uri = 'new'"):
            assert uris(path) == AS_MADE

    def test_where_a_writer_died(self, tmp_path: Path, *, wal: bool):
        path = stores.new_store(tmp_path / "m.db", wal=wal)
        run(DIE_IN_TRANSACTION, path)
        assert len(stores.state_of(path)) > 1, "the dead writer must leave its journal"
        assert uris(path) == AS_MADE

    def test_where_nothing_may_be_written(self, tmp_path: Path, *, wal: bool):
        folder = tmp_path / "closed"
        folder.mkdir()
        path = stores.new_store(folder / "m.db", wal=wal)
        path.chmod(0o444)
        folder.chmod(0o555)
        try:
            assert uris(path) == AS_MADE
        finally:
            folder.chmod(0o755)

    def test_through_a_link(self, tmp_path: Path, *, wal: bool):
        path = stores.new_store(tmp_path / "m.db", wal=wal)
        run(DIE_IN_TRANSACTION, path)
        (tmp_path / "elsewhere").mkdir()
        link = tmp_path / "elsewhere" / "link.db"
        link.symlink_to(path)
        before = stores.state_of(path)
        assert uris(link) == AS_MADE
        assert stores.state_of(path) == before
        assert list(link.parent.iterdir()) == [link]


class TestWriteAheadLogs:
    def test_what_a_dead_writer_committed_is_there(self, tmp_path: Path):
        path = stores.new_store(tmp_path / "m.db", wal=True)
        run(DIE_AFTER_COMMIT, path)
        assert set(stores.state_of(path)) == {"m.db", "m.db-wal", "m.db-shm"}
        assert uris(path) == ["done"] * 3

    def test_a_copied_log_without_its_index_is_read_too(self, tmp_path: Path):
        path = stores.new_store(tmp_path / "m.db", wal=True)
        run(DIE_AFTER_COMMIT, path)
        path.with_name("m.db-shm").unlink()
        assert uris(path) == ["done"] * 3

    def test_an_empty_log_is_no_log(self, tmp_path: Path):
        path = stores.new_store(tmp_path / "m.db", wal=True)
        path.with_name("m.db-wal").touch()
        assert uris(path) == AS_MADE

    def test_a_writer_that_comes_meanwhile_is_noticed(self, tmp_path: Path):
        path = stores.new_store(tmp_path / "m.db", wal=True)
        asked: list[list[str]] = []

        def question(session: Session) -> list[str]:
            if not asked:
                stores.change(path, "UPDATE Artifact SET uri = 'new'")
            asked.append([row[2] for row in session.fetch("Artifact", {})])
            return asked[-1]

        # This process writes, so the reading is to be done in it, or it would see the lock.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("mlmd_lineage.readers.sqlite.locks._may_be_open", lambda _: False)
            assert stores.reader(path).ask(question) == ["new"] * 3
        assert len(asked) > 1

    def test_a_question_that_fails_on_a_torn_state_is_asked_again(self, tmp_path: Path):
        path = stores.new_store(tmp_path / "m.db", wal=True)
        asked = []

        def question(session: Session) -> int:
            asked.append(len(session.fetch("Artifact", {})))
            if len(asked) == 1:
                stores.change(path, "UPDATE Artifact SET uri = 'new'")
                raise KeyError
            return asked[-1]

        assert stores.reader(path).ask(question) == 3
        assert len(asked) == 2

    def test_a_file_that_never_rests_is_an_error(self, tmp_path: Path):
        path = stores.new_store(tmp_path / "m.db", wal=True)
        turn = iter(range(100))

        def question(session: Session) -> None:
            session.fetch("Artifact", {})
            stores.change(path, f"UPDATE Artifact SET uri = 'new-{next(turn)}'")  # noqa: S608

        with pytest.raises(errors.LockedStoreError, match="changed each time it was read"):
            stores.reader(path, busy_timeout=0.1).ask(question)


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ["a b.db", "50%.db", "what?.db", "a#b.db", "ünï©ødé.db", "a&b=c.db", "'q'\".db", "%41.db"],
    )
    @posix_only
    @pytest.mark.parametrize("wal", [False, True], ids=["rollback", "wal"])
    def test_any_name_will_do(self, tmp_path: Path, name: str, *, wal: bool):
        path = stores.new_store(tmp_path / name, wal=wal)
        assert uris(path) == AS_MADE
        assert [file.name for file in tmp_path.iterdir()] == [name]

    @posix_only
    def test_bytes_that_are_not_utf8(self, tmp_path: Path):
        plain = stores.new_store(tmp_path / "m.db")
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.db"))
        plain.rename(path)
        from mlmd_lineage.readers.base import Selection
        from mlmd_lineage.readers.sqlite import session as sqlite_session

        read = sqlite_session.read(path, 1.0, Selection(["Artifact"])).tables
        assert read["Artifact"].num_rows == 3

    @posix_only
    def test_two_slashes_are_no_host(self, tmp_path: Path):
        path = stores.new_store(tmp_path / "m.db")
        assert stores.reader(Path(f"/{path}")).read(["Artifact"])["Artifact"].num_rows == 3


class TestRefusals:
    def test_missing(self, tmp_path: Path):
        (tmp_path / "metadata.db").touch()
        both_fail(tmp_path / "metdata.db", errors.StoreNotFoundError, "mean 'metadata.db'")
        assert [file.name for file in tmp_path.iterdir()] == ["metadata.db"]

    def test_missing_folder(self, tmp_path: Path):
        path = tmp_path / "no" / "m.db"
        both_fail(path, errors.StoreNotFoundError, "folder .*no is not there either")

    def test_dead_link(self, tmp_path: Path):
        path = tmp_path / "m.db"
        path.symlink_to(tmp_path / "gone.db")
        both_fail(path, errors.StoreNotFoundError, "link to .*gone.db, where there is no file")

    def test_link_to_itself(self, tmp_path: Path):
        path = tmp_path / "m.db"
        path.symlink_to(path)
        both_fail(path, errors.StoreNotFoundError, "cannot be read: .*symbolic links")

    def test_file_as_a_folder(self, tmp_path: Path):
        stores.new_store(tmp_path / "m.db")
        both_fail(tmp_path / "m.db" / "x", errors.StoreNotFoundError, "cannot be read: Not a dir")

    def test_folder(self, tmp_path: Path):
        both_fail(tmp_path, errors.NotAMetadataStoreError, "is a folder")

    @posix_only
    @pytest.mark.parametrize("name", ["pipe", "/dev/zero", "/dev/null"])
    def test_no_regular_file_is_waited_for(self, tmp_path: Path, name: str):
        path = tmp_path / name
        if not path.is_absolute() or name == "pipe":
            os.mkfifo(path)
        both_fail(path, errors.NotAMetadataStoreError, "is a device, pipe or socket")

    def test_no_bytes(self, tmp_path: Path):
        path = tmp_path / "m.db"
        path.touch()
        both_fail(path, errors.NotAMetadataStoreError, "is empty: 0 bytes")

    @pytest.mark.parametrize(
        "content",
        [b"just some text\n" * 99, random.Random(1).randbytes(8192), b"SQLite format 2"],  # noqa: S311
        ids=["text", "encrypted", "old"],
    )
    def test_other_files(self, tmp_path: Path, content: bytes):
        path = tmp_path / "m.db"
        path.write_bytes(content)
        both_fail(path, errors.NotAMetadataStoreError, "is not an SQLite database")

    def test_another_database(self, tmp_path: Path):
        path = stores.change(tmp_path / "m.db", "CREATE TABLE orders (id)")
        both_fail(path, errors.NotAMetadataStoreError, "lacks MLMD's tables .it holds orders.")
        assert stores.state_of(path).keys() == {"m.db"}

    @pytest.mark.parametrize("size", [1, 16, 99, 100, 512, 4096, 4097, 40_000, -4096, -1])
    def test_truncated(self, tmp_path: Path, size: int):
        path = stores.new_store(tmp_path / "m.db")
        path.write_bytes(path.read_bytes()[:size])
        error = errors.NotAMetadataStoreError if size == 1 else errors.DamagedStoreError
        both_fail(path, error, "is not an SQLite" if size == 1 else "is truncated")

    def test_truncated_where_the_header_does_not_tell(self, tmp_path: Path):
        path = stores.new_store(tmp_path / "m.db")
        content = bytearray(path.read_bytes()[:40_000])
        content[92:96] = b"\0\0\0\1"  # the version that wrote the number of pages: another one
        path.write_bytes(content)
        both_fail(path, errors.DamagedStoreError, "is damaged")

    @pytest.mark.slow
    def test_flipped_bytes_never_crash(self, tmp_path: Path):
        whole = stores.new_store(tmp_path / "whole.db").read_bytes()
        path = tmp_path / "m.db"
        chance = random.Random(7)  # noqa: S311 - repeatable
        outcomes = set()
        for _ in range(80):
            content = bytearray(whole)
            for _ in range(chance.choice([1, 10, 200])):
                content[chance.randrange(len(content))] = chance.randrange(256)
            path.write_bytes(content)
            for read in (
                lambda: stores.snapshot(path).findings,
                lambda: stores.reader(path).ask(lambda session: session.fetch("Artifact", {})),
            ):
                try:
                    read()
                except errors.StoreError as error:
                    outcomes.add(type(error))
                else:
                    outcomes.add(None)
            assert path.read_bytes() == content
        assert {None, errors.DamagedStoreError} <= outcomes
        assert outcomes <= {None, errors.DamagedStoreError, errors.NotAMetadataStoreError}

    @posix_only
    @pytest.mark.slow
    def test_permission_denied(self, open_folder: Path):
        path = stores.new_store(open_folder / "m.db")
        path.chmod(0)
        as_nobody(open_folder, path, "StorePermissionError", "may not be read by this user")

    @posix_only
    @pytest.mark.slow
    def test_a_folder_that_may_not_be_entered(self, open_folder: Path):
        folder = open_folder / "closed"
        folder.mkdir()
        path = stores.new_store(folder / "m.db")
        folder.chmod(0)
        try:
            as_nobody(open_folder, path, "StorePermissionError", "may not be read by this user")
        finally:
            folder.chmod(0o755)


@posix_only
@pytest.mark.slow
class TestReadingWithFewRights:
    """What a user may read and not write is read, in every state."""

    @pytest.mark.parametrize("wal", [False, True], ids=["rollback", "wal"])
    def test_at_rest(self, open_folder: Path, *, wal: bool):
        path = stores.new_store(open_folder / "m.db", wal=wal)
        as_nobody(open_folder, path, "/data/1")

    @pytest.mark.parametrize("wal", [False, True], ids=["rollback", "wal"])
    def test_beside_a_writer(self, open_folder: Path, *, wal: bool):
        path = stores.new_store(open_folder / "m.db", wal=wal)
        with stores.held(path, "UPDATE Artifact SET uri = 'new'"):
            as_nobody(open_folder, path, "new")

    @pytest.mark.parametrize("wal", [False, True], ids=["rollback", "wal"])
    def test_after_a_writer_died(self, open_folder: Path, *, wal: bool):
        path = stores.new_store(open_folder / "m.db", wal=wal)
        run(DIE_IN_TRANSACTION, path)
        as_nobody(open_folder, path, "/data/1")

    def test_a_journal_that_may_not_be_read(self, open_folder: Path):
        path = stores.new_store(open_folder / "m.db")
        run(DIE_IN_TRANSACTION, path)
        path.with_name("m.db-journal").chmod(0)
        as_nobody(open_folder, path, "StorePermissionError", "m.db")


AS_NOBODY = """
import os, sys
sys.path[:] = sys.argv[2].split(os.pathsep)
sys.dont_write_bytecode = True
import sqlite_stores
from pathlib import Path

def read(path):
    print(sqlite_stores.snapshot(path).artifacts["uri"][0])
    print(sqlite_stores.reader(path).ask(lambda session: session.fetch("Artifact", {}))[0][2])

# The first time imports what may lie where the other user may not look.
read(Path(sys.argv[3]))
if os.getuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
print("now as another user")
try:
    read(Path(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error)
"""


def as_nobody(folder: Path, path: Path, *said: str) -> None:
    """Read a store as a user who may write nothing, and check what is said and left."""
    other = stores.new_store(folder / "another.db")
    before = stores.state_of(path) if os.access(path.parent, os.X_OK) else None
    found = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(path), os.pathsep.join(sys.path), str(other)],
        capture_output=True,
        text=True,
        check=True,
    )
    for text in said:
        assert text in found.stdout.partition("another user\n")[2], found.stdout + found.stderr
    if before is not None:
        assert stores.state_of(path) == before


class TestLocks:
    def test_busy_timeout_is_kept(self, tmp_path: Path):
        path = stores.new_store(tmp_path / "m.db")
        reader = stores.reader(path, busy_timeout=0.4)
        with stores.held(path, "BEGIN EXCLUSIVE"):
            for read in (reader.read, lambda: reader.ask(lambda session: session)):
                start = time.monotonic()
                with pytest.raises(errors.LockedStoreError, match="stayed locked"):
                    read()
                assert time.monotonic() - start > 0.35

    def test_a_lock_that_goes_is_waited_for(self, tmp_path: Path):
        path = stores.new_store(tmp_path / "m.db")
        reader = stores.reader(path, busy_timeout=waiting.LONG)
        code = stores.HOLD.replace("sys.stdin.read()", "import time; time.sleep(0.5)")
        for read in (
            lambda: reader.read()["Artifact"].num_rows,
            lambda: len(reader.ask(lambda session: session.fetch("Artifact", {}))),
        ):
            with subprocess.Popen(
                [sys.executable, "-c", code, str(path), "BEGIN EXCLUSIVE"], stdout=subprocess.PIPE
            ) as process:
                assert process.stdout is not None
                process.stdout.readline()
                assert read() == 3

    def test_a_reader_keeps_writers_out_for_as_long_as_it_asks(self, tmp_path: Path):
        path = stores.new_store(tmp_path / "m.db")
        write = (
            "import sqlite3, sys\n"
            "with sqlite3.connect(sys.argv[1], timeout=0.1) as c: c.execute('DELETE FROM Artifact')"
        )

        def question(session: Session) -> int:
            session.fetch("Artifact", {"id": [1]})
            with pytest.raises(subprocess.CalledProcessError):
                subprocess.run(
                    [sys.executable, "-c", write, str(path)], check=True, stderr=subprocess.DEVNULL
                )
            return len(session.fetch("Artifact", {}))

        assert stores.reader(path).ask(question) == 3
        run(write, path)
        assert stores.snapshot(path).artifacts.num_rows == 0


def test_a_rollback_in_progress_is_no_dead_writer(tmp_path: Path):
    """Where a journal vanishes just as it is looked at, SQLite takes it for hot."""
    from mlmd_lineage.readers.sqlite import driver_errors

    path = stores.new_store(tmp_path / "m.db")
    seen = []

    def read(uri: str) -> str:
        seen.append(uri)
        if len(seen) == 1:
            raise driver_errors.HotJournalError
        return uri

    assert files.with_unchanged_file(path, 1, read).startswith(f"file://{tmp_path}/m.db?")


def test_the_copy_of_what_a_dead_writer_left_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = stores.new_store(tmp_path / "m.db")
    run(DIE_IN_TRANSACTION, path)
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    copied: list[object] = []
    copy = files._copy
    monkeypatch.setattr(files, "_copy", lambda *a: copied.append(a) or copy(*a))
    assert uris(path) == AS_MADE
    assert copied
    assert not list((tmp_path / "temp").iterdir())


def test_sqlite_takes_no_damaged_copy_for_whole(tmp_path: Path):
    path = stores.new_store(tmp_path / "m.db", wal=True)
    run(DIE_AFTER_COMMIT, path)
    path.with_name("m.db-shm").unlink()
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    path.write_bytes(content)
    both_fail(path, errors.DamagedStoreError, "is damaged")
