"""A name that nothing has is told without reading the store; one that something has is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from made_stores import STORES_WITH_RUNS

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.post_execution.loading import absent_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch):
    """Take every store for a large one."""
    monkeypatch.setattr(absent_names, "_FEW", 0)


def forbid_reading(store: ml.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(type(store._reader), "read", read)
    monkeypatch.setattr(type(store._reader), "read_selected", read)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("path", STORES_WITH_RUNS)
def test_every_name_and_key_that_is_there_is_found(path: str, shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store(path))
    runs, pipelines = store.frames.runs(), store.frames.pipelines()
    for frame, get in ((runs, store.get_run), (pipelines, store.get_pipeline)):
        for key in [*frame.index[-3:], *frame["name"].drop_duplicates()[-3:]]:
            try:
                found: Any = get(key)
            except errors.AmbiguousNameError:
                continue
            assert key in {found.node_key, found.name}


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("path", [path for path in STORES_WITH_RUNS if "registry" not in path])
def test_a_name_that_nothing_has_is_told_without_reading_the_store(
    path: str, shared_store: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    store = ml.connect(shared_store(path))
    forbid_reading(store, monkeypatch)
    with pytest.raises(errors.NotFoundError, match=r"has no run 'no-such-thing'\."):
        store.get_run("no-such-thing")
    with pytest.raises(errors.NotFoundError, match=r"has no pipeline 'no-such-thing'\."):
        store.get_pipeline("no-such-thing")


@pytest.mark.usefixtures("large")
def test_near_names_are_suggested(
    shared_store: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    store = ml.connect(shared_store("tfx_local.db"))
    forbid_reading(store, monkeypatch)
    with pytest.raises(errors.NotFoundError, match="Did you mean 'penguin-train'"):
        store.get_pipeline("penguin-trian")


@pytest.mark.usefixtures("large")
def test_names_of_a_user_s_own_dialect_are_looked_for_everywhere(
    shared_store: Callable[[str], Path],
):
    class Named(ml.Dialect):
        name = "named"

        def identify_runs(self, contexts: Any) -> Any:
            run = next((c for c in contexts if c.type == "pipeline_run"), None)
            if run is None:
                return None
            return (ml.RunIdentity(run, None, "all", run_name=f"the run {run.id}"),)

    store = ml.connect(shared_store("tfx_local.db"))
    unregister = ml.register_dialect(Named)
    try:
        run = store.get_pipeline("all").runs[0]
        assert store.get_run(f"the run {run.id}").id == run.id
    finally:
        unregister()
