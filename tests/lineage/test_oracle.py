"""The closures that MLMD's own ``get_lineage_subgraph`` gives, on every real store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import mlmd_lineage as ml
from mlmd_lineage.lineage.graph import LineageGraph

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STORES = (
    "kfp1_emulated.db",
    "kfp2_emulated.db",
    "real/cmf_getting_started.db",
    "real/model_registry.db",
    "real/tfx_dead_runs.db",
    "real/tfx_interactive.db",
    "real/tfx_phantoms_v6.db",
    "real/tfx_sepsis_2022_04.db",
    "real/tfx_sepsis_2022_05.db",
    "real/tfx_sepsis_2022_06.db",
    "tfx_local.db",
)
LIVE = 5
"""How many of a store's artifacts are asked for from the store itself."""


@pytest.fixture
def oracle(shared_stores: Path) -> dict[str, Any]:
    """Return what MLMD says."""
    text = (shared_stores / "mlmd_oracle.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def closure(trace: ml.Trace) -> dict[str, Any]:
    index = trace.index
    return {
        "artifacts": index.artifact_ids.tolist(),
        "events": index.size,
        "executions": index.execution_ids.tolist(),
    }


def test_all_stores_are_tried(oracle: dict[str, Any]):
    assert sorted(oracle) == sorted(STORES)


@pytest.mark.parametrize("name", STORES)
def test_with_everything_followed_the_closures_are_those_of_mlmd(
    name: str,
    oracle: dict[str, Any],
    shared_store: Callable[[str], Path],
    tmp_path: Path,
):
    store = ml.connect(shared_store(name))
    archive = ml.connect(store.snapshot().save(tmp_path / "archive"))
    graph = store.lineage()
    expected = oracle[name]["lineage"]
    for number, (artifact, both) in enumerate(expected.items()):
        for way in ("upstream", "downstream"):
            sources = [graph] if number >= LIVE else [graph, store, archive]
            for source in sources:
                trace = getattr(source, way)(int(artifact), reuse=True, internal=True, later=True)
                assert closure(trace) == both[way], (source, artifact, way)
                assert trace.complete


@pytest.mark.parametrize("name", STORES)
def test_the_counts_are_those_of_mlmd(
    name: str, oracle: dict[str, Any], shared_store: Callable[[str], Path]
):
    snapshot = ml.connect(shared_store(name)).snapshot()
    counts = {
        "artifacts": snapshot.artifacts.num_rows,
        "executions": snapshot.executions.num_rows,
        "contexts": snapshot.contexts.num_rows,
        "events": snapshot.events.num_rows,
    }
    assert counts == {kind: oracle[name][kind] for kind in counts}
    frames = snapshot.frames
    for of, frame, column in (
        ("artifact_types", frames.artifacts(), "type"),
        ("execution_types", frames.executions(), "type"),
        ("context_types", frames.contexts(), "type"),
        ("event_types", frames.events(), "type"),
        ("artifact_states", frames.artifacts(), "state"),
        ("execution_states", frames.executions(), "state"),
    ):
        # Where there is no state MLMD says UNKNOWN, which is also the name of one.
        found = frame[column].fillna("UNKNOWN").value_counts().to_dict()
        assert found == oracle[name][of], of


def test_by_default_only_what_made_the_first_pushed_model_is_upstream(
    shared_store: Callable[[str], Path],
):
    store = ml.connect(shared_store("tfx_local.db"))
    first = int(store.snapshot().frames.artifacts(type="PushedModel").index[0])
    assert len(store.upstream(first).index.execution_ids) == 4
    assert (
        len(store.upstream(first, reuse=True, internal=True, later=True).index.execution_ids) == 10
    )
    nodes = store.upstream(first).nodes.query("kind == 'execution'")
    made = {name.rsplit(".")[-1] for name in nodes["type"]}
    assert made == {"CsvExampleGen", "Trainer", "Evaluator", "Pusher"}


ROLES = {
    "tfx_local.db": {"uses": 61, "produces": 47, "reuses": 18, "resolves": 10},
    "zenml_0132.db": {"uses": 160, "reuses": 102, "produces": 99},
    "kfp2_emulated.db": {"uses": 75, "produces": 67, "reuses": 49, "later": 4},
    "kfp1_emulated.db": {"produces": 31, "uses": 22},
    "real/cmf_getting_started.db": {"produces": 28, "uses": 16, "later": 3},
    "real/tfx_interactive.db": {"produces": 21, "uses": 19, "reuses": 4},
    "real/tfx_phantoms_v6.db": {"phantom": 16},
    "real/tfx_sepsis_2022_06.db": {"produces": 248, "uses": 220, "reuses": 16, "phantom": 8},
}


@pytest.mark.parametrize("name", ROLES)
def test_each_store_has_its_roles(name: str, shared_store: Callable[[str], Path]):
    store = ml.connect(shared_store(name))
    graph = store.lineage()
    assert graph.edges["role"].value_counts().to_dict() == ROLES[name]
    assert graph.findings == LineageGraph(store.snapshot()).findings
    # Of what cached executions claim, all has a producer.
    reused = graph.edges.loc[graph.edges["role"] == "reuses", "target"].unique()
    assert all(graph.producers(artifact) for artifact in reused)
