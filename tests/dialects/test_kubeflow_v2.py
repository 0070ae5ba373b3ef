"""Kubeflow Pipelines 2 and its older kin: what differs between their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from made_runs import CACHED, CANCELED, COMPLETE, FAILED, RUNNING, Made

from mlmd_lineage import errors

if TYPE_CHECKING:
    from mlmd_lineage.post_execution.views import PipelineRunView

DAG, CONTAINER = "system.DAGExecution", "system.ContainerExecution"


class Kubeflow(Made):
    """A store with one run, whose root is execution/1."""

    def __init__(self, prefix: str = "system", **root: Any) -> None:
        super().__init__()
        pipeline = self.context(f"{prefix}.Pipeline", "p")
        self.contexts = [
            pipeline,
            self.context(f"{prefix}.PipelineRun", "run-1", parents=[pipeline]),
        ]
        self.root = self.execution(DAG, self.contexts, state=RUNNING, name="run/run-1", custom=root)

    def dag(self, task: str, parent: int, state: int | None = RUNNING, **custom: Any) -> int:
        held = {"task_name": task, "display_name": task, "parent_dag_id": parent, **custom}
        return self.execution(DAG, self.contexts, state=state, custom=held)

    def task(self, task: str, parent: int, state: int = COMPLETE, **more: Any) -> int:
        custom = {"task_name": task, "display_name": task, "parent_dag_id": parent}
        custom |= more.pop("custom", {})
        return self.execution(CONTAINER, self.contexts, state=state, custom=custom, **more)

    def run(self) -> PipelineRunView:
        return self.store().get_run("run-1")


def status(made: Kubeflow, number: int) -> str:
    return next(s.status for s in made.run().steps if s.id == number)


def test_before_2_4_dags_stay_running_and_have_no_task_count():
    made = Kubeflow()
    loop = made.dag("for-loop-1", made.root, iteration_count=2)
    passes = [made.dag("for-loop-1", loop, iteration_index=n) for n in range(2)]
    tasks = [made.task("train", inner) for inner in passes]
    run = made.run()
    assert run.status == "completed"
    assert [s.state for s in run.steps if s.is_dag] == ["RUNNING"] * 4
    assert {s.status for s in run.steps} == {"completed"}
    assert [s.path for s in run.steps if not s.is_dag] == [
        "for-loop-1/0/train",
        "for-loop-1/1/train",
    ]
    assert [child.id for child in run.get_step("for-loop-1/1").children] == [tasks[1]]
    with pytest.raises(errors.AmbiguousNameError, match="for-loop-1/0/train"):
        run.get_step("train")
    assert run.get_step("for-loop-1/1/train").id == tasks[1]
    assert run.get_step("for-loop-1").id == loop


def test_a_loop_with_passes_that_are_to_come_is_running():
    made = Kubeflow()
    loop = made.dag("for-loop-1", made.root, iteration_count=3)
    inner = made.dag("for-loop-1", loop, iteration_index=0, total_dag_tasks=1)
    made.task("train", inner)
    assert status(made, inner) == "completed"
    assert status(made, loop) == "running"
    assert made.run().status == "running"


def test_a_loop_over_nothing_has_completed():
    made = Kubeflow()
    loop = made.dag("for-loop-1", made.root, iteration_count=0)
    assert status(made, loop) == "completed"


def test_a_task_that_failed_deep_inside_fails_all_groups_around_it():
    made = Kubeflow()
    outer = made.dag("outer", made.root, state=COMPLETE)
    inner = made.dag("inner", outer)
    made.task("bad", inner, state=FAILED)
    made.task("cleanup", made.root)
    assert [status(made, n) for n in (made.root, outer, inner)] == ["failed"] * 3
    assert made.run().status == "failed"


def test_what_a_false_condition_skips_does_not_cancel_the_run():
    made = Kubeflow()
    branches = made.dag("condition-branches-1", made.root, total_dag_tasks=3)
    skipped = made.dag("condition-2", branches, state=CANCELED)
    taken = made.dag("condition-3", branches)
    made.task("deploy", taken)
    assert status(made, skipped) == "canceled"
    # The third task follows the skipped one: it never comes to be.
    assert status(made, branches) == "completed"
    assert made.run().status == "completed"


def test_a_run_in_which_all_was_skipped_has_completed():
    made = Kubeflow()
    made.dag("condition-1", made.root, state=CANCELED)
    assert made.run().status == "completed"


def test_a_run_whose_tasks_were_all_cached_executed_nothing():
    made = Kubeflow()
    data = made.artifact("system.Dataset")
    first = made.task("gen", made.root, outputs={"data": data})
    second = made.context("system.PipelineRun", "run-2", parents=made.contexts[:1])
    made.contexts = [made.contexts[0], second]
    root = made.execution(DAG, made.contexts, state=RUNNING, name="run/run-2")
    group = made.dag("group", root)
    custom = {"cached_execution_id": str(first), "namespace": ""}
    made.task("gen", group, state=CACHED, custom=custom, outputs={"data": data})
    run = made.store().get_run("run-2")
    assert (run.status, run.is_cached) == ("completed", True)
    assert [s.is_cached for s in run.steps] == [True, True, True]
    step = run.get_step("gen")
    assert (step.status, step.output.is_cached) == ("cached", True)
    assert step.original_step is not None
    assert (step.original_step.id, step.original_step.run_name) == (first, "run-1")


def test_an_original_that_was_itself_cached_leads_on_and_circles_end():
    made = Kubeflow()
    one = made.task("gen", made.root)
    two = made.task("gen-2", made.root, CACHED, custom={"cached_execution_id": str(one)})
    three = made.task("gen-3", made.root, CACHED, custom={"cached_execution_id": str(two)})
    made.task("gen-4", made.root, CACHED, custom={"cached_execution_id": "5"})
    made.task("gen-5", made.root, CACHED, custom={"cached_execution_id": "404"})
    steps = {s.name: s for s in made.run().steps}
    assert three == 4
    assert steps["gen-3"].original_step == steps["gen"]
    assert steps["gen-4"].original_step is None
    assert steps["gen-5"].original_step is None


def test_passes_of_a_loop_before_2_5_share_a_uri_and_are_told_apart_by_id():
    made = Kubeflow()
    loop = made.dag("for-loop-1", made.root, iteration_count=2)
    models = []
    for number in range(2):
        inner = made.dag("for-loop-1", loop, iteration_index=number)
        model = made.artifact("system.Model", uri="minio://mlpipeline/run-1/train/model")
        made.task("train", inner, outputs={"model": model})
        models.append(model)
    best = made.task("best", made.root, inputs={"models": models})
    step = next(s for s in made.run().steps if s.id == best)
    assert [artifact.id for artifact in step.input_artifacts["models"]] == models
    assert isinstance(step.inputs["models"], tuple)
    assert len(step.parent_steps) == 2
    with pytest.raises(ValueError, match="not exactly one input, but 2: 'models'"):
        _ = step.input


def test_1_8_kept_structs_and_1_6_one_property_each():
    made = Kubeflow("kfp")
    made.execution(
        "kfp.ContainerExecution",
        made.contexts,
        custom={
            "task_name": "old",
            "input:rows": 100,
            "input:rate": 0.5,
            "input:name": "x",
            "output:Output": 3,
            "pod_name": "pod",
        },
    )
    made.execution(
        "kfp.ContainerExecution",
        made.contexts,
        custom={
            "task_name": "new",
            "inputs": {"rows": 100, "config": {"a": [1, "b", None]}},
            "outputs": {"Output": True},
        },
    )
    run = made.run()
    old, new = run.get_step("old"), run.get_step("new")
    assert old.parameters == {"name": "x", "rate": 0.5, "rows": 100}
    assert isinstance(old.parameters["rows"], int)
    assert old.output_parameters == {"Output": 3}
    assert old.internal_properties == {"pod_name": "pod", "task_name": "old"}
    assert new.parameters == {"config": {"a": [1.0, "b", None]}, "rows": 100.0}
    assert isinstance(new.parameters["rows"], float)  # nothing says that it was an integer
    assert new.output_parameters == {"Output": True}
    assert run.pipeline_name == "p"


def test_metrics_are_the_numbers_of_metrics_artifacts():
    made = Kubeflow()
    metrics = {"display_name": "m", "accuracy": 0.9, "epochs": 5, "note": "x"}
    one = made.artifact("system.Metrics", custom=metrics)
    two = made.artifact("system.Metrics", custom={"accuracy": 0.8})
    matrix = {"struct": {"rows": [1]}}
    three = made.artifact("system.ClassificationMetrics", custom={"confusionMatrix": matrix})
    outputs = {"eval": one, "test": two, "cls": three, "executor-logs": made.artifact()}
    made.task("evaluate", made.root, outputs=outputs)
    step = made.run().get_step("evaluate")
    assert step.metrics == {"epochs": 5, "eval.accuracy": 0.9, "test.accuracy": 0.8}
    assert step.output_artifacts["cls"][0].properties["confusionMatrix"] == {"rows": [1.0]}
    assert step.output_artifacts["eval"][0].name == "m"


def test_logs_do_not_count_as_the_output():
    made = Kubeflow()
    model, logs = made.artifact("system.Model"), made.artifact("system.Artifact")
    made.task("train", made.root, outputs={"model": model, "executor-logs": logs})
    made.task("log", made.root, outputs={"executor-logs": logs})
    run = made.run()
    assert run.get_step("train").output.id == model
    assert run.get_step("log").output.id == logs


def test_an_importer_has_no_display_name_and_a_root_may_be_alone():
    made = Kubeflow(display_name="", task_name="", inputs={"rows": 3})
    made.execution(
        "system.ImporterExecution",
        made.contexts,
        custom={"display_name": "", "task_name": "importer", "parent_dag_id": made.root},
    )
    run = made.run()
    assert run.parameters == {"rows": 3.0}
    assert [(s.name, s.is_root) for s in run.steps] == [("root", True), ("importer", False)]
    assert Kubeflow().run().status == "running"
