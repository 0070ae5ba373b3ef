"""Every pipeline, run and step is as its writer says, or as is right where the writer errs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from server_stores import Database

import mlmd_lineage as ml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mlmd_lineage.post_execution.views import ArtifactView, PipelineRunView, StepView
    from mlmd_lineage.store import Store

    Stored = Callable[..., Store]

STATUS = {
    "COMPLETE": "completed",
    "FAILED": "failed",
    "CACHED": "cached",
    "CANCELED": "canceled",
    "RUNNING": "running",
}


@pytest.fixture(params=["whole store", "one run"])
def opened(request: pytest.FixtureRequest) -> Callable[[Store], Callable[[str], PipelineRunView]]:
    """Open runs out of the whole store, and one by one: both have to say the same."""

    def opener(store: Store) -> Callable[[str], PipelineRunView]:
        if request.param == "one run":
            return store.get_run
        runs = {run.name: run for pipeline in store.get_pipelines() for run in pipeline.runs}
        return runs.__getitem__

    return opener


@pytest.fixture(params=["sqlite", "mariadb"])
def stored(request: pytest.FixtureRequest, shared_store: Callable[[str], Path]) -> Stored:
    """Open a real store as it is, and as a server's database."""

    def open_it(name: str, version: int = 10) -> Store:
        path = shared_store(name)
        if request.param == "sqlite":
            return ml.connect(path)
        server = request.getfixturevalue(f"{request.param}_server")
        database = Database(server, server.new_database()).create(version=version)
        return ml.connect(database.copy(path).store())

    return open_it


def golden(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.golden.json").read_text(encoding="utf-8"))


def ids(artifacts: Mapping[str, tuple[ArtifactView, ...]]) -> dict[str, list[int]]:
    return {key: [artifact.id for artifact in found] for key, found in artifacts.items()}


def by_id(run: PipelineRunView) -> dict[int, StepView]:
    return {step.id: step for step in run.steps}


def test_tfx(shared_stores: Path, stored: Stored, opened: Any):
    store = stored("tfx_local.db")
    expected = golden(shared_stores, "tfx_local")
    pipelines = {p.name: p.get_run_names() for p in store.get_pipelines()}
    assert pipelines == {
        name: [run["run_id"] for run in expected["runs"] if run["pipeline"] == name]
        for name in ("penguin-train", "penguin-eda")
    }
    run_named = opened(store)
    for told in expected["runs"]:
        run = run_named(told["run_id"])
        assert run.id == told["context_id"]
        assert [run.pipeline_name] == told["parents"]
        assert (run.status == "failed") == (told["error"] is not None)
        steps = by_id(run)
        assert list(steps) == [execution["id"] for execution in told["executions"]]
        for execution in told["executions"]:
            step = steps[execution["id"]]
            assert [f"{told['pipeline']}.{step.name}"] == execution["node"]
            assert step.type == execution["type"]
            assert step.entrypoint_name == execution["type"].rpartition(".")[2]
            assert (step.state, step.status) == (execution["state"], STATUS[execution["state"]])
            assert step.is_cached == execution["cached"]
            assert step.parameters == execution["parameters"]
            assert ids(step.input_artifacts) == execution["inputs"]
            assert ids(step.output_artifacts) == execution["outputs"]
            for artifact in (a for found in step.output_artifacts.values() for a in found):
                said = expected["artifacts"][str(artifact.id)]
                values = said["properties"] | said["custom_properties"]
                assert artifact.properties.keys() == values.keys()
                for name, value in artifact.properties.items():
                    assert (
                        isinstance(value, dict) or value == values[name]
                    )  # a struct is told as text
                assert (artifact.type, artifact.state, artifact.uri) == (
                    said["type"],
                    said["state"],
                    said["uri"],
                )


def test_zenml(shared_stores: Path, stored: Stored, opened: Any):
    store = stored("zenml_0132.db", version=8)
    expected = golden(shared_stores, "zenml_0132")["pipelines"]
    found = store.get_pipelines()
    assert [p.name for p in found] == [told["name"] for told in expected]
    assert [p.id for p in found] == [told["id"] for told in expected]
    deviations = json.loads((shared_stores / "zenml_0132.deviations.json").read_text("utf-8"))
    right = {
        (*d["where"], d["what"]): d["mlmd_truth"]
        for d in deviations["deviations"]
        if "mlmd_truth" in d
    }
    run_named = opened(store)
    seen = 0
    for pipeline, told in zip(found, expected, strict=True):
        assert pipeline.get_run_names() == told["run_names"]
        for run_told in told["runs"]:
            run = run_named(run_told["name"])
            where = (told["name"], run_told["name"])
            status = right.get((*where, "run.status"), run_told["status"])
            assert (run.id, run.status) == (run_told["id"], status)
            assert run.get_step_names() == run_told["step_names"]
            if run_told["runtime_configuration"] is not None:
                assert run.runtime_configuration == run_told["runtime_configuration"]
            for step_told in run_told["steps"]:
                check_zenml_step(run, step_told, right.get((*where, step_told["name"], "inputs")))
                seen += 1
        for name, newest in told["run_for_completed_step"].items():
            if isinstance(newest, str):
                assert pipeline.get_run_for_completed_step(name).name == newest
    assert seen == 137


def check_zenml_step(run: PipelineRunView, told: dict[str, Any], inputs: Any) -> None:
    step = run.get_step(told["name"])
    for field in ("id", "entrypoint_name", "status", "is_cached", "is_completed", "parameters"):
        assert getattr(step, field) == told[field], (run.name, step.name, field)
    parents = sorted(told["parents_step_ids"])
    assert list(step.parents_step_ids) == parents, (run.name, step.name)
    assert [p.id for p in step.parent_steps] == parents
    said = {key: str(artifact["id"]) for key, artifact in told["inputs"].items()}
    assert {k: str(a.id) for k, a in step.inputs.items()} == (inputs or said)  # type: ignore[union-attr]
    assert {k: a.id for k, a in step.outputs.items()} == {  # type: ignore[union-attr]
        key: artifact["id"] for key, artifact in told["outputs"].items()
    }
    for held, said_of in ((step.inputs, told["inputs"]), (step.outputs, told["outputs"])):
        for key, artifact_told in said_of.items():
            artifact: Any = held[key]
            for field in ("type", "data_type", "uri", "materializer", "is_cached"):
                assert getattr(artifact, field) == artifact_told[field]
            assert artifact.parent_step_id == artifact_told["parent_step_id"]
            assert artifact.producer_step.id == artifact_told["producer_step_id"]
            assert artifact.producer_step.name == artifact_told["producer_step_name"]


def test_kubeflow_v2(shared_stores: Path, stored: Stored, opened: Any):
    store = stored("kfp2_emulated.db")
    expected = golden(shared_stores, "kfp2_emulated")
    (pipeline,) = store.get_pipelines()
    assert pipeline.name == expected["pipeline"]
    assert pipeline.get_run_names() == [run["run_id"] for run in expected["runs"]]
    run_named = opened(store)
    for told in expected["runs"]:
        run = run_named(told["run_id"])
        assert run.parameters == told["parameters"]
        assert run.state == "RUNNING"
        assert run.status == ("failed" if "failed_task" in told else "completed")
        steps = by_id(run)
        assert sorted(steps) == [execution["id"] for execution in told["executions"]]
        for execution in told["executions"]:
            check_kubeflow_v2_step(steps[execution["id"]], execution)
    # In every DAG that Kubeflow left RUNNING, all leaves had finished.
    assert {s.status for p in store.get_pipelines() for r in p.runs for s in r.steps} == {
        "completed",
        "cached",
        "failed",
        "canceled",
    }


def check_kubeflow_v2_step(step: StepView, told: dict[str, Any]) -> None:
    assert step.state == told["final_state"]
    if not step.is_dag:
        assert step.status == STATUS[told["final_state"]]
        assert step.is_cached == (told.get("cached_from") is not None)
    elif told["final_state"] != "RUNNING":
        assert step.status == STATUS[told["final_state"]]
    assert step.is_dag == (told["kind"] in {"ROOT_DAG", "DAG", "LOOP", "ITERATION"})
    assert step.is_root == (told["kind"] == "ROOT_DAG")
    assert step.name == (told["task"] or "root")
    assert step.display_name == (told.get("display") or step.name)
    assert (step.parent_dag.id if step.parent_dag else None) == told["parent"]
    if step.parent_dag:
        assert step in step.parent_dag.children
    assert step.iteration == told.get("iteration_index")
    if "inputs" in told:
        assert step.parameters == told["inputs"]
        assert step.output_parameters == told.get("output_parameters", {})
    if "inputs_artifacts" in told:
        assert ids(step.input_artifacts) == told["inputs_artifacts"]
    if step.is_dag:
        # It has no events; what it passes on are outputs of steps inside.
        assert not told.get("outputs")
        inside = {
            a for child in step.children for some in child.output_artifacts.values() for a in some
        }
        assert {a for some in step.output_artifacts.values() for a in some} <= inside
    else:
        assert ids(step.output_artifacts) == told.get("outputs", {})
    original = step.original_step
    assert (str(original.id) if original else None) == told.get("cached_from")
    assert all(parent.run == step.run for parent in step.parent_steps)


def test_kubeflow_v1(shared_stores: Path, stored: Stored, opened: Any):
    store = stored("kfp1_emulated.db")
    expected = golden(shared_stores, "kfp1_emulated")["runs"]
    (pipeline,) = store.get_pipelines()
    assert pipeline.name == "taxi-pipeline"
    assert pipeline.get_run_names() == [run["run_id"] for run in expected]
    run_named = opened(store)
    for told in expected:
        run = run_named(told["run_id"])
        steps = by_id(run)
        assert list(steps) == [execution["id"] for execution in told["executions"]]
        done = all(execution["completed"] for execution in told["executions"])
        assert run.status == ("completed" if done else "running")
        for execution in told["executions"]:
            step = steps[execution["id"]]
            assert step.name == step.entrypoint_name == execution["component"]
            assert step.type == execution["type"]
            assert step.state is None
            assert step.is_completed == execution["completed"]
            assert step.parameters == execution["parameters"]
            assert step.internal_properties["kfp_pod_name"] == execution["pod"]
            inputs = {key: [a] for key, a in execution["inputs"].items() if a is not None}
            outputs = {key: [a] for key, a in execution["outputs"].items()}
            assert ids(step.input_artifacts) == inputs
            assert ids(step.output_artifacts) == outputs
        # A cached step writes nothing; those whose artifacts were taken can be named.
        missing = told.get("unrecorded_cached_steps", [])
        borrowed = run.borrowed_steps
        assert {step.name for step in borrowed} <= set(missing)
        assert bool(borrowed) == bool(missing)
        assert {step.run_name for step in borrowed} <= {told.get("cached_from_run")}
