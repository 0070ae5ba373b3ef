"""Reading in another process where this one may have the file open."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlite_stores as stores
import waiting

from mlmd_lineage import errors
from mlmd_lineage.readers.sqlite import locks, subprocess_client
from mlmd_lineage.readers.sqlite.subprocess_reader import SubprocessReader
from mlmd_lineage.snapshot.tables import ALL_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.readers.base import Session

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="locks belong to handles there"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return stores.new_store(tmp_path / "m.db")


def children() -> set[int]:
    """Return the processes that this one has started, the tests' database servers among them."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(stat.parent.name))
    return found


@pytest.fixture(autouse=True)
def _no_child_stays() -> Iterator[None]:
    subprocess_client.end()
    before = children()
    yield
    subprocess_client.end()
    assert children() == before


def worker_pid(session: Session) -> int:
    return session._client.pid  # type: ignore[attr-defined, no-any-return]


def is_gone(pid: int, seconds: float = 120) -> bool:
    """Wait for a process that is not our child to end; what nobody has waited for is gone too."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


class TestWhatItGives:
    def test_the_same_tables(self, path: Path):
        here = stores.reader(path).read()
        there = SubprocessReader(path, 1).read(ALL_TABLES)
        assert there.names == here.names
        for name in here.names:
            assert there[name].equals(here[name], check_metadata=True), name
        assert (there.schema_version, there.source) == (10, str(path))
        assert there.taken_at >= here.taken_at

    def test_the_same_rows(self, path: Path):
        def question(session: Session) -> list[object]:
            return [
                session.fetch("Artifact", {"id": (1, 3)}),
                session.fetch("ArtifactProperty", {"artifact_id": {1}}),
                session.fetch("Context", {"name": ["context-2"]}),
                session.source,
                session.layout,
            ]

        assert SubprocessReader(path, 1).ask(question) == stores.reader(path).ask(question)

    def test_what_only_the_reader_saw(self, path: Path):
        stores.change(path, "UPDATE Artifact SET uri = CAST(x'ff' AS TEXT) WHERE id = 2")
        tables = SubprocessReader(path, 1).read(ALL_TABLES)
        assert tables["Artifact"]["uri"].to_pylist() == ["/data/1", "\\xff", "/data/3"]
        assert [finding.code for finding in stores.Snapshot.of(tables).findings] == ["invalid_text"]

    def test_few_tables_or_none(self, path: Path):
        assert SubprocessReader(path, 1).read(["Event"]).names == ("Event",)
        assert SubprocessReader(path, 1).read([]).names == ()

    def test_the_tables_outlive_it(self, path: Path):
        tables = SubprocessReader(path, 1).read(ALL_TABLES)
        path.unlink()
        assert tables["Artifact"]["uri"].to_pylist() == ["/data/1", "/data/2", "/data/3"]

    def test_one_transaction(self, path: Path):
        def question(session: Session) -> tuple[int, int]:
            first = len(session.fetch("Artifact", {}))
            with (
                closing(sqlite3.connect(path, timeout=0.1)) as writer,
                pytest.raises(sqlite3.OperationalError, match="locked"),
            ):
                writer.executescript("DELETE FROM Artifact")
            return first, len(session.fetch("Artifact", {}))

        assert SubprocessReader(path, 1).ask(question) == (3, 3)


class TestFailures:
    def test_errors_travel_as_themselves(self, path: Path):
        with pytest.raises(errors.StoreNotFoundError, match=r"There is no file .*\.db.") as caught:
            SubprocessReader(path.with_name("n.db"), 1).read(ALL_TABLES)
        assert type(caught.value) is errors.StoreNotFoundError
        with pytest.raises(errors.StoreNotFoundError, match=r"mean 'm\.db'"):
            SubprocessReader(path.with_name("n.db"), 1).ask(lambda session: session)
        stores.change(path, "UPDATE MLMDEnv SET schema_version = 11")
        with pytest.raises(errors.UnsupportedSchemaError, match="schema version 11"):
            SubprocessReader(path, 1).read(ALL_TABLES)

    def test_an_error_in_a_question_is_the_questions(self, path: Path):
        def question(session: Session) -> None:
            session.fetch("Artifact", {})
            raise LookupError(worker_pid(session))

        with pytest.raises(LookupError) as caught:
            SubprocessReader(path, 1).ask(question)
        # It has put the transaction away, and is well.
        stores.change(path, "UPDATE Artifact SET uri = 'new'")
        assert SubprocessReader(path, 1).ask(worker_pid) == caught.value.args[0]

    def test_a_failing_fetch_can_be_caught_and_the_next_one_works(self, path: Path):
        def question(session: Session) -> int:
            with pytest.raises(errors.ReadError, match="surrogates not allowed"):
                session.fetch("Artifact", {"name": ["\ud800"]})
            return len(session.fetch("Artifact", {}))

        assert SubprocessReader(path, 1).ask(question) == 3
        assert stores.reader(path).ask(question) == 3

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_a_worker_that_dies_is_an_error(self, path: Path, when: str):
        def question(session: Session) -> None:
            if when == "after":
                session.fetch("Artifact", {})
            os.kill(worker_pid(session), signal.SIGKILL)
            session.fetch("Artifact", {})

        with pytest.raises(errors.ReadError, match=r"m\.db failed: .* ended with code -9"):
            SubprocessReader(path, 1).ask(question)

    def test_its_last_words_are_told(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(subprocess_client, "_BEGIN", "raise SystemExit('no pyarrow here')")
        with pytest.raises(errors.ReadError, match="error: no pyarrow here"):
            SubprocessReader(path, 1).read(ALL_TABLES)

    def test_no_room_for_the_columns(self, path: Path):
        resource = pytest.importorskip("resource")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            with pytest.raises(errors.ReadError, match=r"temporary file: File too large\. Free"):
                SubprocessReader(path, 1).read(ALL_TABLES)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    @pytest.mark.parametrize("executable", ["", "/no/such/python"])
    def test_no_python_to_start(self, path: Path, monkeypatch: pytest.MonkeyPatch, executable: str):
        monkeypatch.setattr(sys, "executable", executable)
        with pytest.raises(errors.ReadError, match="none can be started"):
            SubprocessReader(path, 1).read(ALL_TABLES)

    @pytest.mark.parametrize("wal", [False, True], ids=["rollback", "wal"])
    def test_a_question_is_asked_again_where_the_file_changed(self, tmp_path: Path, *, wal: bool):
        path = stores.new_store(tmp_path / "w.db", wal=wal)
        asked = []

        def question(session: Session) -> str:
            if wal and not asked:  # with a rollback journal, the writer would wait
                stores.change(path, "UPDATE Artifact SET uri = 'new'")
            asked.append(session.fetch("Artifact", {})[0][2])
            if wal and len(asked) == 1:
                raise KeyError  # as a question may on a torn state
            return asked[-1]

        assert SubprocessReader(path, 1).ask(question) == ("new" if wal else "/data/1")
        assert len(asked) == (2 if wal else 1)


class TestTheNextQuestion:
    def test_goes_to_the_same_worker(self, path: Path):
        other = stores.new_store(path.with_name("other.db"))
        first = SubprocessReader(path, 1).ask(worker_pid)
        stores.change(path, "UPDATE Artifact SET uri = 'new'")
        with pytest.raises(errors.StoreNotFoundError):
            SubprocessReader(path.with_name("none.db"), 1).read(ALL_TABLES)
        assert SubprocessReader(path, 1).read(ALL_TABLES)["Artifact"]["uri"][0].as_py() == "new"
        assert (
            SubprocessReader(other, 1).read(["Artifact"])["Artifact"]["uri"][0].as_py() == "/data/1"
        )
        assert SubprocessReader(path, 1).ask(worker_pid) == first

    def test_goes_to_another_one_if_that_has_gone(self, path: Path):
        first = SubprocessReader(path, 1).ask(worker_pid)
        os.kill(first, signal.SIGKILL)
        assert SubprocessReader(path, 1).ask(worker_pid) != first

    def test_two_at_once_have_two_workers(self, path: Path):
        def question(session: Session) -> tuple[int, int]:
            return worker_pid(session), SubprocessReader(path, 1).ask(worker_pid)

        first, second = SubprocessReader(path, 1).ask(question)
        assert first != second
        assert is_gone(first)  # one is kept
        assert not is_gone(second, seconds=0)

    def test_it_does_not_wait_for_ever(self, path: Path, monkeypatch: pytest.MonkeyPatch):
        short = subprocess_client._BEGIN.replace(
            "importlib.import_module",
            "importlib.import_module({main!r}).LINGER_SECONDS = 0.2\nimportlib.import_module",
        )
        monkeypatch.setattr(subprocess_client, "_BEGIN", short)
        first = SubprocessReader(path, 1).ask(worker_pid)
        assert is_gone(first)
        assert SubprocessReader(path, 1).ask(worker_pid) != first

    @pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)"])
    def test_it_goes_with_its_parent_without_a_word(self, path: Path, end: str):
        code = f"""
import os, signal, sys
from pathlib import Path
from mlmd_lineage.readers.sqlite.subprocess_reader import SubprocessReader
print(SubprocessReader(Path(sys.argv[1]), 1).ask(lambda session: session._client.pid), flush=True)
{end}
"""
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-c", code, str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        assert is_gone(int(done.stdout))

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
    def test_a_forked_child_has_its_own(self, path: Path):
        code = """
import os, sys
from pathlib import Path
from mlmd_lineage.readers.sqlite.subprocess_reader import SubprocessReader
pid = lambda: SubprocessReader(Path(sys.argv[1]), 1).ask(lambda session: session._client.pid)
first = pid()
child = os.fork()
if not child:
    print(pid() != first, flush=True)
    sys.exit()
os.waitpid(child, 0)
print(pid() == first)
"""
        done = subprocess.run(
            [sys.executable, "-Werror", "-Wignore::DeprecationWarning", "-c", code, str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("True\nTrue\n", "")


class TestItsEnd:
    def test_ctrl_c_in_a_question(self, path: Path):
        pids = []

        def question(session: Session) -> None:
            pids.append(worker_pid(session))
            signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            SubprocessReader(path, 1).ask(question)
        assert is_gone(pids[0])

    def test_ctrl_c_while_it_waits_for_a_lock(self, path: Path):
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            with (
                waiting.ends_early(),
                pytest.raises(KeyboardInterrupt),
                waiting.interrupted(path, others=1),
            ):
                SubprocessReader(path, waiting.LONG).read(ALL_TABLES)

    def test_its_parent_is_killed(self, path: Path):
        code = (
            "import sys, time\n"
            "from pathlib import Path\n"
            "from mlmd_lineage.readers.sqlite.subprocess_reader import SubprocessReader\n"
            "def question(session):\n"
            "    print(session._client.pid, flush=True)\n"
            "    time.sleep(60)\n"
            "SubprocessReader(Path(sys.argv[1]), 1).ask(question)\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE
        ) as parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            parent.kill()
        assert is_gone(pid)

    def test_it_imports_no_program_and_nothing_from_where_one_happens_to_be(self, path: Path):
        # A __main__ without a guard would start workers without end.
        folder = path.parent / "here"
        folder.mkdir()
        for name in ("multiprocessing", "pyarrow", "socket", "random"):
            (folder / f"{name}.py").write_text("raise SystemExit('imported from here')\n")
        program = path.parent / "program.py"
        program.write_text(
            "import sys\n"
            "from pathlib import Path\n"
            "from mlmd_lineage.readers.sqlite.subprocess_reader import SubprocessReader\n"
            f"print(SubprocessReader(Path({str(path)!r}), 1).read(['Event'])['Event'].num_rows)\n"
        )
        done = subprocess.run(
            [sys.executable, str(program)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(errors.__file__).parent.parent)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("4\n", "")


class TestWhenItIsAsked:
    @pytest.fixture
    def workers(self, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
        """Return the paths for which workers have been made."""
        made: list[Path] = []

        class Noted(SubprocessReader):
            def __init__(self, path: Path, busy_timeout: float) -> None:
                made.append(path)
                super().__init__(path, busy_timeout)

        monkeypatch.setattr("mlmd_lineage.readers.sqlite.reader.SubprocessReader", Noted)
        return made

    def test_not_where_nobody_has_it_open(self, path: Path, workers: list[Path]):
        with closing(sqlite3.connect(stores.new_store(path.with_name("other.db")))) as other:
            other.execute("SELECT * FROM Artifact").fetchall()
            stores.reader(path).read()
            stores.reader(path).ask(lambda session: session.fetch("Artifact", {}))
        assert workers == []

    def test_where_this_process_has_it_open(self, path: Path, workers: list[Path]):
        link = path.with_name("link.db")
        link.symlink_to(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as mine:
            mine.execute("BEGIN IMMEDIATE")
            mine.execute("UPDATE Artifact SET uri = 'mine'")
            assert stores.reader(path).read()["Artifact"]["uri"][0].as_py() == "/data/1"
            assert stores.reader(link).ask(lambda s: s.fetch("Artifact", {"id": [1]})[0][2]) == (
                "/data/1"
            )
            # The lock is still held: nothing in this process has closed the file.
            with pytest.raises(subprocess.CalledProcessError):
                subprocess.run(
                    [sys.executable, "-c", WRITE, str(path)], check=True, stderr=subprocess.DEVNULL
                )
            mine.execute("COMMIT")
        assert workers == [path, link]
        assert stores.rows(path, "Artifact")[0]["uri"] == "mine"
        assert len(workers) == 2

    def test_where_the_native_library_is_loaded(
        self, path: Path, workers: list[Path], monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setitem(sys.modules, "ml_metadata.metadata_store.pywrap", object())
        stores.reader(path).read(["Event"])
        assert workers == [path]

    def test_a_question_may_read_its_own_store(self, path: Path, workers: list[Path]):
        reader = stores.reader(path, busy_timeout=0.2)
        assert reader.ask(lambda _: reader.read(["Event"])["Event"].num_rows) == 4
        assert workers == [path]

    def test_threads_read_different_stores_at_once(self, path: Path, workers: list[Path]):
        other = stores.new_store(path.with_name("other.db"))
        both = threading.Barrier(2, timeout=60)

        def question(session: Session) -> int:
            both.wait()
            return len(session.fetch("Artifact", {}))

        found: list[int] = []
        threads = [
            threading.Thread(target=lambda p=p: found.append(stores.reader(p).ask(question)))
            for p in (path, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [3, 3]
        assert workers == []

    def test_threads_read_one_store_in_turn(self, path: Path, workers: list[Path]):
        inside = []
        most = []

        def question(session: Session) -> None:
            inside.append(1)
            most.append(len(inside))
            session.fetch("Artifact", {})
            inside.pop()

        def several() -> None:
            for _ in range(20):
                stores.reader(path).ask(question)

        threads = [threading.Thread(target=several) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert max(most) == 1
        assert len(most) == 80
        assert workers == []

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_a_forked_child_waits_for_no_thread_of_its_parent(self, path: Path):
        with locks.taken(path, 1) as here:
            assert here
            child = os.fork()
            if not child:
                with locks.taken(path, 30) as mine:
                    os._exit(0 if mine else 1)
            assert os.waitpid(child, 0)[1] == 0

    def test_where_no_list_of_open_files_is_to_be_had(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("os.listdir", lambda _: (_ for _ in ()).throw(OSError))
        with locks.taken(path, 1) as here:
            assert not here


WRITE = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=0.1) as connection:
    connection.execute("UPDATE Artifact SET uri = 'theirs'")
"""
