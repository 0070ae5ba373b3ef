"""What the views promise: values that show themselves and never ask the store by themselves."""

from __future__ import annotations

import pickle
import random
from typing import TYPE_CHECKING, Any

import pytest
from made_runs import CACHED, COMPLETE, Made, MadeReader

import mlmd_lineage as ml
from mlmd_lineage import errors
from mlmd_lineage.store import Store
from mlmd_lineage.stores import SQLiteMetadataStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlmd_lineage.post_execution.views import PipelineRunView, StepView


def long_run(steps: int, *, runs: int = 2) -> Made:
    """Return a store of TFX's runs, of which the second one's every other step is cached."""
    made = Made()
    pipeline = made.context("pipeline", "p")
    first: list[int] = []
    for run in range(runs):
        context = made.context("pipeline_run", f"r{run}", parents=[pipeline])
        before: int | None = None
        for n in range(steps):
            node = made.context("node", f"p.step_{n}")
            cached = run == 1 and n % 2 == 0
            data = first[n] if cached else made.artifact(custom={"n": n})
            if run == 0:
                first.append(data)
            made.execution(
                f"tfx.Step{n % 7}",
                [pipeline, context, node],
                state=CACHED if cached else COMPLETE,
                custom={"n": n},
                inputs={} if before is None else {"data": before},
                outputs={"data": data},
            )
            before = data
    return made


def touch(run: PipelineRunView) -> int:
    """Look at everything that a run has to say; return how many steps."""
    seen = 0
    for step in run.steps:
        for held in (step.input_artifacts, step.output_artifacts):
            for artifact in (a for found in held.values() for a in found):
                maker = artifact.producer_step
                assert maker is not None
                assert maker.run_name in {"r0", "r1"}
                assert artifact.properties
                assert isinstance(artifact.is_cached, bool)
        assert (step.original_step is None) != step.is_cached
        assert all(parent in run.steps for parent in step.parent_steps)
        assert repr(step)
        assert step._repr_html_()
        seen += 1
    return seen


@pytest.mark.parametrize("name", ["r0", "r1"])
def test_a_run_of_any_size_costs_the_same_number_of_statements(name: str):
    asked = []
    for steps in (3, 60, 300):
        reader = MadeReader(long_run(steps).tables())
        run = Store(SQLiteMetadataStore(uri="x.db"), reader=reader).get_run(name)
        asked.append(list(reader.fetched))
        assert touch(run) == steps
        assert reader.fetched == asked[-1]  # looking asks nothing
        assert reader.reads == 0
    assert [len(found) for found in asked] == [len(asked[0])] * 3
    assert len(asked[0]) <= 26


def test_no_table_is_scanned_that_has_an_index():
    reader = MadeReader(long_run(10).tables())
    Store(SQLiteMetadataStore(uri="x.db"), reader=reader).get_run("r1")
    indexed = {
        ("Context", "type_id, name"), ("Context", "id"), ("Association", "context_id"),
        ("Execution", "id"), ("ExecutionProperty", "execution_id"), ("Event", "execution_id"),
        ("Event", "artifact_id, type"), ("EventPath", "event_id"), ("Artifact", "id"),
        ("ArtifactProperty", "artifact_id"), ("ContextProperty", "context_id"),
        ("ParentContext", "context_id"), ("ParentContext", "parent_context_id"),
    }  # fmt: skip
    small = {("Type", ""), ("ParentType", "")}
    scanned = [found for found in reader.fetched if found not in indexed | small]
    # MLMD has no index for the contexts of an execution: one scan for the run, one for the others.
    assert scanned == [("Association", "execution_id")] * 2


def test_a_pipeline_is_read_in_parts_or_as_a_whole_and_says_the_same(
    monkeypatch: pytest.MonkeyPatch,
):
    part = MadeReader(long_run(5).tables())
    whole = MadeReader(long_run(5).tables())
    views = []
    for reader in (part, whole):
        store = Store(SQLiteMetadataStore(uri="x.db"), reader=reader)
        views.append(store.get_pipeline("p"))
        monkeypatch.setattr("mlmd_lineage.post_execution.loading.loader._MANY", 3)
    assert (part.reads, whole.reads) == (0, 1)
    one, other = views
    assert one == other
    assert one.get_run_names() == other.get_run_names() == ["r0", "r1"]
    for left, right in zip(one.runs, other.runs, strict=True):
        assert repr(left) == repr(right)
        assert touch(left) == touch(right) == 5
        assert [repr(s) for s in left.steps] == [repr(s) for s in right.steps]


def test_views_are_values(shared_store: Callable[[str], Path]):
    path = shared_store("tfx_local.db")
    store, again = ml.connect(path), ml.connect(path)
    one = store.get_pipeline("penguin-train")
    other = again.get_pipelines()[0]
    assert one == other
    assert len({one, other}) == 1
    assert one != one.runs[0]
    assert one.runs[0] == again.get_run("2026-11-21T02:44:15.589538")
    step = one.runs[0].get_step("Trainer")
    assert step == other.runs[0].get_step("Trainer")
    assert step.outputs["model"] == one.runs[0].get_step("Pusher").inputs["model"]
    assert len({step.outputs["model"], one.runs[0].get_step("Pusher").inputs["model"]}) == 1
    assert one != ml.connect(shared_store("kfp2_emulated.db")).get_pipelines()[0]
    model: Any = step.outputs["model"]
    for view in (one, one.runs[0], step, model):
        with pytest.raises(AttributeError, match="immutable"):
            view.name = "x"
        with pytest.raises(AttributeError, match="immutable"):
            del view.name
        loaded = pickle.loads(pickle.dumps(view))  # noqa: S301 - our own bytes
        assert loaded == view
        assert repr(loaded) == repr(view)
        assert "\n" not in repr(view)
        assert "<table>" in view._repr_html_()
    with pytest.raises(TypeError):
        step.parameters["x"] = 1  # type: ignore[index]
    with pytest.raises(TypeError):
        step.outputs["x"] = model  # type: ignore[index]
    assert repr(one) == "PipelineView(name='penguin-train', runs=6)"
    assert repr(step).startswith("StepView(id=4, name='Trainer', status='completed'")
    assert repr(model) == (
        "ArtifactView(id=4, type='Model', name=None, "
        "uri='/srv/tfx/pipelines/penguin-train/Trainer/model/4', state='LIVE')"
    )


def test_what_is_hostile_in_a_name_is_escaped():
    made = Made()
    context = made.context("Run", "<script>")
    made.execution("T", [context], name="<b>", custom={"x": "<i>"})
    run = made.store().get_run("<script>")
    for view in (run, run.steps[0]):
        assert "<script>" not in view._repr_html_()
        assert "<i>" not in view._repr_html_()


def test_lineage_from_a_view(shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store("tfx_local.db"))
    model: Any = store.get_run("2026-11-21T02:44:15.589538").get_step("Trainer").outputs["model"]
    assert model.upstream().nodes.index.tolist() == store.upstream(model).nodes.index.tolist()
    assert "artifact/11" in model.downstream(until="PushedModel")
    assert "execution/4" in store.upstream(model.producer_step)


def test_missing_names_suggest_what_is_near(shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store("zenml_0132.db"))
    with pytest.raises(
        KeyError, match=r"no pipeline 'iris_trainin'\. Did you mean 'iris_training'"
    ):
        store.get_pipeline("iris_trainin")
    with pytest.raises(errors.NotFoundError, match=r"no run 'iris-001-bas'\..*'iris-001-base'"):
        store.get_run("iris-001-bas")
    pipeline = store.get_pipeline("iris_training")
    with pytest.raises(KeyError, match="'iris-001-base'"):
        pipeline.get_run("iris-001-bse")
    with pytest.raises(KeyError, match="Did you mean 'trainer'"):
        pipeline.runs[0].get_step("traner")
    with pytest.raises(KeyError, match="completed a step 'nope'"):
        pipeline.get_run_for_completed_step("nope")
    assert pipeline.last_run == pipeline.runs[-1]
    assert pipeline.get_run("iris-001-base").pipeline == pipeline


def test_pipelines_of_one_name_are_told_apart_by_their_keys():
    made = Made()
    for kind, run in (("pipeline", "pipeline_run"), ("system.Pipeline", "system.PipelineRun")):
        above = made.context(kind, "same")
        made.execution("T", [above, made.context(run, "run", parents=[above])])
    store = made.store()
    for ask in (store.get_pipeline, store.get_run):
        with pytest.raises(errors.AmbiguousNameError, match=r"context/\d, context/\d"):
            ask("same" if ask == store.get_pipeline else "run")
    assert store.get_pipeline("context/3").id == 3
    assert store.get_run("context/2").pipeline_name == "same"


def test_what_was_not_read_is_not_said_to_be_missing():
    made = long_run(3, runs=2)
    run = made.store().get_run("r1")
    original = run.get_step("step_0").original_step
    assert original is not None
    assert (original.run_name, original.pipeline_name) == ("r0", "p")
    with pytest.raises(errors.NotLoadedError, match="get_run"):
        _ = original.run.steps
    assert repr(original.run) == "PipelineRunView(name='r0', pipeline='p')"
    with pytest.raises(errors.NotLoadedError, match="get_pipeline"):
        _ = run.pipeline.runs
    assert repr(run.pipeline) == "PipelineView(name='p')"
    later = run.get_step("step_2").original_step
    assert later is not None
    assert later.input.uri
    assert later.parent_steps == ()


ODD: list[Any] = [
    None, -5, 0, 1, 2, 7, 2**62, 0.0, 1.5, float("nan"), float("inf"), True, False, "", "x", "None",
    "[", "{}", '{"value_type": 1}', "mlmd-struct::", "9" * 50, "-1", {"a": {"b": [1, None]}},
]  # fmt: skip
NAMES = [
    "inputs",
    "outputs",
    "input:x",
    "output:",
    "task_name",
    "display_name",
    "parent_dag_id",
    "iteration_index",
    "iteration_count",
    "total_dag_tasks",
    "cached_execution_id",
    "component_id",
    "pipeline_name",
    "run_id",
    "state",
    "zenml-pipeline_parameter_name",
    "zenml-",
    "runtime_configuration",
    "__schema__x__",
    "x",
    "pipeline_root",
    "datatype",
    "materializer",
    "name",
    "argo_artifact",
    "accuracy",
]
CONTEXTS = [
    "pipeline",
    "pipeline_run",
    "run",
    "component_run",
    "node",
    "zenml",
    "stack",
    "execution_cache",
    "system.Pipeline",
    "system.PipelineRun",
    "kfp.PipelineRun",
    "KfpRun",
    "Parent_Context",
    "Pipeline_Stage",
    "Experiment",
    "Run",
]


def odd_store(seed: int) -> Made:
    """Return a store in which anything may stand anywhere."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    made = Made()

    def properties() -> dict[str, Any]:
        names = chance.sample(NAMES, chance.randint(0, 5))
        return {name: chance.choice(ODD) for name in names}

    contexts = [
        made.context(
            chance.choice(CONTEXTS),
            chance.choice(["", "p", "p.x", "p/x", "r", "p_r"]),
            properties=properties(),
            custom=properties(),
            # Any that exist already, and one that does not: MLMD allows no circle of parents.
            parents=chance.sample([*range(1, number), 70], chance.randint(0, 1)),
        )
        for number in range(1, chance.randint(1, 6))
    ]
    artifacts = [
        made.artifact(
            chance.choice(["system.Metrics", "Metrics", "Model"]),
            state=chance.choice([None, 0, 2, 5, 9]),
            properties=properties(),
            custom=properties(),
            name=chance.choice([None, "", "a:b"]),
            uri=chance.choice([None, "", "b"]),
        )
        for _ in range(3)
    ]
    for _ in range(chance.randint(1, 5)):
        several = sorted({*contexts, 77})
        number = made.execution(
            chance.choice(["system.DAGExecution", "components.x", "tfx.T", "", "."]),
            chance.sample(several, chance.randint(0, len(several))),
            state=chance.choice([None, 0, 1, 2, 3, 4, 5, 6, 9, -1]),
            properties=properties(),
            custom=properties(),
        )
        for _ in range(chance.randint(0, 3)):
            path = [chance.choice(["k", "", 0, 3]) for _ in range(chance.randint(0, 3))]
            made.event(chance.choice([*artifacts, 99]), number, chance.randint(0, 9), path)
    return made


def test_a_circle_of_parents_ends():
    made = Made()
    one = made.context("Run", "one", parents=[2])
    two = made.context("Group", "two", parents=[1])
    made.execution("T", [one, two])
    store = made.store()
    assert [run.name for pipeline in store.get_pipelines() for run in pipeline.runs] == ["one"]
    assert store.get_run("one").status == "completed"


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(10, 100, 10))]
)
def test_odd_rows_never_raise(seed: int):
    for number in range(seed, seed + 10):
        made = odd_store(number)
        store = made.store()
        seen = set()
        for pipeline in store.get_pipelines():
            for run in pipeline.runs:
                assert run.status in {"completed", "failed", "running", "canceled"}
                assert run.borrowed_steps is not None
                assert store.get_run(run.node_key).status == run.status, number
                for step in run.steps:
                    seen.add(step.id)
                    looked_at(step)
        assert seen == {row["id"] for row in made.rows["Execution"]}, number
        for frame in ("pipelines", "runs", "steps", "parameters", "metrics", "artifacts"):
            assert getattr(store.frames, frame)() is not None


def looked_at(step: StepView) -> None:
    for view in (step, *step.children, *step.parent_steps, step.original_step):
        assert repr(view)
    assert step.metrics is not None
    for found in (*step.input_artifacts.values(), *step.output_artifacts.values()):
        for artifact in found:
            assert repr(artifact)
            assert artifact.is_cached in {True, False}
            assert artifact.is_phantom in {True, False}
