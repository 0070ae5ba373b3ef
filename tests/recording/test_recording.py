"""Runs and steps: what is recorded, when it is in the store, and how it reads back."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from recorded_values import VALUES

import mlmd_lineage as ml
from mlmd_lineage.recording import provenance
from mlmd_lineage.recording.current_step import current_step
from mlmd_lineage.recording.files import digests
from mlmd_lineage.recording.sources import ChangedArtifactError, Source

if TYPE_CHECKING:
    from collections.abc import Callable


def test_values_read_back_exactly(store: ml.Store):
    with store.record("p", "r", parameters=VALUES) as run, run.step("s", parameters=VALUES) as step:
        step.log_metrics({"auc": 0.1 + 0.2, "count": 3, "not a number": math.inf})
    found = store.get_run("r")
    for held in (found.parameters, found.get_step("s").parameters):
        assert dict(held) == VALUES
        assert all(type(held[name]) is type(value) for name, value in VALUES.items())
        assert math.copysign(1, held["minus_zero"]) == -1
    assert dict(found.get_step("s").metrics) == {
        "auc": 0.1 + 0.2,
        "count": 3,
        "not a number": math.inf,
    }


def test_the_inputs_are_in_the_store_before_the_step_runs(store: ml.Store):
    Path("train.csv").write_text("a,b\n", encoding="utf-8")
    with (
        store.record("churn", "r") as run,
        run.step("train", parameters={"lr": 0.1}, inputs={"data": "train.csv"}) as step,
    ):
        seen = store.get_step(step.node_key or "")
        assert (seen.status, dict(seen.parameters)) == ("running", {"lr": 0.1})
        data = seen.inputs["data"]
        assert data.uri == str(Path("train.csv").absolute())
        assert data.properties["sha256"] == step.inputs["data"][0].sha256
        assert store.get_run("r").status == "running"
    assert store.get_run("r").status == "completed"


def test_an_output_is_the_input_of_a_later_step(store: ml.Store):
    Path("model.pkl").write_bytes(b"model")
    with store.record("churn", "r") as run:
        with run.step("train") as step:
            made = step.produce("model", uri="model.pkl", type="Model", metrics={"auc": 0.9})
        with run.step("evaluate") as later:
            assert later.use(made, "model").id == made.id
        with run.step("deploy") as last:
            assert last.use("model.pkl").id == made.id
    found = store.get_run("r")
    assert [step.name for step in found.get_step("evaluate").parent_steps] == ["train"]
    assert found.get_step("train").output.metrics == {"auc": 0.9}
    assert store.upstream(made.id).producers(made.node_key) == (step.node_key,)


def test_using_an_artifact_never_changes_it(store: ml.Store):
    Path("model.pkl").write_bytes(b"model")
    batch = ml.message("PutBatchRequest")(
        artifact_types=[{"name": "Model", "properties": {"epochs": 1}}],
        artifacts=[{"type": "Model", "uri": str(Path("model.pkl").absolute()), "name": "theirs"}],
    )
    batch.artifacts[0].properties["epochs"].int_value = 3
    with store.writer() as writer:
        writer.put(batch)
    before = store.frames.artifacts(properties=True, runs=False).to_dict()
    with store.record("p", "r") as run, run.step("evaluate") as step:
        assert step.use("model.pkl", "a", "b").id == 1
        assert step.use(store.get_artifact("artifact/1"), "c").id == 1
        assert step.use("artifact/1", "a").id == 1
        assert step.use(1, "a").id == 1
    assert store.frames.artifacts(properties=True, runs=False).to_dict() == before
    found = store.get_run("r").get_step("evaluate")
    assert sorted(found.inputs) == ["a", "b", "c"]
    # The digest of what it was given is not in the artifact's record, so it is in the step's.
    digest = digests.sha256("model.pkl")
    assert found.internal_properties["__input_sha256__"] == {
        f"{key}[0]": digest for key in ("a", "b", "c")
    }


def test_one_artifact_has_as_many_keys_as_it_is_given_at_once(store: ml.Store):
    Path("x").write_text("x", encoding="utf-8")
    inputs = {"a": "x", "b": ["x", Source("x")], "c": "x"}
    with store.record("p", "r") as run, run.step("s", inputs=inputs) as step:
        step.use("x", "d", "e")
        step.use("x", "d")
        with pytest.raises(ml.errors.ConfigurationError, match="Give all of its keys at once"):
            step.use("x", "f")
    assert sorted(store.get_run("r").get_step("s").inputs) == ["a", "b", "c", "d", "e"]
    assert len(store.frames.artifacts()) == 1


def test_contents_that_changed_are_another_artifact_or_refused(store: ml.Store):
    Path("data").write_text("1", encoding="utf-8")
    with store.record("p", "r") as run:
        with run.step("a") as step:
            first = step.use("data")
        Path("data").write_text("2", encoding="utf-8")
        with run.step("b") as step:
            assert step.use("data").id != first.id
            with pytest.raises(ChangedArtifactError, match="is not what artifact/1 recorded"):
                step.use(first)
            assert step.use("artifact/1", digest=False).id == first.id
        Path("data").write_text("1", encoding="utf-8")
        with run.step("c") as step:
            assert step.use("data").id == first.id


def test_what_was_recorded_without_a_digest_is_given_on_without_one(store: ml.Store):
    with store.record("p", "r") as run:
        with run.step("make") as step:
            step.use("nosuch://bucket/data", digest=False)
            made = step.produce("model", uri="no/such/model", type="Model", digest=False)
        with run.step("now", inputs={"model": made}) as step:
            assert step.inputs["model"][0].sha256 is None
    outputs = store.get_run("r").get_step("make").outputs
    inputs = store.get_run("r").get_step("make").inputs
    with store.record("p", "later") as run, run.step("s") as step:
        assert step.use(outputs["model"], "view").sha256 is None
        step.use(inputs["data"])
        known = step.use(outputs["model"], "known", digest="0" * 64)
        assert known.sha256 == "0" * 64
        with pytest.raises(digests.DigestError, match="digest=False"):
            step.use("no/such/model")  # what lies there may be another by now
    assert "__no_digest__" not in outputs["model"].properties
    assert len(store.frames.artifacts()) == 2


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("no/such/file", "There is nothing at no/such/file"),
        ("nosuch://bucket/x", "nosuch:// cannot be read here"),
        ("artifact/99", "no artifact with the id 99"),
        ({"a": 1}, "dict is none of these"),
        (1.5, "float is none of these"),
        ("", "str is none of these"),
    ],
)
def test_a_step_does_not_run_with_what_cannot_be_recorded(store: ml.Store, source: Any, said: str):
    ran = []
    with store.record("p", "r") as run:
        with pytest.raises(ml.MLMDLineageError, match=said), run.step("s", inputs={"x": source}):
            ran.append(1)
        with run.step("t"):
            pass
    assert not ran
    assert store.get_run("r").get_step_names() == ["t"]


def test_values_that_cannot_be_recorded_are_refused_before_the_step_runs(store: ml.Store):
    with store.record("p", "r") as run:
        for value in (object(), np.zeros(3), {1: object()}, [lambda: 1]):
            with pytest.raises(ml.errors.ConfigurationError, match="'x' cannot be recorded"):
                run.step("s", parameters={"x": value})
        with run.step("s", parameters={"x": np.float32(0.1), "y": np.int64(3)}) as step:
            with pytest.raises(ml.errors.ConfigurationError, match="a metric is a number"):
                step.log_metrics({"auc": "high"})
            with pytest.raises(ml.errors.ConfigurationError, match="recorded as 3 already"):
                step.log_parameters(y=4)
            step.log_parameters(y=3, z=None)
    assert dict(store.get_run("r").get_step("s").parameters) == {
        "x": float(np.float32(0.1)),
        "y": 3,
        "z": None,
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("bad"), "failed"),
        (KeyboardInterrupt(), "canceled"),
        (SystemExit(0), "completed"),
        (SystemExit(2), "failed"),
        (SystemExit(143), "canceled"),
    ],
    ids=repr,
)
def test_how_a_step_ended_is_recorded(store: ml.Store, error: BaseException, status: str):
    Path("half").write_text("x", encoding="utf-8")

    def fail() -> None:
        with store.record("p", "r") as run, run.step("s") as step:
            step.produce("checkpoint", uri="half")
            raise error

    with pytest.raises(type(error)):
        fail()
    found = store.get_run("r")
    assert (found.status, found.get_step("s").status) == (status, status)
    assert list(found.get_step("s").outputs) == ["checkpoint"]
    said = found.get_step("s").internal_properties.get("__error__", "")
    assert (type(error).__name__ in said) == (status != "completed")


def test_a_run_that_fails_between_steps_has_failed_until_it_is_resumed(store: ml.Store):
    def fail() -> None:
        with store.record("p", "r") as run:
            with run.step("a"):
                pass
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.get_run("r").status == "failed"
    assert store.get_run("r").get_step("a").status == "completed"
    with store.record("p", "r", resume=True) as run, run.step("b"):
        assert store.get_run("r").status == "running"
    assert store.get_run("r").status == "completed"


def test_attempts_and_iterations(store: ml.Store):
    with store.record("p", "r") as run:
        for fails in (True, False):
            step = run.step("flaky").start()
            step.end("failed" if fails else "completed")
        for number in range(2):
            with run.step("fold", iteration=number):
                pass
    found = store.get_run("r")
    assert found.status == "completed"
    assert [(s.name, s.attempt, s.attempts, s.iteration) for s in found.steps] == [
        ("flaky", 1, 2, None),
        ("flaky", 2, 2, None),
        ("fold", 1, 1, 0),
        ("fold", 1, 1, 1),
    ]


def test_steps_of_tasks_and_threads_know_themselves(store: ml.Store):
    async def part(run: Any, number: int) -> None:
        async with run.step("task", iteration=number):
            await asyncio.sleep(0)
            current_step().log_metrics({"number": number})

    async def all_parts() -> None:
        async with store.record("p", "tasks") as run:
            await asyncio.gather(*(part(run, number) for number in range(4)))

    asyncio.run(all_parts())

    def work(run: Any, number: int) -> None:
        with run.step("thread", iteration=number) as step:
            assert current_step() is step
            step.log_metrics({"number": number})

    with store.record("p", "threads") as run, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: work(run, number), range(8)))
    for name, count in (("tasks", 4), ("threads", 8)):
        found = store.get_run(name)
        assert found.status == "completed"
        assert [s.metrics["number"] for s in found.steps] == [s.iteration for s in found.steps]
        assert len(found.steps) == count
    with pytest.raises(ml.errors.ConfigurationError, match="No step is being recorded here"):
        current_step()


def test_a_batch_is_one_transaction(store: ml.Store):
    Path("data").write_text("1", encoding="utf-8")
    with store.record("p", "r") as run:
        with pytest.raises(ZeroDivisionError), run.batch(), run.step("lost"):
            _ = 1 / 0
        with run.batch():
            for number in range(20):
                parameters = {"number": number}
                with run.step("s", iteration=number, parameters=parameters) as step:
                    step.use("data")
                    step.log_metrics({"half": number / 2})
            assert store.get_run("r").steps == ()
    found = store.get_run("r").steps
    assert [(s.parameters["number"], s.metrics["half"]) for s in found] == [
        (number, number / 2) for number in range(20)
    ]
    assert {s.input.id for s in found} == {1}


def test_a_parameter_that_looks_like_a_secret_is_warned_of(store: ml.Store):
    with store.record("p", "r") as run:
        for name, value in (
            ("db_password", "x"),
            ("apiKey", "x"),
            ("note", "AKIAABCDEFGHIJKLMNOP"),
            ("source", "postgresql://me:secret@host/db"),
        ):
            with pytest.warns(ml.errors.RecordingWarning, match=f"'{name}' of the step 's'"):
                run.step("s", parameters={name: value})
        run.step("s", parameters={"max_tokens": 5, "tokenizer": "bert", "key": "id"})


def test_signs_of_life_are_given(store: ml.Store):
    with store.record("p", "r", heartbeat=0.01) as run, run.step("s") as step:
        begun = store.frames.executions().loc[step.id, "last_update_time_since_epoch"]
        waiting = threading.Event()
        for _ in range(2000):
            waiting.wait(0.005)
            frame = store.frames.executions()
            if frame.loc[step.id, "last_update_time_since_epoch"] > begun:
                break
        else:
            pytest.fail("No sign of life came.")
    assert store.get_run("r").status == "completed"


def test_what_is_known_of_code_and_machine_can_be_left_out(
    store: ml.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    script, _ = git_repository(tmp_path / "code")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    with store.record("p", "all"):
        pass
    options = {"capture_code": False, "capture_host": False, "capture_software": False}
    with store.record("p", "none", **options):
        pass
    known = store.get_run("all").runtime_configuration
    assert known["python"] == ".".join(map(str, sys.version_info[:3]))
    assert known["packages"]["pytest"] == pytest.__version__
    assert len(known["git_commit"]) == 40
    assert known["git_dirty"] is False
    assert {"user", "host"} <= known.keys()
    left = store.get_run("none").runtime_configuration
    assert list(left) == ["processes"]
    assert not {"pid", "host"} & left["processes"][0].keys()


def git_repository(folder: Path) -> tuple[Path, Callable[..., None]]:
    """Make a repository with a script in it; return the script, and a function that runs git."""

    def git(*words: str) -> None:
        identity = ("-c", "user.name=n", "-c", "user.email=e@example.com")
        subprocess.run(["git", "-C", str(folder), *identity, *words], check=True)  # noqa: S607

    folder.mkdir()
    script = folder / "train.py"
    script.write_text("print(1)\n")
    git("init", "-q")
    git("add", "train.py")
    git("commit", "-q", "-m", "first")
    return script, git


def test_programs_that_a_repository_names_do_not_run(tmp_path: Path):
    script, git = git_repository(tmp_path / "code")
    ran = tmp_path / "ran"
    for setting in ("clean", "smudge", "process"):
        git("config", f"filter.x.{setting}", f"touch '{ran}'; cat")
    git("config", "core.fsmonitor", f"touch '{ran}'")
    git("config", "diff.external", f"touch '{ran}'")
    (script.parent / ".gitattributes").write_text("* filter=x diff=x\n")
    git("config", "diff.x.textconv", f"touch '{ran}'; cat")
    script.write_text("print(2)\n")
    known = dict(provenance._code(str(script.parent)))
    assert known["__git_dirty__"] is True
    assert len(known["__git_diff_sha256__"]) == 64
    assert not ran.exists()


def test_a_run_without_steps_is_of_its_pipeline_and_has_its_own_status(store: ml.Store):
    with store.record("churn", "first"):
        running = store.get_run("first")
        assert (running.status, running.pipeline.name) == ("running", "churn")
    with pytest.raises(StopIteration), store.record("churn", "second"):
        next(iter(()))
    found = {name: store.get_run(name) for name in ("first", "second")}
    assert {name: run.status for name, run in found.items()} == {
        "first": "completed",
        "second": "failed",
    }
    assert {run.pipeline.name for run in found.values()} == {"churn"}
    assert [run.name for run in store.get_pipeline("churn").runs] == ["first", "second"]
