"""The check foretells exactly what the upgrade drops and changes, and what a transfer refuses."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import history_stores
import pytest
import upgrade_emulation as emulation
from hypothesis import given, settings
from hypothesis import strategies as st

import mlmd_lineage as ml
from mlmd_lineage.kubeflow.check import KubeflowCheck
from mlmd_lineage.kubeflow.run_records import run_records
from mlmd_lineage.kubeflow.run_tables import RunTables, run_table

SHARED = Path(__file__).resolve().parents[3] / "shared"
STORES = [SHARED / "stores" / "kfp2_emulated.db", SHARED / "stores" / "kfp1_emulated.db"]
STORES += sorted((SHARED / "cases").glob("*.db"))


def records_of(rows: dict[str, Any] | None) -> dict[str, Any] | None:
    if rows is None:
        return None
    return run_records(RunTables({"run_details": run_table("run_details", rows.values())}, "runs"))


def nodes(check: KubeflowCheck, effect: str) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {n: set() for n in ("execution", "artifact", "event", "context")}
    for loss in check.losses:
        kind, _, number = loss.node.partition("/")
        if loss.rule.effect == effect:
            found[kind].add(int(number))
    return found


def of_rule(check: KubeflowCheck, code: str) -> set[int]:
    return {int(loss.node.partition("/")[2]) for loss in check.losses if loss.rule.code == code}


def assert_foretold(snapshot: ml.Snapshot, rows: dict[str, Any] | None) -> KubeflowCheck:
    """Hold the check to what the emulation does to the same store."""
    check = KubeflowCheck(snapshot, records_of(rows))
    graph = emulation.Graph(snapshot)
    upgrade = emulation.Upgrade(graph, None if rows is None else set(rows))
    skipped = nodes(check, "skipped")
    assert skipped["execution"] == set(graph.executions) - set(upgrade.tasks)
    assert skipped["artifact"] == set(graph.artifacts) - set(upgrade.artifacts)
    assert skipped["event"] == {event["id"] for event in graph.events} - upgrade.links
    runs = {number for number in graph.contexts if graph.is_run(number)}
    without = set() if rows is None else {n for n in runs if graph.contexts[n]["name"] not in rows}
    assert skipped["context"] == without
    states = {number: graph.executions[number]["state"] for number in upgrade.tasks}
    assert of_rule(check, "canceled_becomes_failed") == {n for n, s in states.items() if s == 6}
    assert of_rule(check, "metrics_split") == {n for n, c in upgrade.artifacts.items() if c > 1}
    named = {n: graph.executions[n]["custom"].get("parent_dag_id") for n in upgrade.tasks}
    has_parent = {n for n, parent in named.items() if type(parent) is int and parent}
    assert of_rule(check, "parent_lost") == has_parent - set(upgrade.parents)
    for run in check.runs:
        refused = emulation.refusal(graph, int(run.run.partition("/")[2]), rows)
        assert bool(run.refused) == bool(refused), (run, refused)
    return check


@pytest.mark.parametrize("path", STORES, ids=lambda path: path.name)
@pytest.mark.usefixtures("shared_stores")
def test_real_stores_lose_what_is_foretold(path: Path):
    snapshot = ml.connect(path).snapshot()
    assert_foretold(snapshot, None)
    assert_foretold(snapshot, {})


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.01, 0.03, 0.08, 0.2]), st.booleans())
@pytest.mark.slow
def test_generated_stores_lose_what_is_foretold(seed: int, traps: float, with_rows: bool):  # noqa: FBT001 - a parameter
    made = history_stores.HistoryMaker(random.Random(seed), traps)  # noqa: S311 - it decides about stores
    check = assert_foretold(made.store.snapshot(), made.rows if with_rows else None)
    if not traps:
        assert {loss.rule.code for loss in check.losses} <= {"metrics_split", "original_not_taken"}
