"""The frames of pipelines, runs, steps, parameters and metrics, and how they join."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from made_runs import Made

import mlmd_lineage as ml
from mlmd_lineage.post_execution import frames

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STORES = ("tfx_local.db", "zenml_0132.db", "kfp2_emulated.db", "kfp1_emulated.db",
          "real/cmf_getting_started.db", "real/tfx_sepsis_2022_06.db")  # fmt: skip
SPECS: dict[str, tuple[dict[str, Any], str]] = {
    "pipelines": (frames.PIPELINES, "pipeline"),
    "runs": (frames.RUNS, "run"),
    "steps": (frames.STEPS, "execution_id"),
    "parameters": (frames.PARAMETERS, ""),
    "metrics": (frames.METRICS, ""),
}


@pytest.mark.parametrize("name", SPECS)
def test_columns_and_dtypes_are_the_same_for_every_store(
    name: str, shared_store: Callable[[str], Path]
):
    spec, index = SPECS[name]
    for store in (Made().store(), *(ml.connect(shared_store(path)) for path in STORES)):
        frame = getattr(store.frames, name)()
        assert list(frame.columns) == [column for column in spec if column != index]
        assert [frame[column].dtype for column in frame] == [spec[column] for column in frame]
        if index:
            assert frame.index.name == index
            assert frame.index.dtype == spec[index]


@pytest.mark.parametrize("path", STORES)
def test_they_say_what_the_views_say_and_join(path: str, shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store(path))
    found = store.frames
    pipelines, runs, steps = found.pipelines(), found.runs(), found.steps()
    views = store.get_pipelines()
    assert pipelines["name"].tolist() == [p.name for p in views]
    assert pipelines["runs"].tolist() == [len(p.runs) for p in views]
    assert runs["status"].tolist() == [r.status for p in views for r in p.runs]
    every = [s for p in views for r in p.runs for s in r.steps]
    assert steps.index.tolist() == [s.id for s in every]
    assert steps["path"].tolist() == [s.path for s in every]
    originals = [None if (o := s.original_step) is None else o.id for s in every]
    assert (
        steps["original_execution_id"]
        .astype(object)
        .where(steps["original_execution_id"].notna(), None)
        .tolist()
        == originals
    )
    assert set(runs["pipeline"]) <= set(pipelines.index)
    assert set(steps["run"]) <= set(runs.index)
    assert runs["steps"].sum() == len(steps)
    parameters = found.parameters()
    assert len(parameters) == sum(len(s.parameters) for s in every)
    assert set(parameters["execution_id"]) <= set(steps.index)
    metrics = found.metrics()
    assert sorted(metrics["value"]) == sorted(v for s in every for v in s.metrics.values())
    artifacts = found.artifacts()
    plain = found.artifacts(runs=False)
    pd.testing.assert_frame_equal(artifacts[list(plain.columns)], plain)
    made = artifacts[artifacts["execution_id"].notna()]
    once = steps[~steps.index.duplicated()].add_suffix("_of_step")
    joined = made.join(once, on="execution_id")
    assert joined["step"].tolist() == joined["name_of_step"].tolist()
    assert joined["run"].tolist() == joined["run_of_step"].tolist()
    for step in every:
        for held in step.output_artifacts.values():
            for artifact in held:
                maker = artifact.producer_step
                row = artifacts.loc[artifact.id]
                assert (None if maker is None else maker.id) == (
                    None if pd.isna(row["execution_id"]) else row["execution_id"]
                )


def test_artifacts_by_type_with_properties(shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store("tfx_local.db"))
    frame = store.frames.artifacts(type="Model", properties=True)
    assert frame["step"].tolist() == ["Trainer"] * 4
    assert frame["pipeline_name"].tolist() == ["penguin-train"] * 4
    assert "custom_properties.tfx_version" in frame.columns
    columns = list(frame.columns)
    assert columns.index("type_id") < columns.index("execution_id")
    assert columns.index("pipeline_name") < columns.index("custom_properties.tfx_version")


def test_many_runs_are_let_go_and_the_answer_stays(
    monkeypatch: pytest.MonkeyPatch, shared_store: Callable[[str], Path]
):
    store = ml.connect(shared_store("zenml_0132.db"))
    expected = store.frames.steps()
    monkeypatch.setattr(frames, "_KEPT", 1)
    pd.testing.assert_frame_equal(store.frames.steps(), expected)
