"""A full disk and refused memory while evidence is written: the old or the new, never half."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import waiting

import mlmd_lineage as ml
from mlmd_lineage import deadline, errors
from mlmd_lineage.audit.ledger import ledger

if TYPE_CHECKING:
    from collections.abc import Callable

DEMO_STORE = Path(ml.__file__).parent / "data" / "tfx_local.db"
CALLS: tuple[tuple[Any, str], ...] = (
    (tempfile, "mkdtemp"),
    (os, "fsync"),
    (os, "replace"),
    (Path, "rename"),
    (Path, "replace"),
)


class Faults:
    """Counts the calls that change a disk, and lets the nth of them fail."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._nth = 0
        self._error: BaseException = OSError()
        for place, name in CALLS:
            patch.setattr(place, name, self._counted(getattr(place, name)))

    def at(self, nth: int, error: BaseException) -> None:
        self.count, self._nth, self._error = 0, nth, error

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self._nth:
                raise self._error
            return real(*arguments, **options)

        return call


def generation(path: Path, store: ml.Store) -> None:
    store.snapshot().save(path, update=True)


def entry(path: Path, store: ml.Store) -> None:
    ml.Ledger(path).add(store, snapshot=True)


def bundle(path: Path, store: ml.Store) -> None:
    ml.save_bundle(store.upstream("artifact/5"), path / "a.bundle", store=store)


def generations(path: Path, _: ml.Store) -> int:
    archive = ml.connect(path)
    assert archive.snapshot().artifacts.num_rows
    return len(archive.generations())


def entries(path: Path, store: ml.Store) -> int:
    assert not ml.Ledger(path).check(store).problems
    return len(ml.Ledger(path).entries())


def bundles(path: Path, _: ml.Store) -> int:
    found = list(path.iterdir())
    assert all(ml.verify_bundle(each).ok for each in found)
    return len(found)


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), MemoryError()],
    ids=["disk", "memory"],
)
@pytest.mark.parametrize(
    ("write", "count"), [(generation, generations), (entry, entries), (bundle, bundles)]
)
def test_what_is_there_is_old_or_new(
    write: Callable[[Path, ml.Store], None],
    count: Callable[[Path, ml.Store], int],
    error: BaseException,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    store = ml.connect(DEMO_STORE)
    kept, path = tmp_path / "kept", tmp_path / "written"
    if write is bundle:
        kept.mkdir()
    else:
        write(kept, store)
        changed = tmp_path / "changed.db"
        shutil.copyfile(DEMO_STORE, changed)
        with contextlib.closing(sqlite3.connect(changed, isolation_level=None)) as connection:
            connection.execute("UPDATE Artifact SET uri = 'new' WHERE id = 2")
        store = ml.connect(changed)
    before = count(kept, store)
    with monkeypatch.context() as patch:
        faults = Faults(patch)
        shutil.copytree(kept, path)
        faults.at(0, error)
        write(path, store)
        calls = faults.count
    assert count(path, store) == before + 1
    for nth in sorted({1, calls // 2, calls}):
        shutil.rmtree(path)
        shutil.copytree(kept, path)
        there = set(tmp_path.iterdir())
        with monkeypatch.context() as patch:
            faults = Faults(patch)
            faults.at(nth, error)
            with pytest.raises((errors.MLMDLineageError, MemoryError)):
                write(path, store)
        assert count(path, store) == before
        assert set(tmp_path.iterdir()) == there


TERMINATED = """
import os, signal, sys
from pathlib import Path
import mlmd_lineage as ml

folder, store = Path(sys.argv[1]), ml.connect(sys.argv[2])
rename, replace = Path.rename, Path.replace

def killing(path, target):
    os.kill(os.getpid(), signal.SIGTERM)
    raise AssertionError("it goes on")

Path.rename = Path.replace = killing
for write in (
    lambda: ml.Ledger(folder / "ledger").add(store, snapshot=True),
    lambda: ml.save_bundle(store.upstream("artifact/5"), folder / "a.bundle", store=store),
    lambda: store.dossier("artifact/5").save(folder / "a.html"),
    lambda: store.snapshot().save(folder / "archive"),
):
    try:
        write()
    except SystemExit as error:
        print(error.code)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX knows them")
def test_what_is_terminated_leaves_nothing(tmp_path: Path):
    arguments = [sys.executable, "-c", TERMINATED, str(tmp_path), str(DEMO_STORE)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [str(128 + signal.SIGTERM)] * 4, done.stderr
    left = {path.name for path in tmp_path.rglob("*")}
    assert left <= {"ledger", ".entries.jsonl.lock"}


def test_an_interrupt_ends_the_thread_that_writes_a_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Only the main thread gets Ctrl-C, and waits for the other."""
    is_writing = threading.Event()

    def write(*_: Any, **__: Any) -> None:
        is_writing.set()
        waiting.until(lambda: deadline.remaining() == 0)
        deadline.check()

    def interrupted(*_: Any) -> None:
        assert is_writing.wait(waiting.LONG)
        raise KeyboardInterrupt

    monkeypatch.setattr(ledger.archive, "write", write)
    monkeypatch.setattr(ledger.store_state, "state_of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ml.Ledger(tmp_path / "ledger").add(ml.connect(DEMO_STORE), snapshot=True)
    assert {path.name for path in (tmp_path / "ledger").iterdir()} <= {".entries.jsonl.lock"}
