"""The kept inputs of fuzzing: each is read within 5 seconds and 500 MB, and fails as documented."""

from __future__ import annotations

import functools
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

FUZZ = Path(__file__).resolve().parents[1] / "fuzz"
OPEN: dict[str, str] = {}
"""Inputs that still break the budget, and how: whoever corrects one takes it out of here."""


def inputs() -> list[Path]:
    return sorted(path for path in (FUZZ / "corpus").glob("*/*") if key(path) not in OPEN)


def key(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


@functools.cache
def outcomes() -> dict[str, dict[str, Any]]:
    """Read all inputs in one process of its own, which has a limit of memory."""
    command = [sys.executable, str(FUZZ / "run.py")]
    for path in inputs():
        command += ["--input", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return {f"{found['target']}/{found['input']}": found for found in json.loads(done.stdout)}


@pytest.mark.parametrize("path", inputs(), ids=key)
@pytest.mark.slow
def test_an_input_is_read_within_the_budget(path: Path):
    outcome = outcomes()[key(path)]
    assert not outcome["problem"]
    if path.name.startswith("valid"):
        assert not outcome["refusals"]
    if path.name.startswith("bad"):
        assert outcome["refusals"]


def test_the_inputs_are_small():
    assert sum(path.stat().st_size for path in (FUZZ / "corpus").glob("*/*")) < 1_000_000


@pytest.fixture(scope="module")
def budget() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_budget", FUZZ / "budget.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_budget_counts_time_memory_and_errors(budget: ModuleType):
    held: list[bytes] = []

    def large(_: bytes) -> list[str]:
        size = int(budget.peak() + 40) << 20  # the peak of this process lies behind it
        held.append(b"x" * size)
        held.clear()
        return []

    def slow(_: bytes) -> list[str]:
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass
        return ["FilterError"]

    def wrong(_: bytes) -> list[str]:
        message = "odd"
        raise OverflowError(message)

    assert budget.measure(slow, b"") == (["FilterError"], "")
    assert budget.measure(slow, b"", seconds=0.01).problem.startswith("time: ")
    assert budget.measure(large, b"", megabytes=10).problem.startswith("memory: ")
    assert budget.measure(wrong, b"").problem.startswith("OverflowError at test_fuzz_corpus.py:")


@pytest.mark.slow
def test_a_run_finds_a_problem_and_keeps_the_input(tmp_path: Path):
    """Hypothesis runs a target for a second, in a copy with a defect."""
    copy = tmp_path / "fuzz"
    copy.mkdir()
    for path in ("run.py", "budget.py"):
        (copy / path).write_text((FUZZ / path).read_text(encoding="utf-8"), encoding="utf-8")
    (copy / "targets.py").write_text(
        """
import contextlib
from pathlib import Path

CORPUS = Path(__file__).parent

@contextlib.contextmanager
def structs(folder):
    def read(data):
        assert len(data) < 30
        return []
    yield read

TARGETS = {"structs": structs}

def warm_up(target, name):
    target(b"")

def corpus(name):
    path = CORPUS / "seed"
    path.write_bytes(b"x" * 38)
    return [path]
""",
        encoding="utf-8",
    )
    command = [sys.executable, str(copy / "run.py"), "structs", "--seconds", "1"]
    done = subprocess.run(
        [*command, "--engine", "hypothesis"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "AssertionError" in done.stdout
    [found] = (copy / "found").iterdir()
    assert found.read_bytes() == b"x" * 38
