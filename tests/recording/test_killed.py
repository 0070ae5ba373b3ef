"""Processes that are killed while they record: what the store holds then, and after the doctor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from servers import Server

HERE = Path(__file__).parent


def outcomes(url: str, stride: int, folder: Path) -> list[Any]:
    """Record a run again and again, killed at one statement after the other."""
    done = subprocess.run(
        [sys.executable, str(HERE / "killed_recordings.py"), url, str(stride)],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(found: list[Any]) -> None:
    ended = {"outputs": ["metrics", "out"], "metrics": {"auc": 0.5, "loss": 0.1}}
    for before, dead, after in found[:-1]:
        assert before["run"] in {None, "running"}
        # What did not begin is not there, or says that it did not end.
        assert bool(dead) == (before["run"] == "running")
        assert after["run"] in {None, "failed"}
        if "step" not in before:
            assert not before.get("began")
            continue
        assert before["parameters"] == {"a": 1, "b": "x"}
        assert before["inputs"] in (["x", "y"], ["x", "y", "z"])
        if before["step"] == "running":
            assert (before["outputs"], before["metrics"]) == ([], {})
            assert after["step"] == "failed"
        else:
            assert before["step"] == after["step"] == "completed"
            assert {name: before[name] for name in ended} == ended
    assert found[-1][0]["run"] == "completed"
    seen = {before.get("step") for before, _, _ in found}
    assert seen == {None, "running", "completed"}


@pytest.mark.slow
def test_a_process_killed_at_any_statement_leaves_no_half_step(tmp_path: Path):
    found = outcomes("store.db", 5, tmp_path)
    assert len(found) > 12
    check(found)


@pytest.mark.slow
def test_a_process_killed_before_and_after_statements_of_mariadb(
    mariadb_server: Server, tmp_path: Path
):
    url = mariadb_server.url(mariadb_server.new_database())
    found = outcomes(url, 23, tmp_path)
    assert len(found) > 5
    check(found)
