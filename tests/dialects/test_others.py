"""ZenML before 0.11, Kubeflow Pipelines 1, CMF, stores of nobody's, and dialects of one's own."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

import pytest
from made_runs import COMPLETE, FAILED, RUNNING, Made

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.dialects import registry
from mlmd_lineage.dialects.base import Dialect, first
from mlmd_lineage.dialects.records import RunIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mlmd_lineage.dialects.facts import ContextFacts


def zenml_contexts(made: Made, run: str, step: str) -> list[int]:
    return [
        made.context("pipeline", "zp"),
        made.context("pipeline_run", run),
        made.context("node", f"zp.{step}"),
    ]


def test_zenml_0_7_has_stack_contexts_and_no_names_of_artifacts():
    made = Made()
    stack = made.context("stack", "md5", custom={"orchestrator": "local"})
    needs = made.context("pipeline_requirements", "md5")
    properties = {"datatype": "builtins.float", "materializer": "m.BuiltIn"}
    data = made.artifact("DataArtifact", properties=properties)
    custom = {
        "lr": "0.1",
        "tags": '["a", 1]',
        "none": "null",
        "odd": "not json",
        "zenml-pipeline_parameter_name": '"trainer"',
        "zenml-step_source": '"abc"',
    }
    contexts = [*zenml_contexts(made, "r", "my_trainer"), stack, needs]
    made.execution("steps.my_trainer", contexts, custom=custom, outputs={"output": data})
    run = made.store().get_run("r")
    assert (run.dialect, run.pipeline_name, dict(run.runtime_configuration)) == ("zenml", "zp", {})
    step = run.get_step("trainer")
    assert step.entrypoint_name == "my_trainer"
    assert step.parameters == {"lr": 0.1, "none": None, "odd": "not json", "tags": ["a", 1]}
    assert step.internal_properties["zenml-step_source"] == "abc"
    assert (step.output.data_type, step.output.materializer) == ("builtins.float", "m.BuiltIn")
    assert step.output.name is None


def test_zenml_before_0_5_4_names_a_step_by_its_class():
    made = Made()
    made.execution("steps.trainer", zenml_contexts(made, "r", "trainer"), custom={"zenml-x": "1"})
    assert made.store().get_run("r").get_step("trainer").dialect == "zenml"


def test_zenml_and_tfx_in_one_store_are_told_apart_by_row():
    made = Made()
    made.execution("steps.a", zenml_contexts(made, "z", "a"), custom={"zenml-x": "1", "p": "[1]"})
    made.execution("tfx.A", zenml_contexts(made, "t", "A"), custom={"p": "[1]"})
    runs = made.store().frames.parameters().set_index("run_name")["value"]
    assert runs.to_dict() == {"t": "[1]", "z": [1]}
    assert made.store().frames.runs()["dialect"].tolist() == ["zenml", "tfx"]


def test_one_artifact_under_two_keys_is_both_inputs():
    made = Made()
    data = made.artifact()
    contexts = zenml_contexts(made, "r", "pair")
    made.execution("steps.gen", contexts, custom={"zenml-x": "1"}, outputs={"output": data})
    pair = made.execution("steps.pair", contexts, custom={"zenml-x": "1"})
    made.event(data, pair, 3, ("y", 0, "x", 0))
    step = made.store().get_run("r").get_step("pair")
    assert [(key, a.id) for key, a in step.inputs.items()] == [("x", data), ("y", data)]  # type: ignore[union-attr]
    with pytest.raises(errors.NotSingleError):
        _ = step.input


def test_events_of_the_same_millisecond_follow_the_order_of_their_ids():
    made = Made()
    data = made.artifact()
    contexts = zenml_contexts(made, "r", "a")
    gen = made.execution("steps.gen", contexts, custom={"zenml-x": "1"})
    use = made.execution("steps.use", contexts, custom={"zenml-x": "1"})
    late = made.execution("steps.late", contexts, custom={"zenml-x": "1"})
    made.event(data, gen, 4, ("output", 0), time=5)
    made.event(data, use, 3, ("data", 0), time=5)
    made.event(data, late, 4, ("output", 0), time=5)
    steps = {s.id: s for s in made.store().get_run("r").steps}
    assert steps[use].parents_step_ids == (gen,)


def test_the_latest_publisher_before_is_the_parent_even_if_clocks_disagree():
    made = Made()
    data = made.artifact()
    contexts = zenml_contexts(made, "r", "a")
    numbers = [made.execution(f"steps.s{n}", contexts, custom={"zenml-x": "1"}) for n in range(4)]
    other = made.execution("steps.o", zenml_contexts(made, "other", "o"), custom={"zenml-x": "1"})
    made.event(data, numbers[0], 4, ("output", 0), time=10)
    made.event(data, numbers[1], 4, ("output", 0), time=20)
    made.event(data, other, 4, ("output", 0), time=25)
    made.event(data, numbers[2], 3, ("data", 0), time=30)
    made.event(data, numbers[3], 3, ("data", 0), time=5)  # by a clock that is behind
    steps = {s.id: s for s in made.store().get_run("r").steps}
    assert steps[numbers[2]].parents_step_ids == (numbers[1],)
    assert steps[numbers[3]].parents_step_ids == (numbers[1],)


def test_kubeflow_1_without_parameters_and_pipelines_by_the_workflows_stem():
    made = Made()
    for run in ("churn-ab3de", "churn-zz9xy", "other"):
        names = {"pipeline_name": run, "run_id": run}
        context = made.context("KfpRun", run, properties=names)
        made.execution("components.my.comp@sha256=1f", [context], state=None)
    store = made.store()
    assert [(p.name, p.get_run_names()) for p in store.get_pipelines()] == [
        ("churn", ["churn-ab3de", "churn-zz9xy"]),
        ("other", ["other"]),
    ]
    step = store.get_run("churn-zz9xy").get_step("my.comp")
    assert (step.parameters, step.status, step.state) == ({}, "completed", None)
    assert store.get_pipeline("churn").id is None
    assert store.get_pipeline("churn").node_key == "pipeline/churn"


def test_real_cmf(shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store("real/cmf_getting_started.db"))
    assert [p.name for p in store.get_pipelines()] == ["active_learning", "active_learning_demo"]
    run = store.get_run("active_learning")
    assert run.status == "completed"
    assert run.get_step_names() == ["Initial_select", "Train", "Cycle_Select"]
    assert [s.name for s in run.steps].count("Train") == 3
    with pytest.raises(
        errors.AmbiguousNameError, match="'execution/2', 'execution/4', 'execution/6'"
    ):
        run.get_step("Train")
    train = run.get_step("execution/6")
    assert train.display_name == "Train-2"
    assert train.metrics == {"val/mAP": 0.123142}
    assert train.parameters["seed"] == "666"
    assert "Git_Start_Commit" in train.internal_properties
    assert [p.name for p in train.parent_steps] == ["Cycle_Select"]
    assert list(train.outputs) == ["mAP", "metrics_1", "work_dirs/test/cycle_2.pth"]


def test_a_real_store_without_executions(shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store("real/model_registry.db"))
    assert store.get_pipelines() == []
    assert store.frames.steps().empty
    assert len(store.frames.artifacts()) == 5
    with pytest.raises(errors.NotFoundError, match="no pipeline 'PricingModel'"):
        store.get_pipeline("PricingModel")


def test_plain_groups_by_the_contexts_that_look_like_runs_and_pipelines():
    made = Made()
    experiment = made.context("Experiment", "exp")
    trial = made.context("my.TrialRun", "trial-1")
    child = made.context("Batch", "batch-1", parents=[made.context("Season", "summer")])
    alone = made.context("Note", "n")
    made.execution("lib.Train", [experiment, trial], custom={"task_name": "fit", "lr": 1})
    made.execution("lib.Train", [child, alone], custom={"__x__": 1}, name="step")
    made.execution("lib.Train", [alone], state=FAILED)
    lonely = made.execution("lib.Train", [], state=RUNNING)
    named = made.execution("lib.Train", [], name="by hand")
    store = made.store()
    assert [(p.name, p.get_run_names()) for p in store.get_pipelines()] == [
        ("exp", ["trial-1"]),
        ("summer", ["batch-1"]),
        ("Note", ["n"]),
        ("lib.Train", [f"execution/{lonely}", "by hand"]),
    ]
    assert store.get_run("trial-1").get_step("fit").parameters == {"lr": 1, "task_name": "fit"}
    assert store.get_run("batch-1").steps[0].internal_properties == {"__x__": 1}
    assert store.get_run("n").status == "failed"
    assert store.get_run(f"execution/{lonely}").status == "running"
    assert store.get_run("by hand").steps[0].id == named
    assert store.get_run("by hand").id == named


class Airflow(Dialect):
    name = "airflow"

    def identify_runs(self, contexts: Sequence[ContextFacts]) -> tuple[RunIdentity, ...] | None:
        run = first(contexts, "airflow.DagRun")
        return None if run is None else (RunIdentity(run, None, str(run.properties["dag"])),)


class Point:
    """An entry point."""

    name, value = "airflow", "somewhere:Airflow"

    def __init__(self, what: Any) -> None:
        self._what = what

    def load(self) -> Any:
        if isinstance(self._what, Exception):
            raise self._what
        return self._what


def airflow_store() -> Made:
    made = Made()
    context = made.context("airflow.DagRun", "run", custom={"dag": "daily"})
    made.execution("Task", [context], custom={"x": 1})
    made.execution("T", zenml_contexts(made, "r", "T"))
    return made


def test_a_dialect_of_ones_own_goes_first_and_can_be_taken_back():
    forget = registry.register_dialect(Airflow)
    try:
        pipelines = airflow_store().store().get_pipelines()
        assert [(p.name, p.runs[0].dialect) for p in pipelines] == [
            ("daily", "airflow"),
            ("zp", "tfx"),
        ]
        assert pipelines[0].runs[0].steps[0].parameters == {"x": 1}
    finally:
        forget()
    assert airflow_store().store().frames.runs()["dialect"].tolist() == ["plain", "tfx"]


def test_a_dialect_by_entry_point(monkeypatch: pytest.MonkeyPatch):
    def points(*, group: str) -> list[Point]:
        assert group == "mlmd_lineage.dialects"
        return [Point(Airflow)]

    monkeypatch.setattr(importlib.metadata, "entry_points", points)
    registry._installed.cache_clear()
    try:
        assert airflow_store().store().get_run("run").dialect == "airflow"
    finally:
        registry._installed.cache_clear()


@pytest.mark.parametrize("what", [object(), dict, ImportError("no such module")])
def test_what_is_no_dialect_is_named(monkeypatch: pytest.MonkeyPatch, what: Any):
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [Point(what)])
    registry._installed.cache_clear()
    try:
        with pytest.raises(errors.ConfigurationError, match="airflow"):
            Made().store().get_pipelines()
    finally:
        registry._installed.cache_clear()
    with pytest.raises(errors.ConfigurationError, match="no dialect"):
        registry.register_dialect(dict)  # type: ignore[arg-type]
    assert COMPLETE == 3
