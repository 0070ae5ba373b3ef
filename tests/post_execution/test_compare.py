from __future__ import annotations

import datetime as dt
import json
import pickle
import sys
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from made_stores import CACHED, Maker

import mlmd_lineage as ml
from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlmd_lineage.post_execution.views import PipelineView

STORES = (
    "tfx_local.db",
    "zenml_0132.db",
    "kfp1_emulated.db",
    "kfp2_emulated.db",
    "real/cmf_getting_started.db",
    "real/tfx_dead_runs.db",
    "real/tfx_interactive.db",
    "real/tfx_phantoms_v6.db",
    "real/tfx_sepsis_2022_06.db",
)


@pytest.fixture(scope="module")
def penguins() -> PipelineView:
    path = resources.files("mlmd_lineage") / "data" / "tfx_local.db"
    return ml.connect(str(path)).get_pipeline("penguin-train")


def test_one_row_a_run_from_the_oldest_on(penguins: PipelineView):
    frame = penguins.compare_runs().to_pandas()
    assert frame.index.tolist() == penguins.get_run_names()
    assert frame["status"].tolist() == ["completed"] * 3 + ["failed"] + ["completed"] * 2
    assert frame["started"].is_monotonic_increasing
    assert frame["duration"].iloc[0] == pd.Timedelta("20.856s")
    steps = frame["parameters.Trainer.train_args.num_steps"]
    assert steps.tolist() == [20, 20, 60, 61, 60, 60]
    assert str(steps.dtype) == "Int64"


def test_a_cached_step_has_the_parameters_of_what_it_reuses(penguins: PipelineView):
    frame = penguins.compare_runs().to_pandas()
    sizes = frame["parameters.CsvExampleGen.input_fingerprint"].str.extract(r"bytes:(\d+)")[0]
    assert sizes.tolist() == ["6071"] * 4 + ["7271"] * 2


def test_inputs_are_told_by_key_and_contents(penguins: PipelineView):
    frame = penguins.compare_runs().to_pandas()
    examples = frame["inputs.Trainer.examples"]
    assert examples.iloc[0].startswith("artifact/1 (input_fingerprint split:")
    baseline = frame["inputs.Evaluator.baseline_model"]
    assert baseline.iloc[1] == "artifact/4"
    assert baseline.iloc[[0, 3]].isna().all()


def test_only_what_changed(penguins: PipelineView):
    frame = penguins.compare_runs(only_changes=True).to_pandas()
    assert [name for name in frame if name.startswith("parameters.")] == [
        "parameters.CsvExampleGen.input_fingerprint",
        "parameters.Trainer.custom_config.lr",
        "parameters.Trainer.train_args.num_steps",
        "parameters.Trainer.custom_config.explode",
    ]
    names = penguins.get_run_names()
    assert "status" not in penguins.compare_runs(runs=names[:3], only_changes=True).to_pandas()


def test_runs_are_chosen(penguins: PipelineView):
    names = penguins.get_run_names()
    assert penguins.compare_runs(last=2).to_pandas().index.tolist() == names[-2:]
    chosen = penguins.compare_runs(runs=[names[4], penguins.runs[0]])
    assert chosen.to_pandas().index.tolist() == [names[0], names[4]]
    assert len(penguins.compare_runs(last=99)) == 6
    assert len(penguins.compare_runs(last=np.int64(2))) == 2
    assert len(penguins.compare_runs(runs=[])) == 0
    assert penguins.compare_runs(runs=[]).to_pandas().empty


def test_what_cannot_be_chosen_is_told(penguins: PipelineView):
    with pytest.raises(errors.ConfigurationError, match="give the number of runs"):
        penguins.compare_runs(last=0)
    with pytest.raises(errors.ConfigurationError, match="last is '5'; give the number of runs"):
        penguins.compare_runs(last="5")  # type: ignore[arg-type]
    with pytest.raises(errors.ConfigurationError, match="give a list of runs"):
        penguins.compare_runs(runs="2026")
    with pytest.raises(errors.NotFoundError, match="has no run"):
        penguins.compare_runs(runs=["2026"])


@pytest.mark.parametrize("name", STORES)
def test_every_dialect(shared_store: Callable[[str], Path], name: str):
    for pipeline in ml.connect(shared_store(name)).get_pipelines():
        frame = pipeline.compare_runs().to_pandas()
        # HPE CMF has no runs: each execution of a stage is a row.
        is_cmf = "cmf" in {run.dialect for run in pipeline.runs}
        rows = sum(len(run.steps) if is_cmf else 1 for run in pipeline.runs)
        assert len(frame) == rows
        assert list(frame)[:3] == ["status", "started", "duration"]
        assert {column.split(".")[0] for column in list(frame)[3:]} <= {
            "parameters",
            "metrics",
            "inputs",
        }
        for number, run in enumerate(pipeline.runs):
            for step in run.steps:
                name = f"{step.path} ({step.node_key})"
                row = frame.loc[name] if is_cmf else frame.iloc[number]
                for metric, value in step.metrics.items():
                    assert row[f"metrics.{step.path}.{metric}"] == value
        json.loads(pipeline.compare_runs().to_json())
        assert set(pipeline.compare_runs(only_changes=True).to_pandas()) <= set(frame)


def test_metrics_of_kubeflow(shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store("kfp2_emulated.db"))
    compared = store.get_pipeline("kfp2-lineage-demo").compare_runs()
    assert compared.metrics["exit-handler-1/evaluate.accuracy"].notna().sum() == 4
    panels = compared.plot()
    assert len(panels) == len(compared.metrics.columns)
    titles = [panel.get_title() for panel in panels]
    assert titles[:3] == list(compared.metrics.columns[:3])
    assert len(set(titles)) == len(titles)


def test_a_wide_comparison_is_made_at_once():
    maker = Maker()
    for number in range(2):
        run = maker.run(f"run-{number}")
        for step in range(300):
            maker.step(run, f"step-{step}", {"x": number})
    # Were columns inserted one by one, pandas would warn of a fragmented frame.
    frame = maker.store().get_pipeline("churn").compare_runs(only_changes=True).to_pandas()
    assert frame.filter(like="parameters.").shape == (2, 300)


def test_comparisons_can_be_pickled(shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store("tfx_local.db"))
    comparison = store.get_pipeline("penguin-train").compare_runs(last=3)
    diff = store.diff("artifact/4", "artifact/15")
    impact = store.impact("artifact/1")
    loaded = pickle.loads(pickle.dumps((comparison, diff, impact)))  # noqa: S301 - our own bytes
    for before, after in zip((comparison, diff, impact), loaded, strict=True):
        assert before.to_json() == after.to_json()
        pd.testing.assert_frame_equal(before.to_pandas(), after.to_pandas())


def test_values_of_several_kinds():
    maker = Maker()
    for number, value in enumerate((1, 2.5, "many")):
        run = maker.run(f"run-{number}")
        parameters = {"mixed": value, "number": 1 if number else 0.5, "text": "a", "big": 2**62}
        maker.step(run, "train", parameters)
    frame = maker.store().get_pipeline("churn").compare_runs().to_pandas()
    assert frame["parameters.train.mixed"].tolist() == [1, 2.5, "many"]
    assert str(frame["parameters.train.number"].dtype) == "Float64"
    assert str(frame["parameters.train.big"].dtype) == "Int64"


def test_inputs_that_stay_inside_and_do_not_differ_are_left_out():
    maker = Maker()
    data, clean = maker.artifact("Examples"), maker.artifact("Examples")
    for number, state in enumerate((3, CACHED)):
        run = maker.run(f"run-{number}")
        maker.step(run, "clean", inputs={"raw": [data]}, outputs={"clean": [clean]}, state=state)
        maker.step(run, "count", inputs={"clean": [clean]})
    frame = maker.store().get_pipeline("churn").compare_runs().to_pandas()
    assert [name for name in frame if name.startswith("inputs.")] == ["inputs.clean.raw"]


def test_durations_are_drawn_in_seconds(penguins: PipelineView):
    compared = penguins.compare_runs()
    panels = compared.plot(["duration", "parameters.Trainer.train_args.num_steps"])
    [durations, failed] = panels[0].lines
    assert durations.get_ydata()[0] == pytest.approx(20.856)
    assert len(failed.get_ydata()) == 1
    assert [panel.get_title() for panel in panels] == [
        "duration",
        "parameters.Trainer.train_args.num_steps",
    ]
    assert panels[0].get_shared_x_axes().joined(*panels)
    figure = panels[0].figure
    figure.clear()
    assert compared.plot("duration", figure=figure)[0].figure is figure


def test_what_cannot_be_drawn_is_told(penguins: PipelineView, monkeypatch: pytest.MonkeyPatch):
    compared = penguins.compare_runs()
    with pytest.raises(errors.ConfigurationError, match="have no metrics in the store"):
        compared.plot()
    with pytest.raises(errors.ConfigurationError, match="Did you mean 'duration'"):
        compared.plot("durations")
    with pytest.raises(errors.ConfigurationError, match="holds no numbers"):
        compared.plot("status")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(errors.ConfigurationError, match=r"mlmd-lineage\[plot\]"):
        compared.plot("duration")


def test_it_shows_itself(penguins: PipelineView):
    compared = penguins.compare_runs(last=2)
    assert repr(compared) == "<RunComparison of 'penguin-train': 2 runs>"
    assert "<table" in compared._repr_html_()
    rows = json.loads(compared.to_json())
    assert rows[0]["run"] == penguins.get_run_names()[-2]
    assert dt.datetime.fromisoformat(rows[0]["started"]) == compared.to_pandas()["started"].iloc[0]
    assert rows[1]["duration"] == pytest.approx(10.387)
