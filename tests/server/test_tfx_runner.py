"""TFX's runner writes to our service, and its helpers read what we record.

``scripts/test-tfx`` installs TFX in an environment of its own and runs this.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sqlite3
import subprocess
from pathlib import Path

import pytest
from google.protobuf import json_format, struct_pb2
from metadata_service import served

import mlmd_lineage as ml

PROGRAMS = Path(__file__).parent / "tfx_programs"
WITHOUT_IDS = {"Association", "Attribution", "Event", "EventPath"}
"""Tables whose own ids depend on the order in which TFX goes through a set."""


@pytest.fixture(scope="module")
def tfx_python() -> str:
    """The Python of an environment that has TFX."""
    python = os.environ.get("TFX_PYTHON")
    if not python:
        pytest.skip("scripts/test-tfx installs TFX in an environment of its own and runs this")
    return python


def run_program(python: str, name: str, *arguments: str) -> str:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(PROGRAMS)}
    done = subprocess.run(
        [python, str(PROGRAMS / name), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def decoded(value: object) -> object:
    """A struct as its JSON: protobuf serializes the keys of a map in any order."""
    prefix = "mlmd-struct::"
    if not isinstance(value, str) or not value.startswith(prefix):
        return value
    struct = struct_pb2.Struct.FromString(base64.b64decode(value.removeprefix(prefix)))
    return json.dumps(json_format.MessageToDict(struct), sort_keys=True)


def rows(folder: Path) -> dict[str, list[str]]:
    """The rows of each table, without times, random names, checksums and the folder's name."""
    found = {}
    with sqlite3.connect(folder / "store.db") as connection:
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        for (table,) in connection.execute(tables).fetchall():
            skipped = {"id", "event_id"} if table in WITHOUT_IDS else set()
            columns = [
                f'"{name}"'
                for _, name, *_ in connection.execute(f'PRAGMA table_info("{table}")')
                if name not in skipped and "time" not in name and "milliseconds" not in name
            ]
            selected = connection.execute(f'SELECT {", ".join(columns)} FROM "{table}"')  # noqa: S608
            texts = [repr(tuple(map(decoded, row))).replace(str(folder), "") for row in selected]
            patterns = (
                r"\d{4}-\d\d-\d\dT[\d:.]+",
                r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
                r"[0-9a-f]{64}",
                r"xor_checksum:\d+,sum_checksum:\d+",
            )
            found[table] = sorted(re.sub("|".join(patterns), "*", text) for text in texts)
    return found


def test_tfx_writes_to_the_service_what_it_writes_by_ml_metadata(tfx_python: str, tmp_path: Path):
    native, own = tmp_path / "native", tmp_path / "own"
    native.mkdir()
    own.mkdir()
    run_program(tfx_python, "run_pipeline.py", str(native))
    with served(own / "store.db", "--create", "--engine", "own") as service:
        run_program(tfx_python, "run_pipeline.py", str(own), str(service.port))
    by_native, by_own = rows(native), rows(own)
    # Doubles are written with all their digits, where ml_metadata keeps six decimals.
    exact = [row.replace("0.30000000000000004", "0.3") for row in by_own["ArtifactProperty"]]
    assert exact != by_own["ArtifactProperty"]
    by_own["ArtifactProperty"] = sorted(exact)
    assert by_own == by_native
    store = ml.connect(own / "store.db")
    runs = store.get_pipeline("small").runs
    assert [run.get_step("Train").is_cached for run in runs] == [False, True, False]
    assert store.get_pipeline("failing").last_run.status == "failed"


def test_the_helpers_of_tfx_find_what_was_recorded(tfx_python: str, tmp_path: Path):
    path = tmp_path / "store.db"
    with ml.connect(path, create=True).record("churn") as run:
        with run.step("prepare", parameters={"rows": 3}) as step:
            step.use(__file__, "data", type="Dataset")
            clean = step.produce("clean", value=[1, 2], type="Dataset")
        with run.step("train") as step:
            step.use(clean, "clean")
            step.produce("model", value=[0.1], type="Model", metrics={"auc": 0.9})
    found = json.loads(run_program(tfx_python, "read_store.py", str(path), "churn", "train"))
    assert found == {
        "steps": [1, 2],
        "successful": [True, True],
        "inputs": [{"data": [1]}, {"clean": [2]}],
        "outputs": [{"clean": [2]}, {"model": [3]}],
        "of the step": [2],
        "live": {"model": [[3]]},
    }
