"""What a store offers beside its views: single steps and artifacts, findings, descriptions."""

from __future__ import annotations

import datetime as dt
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest

import mlmd_lineage as ml
from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def tfx() -> ml.Store:
    return ml.connect(str(resources.files("mlmd_lineage") / "data" / "tfx_local.db"))


def test_runs_of_all_pipelines(tfx: ml.Store):
    runs = tfx.get_runs()
    assert [run.node_key for run in runs] == tfx.frames.runs().index.tolist()


def test_a_step_comes_with_its_run(tfx: ml.Store):
    step = tfx.get_step("execution/4")
    assert (step.name, step.run.name) == ("Trainer", "2026-11-21T02:44:15.589538")
    assert step == tfx.get_step(4) == tfx.get_step("4")
    assert (
        step == tfx.get_step("Trainer", run=step.run) == tfx.get_step("Trainer", run=step.run.name)
    )
    assert step.parent_steps == step.run.get_step("Trainer").parent_steps != ()


@pytest.mark.parametrize(
    "name", ["tfx_local.db", "kfp2_emulated.db", "zenml_0132.db", "real/cmf_getting_started.db"]
)
@pytest.mark.slow
def test_each_step_and_artifact_is_found_alone(shared_store: Callable[[str], Path], name: str):
    store = ml.connect(shared_store(name))
    steps = store.frames.steps()
    for number in steps.index[:: max(1, len(steps) // 6)].tolist():
        step = store.get_step(number)
        assert (step.id, step.name) == (number, steps.loc[[number], "name"].iloc[0])
        for key, artifacts in step.output_artifacts.items():
            for artifact in artifacts:
                found = store.get_artifact(artifact)
                assert found == artifact
                assert found.type == artifact.type, key
                assert found.producer_step == artifact.producer_step


def test_an_artifact_that_no_step_made(tfx: ml.Store):
    store = InMemoryStore()
    alone, taken = store.put_artifact("Data", uri="/a"), store.put_artifact("Data", uri="/b")
    store.put_execution("use", inputs={"data": taken})
    found = store.get_artifact("/a")
    assert (found.node_key, found.producer_step, found.is_phantom) == (alone, None, False)
    with pytest.raises(ml.errors.NotFoundError, match="No step took or made"):
        _ = found.step
    assert store.get_artifact(2).step.inputs["data"] == store.get_artifact("/b")
    assert tfx.get_artifact("artifact/1").step.name == "CsvExampleGen"


@pytest.mark.parametrize("wrong", [None, ["churn"], 7, 1.5, "", object()])
def test_wrong_kinds_of_names_get_our_errors(tfx: ml.Store, wrong: Any):
    pipeline = tfx.get_pipeline("penguin-train")
    for ask in (tfx.get_pipeline, tfx.get_run, pipeline.get_run, pipeline.last_run.get_step):
        with pytest.raises(ml.MLMDLineageError):
            ask(wrong)


def test_keywords_of_zenml(tfx: ml.Store):
    pipeline = tfx.get_pipeline(pipeline="penguin-train")
    assert pipeline == tfx.get_pipeline(pipeline=pipeline) == tfx.get_pipeline("penguin-train")
    name = pipeline.last_run.name
    assert (
        tfx.get_run(run_name=name) == pipeline.last_run == tfx.get_run(run_name=pipeline.last_run)
    )
    with pytest.raises(ml.errors.ConfigurationError, match="named twice"):
        tfx.get_pipeline("penguin-train", pipeline="penguin-train")


def test_what_is_missing_is_told(tfx: ml.Store):
    with pytest.raises(ml.errors.NotFoundError, match="no execution/9999"):
        tfx.get_step(9999)
    with pytest.raises(ml.errors.NotFoundError, match="no artifact/9999"):
        tfx.get_artifact(9999)
    for number in (2**63, 10**40):
        with pytest.raises(ml.errors.NotFoundError, match="no ids as large"):
            tfx.get_step(number)
        with pytest.raises(ml.errors.NotFoundError, match="no ids as large"):
            tfx.get_artifact(str(number))
    with pytest.raises(ml.errors.ConfigurationError, match="name its run too"):
        tfx.get_step("Trainer")
    with pytest.raises(ml.errors.ConfigurationError, match="is no artifact"):
        tfx.get_artifact("execution/4")


def test_durations(tfx: ml.Store):
    run = tfx.get_pipeline("penguin-train").runs[0]
    assert run.started is not None
    assert run.finished is not None
    assert run.duration == run.finished - run.started
    assert all(isinstance(step.duration, dt.timedelta) for step in run.steps)


@pytest.mark.parametrize(
    ("name", "platforms"),
    [
        ("tfx_local.db", ["TFX"]),
        ("zenml_0132.db", ["ZenML"]),
        ("kfp1_emulated.db", ["Kubeflow Pipelines 1"]),
        ("kfp2_emulated.db", ["Kubeflow Pipelines 2"]),
        ("real/cmf_getting_started.db", ["HPE CMF"]),
        ("real/model_registry.db", ["Kubeflow Model Registry"]),
    ],
)
def test_a_description_names_the_platforms(
    shared_store: Callable[[str], Path], name: str, platforms: list[str]
):
    store = ml.connect(shared_store(name))
    described = store.describe()
    assert described == store.describe(store.snapshot())
    assert list(described.platforms) == platforms
    assert described.runs == sum(described.platforms.values())
    assert f"written by: {platforms[0]}" in str(described)
    assert "<table>" in described._repr_html_()


def test_a_store_and_its_frames_show_themselves(tfx: ml.Store):
    assert tfx.findings == tfx.snapshot().findings
    described = tfx.describe()
    assert described.counts == {"artifacts": 47, "executions": 57, "contexts": 56, "events": 136}
    assert described.first_time is not None
    assert described.last_time is not None
    assert described.first_time < described.last_time
    assert "get_pipelines()" in tfx._repr_html_()
    assert "metrics()" in repr(tfx.frames)
    html = tfx.frames._repr_html_()
    assert all(f"{name}()" in html for name in ("artifacts", "events", "runs", "metrics"))


def test_a_path_may_be_named_by_its_end(shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store("kfp2_emulated.db"))
    for run in store.get_runs():
        for step in run.steps:
            end = "/".join(step.path.split("/")[1:])
            if end.count("/") and sum(s.path.endswith(f"/{end}") for s in run.steps) == 1:
                assert run.get_step(end) == step
                break
