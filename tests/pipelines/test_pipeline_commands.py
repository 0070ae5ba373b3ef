from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
import terminal

import mlmd_lineage as ml

if TYPE_CHECKING:
    from pathlib import Path

PIPELINE = """
import mlmd_lineage as ml


@ml.step
def one(start: int = 1) -> int:
    return start


@ml.step
def add(number: int, more: float = 0.5, words: list[str] = ["a"]) -> float:
    if more < 0:
        raise ValueError("less than nothing")
    return number + more + len(words)


@ml.step
def last(number: float) -> float:
    return number


@ml.pipeline
def sums(more: float = 0.5, words: list[str] = ["a"]) -> None:
    last(add(one(), more, words))
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLMD_LINEAGE_CONFIG", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    name = f"sums_{tmp_path.name}"  # a module of another name in each test
    (tmp_path / f"{name}.py").write_text(PIPELINE)
    (tmp_path / "name").write_text(f"{name}.py")


def run(*arguments: str, command: str = "run") -> terminal.Result:
    from pathlib import Path

    return terminal.invoke("pipeline", command, Path("name").read_text(), *arguments)


def test_parameters_are_read_by_their_types():
    done = run("-p", "more=2", "--param", 'words=["a", "b"]', "--run-name", "first", "-f", "json")
    assert done.exit_code == 0
    shown = json.loads(done.stdout)
    assert shown["run"] == "first"
    assert {step["step"]: step["status"] for step in shown["steps"]} == {
        "one": "completed",
        "add": "completed",
        "last": "completed",
    }
    add = ml.connect().get_run("first").get_step("add")
    assert add.parameters == {"more": 2.0, "words": ["a", "b"]}
    assert add.output.read() == 5.0
    again = run("-p", "more=2", "-p", 'words=["a", "b"]', "--no-cache", "--run-name", "second")
    assert (
        again.stdout
        == "second: completed\n  one   completed\n  add   completed\n  last  completed\n"
    )


def test_a_failed_step_is_exit_code_1():
    done = run("-p", "more=-1", "--run-name", "failed")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "failed: failed"
    assert lines[2].startswith("  add   failed  ValueError: less than nothing (")
    assert lines[3] == "  last  skipped  add did not succeed"


def test_one_step_of_a_run_is_run_by_its_name():
    assert run("-p", "more=-1", "--run-name", "both").exit_code == 1
    last = run("last", "--run", "both", "--parameters", '{"more": 1}', command="step")
    assert last.exit_code == 1
    assert "The step 'add' has no output 'output' in the run 'both'" in last.stdout
    add = run("add", "--run", "both", "--parameters", '{"more": 1}', command="step")
    assert add.stdout == "add  completed\n"
    last = run("last", "--run", "both", "--parameters", '{"more": 1}', command="step")
    assert (last.exit_code, last.stdout) == (0, "last  completed\n")
    assert ml.connect().get_run("both").get_step("last").output.read() == 3.0


@pytest.mark.parametrize(
    ("arguments", "command", "said"),
    [
        (["-p", "more"], "run", "'more' is no parameter; write NAME=VALUE"),
        (
            ["-p", "mor=1"],
            "run",
            "has no parameter 'mor'; it has more, words. Did you mean 'more'",
        ),
        (["-p", "more=x"], "run", "The parameter 'more' cannot be 'x'"),
        (["-p", "more=1", "-p", "more=2"], "run", "The parameter 'more' is given twice"),
        (["-p", "words=a"], "run", "The parameter 'words' cannot be 'a'"),
        (["addd", "--run", "x"], "step", "has no step 'addd'; it has one, add, last. Did you mean"),
        (["add", "--run", "x", "--parameters", "{"], "step", "The parameters are no JSON"),
        (["add", "--run", "x", "--parameters", "[]"], "step", "are no JSON object"),
    ],
)
def test_what_cannot_be_right_is_said_in_a_sentence(arguments: list[str], command: str, said: str):
    done = run(*arguments, command=command)
    assert done.exit_code == 1
    assert said in done.stderr
