"""Pipelines as they are run, recorded, reused and read back."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import churn_steps
import numpy as np
import pandas as pd
import pytest
import side_steps

import mlmd_lineage as ml

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a configuration of its own, as the user's."""
    monkeypatch.setenv("MLMD_LINEAGE_CONFIG", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("x\n1\n2\n3\n")
    return tmp_path


class Calls:
    """The calls that were made, in an object that is no constant: it is not part of a key."""

    def __init__(self) -> None:
        self.made: list[str] = []


def statuses(run: ml.PipelineRunView) -> dict[str, str]:
    return {step.name: step.status for step in run.steps}


def one_step(function: Callable[..., Any], *arguments: Any, **options: Any) -> ml.Pipeline[[]]:
    """Return a pipeline of one step."""

    def single() -> None:
        ml.step(**options)(function)(*arguments)

    return ml.pipeline(single)


def test_a_run_is_recorded_in_full_and_reads_back(home: Path):
    run = churn_steps.churn(str(home / "data.csv"), rate=0.25).run()
    assert run.status == "completed"
    assert run.pipeline.name == "churn"
    assert run.parameters == {"path": str(home / "data.csv"), "rate": 0.25}
    assert statuses(run) == dict.fromkeys(("load", "train", "evaluate"), "completed")
    train, evaluate = run.get_step("train"), run.get_step("evaluate")
    assert train.parameters == {"rate": 0.25}
    assert evaluate.parameters == {"limit": 1}
    assert train.output.type == "Model"
    np.testing.assert_array_equal(train.output.read(), [0.25, 0.5, 0.75])
    pd.testing.assert_frame_equal(evaluate.outputs["table"].read(), pd.DataFrame({"x": [2, 4, 6]}))
    assert evaluate.metrics == {"accuracy": 0.5}
    assert evaluate.outputs["accuracy"].read() == 0.5
    assert {each.name for each in evaluate.parent_steps} == {"train", "load"}
    source = run.get_step("load").input
    assert source.uri == str(home / "data.csv")
    store = ml.connect()
    assert f"artifact/{source.id}" in store.upstream(train.output)
    assert store.get_run(run.name).get_step("train").output == train.output


def test_results_are_reused_as_long_as_nothing_that_they_depend_on_changes(home: Path):
    path = str(home / "data.csv")
    first = churn_steps.churn(path).run()
    again = churn_steps.churn(path).run()
    assert statuses(again) == dict.fromkeys(("load", "train", "evaluate"), "cached")
    assert again.status == "completed"
    assert again.get_step("train").original_step == first.get_step("train")
    assert again.get_step("train").output == first.get_step("train").output
    other = churn_steps.churn(path, rate=0.75).run()
    assert statuses(other) == {"load": "cached", "train": "completed", "evaluate": "completed"}
    (home / "data.csv").write_text("x\n1\n2\n4\n")
    changed = churn_steps.churn(path).run()
    assert set(statuses(changed).values()) == {"completed"}
    # Both are there: the one of the same digest counts.
    (home / "data.csv").write_text("x\n1\n2\n3\n")
    assert set(statuses(churn_steps.churn(path).run()).values()) == {"cached"}


def test_a_changed_helper_and_changed_or_lost_outputs_are_no_hit(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    path = str(home / "data.csv")
    first = churn_steps.churn(path).run()
    model = next(Path(first.get_step("train").output.uri).iterdir())
    model.write_bytes(model.read_bytes() + b" ")
    run = churn_steps.churn(path).run(explain=True)
    # The new model is another artifact, so that it is evaluated anew.
    assert statuses(run) == {"load": "cached", "train": "completed", "evaluate": "completed"}
    explained = ml.connect().cache.explain(run.get_step("train"))
    assert not explained.is_hit
    assert "has changed since" in explained.reason
    assert explained.differences == ()
    shutil.rmtree(run.get_step("train").output.uri)
    run = churn_steps.churn(path).run()
    assert statuses(run)["train"] == "completed"
    assert "is gone" in ml.connect().cache.explain(run.get_step("train")).reason

    def scaled(data: Any, rate: float) -> Any:
        return np.array(data["x"]) * rate * 1

    monkeypatch.setattr(churn_steps, "scaled", scaled)
    run = churn_steps.churn(path).run()
    assert statuses(run)["train"] == "completed"
    changed = ml.connect().cache.explain(run.get_step("train")).differences
    assert {part.name for part in changed} >= {"source scaled"}


def test_caching_is_switched_by_step_run_and_pipeline(home: Path):
    del home
    calls = Calls()

    def never() -> int:
        calls.made.append("never")
        return 1

    def always() -> int:
        calls.made.append("always")
        return 2

    def unsaid() -> int:
        calls.made.append("unsaid")
        return 3

    def body() -> None:
        ml.step(enable_cache=False)(never)()
        ml.step(enable_cache=True)(always)()
        ml.step(unsaid)()

    on, off = ml.pipeline(name="on")(body), ml.pipeline(name="off", enable_cache=False)(body)

    def ran(pipeline: ml.Pipeline[[]], **options: Any) -> list[str]:
        calls.made.clear()
        pipeline().run(**options)
        return list(calls.made)

    assert ran(on) == ["never", "always", "unsaid"]
    assert ran(on) == ["never"]
    assert ran(off) == ["never", "unsaid"]
    assert ran(off, enable_cache=True) == ["never"]
    assert ran(on, enable_cache=False) == ["never", "always", "unsaid"]
    assert ran(on) == ["never"]


def test_the_newest_success_is_reused_that_of_a_run_without_caching_too(home: Path):
    path = str(home / "data.csv")
    churn_steps.churn(path).run()
    fresh = churn_steps.churn(path).run(enable_cache=False)
    again = churn_steps.churn(path).run()
    assert again.get_step("train").original_step == fresh.get_step("train")


def test_explaining_says_part_by_part_what_differs(home: Path, capsys: pytest.CaptureFixture[str]):
    path = str(home / "data.csv")
    first = churn_steps.churn(path).run()
    store = ml.connect()
    explained = store.cache.explain(first.get_step("train"))
    assert not explained.is_hit
    assert explained.compared_with is None
    assert "no earlier execution" in explained.text()
    second = churn_steps.churn(path, rate=0.75).run(explain=True)
    shown = capsys.readouterr().out
    explained = store.cache.explain(second.get_step("train").node_key)
    assert explained.text() in shown
    assert explained.compared_with == first.get_step("train").node_key
    assert [str(part) for part in explained.differences] == ["parameter rate: 0.5 before, 0.75 now"]
    hit = store.cache.explain(second.get_step("load"))
    assert hit.is_hit
    assert hit.differences == ()
    assert f"of the run {first.name!r} had the same key" in str(hit)
    moved = store.cache.explain(second.get_step("evaluate"))
    [part] = moved.differences
    assert part.name == "input model"
    assert str(part).startswith("input model: sha256 ")
    frame = explained.to_pandas()
    assert frame.loc[0].tolist() == ["parameter rate", "float:0.5", "float:0.75", False]
    with pytest.raises(ml.errors.NotFoundError):
        store.cache.explain("execution/999")


def test_a_step_that_fails_stops_what_waits_for_it_and_nothing_else(home: Path):
    del home

    @ml.step
    def fail() -> int:
        raise ValueError("no data")  # noqa: EM101, TRY003 - a user's

    @ml.step
    def leave() -> int:
        raise SystemExit(0)

    @ml.step
    def wrong() -> int:
        return "text"  # type: ignore[return-value]

    @ml.step
    def add(number: int) -> int:
        return number + 1

    @ml.step
    def fine() -> int:
        return 1

    @ml.pipeline
    def several() -> None:
        add(fail())
        leave()
        wrong()
        add.with_options(name="sum")(fine())

    with pytest.raises(ml.errors.PipelineFailedError) as caught:
        several().run()
    said = str(caught.value)
    assert "fail: ValueError: no data (" in said
    assert "test_running.py, line" in said
    assert "leave: The step 'leave' called exit(0)" in said
    assert "wrong: The output 'output' of step 'wrong' is of type str, and has to be int" in said
    assert said.endswith("Not started, as they wait for it: add.")
    assert isinstance(caught.value.__cause__, ValueError)
    run = caught.value.run
    assert run.status == "failed"
    assert statuses(run) == {
        "fail": "failed",
        "leave": "failed",
        "wrong": "failed",
        "fine": "completed",
        "sum": "completed",
    }
    assert run.get_step("sum").output.read() == 2


def test_an_interrupted_run_says_so(home: Path):
    del home

    def interrupted() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one_step(interrupted).run(run_name="stopped")
    run = ml.connect().get_run("stopped")
    assert statuses(run) == {"interrupted": "canceled"}
    assert run.status == "canceled"


def test_a_step_knows_itself(home: Path):
    del home

    def measure() -> None:
        step = ml.current_step()
        step.log_metrics({"auc": 0.5})
        step.produce("report", value="fine")

    run = one_step(measure).run()
    step = run.get_step("measure")
    assert step.metrics == {"auc": 0.5}
    assert step.outputs["report"].read() == "fine"


def test_a_step_without_outputs_always_runs(home: Path):
    def notify() -> None:
        (home / "notified").touch()

    for options, again in (({}, "completed"), ({"enable_cache": True}, "cached")):
        pipeline = one_step(notify, **options)
        pipeline.run()
        assert statuses(pipeline.run()) == {"notify": again}


def test_what_cannot_be_recorded_is_refused_before_anything_runs(home: Path):
    del home

    def odd(value: Any) -> int:
        return len(str(value))

    with pytest.raises(
        ml.errors.ConfigurationError, match="'odd' cannot be run: 'value' cannot be"
    ):
        one_step(odd, Calls()).run()
    assert len(ml.connect().get_runs()) == 0


def test_a_failed_step_is_not_reused(home: Path):
    marker = home / "ready"

    def flaky() -> str:
        return marker.read_text()

    pipeline = one_step(flaky)
    with pytest.raises(ml.errors.PipelineFailedError):
        pipeline.run()
    marker.write_text("yes")
    assert statuses(pipeline.run()) == {"flaky": "completed"}


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.slow
def test_independent_steps_run_side_by_side_and_a_killed_one_has_failed(home: Path):
    with pytest.raises(
        ml.errors.PipelineFailedError, match="die: its process was ended by SIGKILL"
    ):
        side_steps.side_by_side(str(home)).run(jobs=2, run_name="both")
    run = ml.connect().get_run("both")
    assert statuses(run) == {
        "left": "completed",
        "right": "completed",
        "join": "completed",
        "die": "failed",
        "again": "completed",
    }
    assert run.status == "failed"
    assert run.get_step("join").output.read() == "left+right"
    assert run.get_step("again").output.read() == "left+right+left+right"
    assert "SIGKILL" in run.get_step("die").internal_properties["__error__"]


@pytest.mark.slow
def test_a_pipeline_of_no_module_is_handed_to_other_processes_with_its_code(home: Path):
    del home
    factor = 6

    def local() -> int:
        return factor * os.getpid()

    pipeline = one_step(local)
    run = pipeline.run(jobs=2)
    value = run.get_step("local").output.read()
    assert value % factor == 0
    assert value // factor != os.getpid()
    # What its source is was told by this process, so that it is the same key in both.
    assert statuses(pipeline.run()) == {"local": "cached"}
    factor = 7
    assert statuses(pipeline.run()) == {"local": "completed"}


def test_code_that_cannot_be_handed_to_other_processes_is_refused_before_it_runs(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    del home
    lock = threading.Lock()

    def local() -> int:
        return int(lock.locked())

    with pytest.raises(ml.errors.ConfigurationError, match=r"'single' cannot be sent.*lock"):
        one_step(local).run(jobs=2, run_name="never")
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(ml.errors.ConfigurationError, match=r"mlmd-lineage\[notebook\]"):
        one_step(local).run(jobs=2, run_name="never")
    assert "never" not in [run.name for run in ml.connect().get_runs()]


def test_pickles_are_written_and_read_only_where_it_is_allowed(home: Path):
    del home

    @ml.step
    def pair() -> tuple[int, int]:
        return 1, 2

    @ml.step
    def total(numbers: tuple[int, int]) -> int:
        return sum(numbers)

    def body() -> None:
        total(pair())

    with pytest.raises(ml.errors.PipelineFailedError, match="allow_pickle=True"):
        ml.pipeline(body)().run()
    run = ml.pipeline(allow_pickle=True)(body)().run()
    assert run.get_step("total").output.read() == 3
    with pytest.raises(ml.errors.ArtifactReadError, match="pickle"):
        run.get_step("pair").output.read()
    assert run.get_step("pair").output.read(allow_pickle=True) == (1, 2)

    @ml.step(allow_pickle=True)
    def pickled() -> tuple[int, int]:
        return 1, 2

    @ml.pipeline
    def careful() -> None:
        total(pickled())

    with pytest.raises(ml.errors.PipelineFailedError, match="Allow the step to read it"):
        careful().run()


def test_an_artifact_of_an_earlier_run_and_paths_are_inputs(home: Path):
    model = churn_steps.churn(str(home / "data.csv")).run().get_step("train").output

    def look(model: np.ndarray, file: Path, view: ml.ArtifactView, table: pd.DataFrame) -> str:
        return f"{model.sum()} {file.name} {view.type} {len(table)}"

    file = ml.external_artifact(home / "data.csv", type="Dataset")
    run = one_step(look, model, file, model, file).run()
    step = run.get_step("look")
    assert step.output.read() == "3.0 data.csv Model 3"
    assert step.inputs["model"] == step.inputs["view"]
    assert model.producer_step in [each.producer_step for each in step.inputs.values()]


def test_a_path_is_an_input_and_a_file_that_is_named_by_a_text_is_warned_of(home: Path):
    def count(file: Path) -> int:
        return len(file.read_text())

    def count_by_name(file: str) -> int:
        return len(Path(file).read_text())

    file = home / "data.csv"
    tracked = one_step(count, file)
    assert tracked.run().get_step("count").input.uri == str(file)
    by_name = one_step(count_by_name, str(file))
    with pytest.warns(UserWarning, match="'file' of step 'count_by_name' is the path of a file"):
        by_name.run()
    file.write_text("x\n")
    assert statuses(tracked.run()) == {"count": "completed"}
    with pytest.raises(ml.errors.PipelineFailedError, match="not_there"):
        one_step(count, home / "not_there").run()


def test_a_file_that_a_step_returns_is_kept_and_handed_on(home: Path):
    del home

    @ml.step
    def write() -> Path:
        path = Path("model.txt")
        path.write_text("weights")
        return path

    @ml.step
    def read(path: Path) -> str:
        return path.read_text()

    @ml.pipeline
    def files() -> None:
        read(write())

    run = files.run()
    Path("model.txt").unlink()
    assert run.get_step("read").output.read() == "weights"
    assert run.get_step("write").output.type == "File"


def test_the_stack_and_the_store_can_be_given(home: Path):
    stack = ml.Stack(
        metadata_store=str(home / "one.db"),
        artifact_store={"flavor": "local", "path": str(home / "artifacts")},
    )
    path = str(home / "data.csv")
    run = churn_steps.churn(path).run(stack=stack)
    assert Path(run.get_step("train").output.uri).is_relative_to(home / "artifacts")
    assert len(ml.connect(home / "one.db").get_runs()) == 1
    churn_steps.churn(path).run(stack=stack, store=str(home / "two.db"))
    assert len(ml.connect(home / "two.db").get_runs()) == 1
    assert len(ml.connect(home / "one.db").get_runs()) == 1
    cluster = ml.Stack(orchestrator={"flavor": "local_kubernetes"})
    with pytest.raises(ml.errors.ConfigurationError, match="does not run pipelines"):
        churn_steps.churn(path).run(stack=cluster)
    assert len(ml.connect().get_runs()) == 0  # nothing was begun
    with pytest.raises(ml.errors.ConfigurationError, match="jobs is 0"):
        churn_steps.churn(path).run(jobs=0)


class BucketArtifactStore(ml.BaseArtifactStore):
    """A bucket that is in memory, as every process has its own."""

    FLAVOR: ClassVar[str] = "bucket"
    SCHEMES: ClassVar[tuple[str, ...]] = ("memory",)


def test_values_in_a_bucket_are_handed_on_reused_and_read(home: Path):
    bucket = BucketArtifactStore(path=f"memory://bucket/{home.name}")
    stack = ml.Stack(artifact_store=bucket)
    path = str(home / "data.csv")
    run = churn_steps.churn(path).run(stack=stack)
    assert run.get_step("train").output.uri.startswith(f"{bucket.path}/churn/train/")
    np.testing.assert_array_equal(run.get_step("train").output.read(), [0.5, 1.0, 1.5])
    again = churn_steps.churn(path).run(stack=stack)
    assert set(statuses(again).values()) == {"cached"}
    bucket.filesystem().rm(run.get_step("train").output.uri, recursive=True)
    third = churn_steps.churn(path).run(stack=stack)
    assert statuses(third)["train"] == "completed"


def test_a_task_takes_the_passwords_of_its_stores_along(home: Path):
    from mlmd_lineage.pipelines.step_execution import RunSettings
    from mlmd_lineage.pipelines.step_task import PipelineStepTask

    password = "pl9-cannot-be-guessed"
    store = ml.MySQLMetadataStore(host="h", database="d", username="u", password=password)
    artifacts = ml.Stack(
        artifact_store={"flavor": "s3", "path": "s3://bucket/x", "key": "k", "secret": password}
    ).artifact_store
    call = churn_steps.churn(str(home / "data.csv"))
    settings = RunSettings("run", ml.connect(store), artifacts)
    task = pickle.loads(pickle.dumps(PipelineStepTask(call, "train", settings)))  # noqa: S301
    assert task.name == "train"
    assert task.waits_for == {"load"}
    assert task._settings.store.metadata_store.password.get_secret_value() == password
    assert task._settings.artifact_store.options()["secret"] == password
    assert list(task.command())[:5] == [
        "mlmd-lineage",
        "pipeline",
        "step",
        "churn_steps:churn",
        "train",
    ]
    assert password not in repr(task.command())


def test_declared_packages_are_in_the_key(home: Path, monkeypatch: pytest.MonkeyPatch):
    del home

    def version() -> int:
        return 1

    pipeline = one_step(version, environment=["numpy", "python"])
    pipeline.run()
    assert statuses(pipeline.run()) == {"version": "cached"}
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    run = pipeline.run()
    [part] = ml.connect().cache.explain(run.get_step("version")).differences
    assert part.name == "environment python"
    with pytest.raises(ml.errors.PipelineFailedError, match=r"'nunpy'.*not installed.*'numpy'"):
        one_step(version, environment=["nunpy"]).run()


@pytest.mark.parametrize("of_step", [True, False])
def test_a_file_of_an_input_is_read_up_to_a_size(home: Path, of_step: bool):  # noqa: FBT001 - a parameter
    size = (home / "data.csv").stat().st_size
    limits: dict[str, int] = {"max_bytes": size - 1}

    def rows(data: pd.DataFrame) -> int:
        return len(data)

    def read(most: dict[str, int]) -> ml.PipelineRunView:
        step = ml.step(**(most if of_step else {}))(rows)

        @ml.pipeline(**({} if of_step else most))
        def reading() -> None:
            step(ml.external_artifact(home / "data.csv"))

        return reading.run()

    with pytest.raises(ml.errors.PipelineFailedError, match="max_bytes"):
        read(limits)
    assert read({"max_bytes": size}).get_step("rows").output.read() == 3
