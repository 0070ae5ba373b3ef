"""The in-memory store that other programs test with."""

from __future__ import annotations

import pickle

import pytest

import mlmd_lineage as ml
from mlmd_lineage.testing import InMemoryStore


def made() -> InMemoryStore:
    store = InMemoryStore()
    pipeline = store.put_context("pipeline", "churn")
    data = store.put_artifact("Examples", uri="/data", properties={"span": 3})
    for number in (1, 2):
        run = store.put_context("pipeline_run", f"churn-{number}", parents=[pipeline])
        model = store.put_artifact("Model", uri=f"/model/{number}", contexts=[run])
        store.put_execution(
            "Trainer",
            contexts=[pipeline, run],
            inputs={"examples": data},
            outputs={"model": [model]},
            custom_properties={"lr": 0.1 * number, "deep": {"a": [1, "x"]}, "on": True},
        )
    return store


def test_it_answers_like_any_other_store():
    store = made()
    assert list(store.upstream("artifact/3")) == ["artifact/1", "artifact/3", "execution/2"]
    assert list(store.lineage().downstream(1)) == list(store.downstream("artifact/1"))
    assert store.find_node("/model/2") == "artifact/3"
    assert store.find_artifacts("type = 'Model' AND uri LIKE '%2'").index.tolist() == [3]
    assert store.frames.runs()["status"].tolist() == ["completed", "completed"]
    run = store.get_run("churn-2")
    assert run.get_step("Trainer").parameters == {"lr": 0.2, "deep": {"a": [1, "x"]}, "on": True}
    assert run.get_step("Trainer").input.properties == {"span": 3}
    [change] = store.diff("artifact/2", "artifact/3").first
    assert [found.name for found in change.differences] == ["lr"]
    assert store.snapshot().findings == ()
    assert store.location == "memory"


def test_what_is_put_later_is_seen():
    store = made()
    frames, graph = store.frames, store.lineage()
    key = store.put_artifact("Report", name="late")
    store.put_event("execution/2", key, "PENDING_OUTPUT", path=["report"], time=5)
    assert len(frames.artifacts()) == 4
    assert len(graph) == 5
    assert frames.events()["type"].tolist()[-1] == "PENDING_OUTPUT"
    assert store.upstream(key).complete


def test_types_may_have_base_types():
    store = InMemoryStore()
    store.put_type("artifact", "Network", base_type="mlmd.Model")
    data = store.put_artifact("Dataset")
    store.put_execution("fit", inputs={"x": data}, outputs={"y": store.put_artifact("Network")})
    assert store.impact(data).models["node"].tolist() == ["artifact/2"]


def test_it_can_be_pickled_and_goes_on():
    store = pickle.loads(pickle.dumps(made()))  # noqa: S301 - our own bytes
    assert store.put_artifact("Model") == "artifact/4"
    assert len(store.snapshot().artifacts) == 4


def test_an_empty_one_is_empty():
    assert len(InMemoryStore().lineage()) == 0
    assert InMemoryStore().get_pipelines() == []


def test_mistakes_are_told():
    store = made()
    with pytest.raises(ml.errors.ConfigurationError, match="'execution/9' is no execution"):
        store.put_event("execution/9", "artifact/1")
    with pytest.raises(ml.errors.ConfigurationError, match="Did you mean 'OUTPUT'"):
        store.put_event("execution/1", "artifact/1", "OUTPTU")
    with pytest.raises(ml.errors.ConfigurationError, match="which MLMD cannot hold"):
        store.put_artifact("Model", properties={"when": object()})
    assert len(store.snapshot().artifacts) == 3
