"""Runs and steps: what is recorded, when it is in the store, and how it reads back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from recorded_values import VALUES

import mlmd_lineage as ml

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store(config_folder: Path) -> Iterator[ml.Store]:
    """Return a new store in a folder of its own."""
    del config_folder
    return ml.connect("store.db", create=True)


def test_values_read_back_exactly(store: ml.Store):
    with store.record("p", "r", parameters=VALUES) as run, run.step("s", parameters=VALUES) as step:
        step.log_metrics({"auc": 0.1 + 0.2, "count": 3, "not a number": math.inf})
    found = store.get_run("r")
    for held in (found.parameters, found.get_step("s").parameters):
        assert dict(held) == VALUES
        assert all(type(held[name]) is type(value) for name, value in VALUES.items())
        assert math.copysign(1, held["minus_zero"]) == -1
    assert dict(found.get_step("s").metrics) == {
        "auc": 0.1 + 0.2,
        "count": 3,
        "not a number": math.inf,
    }


def test_the_inputs_are_in_the_store_before_the_step_runs(store: ml.Store):
    Path("train.csv").write_text("a,b\n", encoding="utf-8")
    with (
        store.record("churn", "r") as run,
        run.step("train", parameters={"lr": 0.1}, inputs={"data": "train.csv"}) as step,
    ):
        seen = store.get_step(step.node_key or "")
        assert (seen.status, dict(seen.parameters)) == ("running", {"lr": 0.1})
        data = seen.inputs["data"]
        assert data.uri == str(Path("train.csv").absolute())
        assert data.properties["sha256"] == step.inputs["data"][0].sha256
        assert store.get_run("r").status == "running"
    assert store.get_run("r").status == "completed"


def test_an_output_is_the_input_of_a_later_step(store: ml.Store):
    Path("model.pkl").write_bytes(b"model")
    with store.record("churn", "r") as run:
        with run.step("train") as step:
            made = step.produce("model", uri="model.pkl", type="Model", metrics={"auc": 0.9})
        with run.step("evaluate") as later:
            assert later.use(made, "model").id == made.id
        with run.step("deploy") as last:
            assert last.use("model.pkl").id == made.id
    found = store.get_run("r")
    assert [step.name for step in found.get_step("evaluate").parent_steps] == ["train"]
    assert found.get_step("train").output.metrics == {"auc": 0.9}
    assert store.upstream(made.id).producers(made.node_key) == (step.node_key,)
