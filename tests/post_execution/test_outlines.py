"""Frames made of runs in outline say what runs that are assembled whole say."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from made_runs import Made
from made_stores import STORES_WITH_RUNS

import mlmd_lineage as ml
from mlmd_lineage.post_execution import frames
from mlmd_lineage.post_execution.loading.run_index import RunIndex
from mlmd_lineage.record_format import names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlmd_lineage import Store


def every_frame(store: Store) -> dict[str, pd.DataFrame]:
    found = store.frames
    return {
        "pipelines": found.pipelines(),
        "runs": found.runs(),
        "artifacts": found.artifacts(),
        "properties": found.artifacts(properties=True),
    }


def check(store: Store, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Compare a store's frames in both ways; return whether none of its runs was assembled."""
    with monkeypatch.context() as patch:
        patch.setattr(frames, "needed_properties", lambda _: None)
        whole = every_frame(store)
    assembled = []
    run = RunIndex.run
    with monkeypatch.context() as patch:
        patch.setattr(RunIndex, "run", lambda index, key: assembled.append(key) or run(index, key))
        for name, frame in every_frame(store).items():
            pd.testing.assert_frame_equal(frame, whole[name], obj=name)
    check_rows(store, monkeypatch)
    return not assembled


def check_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare the frames of steps, parameters and metrics in both ways."""
    found = store.frames
    for frame in (found.steps, found.parameters, found.metrics):
        with monkeypatch.context() as patch:
            patch.setattr(frames, "needed_properties", lambda _: None)
            whole = frame()
        pd.testing.assert_frame_equal(frame(), whole, obj=frame.__name__)


@pytest.mark.parametrize("path", STORES_WITH_RUNS)
@pytest.mark.slow
def test_on_stores_of_every_platform(
    path: str, shared_store: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    assert check(ml.connect(shared_store(path)), monkeypatch)


class Dice(random.Random):
    """Chooses what a store holds."""

    models = False
    """Whether there are models of the Kubeflow Metadata SDK, which hold parameters of steps."""

    def some(self, *values: Any) -> Any:
        return self.choice(values)

    def maybe(self, properties: dict[str, Any]) -> dict[str, Any]:
        """Return some of some properties."""
        return {name: value for name, value in properties.items() if self.random() < 0.6}


def _artifact(made: Made, dice: Dice) -> int:
    """Add an artifact that may hold metrics, or parameters of the step that made it."""
    return made.artifact(
        dice.some(
            "Data",
            "Metrics",
            "Step_Metrics",
            "system.Metrics",
            "system.Model",
            "kubeflow.org/alpha/metrics",
            *(["kubeflow.org/alpha/model"] if dice.models else []),
        ),
        name=dice.some(None, "named"),
        custom=dice.maybe(
            {
                "accuracy": dice.some(0.5, "0.5", 1),
                "values": '{"auc": 1.5}',
                "ALL_META": '{"hyperparameters": {"depth": 3}}',
                names.METRICS: '["accuracy"]',
                names.ENCODED: json.dumps({names.METRICS: {"json": True}}),
            }
        ),
    )


def _events(made: Made, dice: Dice) -> dict[str, dict[str, Any]]:
    """Return inputs, of which some are taken twice, and outputs of an execution."""
    known = [row["id"] for row in made.rows["Artifact"]] or [_artifact(made, dice)]
    taken = {key: dice.some(*known) for key in ("data", "base")}
    return {
        "inputs": dice.maybe(taken),
        "outputs": {key: _artifact(made, dice) for key in dice.maybe({"b": 1, "a": 2})},
    }


def _kubeflow(made: Made, dice: Dice, number: int) -> None:
    pipeline = made.context("system.Pipeline", f"pipeline-{number % 2}")
    run = made.context("system.PipelineRun", f"run-{number}", parents=[pipeline])
    groups: list[int | str] = []
    for step in range(dice.randint(0, 9)):
        is_group = not groups or dice.random() < 0.3
        parent = None if step == 0 else dice.some(*groups, 10_000, "none", None)
        execution = made.execution(
            "system.DAGExecution" if is_group else "system.ContainerExecution",
            dice.some([pipeline, run], [run]),
            state=dice.some(None, 1, 2, 3, 3, 3, 4, 5, 6, 9),
            name=f"step-{step}",
            custom=dice.maybe(
                {
                    "task_name": f"task-{step % 3}",
                    "display_name": f"Task {step}",
                    "cached_execution_id": dice.some("", "1", 1, "x"),
                    "iteration_index": dice.some(0, 1),
                    "iteration_count": 2,
                    "total_dag_tasks": dice.some(0, 1, 3),
                    "inputs": {"rate": 0.5},
                }
            )
            | ({} if parent is None else {"parent_dag_id": parent}),
            **_events(made, dice),
        )
        if is_group:
            groups.append(dice.some(execution, str(execution), execution + 1))


def _recorded(made: Made, dice: Dice, number: int) -> None:
    processes = {
        names.RECORDER_PROPERTY.format(n): json.dumps(
            {
                "state": dice.some("RUNNING", "FAILED", "COMPLETE", "CANCELED"),
                "started": f"2024-{n}",
            }
        )
        for n in range(dice.randint(0, 2))
    }
    run = made.context("pipeline_run", f"recorded-{number}", custom={names.FORMAT: 1, **processes})
    for step in range(dice.randint(0, 5)):
        node = made.context("node", f"recorded-{number}.outer/step-{step % 3}")
        made.execution(
            "train",
            [run, node] if dice.random() < 0.8 else [run],
            state=dice.some(1, 2, 3, 3, 4, 5, 6),
            custom=dice.maybe(
                {
                    names.STEP_ID: f"id-{step}",
                    names.PARENT: f"id-{dice.randint(0, 5)}",
                    names.ITERATION: step % 2,
                    names.STARTED: "2024-05-01T10:00:00.250Z",
                    names.FINISHED: dice.some("2024-05-01T11:00:00.000Z", "soon"),
                    names.ENCODED: json.dumps({"rate": {"json": True}}),
                    names.CACHED_FROM: step,
                    "rate": "[1]",
                }
            ),
            **_events(made, dice),
        )


def _tfx(made: Made, dice: Dice, number: int) -> None:
    outer, inner = made.context("pipeline", "outer"), made.context("pipeline", "outer.inner")
    runs = [made.context(dice.some("pipeline_run", "run"), f"outer.{number}")]
    if dice.random() < 0.5:
        runs.append(made.context("pipeline_run", f"outer.inner_{number}"))
    for step in range(dice.randint(1, 6)):
        artifact = made.artifact("Examples")
        node = made.context("node", f"outer.{dice.some('inner.', '')}Trainer{step % 2}")
        zenml = {"zenml-pipeline_parameter_name": dice.some(f'"step_{step}"', "odd", "")}
        own = {"component_id": "Trainer", "state": dice.some("complete", "new", "odd")}
        made.execution(
            "tfx.components.trainer.Trainer",
            [outer, *dice.some([inner], []), *runs, *dice.some([node], [])],
            state=dice.some(None, 0, 2, 3, 3, 4, 5, 6),
            name=dice.some("", None, "named"),
            properties=dice.maybe(own),
            custom=dice.some({}, {}, zenml, {"zenml-odd": 1}),
            inputs={"examples": artifact},
            outputs={"model": dice.some(artifact, _artifact(made, dice))},
            output_type=dice.some(4, 4, 6, 7, 9),
        )
        if dice.random() < 0.3:
            made.rows["Execution"][-1]["create_time_since_epoch"] = 0


def _others(made: Made, dice: Dice, number: int) -> None:
    kind = dice.some(
        "KfpRun",
        "kubeflow.org/alpha/workspace",
        "kf.ExperimentRun",
        "Parent_Context",
        "trial",
        "experiment",
    )
    custom = {"__kf_run__": f"run-{number % 2}", "status": dice.some("FAILED", "KILLED")}
    context = made.context(kind, f"3:{kind}-{number}", properties=dice.maybe(custom))
    stage = made.context("Pipeline_Stage", f"{kind}/train", parents=[context])
    original = {"id": 5, "name": "as it was", "create_time_since_epoch": 7}
    for step in range(dice.randint(0, 4)):
        made.execution(
            dice.some("train", "components.train@sha256=1", "tfx.Trainer"),
            dice.some([context], [context], [stage], []),
            state=dice.some(None, 1, 2, 3, 4, 5, 6),
            name=dice.some(None, f"kfp-history-{step}"),
            properties=dice.maybe({"component_id": f"c-{step}", "name": "named", "task_id": 3}),
            custom=dice.maybe(
                {
                    "original_create_time_since_epoch": dice.some("1700000000000", "x", 17),
                    "kfp_history_original": json.dumps(original),
                    "__kf_run__": f"run-{step % 2}",
                    "display_name": "",
                }
            ),
            **_events(made, dice),
        )


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.slow
def test_on_stores_made_at_random(seed: int, monkeypatch: pytest.MonkeyPatch):
    made, dice = Made(), Dice(seed)
    dice.models = seed % 4 == 0
    for number in range(12):
        dice.some(_kubeflow, _kubeflow, _recorded, _tfx, _others)(made, dice, number)
    check(made.store(), monkeypatch)


def test_runs_of_a_user_s_own_dialect_are_assembled(monkeypatch: pytest.MonkeyPatch):
    class Airflow(ml.Dialect):
        name = "airflow"
        outline_properties = ()  # of no account: it is not the library's own

        def identify_runs(self, contexts: Any) -> Any:
            run = next((c for c in contexts if c.type == "airflow.DagRun"), None)
            return None if run is None else (ml.RunIdentity(run, None, "dag"),)

        def details(self, execution: Any) -> Any:
            return {"status": "failed", "parameters": execution.properties}

    made = Made()
    made.execution("task", [made.context("airflow.DagRun", "first")])
    unregister = ml.register_dialect(Airflow)
    try:
        assert made.store().frames.runs()["status"].tolist() == ["failed"]
        assert not check(made.store(), monkeypatch)
    finally:
        unregister()
