"""A graph's index is the same whether all edges or those of some nodes are put in order at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

import mlmd_lineage as ml
from mlmd_lineage.lineage import edge_list
from mlmd_lineage.lineage.bfs import BLOCK_BITS
from mlmd_lineage.lineage.graph import LineageGraph
from mlmd_lineage.lineage.index_building import build
from mlmd_lineage.lineage.saved import index_saving
from mlmd_lineage.snapshot.snapshot import Snapshot
from mlmd_lineage.snapshot.tables import SCHEMAS, Tables

if TYPE_CHECKING:
    from pathlib import Path

NODES, EVENTS = 3 << BLOCK_BITS, 40_000
COLUMNS = ("neighbours", "edges", "roles", "offsets", "passes")


def tables(seed: int, *, gaps: bool, rewritten: bool) -> Tables:
    """Return a store of random events; ids with gaps if wanted, artifacts that many wrote too."""
    random = np.random.default_rng(seed)
    steps = random.integers(1, 4 if gaps else 2, (2, NODES))
    artifact_ids, execution_ids = np.cumsum(steps, axis=1)
    kinds = random.choice([1, 2, 3, 4, 5, 6, 0], EVENTS, p=[0.1, 0.1, 0.3, 0.3, 0.1, 0.05, 0.05])
    artifacts = random.choice(artifact_ids, EVENTS)
    if not rewritten:  # each artifact is written once
        kinds = np.where(np.isin(kinds, (1, 4, 6)), 3, kinds)
        kinds[np.unique(artifacts, return_index=True)[1]] = 4
    events = {
        "id": np.arange(1, EVENTS + 1),
        "artifact_id": artifacts,
        "execution_id": random.choice(execution_ids, EVENTS),
        "type": kinds,
        "milliseconds_since_epoch": random.integers(0, 1000, EVENTS),
    }
    nodes = {"type_id": np.ones(NODES, int)}
    rows = {
        "Artifact": {**nodes, "id": artifact_ids, "state": random.choice([0, 2], NODES)},
        "Execution": {
            **nodes,
            "id": execution_ids,
            "last_known_state": random.choice([2, 3, 5], NODES),
        },
        "Event": events,
    }
    made = {}
    for name, schema in SCHEMAS.items():
        columns = rows.get(name, {})
        count = len(columns.get("id", ()))
        arrays = [
            pa.array(columns[field.name], field.type)
            if field.name in columns
            else pa.nulls(count, field.type)
            for field in schema
        ]
        made[name] = pa.table(arrays, schema=schema)
    return Tables(made, source="random")


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("rewritten", [False, True])
def test_parts_of_a_graph_make_the_whole(
    monkeypatch: pytest.MonkeyPatch, *, gaps: bool, rewritten: bool
):
    store = tables(7, gaps=gaps, rewritten=rewritten)
    expected, files = build(store), saved(store)
    monkeypatch.setattr(edge_list, "_FEW_NODES", 1 << BLOCK_BITS)
    found = build(store)
    assert len(list(edge_list.parts(np.zeros(1), expected.nodes))) == 6
    assert (expected.orders is not None) == rewritten
    for name in ("artifact_ids", "execution_ids", "missing", "only_cached", "orders", "event_rows"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    for up in (True, False):
        for name in COLUMNS:
            pair = (getattr(index.edges(up=up), name) for index in (found, expected))
            assert np.array_equal(*pair), name
    assert saved(store) == files


def saved(store: Tables) -> dict[str, list[pa.RecordBatch]]:
    """Return what an archive keeps of the graph."""
    return {name: list(batches) for name, (_, batches) in index_saving.batches_of(store).items()}


@pytest.mark.parametrize("gaps", [False, True])
def test_answers_from_an_archive_have_the_findings_of_the_whole(tmp_path: Path, *, gaps: bool):
    store = tables(8, gaps=gaps, rewritten=True)
    expected = LineageGraph(store)
    saved = ml.connect(Snapshot.of(store).save(tmp_path / "archive"))
    ids = store["Artifact"]["id"].to_pylist()
    count = 0
    for number in ids[:: len(ids) // 20]:
        found = saved.upstream(number, max_hops=4).findings
        assert found == expected.upstream(number, max_hops=4).findings
        count += len(found)
    assert count > 10


def test_numbers_that_need_more_bytes_get_them():
    column = np.zeros(3, np.int8)
    for value, kind in ((127, np.int8), (-128, np.int8), (300, np.int16), (-70_000, np.int32)):
        column = edge_list.with_values(column, np.array([1]), np.array([value]))
        assert (column.dtype, column.tolist()) == (kind, [0, value, 0])
    assert edge_list.with_values(column, slice(0, 0), np.array([], int)).tolist() == [0, -70_000, 0]
