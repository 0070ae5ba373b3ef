"""Closures on random graphs, against networkx and against definitions by brute force."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import odd_stores
import pandas as pd
import pyarrow as pa
import pytest
from closure_oracle import Oracle, event_numbers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mlmd_lineage as ml
from mlmd_lineage import compiled
from mlmd_lineage.lineage import bfs as walks
from mlmd_lineage.lineage.graph import LineageGraph
from mlmd_lineage.lineage.roles import ROLES
from mlmd_lineage.snapshot.snapshot import Snapshot
from mlmd_lineage.snapshot.tables import Tables

FLAGS = [(reuse, internal) for reuse in (False, True) for internal in (False, True)]
LATER = [(*flags, later) for flags in FLAGS for later in (False, True)]
PRODUCED = ("produces", "later")
EVENT_TYPES = (1, 2, 3, 4, 5, 6, 7)
SMALL = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
FEW = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))

edges = st.lists(
    st.tuples(st.integers(1, 7), st.integers(1, 7), st.sampled_from((3, 4, *EVENT_TYPES))),
    max_size=24,
)
kinds = {
    **{f"artifact/{n}": st.sampled_from((odd_stores.DATA, odd_stores.MODEL)) for n in range(1, 8)},
    **{
        f"execution/{n}": st.sampled_from((odd_stores.TRAIN, odd_stores.RESOLVE))
        for n in range(1, 8)
    },
}


@st.composite
def stores(draw: Any) -> Tables:
    """Draw tables with cycles, all roles, nodes without rows, and more than one type.

    Some events have equal times, and some have none.
    """
    states = {n: draw(st.sampled_from((None, 1, 2, 3, 3, 3, 4, 5, 5))) for n in range(1, 8)}
    artifact_states = {n: draw(st.sampled_from((None, 0, 1, 2, 2))) for n in range(1, 8)}
    rowless = draw(st.sets(st.sampled_from(sorted(kinds)), max_size=3))
    times = draw(
        st.just({})
        | st.dictionaries(
            st.integers(1, 24),
            st.none() | st.just(0) | st.integers(odd_stores.START + 100, odd_stores.START + 112),
            min_size=12,
        )
    )
    return odd_stores.tables(
        draw(edges),
        times=times,
        states=states,
        artifact_states=artifact_states,
        types=draw(st.fixed_dictionaries(kinds)),
        rowless=rowless,
    )


def oracle(graph: LineageGraph, flags: tuple[bool, bool, bool]) -> tuple[Oracle, dict[str, Any]]:
    """Return the oracle for a graph, and the arguments that it answers."""
    reuse, internal, later = flags
    arguments = {"reuse": reuse, "internal": internal, "later": later}
    return Oracle(graph, **arguments), arguments


def edge_set(graph: LineageGraph) -> set[tuple[int, str]]:
    index = graph.index
    events = graph.tables["Event"]["id"].to_numpy()[index.event_rows]
    return {(n, ROLES[r]) for n, r in zip(events.tolist(), index.roles.tolist(), strict=True)}


@FEW
@given(stores(), st.sampled_from(LATER))
def test_closures_are_those_of_the_definition(tables: Tables, flags: tuple[bool, bool, bool]):
    graph = LineageGraph(tables)
    expected, arguments = oracle(graph, flags)
    up = {n: graph.upstream(n, **arguments) for n in graph}
    down = {n: graph.downstream(n, **arguments) for n in graph}
    for node in graph:
        assert set(up[node]) == set(expected.walk(node, up=True))
        assert set(down[node]) == set(expected.walk(node, up=False))
        # Both say the same of a pair.
        assert all(node in down[other] for other in up[node])
        assert all(node in up[other] for other in down[node])
        assert event_numbers(up[node]) == expected.kept(set(up[node]), above=node)
        assert event_numbers(down[node]) == expected.kept(set(down[node]), below=node)


@FEW
@given(stores(), st.sampled_from(LATER))
@pytest.mark.slow
def test_ways_between_are_those_of_the_definition(tables: Tables, flags: tuple[bool, bool, bool]):
    graph = LineageGraph(tables)
    expected, arguments = oracle(graph, flags)
    for source in graph:
        for target in list(graph)[::2]:
            between = graph.between(source, target, **arguments)
            assert set(between) == expected.between(source, target)
            assert event_numbers(between) == expected.kept(set(between), above=target, below=source)
            assert between.complete
            assert between.boundary == ()


@FEW
@given(stores(), st.sampled_from(FLAGS))
def test_without_regard_to_time_closures_are_those_of_networkx(
    tables: Tables, flags: tuple[bool, bool]
):
    graph = LineageGraph(tables)
    expected, arguments = oracle(graph, (*flags, True))
    plain: nx.DiGraph[str] = nx.DiGraph()
    plain.add_nodes_from(graph)
    plain.add_edges_from((event.source, event.target) for event in expected.events)
    for node in graph:
        assert set(graph.upstream(node, **arguments)) == nx.ancestors(plain, node) | {node}
        assert set(graph.downstream(node, **arguments)) == nx.descendants(plain, node) | {node}


@SMALL
@given(stores(), st.booleans(), st.sampled_from(["upstream", "downstream"]))
def test_hops_are_those_of_a_walk_in_breadth(tables: Tables, later: bool, way: str):  # noqa: FBT001 - drawn
    graph = LineageGraph(tables)
    expected, arguments = oracle(graph, (True, True, later))
    for node in graph:
        far = expected.walk(node, up=way == "upstream")
        before: set[str] = set()
        for limit in (0, 1, 2, 3, None):
            trace = getattr(graph, way)(node, **arguments, max_hops=limit)
            hops = {n: d for n, d in far.items() if limit is None or d <= limit}
            assert dict(zip(trace, trace.hops.tolist(), strict=True)) == hops
            assert before <= set(trace)
            before = set(trace)


def types_of(tables: Tables, graph: LineageGraph) -> dict[str, str | None]:
    names = {row["id"]: row["name"] for row in tables["Type"].to_pylist()}
    found: dict[str, str | None] = dict.fromkeys(graph)
    for kind in ("Artifact", "Execution"):
        for number, type_id in zip(
            tables[kind]["id"].to_pylist(), tables[kind]["type_id"].to_pylist(), strict=True
        ):
            found[f"{kind.lower()}/{number}"] = names[type_id]
    return found


@SMALL
@given(
    stores(),
    st.sampled_from([(), ("Model",), ("Data", "Train"), ("mlmd.Model",), ("Resolve",)]),
    st.sampled_from([(), ("Model",), ("Data",), ("Train",), ("Data", "Resolve")]),
    st.sampled_from([None, 1, 2, 4]),
    st.booleans(),
)
def test_whatever_bounds_an_answer_is_named(
    tables: Tables,
    until: tuple[str, ...],
    types: tuple[str, ...],
    max_hops: int | None,
    later: bool,  # noqa: FBT001 - drawn
):
    graph = LineageGraph(tables)
    expected, arguments = oracle(graph, (True, True, later))
    names = types_of(tables, graph)
    # A name means the types that have it as their base type, too.
    stops = {name.replace("mlmd.", "") for name in until}
    kinds_named = {"artifact" if name in {"Data", "Model"} else "execution" for name in types}
    ends = {node for node, name in names.items() if name in stops}
    closed = {
        node
        for node, name in names.items()
        if name is not None and node.split("/")[0] in kinds_named and name not in types
    }
    question: dict[str, Any] = {"until": until, "types": types, "max_hops": max_hops}
    limits: dict[str, Any] = {"stops": ends, "closed": closed, "max_hops": max_hops}
    for way in ("downstream", "upstream"):
        for node in graph:
            trace = getattr(graph, way)(node, **arguments, **question)
            limits["up"] = way == "upstream"
            hops = expected.walk(node, **limits)
            boundary, reasons = expected.bounds(node, hops, **limits)
            assert set(trace) == set(hops)
            assert set(trace.boundary) == boundary
            assert set(trace.truncated_by) == reasons
            assert trace.complete == (not boundary)


@SMALL
@given(stores(), st.data())
@pytest.mark.slow
def test_live_answers_are_those_from_memory(tables: Tables, data: st.DataObject):
    graph, store = LineageGraph(tables), odd_stores.live(tables)
    if not len(graph):
        return
    moments = st.integers(odd_stores.START - 1, odd_stores.START + 130)
    names = st.sampled_from([None, "Data", "Model", "Train", ["Resolve", "Data"], "mlmd.Model"])
    for _ in range(3):
        node, other = (data.draw(st.sampled_from(list(graph))) for _ in range(2))
        flags = {
            "reuse": data.draw(st.booleans()),
            "internal": data.draw(st.booleans()),
            "later": data.draw(st.booleans()),
            "as_of": data.draw(st.none() | moments),
        }
        bounds = {
            "max_hops": data.draw(st.none() | st.integers(0, 4)),
            "until": data.draw(names),
            "types": data.draw(names),
        }
        for way, nodes, question in (
            ("upstream", (node,), {**flags, **bounds}),
            ("downstream", (node,), {**flags, **bounds}),
            ("between", (node, other), flags),
        ):
            assert told(store, way, nodes, question) == told(graph, way, nodes, question)


def told(asked: Any, way: str, nodes: tuple[str, ...], question: dict[str, Any]) -> Any:
    try:
        trace = getattr(asked, way)(*nodes, **question)
    except ml.errors.NotFoundError:
        return None
    return (
        list(trace),
        edge_set(trace),
        trace.hops.tolist(),
        trace.boundary,
        trace.truncated_by,
        trace.findings,
    )


@SMALL
@given(stores(), st.integers(odd_stores.START - 1, odd_stores.START + 130))
@pytest.mark.slow
def test_as_of_is_the_graph_of_what_existed_then(tables: Tables, moment: int):
    events = tables["Event"].to_pylist()
    rows = {name: tables[name] for name in tables.names}
    late = {}
    for name in ("Artifact", "Execution"):
        made = tables[name]["create_time_since_epoch"].to_numpy()
        late[name] = set(tables[name]["id"].to_numpy()[made > moment].tolist())
        rows[name] = tables[name].filter(made <= moment)
    there = [
        (row["milliseconds_since_epoch"] or 0) <= moment
        and row["artifact_id"] not in late["Artifact"]
        and row["execution_id"] not in late["Execution"]
        for row in events
    ]
    rows["Event"] = tables["Event"].filter(pa.array(there, pa.bool_()))
    then, expected = LineageGraph(tables).as_of(moment), LineageGraph(Tables(rows))
    pd.testing.assert_frame_equal(then.nodes, expected.nodes)
    pd.testing.assert_frame_equal(then.edges, expected.edges)
    for node in expected:
        asked = LineageGraph(tables).upstream(node, as_of=moment)
        assert set(asked) == set(expected.upstream(node))
        assert edge_set(asked) == edge_set(expected.upstream(node))
        # What of an answer of today existed then is no more than there was.
        part = LineageGraph(tables).upstream(node, reuse=True).as_of(moment)
        assert set(part) <= set(expected)
        assert edge_set(part) <= edge_set(expected)
        assert {f.subject for f in part.findings} <= set(part)


@FEW
@given(stores())
@pytest.mark.slow
def test_a_trace_is_a_graph(tables: Tables):
    graph = LineageGraph(tables)
    for node in graph:
        trace = graph.downstream(node, reuse=True, internal=True)
        assert len(trace) == len(list(trace)) == len(trace.nodes)
        assert all(n in trace for n in trace)
        plain = nx.MultiDiGraph()
        plain.add_nodes_from(trace)
        plain.add_edges_from(zip(trace.edges["source"], trace.edges["target"], strict=True))
        assert trace.roots == tuple(n for n in trace if not plain.in_degree(n))
        assert trace.leaves == tuple(n for n in trace if not plain.out_degree(n))
        for other in trace:
            again = trace.upstream(other, reuse=True, internal=True)
            expected = graph.between(node, other, reuse=True, internal=True)
            assert set(again) == set(expected)
            assert edge_set(again) == edge_set(expected)
            # Of an artifact only what was taken after the trace wrote it is in the trace.
            if other.startswith("execution"):
                assert set(trace.downstream(other)) == set(graph.downstream(other))
            else:
                assert set(trace.downstream(other)) <= set(graph.downstream(other))
        inside = trace.downstream(node)
        pd.testing.assert_frame_equal(inside.edges, graph.downstream(node).edges)


@SMALL
@given(stores())
def test_each_event_has_one_role_and_roles_are_what_they_say(tables: Tables):
    graph = LineageGraph(tables)
    rows = {n: {r["id"]: r for r in tables[n].to_pylist()} for n in ("Artifact", "Execution")}
    frame = graph.edges
    assert list(frame.index) == tables["Event"]["id"].to_pylist()
    claims: dict[int, list[tuple[int, int, str]]] = {}
    resolved: dict[int, list[tuple[int, int, str]]] = {}
    for event in frame.itertuples():
        run = rows["Execution"].get(event.execution_id) or {}
        data = rows["Artifact"].get(event.artifact_id) or {}
        state, role = run.get("last_known_state"), event.role
        assert role in ROLES
        if event.type in {"INPUT", "DECLARED_INPUT"}:
            assert role == "uses"
            assert event.source == f"artifact/{event.artifact_id}"
        elif event.type in {"OUTPUT", "DECLARED_OUTPUT"}:
            assert event.source == f"execution/{event.execution_id}"
            if state == 5:
                assert role in {"reuses", "produces", "later"}
                moment = 0 if pd.isna(event.time) else int(event.time.timestamp() * 1000)
                claims.setdefault(event.artifact_id, []).append((moment, event.Index, role))
            elif state in {1, 2} and not data.get("state"):
                assert role == "phantom"
            else:
                assert role in {"produces", "later"}
        elif event.type == "INTERNAL_OUTPUT":
            assert role in {"resolves", "produces", "later"}
            moment = 0 if pd.isna(event.time) else int(event.time.timestamp() * 1000)
            resolved.setdefault(event.artifact_id, []).append((moment, event.Index, role))
        else:
            assert role == {"INTERNAL_INPUT": "internal"}.get(event.type, "pending")
    only = set()
    for artifact, made in claims.items():
        others = frame[(frame["artifact_id"] == artifact) & frame["role"].isin(PRODUCED)]
        cached = {index for _, index, role in made if role in PRODUCED}
        if set(others.index) - {index for _, index, _ in made}:
            assert not cached
        else:
            assert cached == {min(made)[1]}
            only.add(f"artifact/{artifact}")
    assert {f.subject for f in graph.findings if f.code == "only_cached_producer"} == only
    for artifact, made in resolved.items():
        others = frame[(frame["artifact_id"] == artifact) & frame["role"].isin(PRODUCED)]
        mine = {index for _, index, role in made if role in PRODUCED}
        # One that nobody else wrote has the earliest of them as its producer.
        assert mine == (set() if set(others.index) - mine else {min(made)[1]})
    missing = {f.subject for f in graph.findings if f.code.startswith("missing_")}
    assert missing == set(graph.nodes.index[graph.nodes["missing"]])


@FEW
@given(stores())
@pytest.mark.slow
def test_an_archive_answers_like_its_store(tables: Tables):
    graph = LineageGraph(tables)
    with tempfile.TemporaryDirectory() as folder:
        archive = ml.connect(Snapshot.of(tables).save(Path(folder) / "archive"))
        assert archive.snapshot().findings == Snapshot.of(tables).findings
        pd.testing.assert_frame_equal(archive.lineage().nodes, graph.nodes)
        pd.testing.assert_frame_equal(archive.lineage().edges, graph.edges)
        for node in list(graph)[:4]:
            for way in ("upstream", "downstream"):
                question = {"internal": True}
                assert told(archive, way, (node,), question) == told(graph, way, (node,), question)


@FEW
@given(stores())
def test_the_compiled_walk_is_the_plain_one(tables: Tables):
    assert walks._compiled() is not None
    index = LineageGraph(tables).index
    random = np.random.default_rng(len(index.type_ids))
    types = random.integers(0, 3, index.nodes)
    passes = random.integers(0, 4, index.size)
    compiled, plain = (
        walks.Walker(
            offsets=index.incoming.offsets,
            neighbours=index.incoming.neighbours,
            roles=index.incoming.roles,
            node_types=types,
            scratch=walks.Scratch(index.nodes, index.size + 1),
            passes=passes,
            plain=plain,
        )
        for plain in (False, True)
    )
    flags = np.array([0, walks.STOP, walks.CLOSED], np.uint8)
    for start in range(index.nodes):
        for roles, hops in ((255, walks.NO_LIMIT), (3, 2), (7, 5)):
            for given_flags in (None, flags):
                for limited in (False, True):
                    question = ([start, start, 0], roles, hops, given_flags)
                    found = [w.walk(*question, limited=limited) for w in (compiled, plain)]
                    for one, other in zip(*found, strict=True):
                        assert one.tolist() == other.tolist()


@pytest.mark.parametrize("why", ["not compiled", "for another machine"])
def test_without_a_compiler_the_answers_are_the_same(monkeypatch: pytest.MonkeyPatch, why: str):
    tables = odd_stores.tables([e for n in range(1, 40) for e in ((n, n, 3), (n + 1, n, 4))])
    expected = LineageGraph(tables).upstream(40)
    if why == "not compiled":
        monkeypatch.setattr(compiled, "EXTENSION_SUFFIXES", [".none"])
    else:
        monkeypatch.setattr("ctypes.CDLL", lambda _: (_ for _ in ()).throw(OSError))
    walks._compiled.cache_clear()
    try:
        graph = LineageGraph(tables)
        assert graph.upstream(40).hops.tolist() == expected.hops.tolist()
        assert list(graph.upstream(40, until="Data")) == list(
            LineageGraph(tables).upstream(40, until="Data")
        )
        assert walks._compiled() is None
    finally:
        walks._compiled.cache_clear()
