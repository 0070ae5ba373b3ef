"""Several processes record into one store at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from parallel_recordings import PROCESSES, STEPS

import mlmd_lineage as ml

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    "where", ["sqlite", pytest.param("mariadb_server", marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_eight_processes_lose_nothing_and_record_nothing_twice(
    where: str, request: pytest.FixtureRequest, tmp_path: Path
):
    url = str(tmp_path / "store.db")
    if where != "sqlite":
        server = request.getfixturevalue(where)
        url = server.url(server.new_database())
    store = ml.connect(url, create=True)
    done = subprocess.run(
        [sys.executable, str(HERE / "parallel_recordings.py"), url],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    runs = {run.name: run for run in store.get_pipeline("shared").runs}
    assert {run.status for run in runs.values()} == {"completed"}
    assert len(runs) == PROCESSES + 1
    together = runs["together"].steps
    assert sorted(step.iteration or 0 for step in together) == list(range(PROCESSES * STEPS))
    assert Counter(step.metrics["process"] for step in together) == dict.fromkeys(
        range(PROCESSES), STEPS
    )
    # What was new to all of them is in the store once.
    assert len({step.inputs["data"].id for step in together}) == 1
    assert len({step.inputs["part"].id for step in together}) == STEPS
    assert len(runs["together"].runtime_configuration["processes"]) == PROCESSES
    for process in range(PROCESSES):
        [own] = runs[f"alone-{process}"].steps
        assert own.metrics == {"process": process}
