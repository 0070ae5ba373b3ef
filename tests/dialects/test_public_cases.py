"""Situations from public threads, each rebuilt in a small store; every answer is the right one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

import mlmd_lineage as ml
from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Opened = "Callable[[str], ml.Store]"


@pytest.fixture
def case(shared_stores: Path, tmp_path: Path) -> Callable[[str], ml.Store]:
    """Return a function that opens a copy of one of the shared cases."""

    def opened(name: str) -> ml.Store:
        source = shared_stores.parent / "cases" / f"{name}.db"
        if not source.exists():
            pytest.skip("no shared cases beside the shared stores")
        return ml.connect(shutil.copyfile(source, tmp_path / source.name))

    return opened


def test_a_run_is_a_run_context_and_a_pipeline(case: Callable[[str], ml.Store]):
    store = case("tfx_shared_run_id")
    counts = {pipeline.name: len(pipeline.runs) for pipeline in store.get_pipelines()}
    assert counts == {
        "customer_1": 2,
        "customer_2": 2,
        "churn_pipeline": 1,
        "fraud_pipeline": 1,
    }
    first, second = (store.get_pipeline(name).last_run for name in ("customer_1", "customer_2"))
    assert first.get_step_names() == second.get_step_names() == ["CsvExampleGen", "Trainer"]
    assert (first.status, second.status) == ("completed", "failed")
    assert first.name == second.name == "scheduled__2022-04-11T00:00:00+00:00"
    assert first.id == second.id
    assert first != second
    assert store.frames.runs()["pipeline_name"].tolist() == [
        "customer_1",
        "customer_1",
        "customer_2",
        "customer_2",
        "churn_pipeline",
        "fraud_pipeline",
    ]


def test_runs_of_one_context_have_keys_by_which_they_are_found(case: Callable[[str], ml.Store]):
    store = case("tfx_shared_run_id")
    run = store.get_pipeline("customer_2").last_run
    assert run == store.get_pipelines()[1].last_run  # whatever was read
    assert store.get_run(run.node_key) == run
    with pytest.raises(ml.errors.AmbiguousNameError, match=run.node_key):
        store.get_run(run.name)
    with pytest.raises(ml.errors.AmbiguousNameError, match="stands for 2 runs; name one: context/"):
        store.diff("context/8", "context/1")
    diff = store.diff(*store.get_pipeline("customer_2").runs)
    assert [found.role for found in diff.first] == ["customer_2/Trainer"]
    assert (
        store.diff(run.node_key, "context/1:context/5").first
        == store.diff(run, "context/1:context/5").first
    )


def test_a_failed_group_that_was_retried_has_completed(case: Callable[[str], ml.Store]):
    run = case("kfp_retry_dag").get_pipeline("fetch-videos").last_run
    assert (run.status, run.get_step("condition-1").status) == ("completed", "completed")
    assert run.get_step("condition-1").state == "FAILED"
    attempts = [step for step in run.steps if step.name == "search-videos"]
    assert [(step.status, step.attempt, step.attempts) for step in attempts] == [
        ("failed", 1, 2),
        ("completed", 2, 2),
    ]
    assert run.get_step("search-videos") == attempts[-1]


def test_attempts_in_a_loop_are_numbered(case: Callable[[str], ml.Store]):
    store = case("kfp_attempts_in_loop")
    steps = store.frames.steps()
    fetched = steps[steps["name"] == "fetch"]
    assert fetched["path"].tolist() == ["for-loop-1/0/fetch", *["for-loop-1/1/fetch"] * 3]
    assert fetched["attempt"].tolist() == [1, 1, 2, 3]
    assert fetched["attempts"].tolist() == [1, 3, 3, 3]
    assert {"path", "attempt"} <= {*store.frames.parameters()} & {*store.frames.metrics()}


def test_a_pipeline_used_as_a_component_passes_outputs_on(case: Callable[[str], ml.Store]):
    run = case("kfp_nested_outputs").get_pipeline("parent-pipeline").last_run
    inner = run.get_step("first-inner-pipeline")
    assert {key: [a.uri for a in some] for key, some in inner.output_artifacts.items()} == {
        "table_1": ["minio://b/a"],
        "table_2": ["minio://b/b"],
    }
    assert inner.output_parameters == {"rows": 10.0}
    assert inner.outputs["table_1"].producer_step.name == "make-tables"  # type: ignore[union-attr]


def test_recurring_runs_are_of_one_pipeline(case: Callable[[str], ml.Store]):
    store = case("kfp1_recurring")
    counts = {pipeline.name: len(pipeline.runs) for pipeline in store.get_pipelines()}
    assert counts == {"hourlytrainq7xk2": 3, "my-pipeline": 2}


def test_pod_names_are_neither_parameters_nor_differences(case: Callable[[str], ml.Store]):
    store = case("tfx_on_kfp_pods")
    trained = store.get_pipeline("sp-lstm")
    step = trained.last_run.get_step("Trainer")
    assert set(step.parameters) == {"module_file", "train_args"}
    assert step.internal_properties["kfp_pod_name"] == "sp-lstm-kk2p9-1001"
    assert store.get_pipeline("mnist_pipeline").last_run.get_step("trainer").parameters == {
        "lr": 0.1
    }
    for pipeline in store.get_pipelines():
        changed = pipeline.compare_runs(only_changes=True).to_pandas()
        assert not [name for name in changed if "pod" in name]
        diff = store.diff(*pipeline.runs)
        assert [found.what for pair in diff.first for found in pair.differences] == ["rerun"]
    assert not store.frames.parameters()["name"].str.contains("pod").any()


def test_times_and_keys_of_a_cmf_server_are_its_clients(case: Callable[[str], ml.Store]):
    store = case("cmf_server")
    metrics = store.frames.metrics().query("pipeline_name == 'mnist'")
    assert list(zip(metrics["name"], metrics["value"], strict=True)) == [
        ("auc", 0.91),
        ("loss", 0.2),
        ("auc", 0.93),
        ("loss", 0.1),
    ]
    run = store.get_pipeline("mnist").last_run
    assert run.started is not None
    assert run.started.year == 2023
    assert all("original" not in name for step in run.steps for name in step.parameters)
    assert {step.started.year for step in run.steps if step.started} == {2023}
    model = run.get_step("execution/2").outputs["model/m.pkl"]
    assert model.created.year == 2023  # type: ignore[union-attr]
    assert "original_create_time_since_epoch" not in model.properties  # type: ignore[union-attr]
    taken = store.get_pipeline("mnist-b").last_run.get_step("train")
    assert list(taken.inputs) == ["inputs/copied.csv"]
    assert taken.input.name == "data/train.csv"


def test_executions_of_a_cmf_stage_are_rows(case: Callable[[str], ml.Store]):
    pipeline = case("cmf_server").get_pipeline("mnist")
    frame = pipeline.compare_runs().to_pandas()
    # From the oldest to the newest by the clients' times.
    assert frame.index.tolist() == [
        "train (execution/3)",
        "prepare (execution/1)",
        "train (execution/2)",
    ]
    trained = frame.loc[["train (execution/2)", "train (execution/3)"]]
    assert trained["metrics.train.auc"].tolist() == [0.91, 0.93]
    assert trained["parameters.train.lr"].tolist() == ["0.1", "0.2"]
    assert [step.attempts for step in pipeline.last_run.steps] == [1, 1, 1]


def test_trainings_in_an_experiment_are_runs(case: Callable[[str], ml.Store]):
    store = case("experiment_context")
    pipeline = store.get_pipeline("exp1")
    assert [run.status for run in pipeline.runs] == ["completed", "failed", "completed"]
    assert pipeline.compare_runs().to_pandas()["parameters.Trainer.lr"].tolist() == [
        0.1,
        0.01,
        0.001,
    ]
    assert [step.attempts for run in pipeline.runs for step in run.steps] == [1, 1, 1]
    vertex = store.get_pipeline("my-experiment")
    assert vertex.get_run_names() == [f"my-experiment-run-{number}" for number in range(3)]
    assert len(vertex.compare_runs().metrics) == 3


def test_the_kubeflow_metadata_sdk(case: Callable[[str], ml.Store]):
    store = case("kfmeta")
    (pipeline,) = store.get_pipelines()
    assert (pipeline.name, pipeline.get_run_names()) == ("xgboost-synthetic", ["run-1", "run-2"])
    assert pipeline == store.get_pipeline("xgboost-synthetic")
    for run in pipeline.runs:
        (step,) = run.steps
        assert (step.name, step.type) == ("train", "kubeflow.org/alpha/execution")
        assert step.entrypoint_name == "execution"
        assert step.parameters == {"learning_rate": 0.5, "layers": [10, 3, 1]}
        assert step.metrics == {"accuracy": 0.95}
    assert store.get_run("run-2") == pipeline.last_run
    assert len(pipeline.compare_runs()) == 2


def test_a_name_that_no_node_has_suggests_contexts_too(case: Callable[[str], ml.Store]):
    store = case("model_registry")
    with pytest.raises(errors.NotFoundError, match=r"Did you mean context/2 \(1:v1\)\?"):
        store.upstream("ModelVersion:v1")
    assert store.upstream("context/2").nodes.index.tolist() == ["artifact/1"]


def test_experiment_runs_of_a_model_registry_are_runs(case: Callable[[str], ml.Store]):
    store = case("model_registry")
    pipeline = store.get_pipeline("tuning")
    assert [(run.name, run.status) for run in pipeline.runs] == [
        ("run-0", "completed"),
        ("run-1", "completed"),
    ]
    assert store.get_run("run-1").metrics == {"accuracy": 0.9}
    assert [run.parameters for run in pipeline.runs] == [{"lr": 0.1}, {"lr": 0.2}]
    metrics = store.frames.metrics()
    assert list(zip(metrics["run_name"], metrics["name"], metrics["value"], strict=True)) == [
        ("run-0", "accuracy", 0.8),
        ("run-1", "accuracy", 0.9),
    ]
    compared = pipeline.compare_runs(only_changes=True).to_pandas()
    assert compared["parameters.lr"].tolist() == [0.1, 0.2]
    assert compared["metrics.accuracy"].tolist() == [0.8, 0.9]


def test_registered_models_and_their_deployments(case: Callable[[str], ml.Store]):
    store = case("model_registry")
    (model,) = store.get_models()
    assert (model.name, model.owner) == ("fraud", "al")
    first, second = model.versions
    assert [version.name for version in model.versions] == ["v1", "v2"]
    assert [found.uri for found in second.artifacts] == ["s3://models/fraud/2"]
    assert first.deployments == ()
    (service,) = second.deployments
    assert (service.name, service.environment, service.states) == (
        "fraud-svc",
        "prod",
        ("RUNNING",),
    )
    frame = store.frames.models()
    assert frame["version"].tolist() == ["v1", "v2"]
    assert frame["deployments"].tolist() == [[], ["fraud-svc"]]
    assert store.impact("artifact/1").deployments.empty
    (deployment,) = store.impact("artifact/2").deployments.to_dict("records")
    assert (deployment["node"], deployment["name"]) == ("context/5", "fraud-svc")
    assert deployment["path"] == ("artifact/2", "context/5")


def test_a_real_registry(shared_stores: Path):
    store = ml.connect(shared_stores / "real" / "model_registry.db")
    frame = store.frames.models()
    assert {model.name for model in store.get_models()} == set(frame["model"])
    assert frame["version"].tolist() == ["v1", "v2", "v3", "1.0", "1.1"]
    assert frame["uri"].tolist()[0] == "/path/to/model/v1"
    assert ml.connect(shared_stores / "tfx_local.db").get_models() == []
