"""The same runs recorded into SQLite, MariaDB, PostgreSQL and MLMD's gRPC service."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from metadata_service import served
from recorded_values import VALUES

import mlmd_lineage as ml
from mlmd_lineage.recording.caching.key import CacheKey

if TYPE_CHECKING:
    from collections.abc import Iterator


DATABASES = ["sqlite", "mariadb_server", "postgresql_server"]
SERVICE = pytest.param("service", marks=pytest.mark.native)


@pytest.fixture
def store(request: pytest.FixtureRequest, config_folder: Path) -> Iterator[ml.Store]:
    """Return an empty store of each kind."""
    del config_folder
    if request.param == "sqlite":
        yield ml.connect("store.db", create=True)
    elif request.param == "service":
        ml.connect("store.db", create=True)
        with served(Path("store.db")) as service:
            yield ml.connect(f"grpc://{service.address}")
    else:
        server = request.getfixturevalue(request.param)
        yield ml.connect(server.url(server.new_database()), create=True)


@pytest.mark.parametrize("store", [*DATABASES, SERVICE], indirect=True)
def test_what_is_recorded_reads_back(store: ml.Store):
    Path("train.csv").write_text("a,b\n", encoding="utf-8")
    Path("model.pkl").write_bytes(b"model")
    with store.record("churn", "r", parameters=VALUES, tags={"team": "Ä"}) as run:
        with run.step(
            "train", parameters=VALUES, inputs={"data": "train.csv", "same": "train.csv"}
        ) as step:
            assert store.get_run("r").status == "running"
            assert sorted(store.get_step(step.node_key or "").inputs) == ["data", "same"]
            step.log_parameters(late=1)
            step.use("train.csv", "third")
            made = step.produce(
                "model", uri="model.pkl", type="Model", properties=VALUES, metrics={"auc": 1 / 3}
            )
            step.log_metrics({"loss": math.inf})
            with step.step("fold", iteration=0) as inner:
                inner.use("train.csv")
        with run.step("evaluate", inputs={"model": made}) as later:
            pass
    found = store.get_run("r")
    train = found.get_step("train")
    assert found.status == "completed"
    assert dict(found.parameters) == VALUES
    assert dict(train.parameters) == {**VALUES, "late": 1}
    assert sorted(train.inputs) == ["data", "same", "third"]
    assert {artifact.id for artifact in train.inputs.values()} == {inner.inputs["train"][0].id}
    model = train.outputs["model"]
    assert {name: model.properties[name] for name in VALUES} == VALUES
    assert dict(model.metrics) == {"auc": 1 / 3}
    assert dict(train.metrics) == {"auc": 1 / 3, "loss": math.inf}
    assert [step.path for step in found.steps] == ["train", "train/fold", "evaluate"]
    assert found.get_step("evaluate").parent_steps == (train,)
    assert store.upstream(later.inputs["model"][0].id).producers(f"artifact/{model.id}") == (
        train.node_key,
    )


@pytest.mark.parametrize("store", DATABASES, indirect=True)
def test_a_run_is_new_or_resumed(store: ml.Store):
    with store.record("churn", "r") as run, run.step("a"):
        pass
    with pytest.raises(ml.errors.AlreadyExistsError, match="resume=True"):
        store.record("churn", "r").start()
    with pytest.raises(ml.errors.ConfigurationError, match="not of the pipeline 'other'"):
        store.record("other", "r", resume=True).start()
    with store.record("churn", "r", resume=True) as again, again.step("b"):
        pass
    found = store.get_run("r")
    assert (found.get_step_names(), found.status) == (["a", "b"], "completed")
    assert [run.name for run in store.get_pipeline("churn").runs] == ["r"]


@pytest.mark.parametrize("store", DATABASES, indirect=True)
def test_names_that_differ_in_their_case_are_kept_apart_or_refused(store: ml.Store):
    with store.record("churn", "r") as run, run.step("a"):
        pass
    refused = None
    try:
        with store.record("Churn", "R") as run, run.step("A"):
            pass
    except ml.errors.PutRefusedError as error:
        refused = str(error)
    if refused is None:
        assert store.get_run("R").pipeline_name == "Churn"
        assert store.get_run("R").get_step_names() == ["A"]
    else:
        assert "takes for the same" in refused
    assert store.get_run("r").get_step_names() == ["a"]


@pytest.mark.parametrize("store", [*DATABASES, SERVICE], indirect=True)
def test_results_are_reused(store: ml.Store):
    Path("data.csv").write_text("1\n", encoding="utf-8")
    key = CacheKey({"step": "churn.train", "lr": "0.1"})
    for number in range(3):
        with store.record("churn", f"r{number}") as run:
            step = run.step("train", inputs={"data": "data.csv"})
            hit = step.look_up(key)
            with step:
                if not step.is_cached:
                    Path("model.pkl").write_bytes(b"model")
                    step.produce("model", uri="model.pkl", type="Model")
            assert step.is_cached == (hit is not None) == (number > 0)
    first, *others = [store.get_run(f"r{number}").get_step("train") for number in range(3)]
    assert (first.status, first.is_cached) == ("completed", False)
    for other in others:
        assert (other.status, other.is_cached) == ("cached", True)
        assert other.outputs["model"].id == first.output.id
        assert other.outputs["model"].producer_step == first
        assert other.inputs["data"].id == first.inputs["data"].id
    Path("model.pkl").write_bytes(b"changed")
    with store.record("churn", "r3") as run:
        step = run.step("train", inputs={"data": "data.csv"})
        assert step.look_up(key) is None
        assert step.cache_answer is not None
        assert "has changed since" in step.cache_answer.reason


@pytest.mark.native
def test_ml_metadata_finds_pipelines_runs_steps_and_values(config_folder: Path):
    del config_folder
    from ml_metadata import metadata_store
    from ml_metadata.proto import metadata_store_pb2 as pb

    store = ml.connect("store.db", create=True)
    Path("data.csv").write_text("1\n", encoding="utf-8")
    with (
        store.record("churn", "r") as run,
        run.step(
            "train",
            type="Trainer",
            base_type="Train",
            parameters={"lr": 0.1, "epochs": 3, "layers": [1, 2], "name": "x"},
            inputs={"data": "data.csv", "again": "data.csv"},
        ) as step,
    ):
        step.produce("model", uri="data.csv", type="Model", metrics={"auc": 0.5})
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = "store.db"
    theirs = metadata_store.MetadataStore(config)
    context = theirs.get_context_by_type_and_name("pipeline_run", "r")
    assert [c.name for c in theirs.get_parent_contexts_by_context(context.id)] == ["churn"]
    [execution] = theirs.get_executions_by_context(context.id)
    assert (execution.type, execution.last_known_state) == ("Trainer", pb.Execution.COMPLETE)
    held = execution.custom_properties
    assert (held["lr"].double_value, held["epochs"].int_value) == (0.1, 3)
    assert (held["layers"].string_value, held["name"].string_value) == ("[1, 2]", "x")
    contexts = theirs.get_contexts_by_execution(execution.id)
    assert sorted((c.type, c.name) for c in contexts) == [
        ("node", "churn.train"),
        ("pipeline", "churn"),
        ("pipeline_run", "r"),
    ]
    used, made = theirs.get_events_by_execution_ids([execution.id])
    assert [(s.key or s.index) for s in used.path.steps] == ["data", 0, "again", 0]
    assert (used.type, made.type) == (pb.Event.INPUT, pb.Event.OUTPUT)
    [model] = theirs.get_artifacts_by_id([made.artifact_id])
    assert (model.type, model.state) == ("Model", pb.Artifact.LIVE)
    assert model.custom_properties["auc"].double_value == 0.5
    types = {t.name: t.base_type for t in theirs.get_artifact_types()}
    assert types["Model"] == pb.ArtifactType.MODEL
    assert {t.name: t.base_type for t in theirs.get_execution_types()}["Trainer"] == (
        pb.ExecutionType.TRAIN
    )
