from __future__ import annotations

import json
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlmd_lineage as ml
from mlmd_lineage.lineage import walk
from mlmd_lineage.lineage.graph import LineageGraph
from mlmd_lineage.snapshot.sql import table_from_rows
from mlmd_lineage.snapshot.tables import SCHEMAS, Tables

if TYPE_CHECKING:
    from pathlib import Path

ALL = {"reuse": True, "internal": True}
FLAGS = [
    {"reuse": reuse, "internal": internal} for reuse in (False, True) for internal in (False, True)
]


def tables_of(
    events: list[tuple[int, int, int]],
    *,
    artifacts: dict[int, int | None],
    executions: dict[int, int | None],
) -> Tables:
    """Make tables of ``(artifact, execution, type)`` events, with states for the nodes."""
    rows = {
        "Artifact": [
            (n, 1, None, state, None, None, n, n) for n, state in sorted(artifacts.items())
        ],
        "Execution": [(n, 2, state, None, None, n, n) for n, state in sorted(executions.items())],
        "Event": [(number, *event, number) for number, event in enumerate(events, 1)],
        "Type": [
            (1, "Thing", None, 1, None, None, None, None),
            (2, "Step", None, 0, None, None, None, None),
        ],
    }
    return Tables({name: table_from_rows(name, rows.get(name, [])) for name in SCHEMAS})


@st.composite
def stores(draw: st.DrawFn) -> Tables:
    """Any events between a few nodes: with cycles, parallel events and every role."""
    artifacts = draw(st.integers(1, 8))
    executions = draw(st.integers(1, 6))
    events = draw(
        st.lists(
            st.tuples(st.integers(1, artifacts), st.integers(1, executions), st.integers(1, 7)),
            max_size=30,
            unique=True,
        )
    )
    states = st.sampled_from([None, 2])
    known = st.sampled_from([None, 1, 2, 3, 4, 5])
    return tables_of(
        events,
        artifacts={n: draw(states) for n in range(1, artifacts + 1)},
        executions={n: draw(known) for n in range(1, executions + 1)},
    )


def as_networkx(graph: LineageGraph, roles: set[str]) -> nx.DiGraph:
    made = nx.DiGraph()
    made.add_nodes_from(graph)
    edges = graph.edges
    for source, target, role in zip(edges["source"], edges["target"], edges["role"], strict=True):
        if role in roles:
            made.add_edge(source, target)
    return made


def roles_followed(flags: dict[str, bool]) -> set[str]:
    roles = {"uses", "produces"}
    if flags["reuse"]:
        roles.add("reuses")
    if flags["internal"]:
        roles |= {"internal", "resolves", "pending", "phantom"}
    return roles


@settings(deadline=None, max_examples=60)
@given(stores(), st.sampled_from(FLAGS))
def test_closures_are_those_of_networkx(tables: Tables, flags: dict[str, bool]):
    graph = LineageGraph(tables)
    plain = as_networkx(graph, roles_followed(flags))
    for node in graph:
        assert set(graph.upstream(node, **flags)) == nx.ancestors(plain, node) | {node}
        assert set(graph.downstream(node, **flags)) == nx.descendants(plain, node) | {node}


@settings(deadline=None, max_examples=40)
@given(stores(), st.sampled_from(FLAGS))
def test_what_is_between_two_nodes_is_below_the_one_and_above_the_other(
    tables: Tables, flags: dict[str, bool]
):
    graph = LineageGraph(tables)
    for source in graph:
        below = set(graph.downstream(source, **flags))
        for target in graph:
            above = set(graph.upstream(target, **flags))
            assert (source in above) == (target in below)
            assert set(graph.between(source, target, **flags)) == below & above


@settings(deadline=None, max_examples=40)
@given(stores(), st.integers(0, 6))
def test_hops_are_the_lengths_of_shortest_paths(tables: Tables, max_hops: int):
    graph = LineageGraph(tables)
    plain = as_networkx(graph, roles_followed(ALL)).reverse()
    for node in graph:
        lengths = nx.single_source_shortest_path_length(plain, node)
        trace = graph.upstream(node, max_hops=max_hops, **ALL)
        near = {n: length for n, length in lengths.items() if length <= max_hops}
        assert trace.nodes["hops"].to_dict() == near
        cut = {n for n in near for beyond in plain.successors(n) if beyond not in near}
        assert set(trace.boundary) == cut
        assert trace.complete == (not cut)
        assert trace.truncated_by == (("max_hops",) if cut else ())


@settings(deadline=None, max_examples=40)
@given(stores())
def test_the_compiled_walk_visits_what_the_plain_one_does(tables: Tables):
    index = LineageGraph(tables).index
    edges = index.incoming
    types = np.zeros(index.nodes, np.int32)
    for start in range(index.nodes):
        found = []
        for run in (walk.walk, walk.compiled()):
            seen, queue, hops = (np.zeros(index.nodes, np.int32) for _ in range(3))
            size = run(
                np.array([start], np.int32),
                edges.offsets,
                edges.neighbours,
                edges.roles,
                127,
                types,
                np.zeros(1, np.uint8),
                walk.NO_LIMIT,
                seen,
                1,
                queue,
                hops,
                walk.NO_LIMIT,
            )
            found.append((queue[:size].tolist(), hops[:size].tolist()))
        assert found[0] == found[1]


def test_closures_are_mlmds_own(shared_stores: Path):
    oracle = json.loads((shared_stores / "mlmd_oracle.json").read_text(encoding="utf-8"))
    asked = 0
    for name, facts in oracle.items():
        graph = ml.connect(shared_stores / name).lineage()
        for artifact, directions in facts["lineage"].items():
            for direction, answer in directions.items():
                trace = getattr(graph, direction)(int(artifact), **ALL)
                assert trace.index.artifact_ids.tolist() == answer["artifacts"], (name, artifact)
                assert trace.index.execution_ids.tolist() == answer["executions"], (name, artifact)
                assert trace.index.size == answer["events"], (name, artifact)
                asked += 1
    assert asked > 500


def test_a_pushed_model_has_four_ancestors_where_mlmd_says_ten(shared_stores: Path):
    store = ml.connect(shared_stores / "tfx_local.db")
    first = int(store.frames.artifacts(type="PushedModel").index[0])
    assert len(store.upstream(first).index.execution_ids) == 4
    assert len(store.upstream(first, **ALL).index.execution_ids) == 10


def test_who_only_reuses_resolves_or_never_finished(shared_stores: Path):
    edges = ml.connect(shared_stores / "tfx_local.db").lineage().edges
    assert set(edges.loc[edges["type"] == "INTERNAL_OUTPUT", "role"]) == {"resolves"}
    counts = edges["role"].value_counts().to_dict()
    assert counts == {"uses": 61, "produces": 47, "reuses": 18, "resolves": 10}
    phantoms = ml.connect(shared_stores / "real" / "tfx_phantoms_v6.db").lineage()
    assert set(phantoms.edges["role"]) == {"phantom"}


def test_the_earliest_of_the_cached_stands_for_a_producer_that_is_not_known():
    tables = tables_of(
        [(1, 1, 4), (1, 2, 4), (2, 2, 4), (2, 3, 4)],
        artifacts={1: 2, 2: 2},
        executions={1: 5, 2: 5, 3: 3},
    )
    graph = LineageGraph(tables)
    assert graph.edges["role"].tolist() == ["produces", "reuses", "reuses", "produces"]
    assert graph.producers(1) == ("execution/1",)
    assert [(f.code, f.subject) for f in graph.findings] == [("only_cached_producer", "artifact/1")]


def test_an_event_may_name_nodes_that_have_no_row():
    tables = tables_of([(1, 9, 4), (7, 9, 3), (7, 2, 4)], artifacts={1: 2}, executions={2: 3})
    trace = LineageGraph(tables).upstream(1)
    assert list(trace) == ["artifact/1", "artifact/7", "execution/2", "execution/9"]
    assert trace.nodes["missing"].tolist() == [False, True, False, True]
    assert [f.subject for f in trace.findings] == ["artifact/7", "execution/9"]


def test_an_execution_may_write_what_it_reads():
    tables = tables_of([(1, 1, 3), (1, 1, 4)], artifacts={1: 2}, executions={1: 3})
    graph = LineageGraph(tables)
    assert list(graph.upstream(1)) == ["artifact/1", "execution/1"]
    assert graph.upstream(1).complete
    assert graph.upstream(1).edges["role"].tolist() == ["uses", "produces"]


def test_a_chain_of_100_000_hops_is_followed_to_its_end():
    half = 50_000
    numbers = np.arange(half)
    events = {
        "id": np.arange(2 * half) + 1,
        # Execution n takes artifact n - 1 and makes artifact n.
        "artifact_id": np.stack([numbers, numbers + 1], axis=1).ravel(),
        "execution_id": np.repeat(numbers + 1, 2),
        "type": np.tile([3, 4], half),
        "milliseconds_since_epoch": np.arange(2 * half) + 1,
    }
    tables = tables_of([], artifacts={}, executions={})
    ids = np.arange(half + 1)
    whole = {name: tables[name] for name in SCHEMAS} | {
        "Event": pa.table({k: pa.array(v, pa.int64()) for k, v in events.items()}),
        "Artifact": nodes("Artifact", ids, 1, "state", 2),
        "Execution": nodes("Execution", ids[1:], 2, "last_known_state", 3),
    }
    graph = LineageGraph(Tables(whole))
    trace = graph.upstream(half)
    assert len(trace) == 2 * half + 1
    assert int(trace.hops.max()) == 2 * half
    assert trace.roots == ("artifact/0",)
    assert trace.complete


def nodes(table: str, ids: np.ndarray, type_id: int, state: str, value: int) -> pa.Table:
    columns = {"id": ids, "type_id": np.full(len(ids), type_id), state: np.full(len(ids), value)}
    columns["create_time_since_epoch"] = columns["last_update_time_since_epoch"] = ids
    return pa.table(
        [
            pa.array(columns[field.name], field.type)
            if field.name in columns
            else pa.nulls(len(ids), field.type)
            for field in SCHEMAS[table]
        ],
        schema=SCHEMAS[table],
    )


@pytest.mark.parametrize("direction", ["upstream", "downstream"])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        ALL,
        {"max_hops": 0},
        {"max_hops": 3},
        {"until": "Model"},
        {"types": ["Model", "PushedModel"]},
        {"until": "mlmd.Dataset", "max_hops": 5},
        {"as_of": "2026-11-21T02:45:00Z"},
    ],
    ids=str,
)
def test_a_store_answers_what_its_graph_does(
    shared_stores: Path, direction: str, arguments: dict[str, object]
):
    store = ml.connect(shared_stores / "tfx_local.db")
    graph = store.lineage()
    known = set(graph.as_of(arguments["as_of"]) if "as_of" in arguments else graph)
    for node in graph:
        if node not in known:
            with pytest.raises(ml.errors.NotFoundError):
                getattr(store, direction)(node, **arguments)
            continue
        live = getattr(store, direction)(node, **arguments)
        held = getattr(graph, direction)(node, **arguments)
        assert list(live) == list(held)
        assert live.edges.equals(held.edges)
        assert (live.complete, live.truncated_by, live.boundary) == (
            held.complete,
            held.truncated_by,
            held.boundary,
        )
