"""Command ``show``, and the tables of parameters and metrics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import terminal

import mlmd_lineage

if TYPE_CHECKING:
    from pathlib import Path

STORE = str(terminal.DEMO_STORE)
RUN = "2026-11-21T02:45:18.601500"


def shown(node: str, *options: str) -> dict[str, Any]:
    done = terminal.invoke("show", STORE, node, "--format", "json", *options)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_artifact_is_shown_with_what_made_it():
    found = shown("43")
    assert found["node"] == {
        "node": "artifact/43",
        "type": "PushedModel",
        "uri": "/srv/tfx/pipelines/penguin-train/Pusher/pushed_model/49",
        "state": "LIVE",
        "created": "2026-11-21T02:45:28.997+00:00",
        "updated": "2026-11-21T02:45:28.997+00:00",
    }
    assert found["steps"] == [
        {
            "step": "Pusher",
            "execution": "execution/49",
            "status": "completed",
            "run": RUN,
            "pipeline": "penguin-train",
        }
    ]
    properties = found["properties"]
    assert properties["custom_properties.tfx_version"] == "1.15.1"
    assert found["events"] == [
        {
            "execution": "execution/49",
            "type": "OUTPUT",
            "role": "produces",
            "path": ["pushed_model", 0],
            "time": "2026-11-21T02:45:28.997+00:00",
        }
    ]
    assert {"context": "context/1", "type": "pipeline", "name": "penguin-train"} in found[
        "contexts"
    ]


def test_an_execution_is_shown_with_its_step_and_every_event():
    found = shown("execution/45")
    assert [step["step"] for step in found["steps"]] == ["Evaluator"]
    frame = mlmd_lineage.connect(STORE).frames.events()
    expected = frame[frame["execution_id"] == 45]
    events = [(e["artifact"], e["type"]) for e in found["events"]]
    assert events == [
        (f"artifact/{a}", t) for a, t in zip(expected["artifact_id"], expected["type"], strict=True)
    ]


@pytest.mark.slow
def test_every_event_of_every_node_is_shown():
    frame = mlmd_lineage.connect(STORE).frames.events()
    for number in (1, 22, 25, 30):
        expected = len(frame[frame["artifact_id"] == number])
        assert len(shown(f"artifact/{number}")["events"]) == expected


def test_a_context_is_shown_with_what_is_in_it():
    found = shown("context/39")
    assert shown(RUN) == found
    assert found["steps"][0]["step"] == "CsvExampleGen"
    assert found["parents"] == [
        {"context": "context/1", "type": "pipeline", "name": "penguin-train"}
    ]
    assert len(found["artifacts"]) == 13
    assert len(found["executions"]) == 9


def test_a_terminal_shows_the_first_of_many():
    printed = terminal.invoke("show", STORE, "context/1", columns=100).stdout
    assert "and 7 more; --limit 0 shows all" not in printed
    printed = terminal.invoke("show", STORE, "context/39", "--limit", "2", columns=100).stdout
    assert "and 11 more; --limit 0 shows all" in printed
    assert "2 more" not in printed.split("Steps")[0]


@pytest.mark.parametrize("node", ["artifact/999", "context/999", "execution/999", "nothing"])
def test_what_is_not_there_is_an_error(node: str):
    done = terminal.invoke("show", STORE, node)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("kfp2_emulated.db", "1"),
        ("kfp1_emulated.db", "execution/1"),
        ("zenml_0132.db", "1"),
        ("real/cmf_getting_started.db", "1"),
        ("real/model_registry.db", "1"),
    ],
)
def test_nodes_of_real_stores_are_shown(shared_stores: Path, name: str, node: str):
    done = terminal.invoke("show", str(shared_stores / name), node, columns=80)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].split()[0] == "node"


@pytest.mark.parametrize("what", ["parameters", "metrics"])
def test_parameters_and_metrics_are_those_of_the_frames(what: str, shared_stores: Path):
    store = str(shared_stores / "kfp2_emulated.db")
    frame = getattr(mlmd_lineage.connect(store).frames, what)()
    rows = json.loads(terminal.invoke(what, store, "--format", "json").stdout)
    assert len(rows) == len(frame) > 0
    assert [row["name"] for row in rows] == list(frame["name"])
    run = frame["run_name"].iloc[0]
    of_run = json.loads(terminal.invoke(what, store, "--run", run, "-f", "json").stdout)
    assert {row["run_name"] for row in of_run} == {run}
    assert len(of_run) == len(frame[frame["run_name"] == run])
