"""TFX: the IR dialect and the legacy one, in stores made by hand and in real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from made_runs import CACHED, FAILED, INTERNAL_OUTPUT, NEW, OUTPUT, RUNNING, Made

import mlmd_lineage as ml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRAINER = "tfx.components.trainer.component.Trainer"
RESOLVER = "tfx.dsl.components.common.resolver.Resolver"


def run_contexts(made: Made, run: str, pipeline: str = "p", *, parents: bool = True) -> list[int]:
    above = made.context("pipeline", pipeline)
    return [above, made.context("pipeline_run", run, parents=[above] if parents else [])]


def node(made: Made, name: str, pipeline: str = "p") -> int:
    return made.context("node", f"{pipeline}.{name}")


def test_values_that_a_schema_marks_as_json_are_decoded_and_protos_stay_text():
    made = Made()
    made.execution(
        TRAINER,
        [*run_contexts(made, "r"), node(made, "Trainer")],
        custom={
            "splits": '["a", "b"]',
            "__schema__splits__": '{"value_type": {"list_type": {}}}',
            "flag": "true",
            "__schema__flag__": '{"value_type": {"boolean_type": {}}}',
            "train_args": '{"num_steps": 5}',
            "__schema__train_args__": '{"value_type": {"proto_type": {}}}',
            "custom_config": '{"lr": 0.1}',
            "__execution_result__": "{}",
        },
    )
    step = made.store().get_run("r").get_step("Trainer")
    assert step.parameters == {
        "custom_config": '{"lr": 0.1}',
        "flag": True,
        "splits": ["a", "b"],
        "train_args": '{"num_steps": 5}',
    }
    assert set(step.internal_properties) == {
        "__execution_result__",
        "__schema__flag__",
        "__schema__splits__",
        "__schema__train_args__",
    }


def test_a_resolver_is_a_parent_where_it_alone_hands_on_or_under_a_second_key():
    made = Made()
    first = run_contexts(made, "r1")
    model = made.artifact("Model")
    train_1 = made.execution(TRAINER, [*first, node(made, "Trainer")], outputs={"model": model})
    second = run_contexts(made, "r2")
    resolver = made.execution(
        RESOLVER,
        [*second, node(made, "resolver")],
        outputs={"model": model},
        output_type=INTERNAL_OUTPUT,
    )
    train_2 = made.execution(
        TRAINER, [*second, node(made, "Trainer")], state=CACHED, outputs={"model": model}
    )
    score = made.execution("Score", [*second, node(made, "Score")], inputs={"model": model})
    evaluator = made.execution("Evaluator", [*second, node(made, "Evaluator")])
    made.event(model, evaluator, 3, ("baseline_model", 0, "model", 0))
    third = run_contexts(made, "r3")
    again = made.execution(
        RESOLVER,
        [*third, node(made, "resolver")],
        outputs={"model": model},
        output_type=INTERNAL_OUTPUT,
    )
    pusher = made.execution("Pusher", [*third, node(made, "Pusher")], inputs={"model": model})
    store = made.store()
    steps = {s.id: s for p in store.get_pipelines() for r in p.runs for s in r.steps}
    assert steps[score].parents_step_ids == (train_2,)
    assert steps[evaluator].parents_step_ids == (resolver, train_2)
    assert steps[pusher].parents_step_ids == (again,)
    assert set(steps[evaluator].inputs) == {"baseline_model", "model"}
    assert steps[resolver].output.producer_step == steps[train_1]
    assert steps[pusher].input.producer_step == steps[train_1]
    assert steps[train_2].original_step == steps[train_1]
    assert not steps[resolver].is_cached


def test_a_cached_step_without_outputs_finds_its_original_by_the_cache():
    made = Made()
    cache = made.context("execution_cache", "abc")
    one = made.execution("Log", [*run_contexts(made, "r1"), node(made, "Log"), cache])
    failed = made.execution(
        "Log", [*run_contexts(made, "r2"), node(made, "Log"), cache], state=FAILED
    )
    made.execution("Log", [*run_contexts(made, "r3"), node(made, "Log"), cache], state=CACHED)
    store = made.store()
    assert failed > one
    for run in (store.get_run("r3"), store.get_pipeline("p").last_run):
        original = run.get_step("Log").original_step
        assert original is not None
        assert (original.id, original.run_name) == (one, "r1")


@pytest.mark.parametrize("parents", [True, False])
def test_steps_of_a_pipeline_in_a_pipeline_belong_to_both_runs(*, parents: bool):
    made = Made()
    outer = run_contexts(made, "run", "outer", parents=parents)
    inner = run_contexts(made, "sub_run", "sub", parents=parents)
    gen = made.artifact()
    a = made.execution("Gen", [*outer, node(made, "Gen", "outer")], outputs={"examples": gen})
    b = made.execution(
        TRAINER, [*outer, *inner, node(made, "Trainer", "sub")], inputs={"examples": gen}
    )
    store = made.store()
    assert [(p.name, p.get_run_names()) for p in store.get_pipelines()] == [
        ("outer", ["run"]),
        ("sub", ["sub_run"]),
    ]
    whole, part = store.get_run("run"), store.get_run("sub_run")
    assert [(s.id, s.name) for s in whole.steps] == [(a, "Gen"), (b, "sub.Trainer")]
    assert [(s.id, s.name) for s in part.steps] == [(b, "Trainer")]
    assert whole.get_step("sub.Trainer").parents_step_ids == (a,)
    assert store.frames.steps().loc[b, "run_name"].tolist() == ["run", "sub_run"]


def test_a_run_killed_in_the_midst_is_running_and_one_stopped_is_canceled():
    made = Made()
    made.execution("A", [*run_contexts(made, "killed"), node(made, "A")])
    made.execution("B", [*run_contexts(made, "killed"), node(made, "B")], state=RUNNING)
    made.execution("A", [*run_contexts(made, "stopped"), node(made, "A")])
    made.execution("B", [*run_contexts(made, "stopped"), node(made, "B")], state=6)
    run_contexts(made, "empty")
    runs = {run.name: run for run in made.store().get_pipeline("p").runs}
    assert {name: run.status for name, run in runs.items()} == {
        "killed": "running",
        "stopped": "canceled",
        "empty": "running",
    }
    assert runs["killed"].finished is None
    assert runs["stopped"].finished is not None
    assert runs["empty"].steps == ()


def test_a_step_that_was_tried_again_counts_by_its_last_attempt():
    made = Made()
    contexts = [*run_contexts(made, "r"), node(made, "A")]
    made.execution("A", contexts, state=FAILED)
    last = made.execution("A", contexts)
    run = made.store().get_run("r")
    assert run.status == "completed"
    assert len(run.steps) == 2
    assert run.get_step("A").id == last
    assert run.get_step_names() == ["A"]


def legacy(made: Made, pipeline: str, run: str, component: str, **more: object) -> list[int]:
    del more
    names = {"pipeline_name": pipeline, "run_id": run}
    return [
        made.context("pipeline", pipeline, properties={"pipeline_name": pipeline}),
        made.context("run", f"{pipeline}.{run}", properties=names),
        made.context(
            "component_run",
            f"{pipeline}.{run}.{component}",
            properties={**names, "component_id": component},
        ),
    ]


def test_a_legacy_store_without_states_of_its_own_has_them_as_text():
    made = Made()
    reserved = {"pipeline_name": "nb", "pipeline_root": "/root", "component_id": "Trainer"}
    for number, state in enumerate(("complete", "cached", "new"), 1):
        data = made.artifact("Model", state=None if state == "new" else 2)
        made.execution(
            TRAINER,
            legacy(made, "nb", f"run-{number}", "Trainer"),
            state=None,
            properties={
                **reserved,
                "run_id": f"run-{number}",
                "state": state,
                "n": "7",
                "m": "None",
            },
            outputs={"model": data},
        )
    store = made.store()
    pipeline = store.get_pipeline("nb")
    assert [run.status for run in pipeline.runs] == ["completed", "completed", "running"]
    assert [run.steps[0].status for run in pipeline.runs] == ["completed", "cached", "running"]
    assert [run.steps[0].state for run in pipeline.runs] == ["COMPLETE", "CACHED", "NEW"]
    assert [run.steps[0].output.is_phantom for run in pipeline.runs] == [False, False, True]
    step = store.get_run("run-3").steps[0]  # by its run_id
    assert step.run_name == "nb.run-3"
    assert step.parameters == {"m": None, "n": "7"}
    assert set(step.internal_properties) == {"state", "run_id", *reserved}


def test_real_notebooks(shared_store: Callable[[str], Path]):
    pipelines = ml.connect(shared_store("real/tfx_interactive.db")).get_pipelines()
    assert [len(p.runs) for p in pipelines] == [13]
    assert all(len(run.steps) == 1 for run in pipelines[0].runs)
    names = [run.steps[0].name for run in pipelines[0].runs]
    assert names[:3] == ["CsvExampleGen", "StatisticsGen", "SchemaGen"]
    pusher = pipelines[0].last_run.get_step("Pusher")
    assert pusher.entrypoint_name == "Pusher"
    maker = pusher.input_artifacts["model"][0].producer_step
    assert maker is not None
    assert maker.name == "Trainer"


def test_real_phantoms(shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store("real/tfx_phantoms_v6.db"))
    steps = [s for p in store.get_pipelines() for r in p.runs for s in r.steps]
    assert len(steps) == 16
    for step in steps:
        assert step.status == "running"
        assert step.output.is_phantom
        assert step.output.producer_step is None
        assert step.output.state is None


def test_real_dead_runs(shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store("real/tfx_dead_runs.db"))
    (pipeline,) = store.get_pipelines()
    assert [run.status for run in pipeline.runs] == ["running"] * 5
    frame = store.frames.runs()
    assert frame["finished"].isna().all()
    assert store.frames.metrics().empty


@pytest.mark.parametrize("month", ["04", "05", "06"])
def test_a_growing_real_store(shared_store: Callable[[str], Path], month: str):
    store = ml.connect(shared_store(f"real/tfx_sepsis_2022_{month}.db"))
    steps = store.frames.steps()
    executions = store.frames.executions()
    assert sorted(set(steps.index)) == executions.index.tolist()
    assert (steps["dialect"] == "tfx").all()
    run = store.get_run(str(store.frames.runs()["name"].iloc[-1]))
    assert [s.id for s in run.steps] == steps.index[steps["run"] == run.node_key].tolist()
    assert NEW < OUTPUT
