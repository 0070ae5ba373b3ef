from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING

import pytest
from made_stores import CACHED, Maker

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlmd_lineage.store import Store


@pytest.fixture(scope="module")
def tfx() -> Store:
    return ml.connect(str(resources.files("mlmd_lineage") / "data" / "tfx_local.db"))


def test_models_and_deployments_of_tfx(tfx: Store):
    impact = tfx.impact("artifact/1")
    assert impact.models["node"].tolist() == ["artifact/4", "artifact/15"]
    deployed = impact.deployments.set_index("node")
    assert deployed["direct"].to_dict() == {
        "artifact/11": True,
        "artifact/14": True,
        "artifact/21": True,
        # Another dataset's model, which was compared with a model of this one.
        "artifact/32": False,
    }
    assert deployed["pushed"].all()
    assert deployed.loc["artifact/11", "run"] == "2026-11-21T02:44:15.589538"
    assert deployed.loc["artifact/21", "path"] == (
        "artifact/1",
        "execution/22",
        "artifact/15",
        "execution/27",
        "artifact/21",
    )
    assert impact.complete


def test_a_reused_model_that_was_pushed_again_is_told(tfx: Store):
    impact = tfx.impact(1)
    deployed = impact.deployments.set_index("node")["through_cache"]
    assert deployed.to_dict() == {
        "artifact/11": False,
        "artifact/14": True,
        "artifact/21": True,
        "artifact/32": False,
    }
    reused = impact.models.set_index("node")["reused_by"]
    assert reused["artifact/4"] == ("2026-11-21T02:44:37.285952",)
    assert "reused by 2026-11-21T02:44:37.285952" in impact.text()


@pytest.mark.parametrize("node", range(1, 48))
def test_it_is_what_the_trace_says(tfx: Store, node: int):
    impact = tfx.impact(node)
    trace = tfx.downstream(node)
    types = trace.nodes["type"].drop(f"artifact/{node}")
    assert set(impact.models["node"]) == set(types[types == "Model"].index)
    assert set(impact.deployments["node"]) == set(types[types == "PushedModel"].index)
    for row in impact.to_pandas().itertuples():
        assert row.path[0] == f"artifact/{node}"
        assert row.path[-1] == row.node
        edges = set(zip(trace.edges["source"], trace.edges["target"], strict=True))
        assert set(zip(row.path, row.path[1:], strict=False)) <= edges
        assert row.hops == trace.nodes.loc[row.node, "hops"]


def test_a_deployed_models_path_leads_through_the_model():
    maker = Maker()
    run = maker.run("one")
    data, model = maker.artifact("Examples"), maker.artifact("Model")
    pushed, note = maker.artifact("PushedModel"), maker.artifact("Note")
    maker.step(run, "train", inputs={"x": [data]}, outputs={"model": [model]})
    maker.step(run, "approve", inputs={"x": [data]}, outputs={"note": [note]})
    maker.step(run, "push", inputs={"model": [model], "note": [note]}, outputs={"pushed": [pushed]})
    [row] = maker.store().impact(data).deployments.to_dict("records")
    assert row["direct"] is True
    assert f"artifact/{model}" in row["path"]


def test_a_deployment_without_an_artifact_is_its_execution():
    maker = Maker()
    run = maker.run("one")
    data, model = maker.artifact("Examples"), maker.artifact("Model")
    maker.step(run, "train", inputs={"x": [data]}, outputs={"model": [model]})
    maker.step(run, "serve", inputs={"model": [model]})
    store = maker.store()
    assert store.impact(data).deployments.empty
    for named in ("my.serve", "serve"):
        [row] = store.impact(data, deployments={named}).deployments.to_dict("records")
        assert (row["node"], row["direct"]) == ("execution/2", True)


def test_what_a_base_type_says_counts():
    maker = Maker()
    run = maker.run("one")
    data, endpoint = maker.artifact("Examples"), maker.artifact("my.Place")
    deploy = maker.type("mlmd.Deploy", 0)
    step = maker.type("my.ship", 0)
    maker.rows["ParentType"].append({"type_id": step, "parent_type_id": deploy})
    maker.step(run, "ship", inputs={"x": [data]}, outputs={"place": [endpoint]})
    [row] = maker.store().impact(data).deployments.to_dict("records")
    assert row["node"] == f"artifact/{endpoint}"
    assert row["direct"] is None or str(row["direct"]) == "<NA>"


def test_what_was_not_pushed_is_told():
    maker = Maker()
    run = maker.run("one")
    data, model = maker.artifact("Examples"), maker.artifact("Model")
    pushed = maker.artifact("PushedModel", "/serving/1", pushed=0)
    maker.step(run, "train", inputs={"x": [data]}, outputs={"model": [model]})
    maker.step(run, "push", inputs={"model": [model]}, outputs={"pushed": [pushed]})
    impact = maker.store().impact(data)
    assert impact.deployments["pushed"].tolist() == [False]
    assert "it was not pushed after all" in impact.text()


def test_runs_that_only_reused_the_data_are_named():
    maker = Maker()
    first, second = maker.run("first"), maker.run("second")
    data, model = maker.artifact("Examples"), maker.artifact("Model")
    maker.step(first, "ingest", outputs={"x": [data]})
    maker.step(second, "ingest", outputs={"x": [data]}, state=CACHED)
    maker.step(second, "train", inputs={"x": [data]}, outputs={"model": [model]})
    [row] = maker.store().impact(data).models.to_dict("records")
    assert (row["run"], row["through_cache"]) == ("second", True)


def test_damage_makes_the_answer_incomplete():
    maker = Maker()
    data, model = maker.artifact("Examples"), maker.artifact("Model")
    run = maker.run("one")
    maker.step(run, "train", inputs={"x": [data]}, outputs={"model": [model, 99]})
    impact = maker.store().impact(data)
    assert not impact.complete
    assert "artifact/99" in impact.text()


def test_kubeflow(shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store("kfp2_emulated.db"))
    assert len(store.impact(1).models) == 4
    found = store.impact(1, deployments={"deploy"}).deployments
    assert found["direct"].all()
    assert set(found["pipeline"]) == {"kfp2-lineage-demo"}


def test_its_frames_and_json(tfx: Store):
    for impact in (tfx.impact(1), tfx.impact(7)):
        assert {name: str(dtype) for name, dtype in impact.to_pandas().dtypes.items()} == {
            "node": "string",
            "kind": "string",
            "type": "string",
            "name": "string",
            "uri": "string",
            "run": "string",
            "pipeline": "string",
            "hops": "int64",
            "path": "object",
            "pushed": "boolean",
            "direct": "boolean",
            "through_cache": "bool",
            "reused_by": "object",
        }
    found = json.loads(tfx.impact(1).to_json())
    assert found["complete"] is True
    assert [row["node"] for row in found["reached"]][:2] == ["artifact/4", "artifact/15"]


def test_it_shows_itself_and_its_ways(tfx: Store):
    impact = tfx.impact(1)
    assert repr(impact) == "<Impact of artifact/1: 2 models, 4 deployments>"
    assert "<table" in impact._repr_html_()
    assert "<table" not in tfx.impact(7)._repr_html_()
    assert set(impact.ways_to("artifact/11")) == set(tfx.between(1, 11))


def test_it_takes_names_and_refuses_contexts(tfx: Store):
    uri = "/srv/tfx/pipelines/penguin-train/CsvExampleGen/examples/1"
    assert tfx.impact(uri).node == "artifact/1"
    assert tfx.impact("execution/1").deployments.equals(tfx.impact("execution/1").deployments)
    held = r"is a context.* that it holds: execution/1, .*execution/5 and others\."
    with pytest.raises(errors.ConfigurationError, match=held):
        tfx.impact("context/2")
    with pytest.raises(errors.NotFoundError):
        tfx.impact("nothing")


def test_names_that_nothing_has_are_told(tfx: Store):
    impact = tfx.impact(1, models={"Modle", "Model"}, deployments={"Pusher"})
    assert impact.unknown == ("Modle",)
    assert len(impact.deployments) == 4
    assert "is called 'Modle'" in impact.text()
    assert len(tfx.impact(1, deployments="PushedModel").deployments) == 4
    with pytest.raises(errors.ConfigurationError, match="the name of a type, or several; not 5"):
        tfx.impact(1, deployments=5)  # type: ignore[arg-type]


def test_steps_that_may_deploy_are_named_where_no_deployment_is_recorded():
    store = InMemoryStore()
    contexts = [store.put_context("system.PipelineRun", "run-1")]
    data, model, report = (
        store.put_artifact(kind) for kind in ("system.Dataset", "system.Model", "system.HTML")
    )
    for name, inputs, outputs in (
        ("train", {"data": data}, {"model": model}),
        ("deploy-to-kserve", {"model": model}, {}),
        ("observe", {"model": model}, {"report": report}),
        ("publish-report", {"report": report}, {}),
    ):
        store.put_execution(
            "system.ContainerExecution",
            contexts=contexts,
            inputs=inputs,
            outputs=outputs,
            custom_properties={"task_name": name},
        )
    impact = store.impact(data)
    assert impact.deployments.empty
    assert [(hint.node, hint.step, hint.run) for hint in impact.hints] == [
        ("execution/2", "deploy-to-kserve", "run-1")
    ]
    assert "deployments=['deploy-to-kserve']" in impact.text()
    named = store.impact(data, deployments=["deploy-to-kserve"])
    assert named.deployments["node"].tolist() == ["execution/2"]
    assert named.hints == ()


def test_types_that_may_be_those_of_models_are_named(shared_store: Callable[[str], Path]):
    # Kubeflow 1 has no base types, so that only names tell what is a model.
    store = ml.connect(shared_store("kfp1_emulated.db"))
    impact = store.impact("artifact/1")
    assert impact.model_hints == ("XGBoostModel",)
    assert "ask again with models=['XGBoostModel']" in impact.text()
    assert json.loads(impact.to_json())["model_hints"] == ["XGBoostModel"]
    named = store.impact("artifact/1", models=["XGBoostModel"])
    assert named.models["node"].tolist() == ["artifact/4"]
    assert named.model_hints == ()
    none = store.impact("artifact/7")
    assert none.text().endswith("No type that was reached counts as a model: JsonObject, Metrics.")
    assert "No type" not in store.impact("artifact/8").text()
    # That store says what is a model.
    assert "No type" not in ml.connect(shared_store("tfx_local.db")).impact("artifact/7").text()


def test_a_step_whose_deployment_is_recorded_only_by_its_artifact_is_no_hint():
    store = InMemoryStore()
    contexts = [store.put_context("run", "one")]
    # As TFX wrote before its executions had base types.
    model, pushed = store.put_artifact("Model"), store.put_artifact("PushedModel")
    store.put_execution(
        "tfx.components.pusher.component.Pusher",
        contexts=contexts,
        inputs={"model": model},
        outputs={"pushed_model": pushed},
    )
    impact = store.impact(model)
    assert impact.deployments["node"].tolist() == [pushed]
    assert impact.hints == ()
