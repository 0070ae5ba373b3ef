"""``timeout=`` of everything that asks a store: another process holds the store's lock."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
import sqlite_stores as stores
import waiting

import mlmd_lineage as ml
from mlmd_lineage import deadline, errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mlmd_lineage.dialects.facts import ContextFacts

SHORT = 0.05
DO_NOT_READ = {
    "explore": "the widget that it returns asks while it is used",
    "generations": "it reads the manifest of an archive, and of no other store",
    "labeler": "not public",
    "record": "its own calls read and write",
    "record_access": "not public",
    "writer": "it writes",
    "native": "the native library knows no deadline",
}
"""The methods of a store that take no ``timeout``, and why."""
WITHOUT_ARGUMENTS = {
    "audit",
    "audit_report",
    "describe",
    "get_models",
    "get_pipelines",
    "get_runs",
    "kubeflow_check",
    "lineage",
    "snapshot",
}
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(WITHOUT_ARGUMENTS, ()),
    "between": ("artifact/1", "artifact/2"),
    "changes": ("another.db",),
    "diff": ("artifact/1", "artifact/2"),
    "dossier": ("artifact/1",),
    "downstream": ("artifact/1",),
    "find_artifacts": ("uri = 'x'",),
    "find_contexts": ("name = 'x'",),
    "find_executions": ("name = 'x'",),
    "find_node": ("churn",),
    "get_artifact": ("churn",),
    "get_pipeline": ("churn",),
    "get_run": ("churn-1",),
    "get_step": ("execution/1",),
    "impact": ("artifact/1",),
    "kubeflow_save": ("saved",),
    "upstream": ("artifact/1",),
}


def methods(owner: type) -> dict[str, Callable[..., Any]]:
    found = inspect.getmembers(owner, inspect.isfunction)
    return {name: method for name, method in found if not name.startswith("_")}


STORE_METHODS = sorted(set(methods(ml.Store)) - set(DO_NOT_READ))
FRAMES = sorted(set(methods(ml.StoreFrames)) - {"with_run_names", "with_writing_types"})


@pytest.fixture(scope="module")
def locked_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store that another process has locked, so that reading it waits."""
    path = stores.new_store(tmp_path_factory.mktemp("locked") / "m.db")
    with stores.held(path, "BEGIN EXCLUSIVE", "UPDATE Artifact SET uri = 'x'"):
        yield path


@pytest.fixture
def store(locked_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ml.Store:
    monkeypatch.chdir(tmp_path)
    return ml.connect(ml.SQLiteMetadataStore(uri=str(locked_path), busy_timeout=waiting.LONG))


def ends(question: Callable[..., object], *arguments: object, **options: object) -> None:
    with waiting.ends_early(), pytest.raises(errors.DeadlineExceededError, match=r"0\.05 seconds"):
        question(*arguments, **options, timeout=SHORT)
    assert deadline.current() is None


def test_every_question_is_known():
    assert set(ARGUMENTS) == set(STORE_METHODS)


@pytest.mark.parametrize("name", STORE_METHODS)
def test_a_question_to_a_store(store: ml.Store, locked_path: Path, name: str):
    arguments = (locked_path,) if name == "changes" else ARGUMENTS[name]
    ends(getattr(store, name), *arguments)


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame(store: ml.Store, name: str):
    ends(getattr(store.frames, name))


def test_what_else_asks_a_store(store: ml.Store, tmp_path: Path):
    ends(store.get_step, "train", run="churn-1")
    ends(store.cache.explain, "execution/1")
    ends(ml.Ledger(tmp_path / "ledger").add, store)
    (tmp_path / "ledger").mkdir(exist_ok=True)
    (tmp_path / "ledger" / "entries.jsonl").touch()
    ends(ml.Ledger(tmp_path / "ledger").check, store)
    other = ml.connect(stores.new_store(tmp_path / "other.db"))
    trace = other.lineage().upstream("artifact/1")
    ends(ml.save_bundle, trace, tmp_path / "bundle", store=store)
    assert not (tmp_path / "bundle").exists()


def test_the_lineage_of_a_view(store: ml.Store, tmp_path: Path):
    other = ml.connect(stores.new_store(tmp_path / "other.db"))
    model = other.get_artifact("artifact/1")
    other._reader = store._reader
    ends(model.upstream)
    ends(model.downstream)


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_a_timeout_is_a_positive_number(store: ml.Store, seconds: float):
    with pytest.raises(errors.ConfigurationError, match="positive number"):
        store.frames.runs(timeout=seconds)


class CancelsAtFirst(ml.Dialect):
    """A dialect that ends the question when it is asked about the first execution."""

    name = "cancels"
    calls = 0

    def identify_runs(self, contexts: Sequence[ContextFacts]) -> None:
        del contexts
        self.calls += 1
        current = deadline.current()
        if current is not None:
            current.cancel()


@pytest.mark.parametrize("name", ["pipelines", "runs", "steps", "metrics", "artifacts"])
def test_what_was_read_is_not_gone_through_to_the_end(tmp_path: Path, name: str):
    dialect = CancelsAtFirst()
    store = ml.connect(stores.new_store(tmp_path / "m.db"))
    unregister = ml.register_dialect(dialect)
    try:
        with ml.Deadline(), pytest.raises(errors.CancelledError):
            getattr(store.frames, name)()
    finally:
        unregister()
    assert dialect.calls == 1
