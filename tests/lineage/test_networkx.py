from __future__ import annotations

import copy
import io
import pickle
from typing import TYPE_CHECKING, Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_graphs import chain, events, made, nodes, stored, tangled

from mlmd_lineage.lineage.graph import LineageGraph
from mlmd_lineage.snapshot.values import ProtoValue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

# Old releases of networkx say so whenever they convert a graph without scipy being there.
pytestmark = pytest.mark.filterwarnings("ignore:.* not found, skipping conversion:ImportWarning")

STORES = (
    "tfx_local.db",
    "kfp2_emulated.db",
    "zenml_0132.db",
    "real/tfx_phantoms_v6.db",
    "real/model_registry.db",
)
GRAPHS = {"chain": chain, "tangled": tangled, "empty": made}


@pytest.fixture(params=[*GRAPHS, *STORES, "trace"])
def graph(request: pytest.FixtureRequest) -> LineageGraph:
    if request.param in GRAPHS:
        return GRAPHS[request.param]()
    folder = request.getfixturevalue("shared_stores")
    if request.param == "trace":
        return stored(folder, "tfx_local.db").upstream("artifact/11", max_hops=4)
    return stored(folder, request.param)


def test_view_shows_what_copy_holds(graph: LineageGraph) -> None:
    view, copied = graph.to_networkx(), graph.to_networkx(copy=True)
    assert type(copied) is nx.MultiDiGraph
    assert isinstance(view, nx.MultiDiGraph)
    assert nx.utils.graphs_equal(view, copied)
    assert nx.utils.graphs_equal(copied, view)
    assert list(view.nodes(data=True)) == list(copied.nodes(data=True))
    assert list(view.edges(keys=True, data=True)) == list(copied.edges(keys=True, data=True))
    assert list(view.in_edges(keys=True)) == list(copied.in_edges(keys=True))
    assert [list(view[node]) for node in view] == [list(copied[node]) for node in copied]
    assert list(view) == list(graph)


def test_view_counts_what_copy_holds(graph: LineageGraph) -> None:
    view, copied = graph.to_networkx(), graph.to_networkx(copy=True)
    assert (len(view), view.number_of_edges()) == (len(copied), copied.number_of_edges())
    assert len(view.edges) == len(copied.edges)
    for name in ("degree", "in_degree", "out_degree"):
        mine, theirs = getattr(view, name), getattr(copied, name)
        assert dict(mine) == dict(theirs)
        assert dict(mine(weight="time")) == dict(theirs(weight="time"))
        some = list(copied)[::3]
        assert list(mine(some)) == list(theirs(some))
        if some:
            assert mine[some[0]] == mine(some[0]) == theirs[some[0]]
    for u, v in {(u, v) for u, v, _ in copied.edges}:
        assert view.number_of_edges(u, v) == copied.number_of_edges(u, v)
        assert view[u][v] == copied[u][v]
        assert view.pred[v][u] == copied[u][v]


ALGORITHMS: dict[str, Callable[[Any], Any]] = {
    "weakly connected": lambda g: list(map(sorted, nx.weakly_connected_components(g))),
    "strongly connected": lambda g: sorted(map(sorted, nx.strongly_connected_components(g))),
    "condensation": lambda g: sorted(nx.condensation(nx.DiGraph(g)).edges),
    "cycles": lambda g: sorted(map(sorted, nx.simple_cycles(g))),
    "ancestors": lambda g: {n: nx.ancestors(g, n) for n in g},
    "descendants": lambda g: {n: nx.descendants(g, n) for n in g},
    "acyclic": nx.is_directed_acyclic_graph,
    "topological sort": lambda g: (
        list(nx.topological_sort(g)) if nx.is_directed_acyclic_graph(g) else None
    ),
    "longest path": lambda g: nx.dag_longest_path(g) if nx.is_directed_acyclic_graph(g) else None,
    "shortest paths": lambda g: dict(nx.all_pairs_shortest_path_length(g)),
    "dijkstra": lambda g: dict(nx.all_pairs_dijkstra_path_length(g, weight="time", cutoff=5)),
    "transitive closure": lambda g: sorted(nx.transitive_closure(nx.DiGraph(g)).edges),
    "node link data": nx.node_link_data,
    "undirected": lambda g: sorted(g.to_undirected().edges(keys=True)),
    "reverse": lambda g: sorted(g.reverse().edges(keys=True, data="type")),
    "reverse view": lambda g: sorted(g.reverse(copy=False).edges(keys=True, data="type")),
    "subgraph": lambda g: sorted(g.subgraph(list(g)[::2]).copy().edges(keys=True)),
    "edge subgraph": lambda g: sorted(g.edge_subgraph(list(g.edges)[::2]).nodes),
    "relabelled": lambda g: sorted(nx.relabel_nodes(g, str.upper).edges(keys=True)),
    "line graph": lambda g: sorted(nx.line_graph(g).edges(keys=True)),
    "compose": lambda g: sorted(nx.compose(g, nx.MultiDiGraph([("a", "b")])).edges),
    "generations": lambda g: (
        list(nx.topological_generations(g)) if nx.is_directed_acyclic_graph(g) else None
    ),
}


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("made_by", [chain, tangled, made])
def test_algorithms_run_unchanged(made_by: Callable[[], LineageGraph], name: str) -> None:
    graph = made_by()
    algorithm = ALGORITHMS[name]
    assert algorithm(graph.to_networkx()) == algorithm(graph.to_networkx(copy=True))


@pytest.mark.parametrize("name", sorted(set(ALGORITHMS) - {"cycles", "transitive closure"}))
def test_algorithms_run_on_a_real_graph(shared_stores: Path, name: str) -> None:
    graph = stored(shared_stores, "tfx_local.db", properties=False)
    algorithm = ALGORITHMS[name]
    assert algorithm(graph.to_networkx()) == algorithm(graph.to_networkx(copy=True))


def test_gexf_is_written_once_tuples_are_left_out(shared_stores: Path) -> None:
    graph = stored(shared_stores, "tfx_local.db", properties=False).to_networkx(copy=True)
    for _, attributes in graph.nodes(data=True):
        attributes.pop("contexts", None)
    for *_, attributes in graph.edges(data=True):
        attributes["path"] = ".".join(map(str, attributes["path"]))
    file = io.BytesIO()
    nx.write_gexf(graph, file)
    assert b"PushedModel" in file.getvalue()


PAIRS = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 7), st.sampled_from([1, 2, 3, 4, 5, 6, 7])),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(PAIRS, st.sets(st.integers(1, 12)), st.sets(st.integers(1, 9)))
def test_any_graph_is_the_same_by_view_and_by_copy(
    pairs: list[tuple[int, int, int]], artifacts: set[int], executions: set[int]
) -> None:
    graph = made(
        Artifact=nodes(*sorted(artifacts), type_id=2),
        Execution=nodes(*sorted(executions), type_id=1),
        Event=events(*pairs),
    )
    view, copied = graph.to_networkx(), graph.to_networkx(copy=True)
    expected: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    expected.add_nodes_from(graph)
    for event, (artifact, execution, kind) in enumerate(pairs, 1):
        ends = (f"artifact/{artifact}", f"execution/{execution}")
        expected.add_edge(*(ends if kind in {2, 3, 5} else ends[::-1]), key=event)
    assert set(view.edges) == set(expected.edges)
    assert nx.utils.graphs_equal(view, copied)
    for node in graph:
        assert nx.ancestors(view, node) == nx.ancestors(expected, node)
        assert nx.descendants(view, node) == nx.descendants(expected, node)


def test_attributes_have_mlmds_names() -> None:
    graph = made(
        properties=True,
        Type=[
            {"id": 1, "name": "Trainer", "type_kind": 0},
            {"id": 2, "name": "Model", "type_kind": 1},
            {"id": 3, "name": "run", "type_kind": 2},
            {"id": 4, "name": "pipeline", "type_kind": 2},
        ],
        Artifact=[
            {
                "id": 5,
                "type_id": 2,
                "name": "m",
                "uri": "s3://m",
                "state": 2,
                "external_id": "x",
                "create_time_since_epoch": 1_000,
                "last_update_time_since_epoch": 2_000,
            },
            {"id": 6, "type_id": 77, "state": 9, "create_time_since_epoch": 0},
        ],
        Execution=[{"id": 5, "type_id": 1, "last_known_state": 3}],
        Context=[{"id": 1, "type_id": 3, "name": "r1"}, {"id": 2, "type_id": 4, "name": "p"}],
        Event=[
            {
                "id": 8,
                "artifact_id": 5,
                "execution_id": 5,
                "type": 4,
                "milliseconds_since_epoch": 1_500,
            },
            {"id": 9, "artifact_id": 7, "execution_id": 5, "type": 3},
        ],
        EventPath=[
            {"event_id": 8, "is_index_step": False, "step_key": "model"},
            {"event_id": 8, "is_index_step": True, "step_index": 0},
            {"event_id": 8, "is_index_step": False, "step_key": "other"},
            {"event_id": 8, "is_index_step": True, "step_index": -3},
        ],
        Attribution=[
            {"id": 1, "context_id": 1, "artifact_id": 5},
            {"id": 2, "context_id": 2, "artifact_id": 5},
            {"id": 3, "context_id": 30, "artifact_id": 5},
        ],
        ArtifactProperty=[
            {"artifact_id": 5, "name": "n", "is_custom_property": False, "int_value": 3},
            {"artifact_id": 5, "name": "b", "is_custom_property": True, "bool_value": False},
            {
                "artifact_id": 5,
                "name": "p",
                "is_custom_property": True,
                "proto_value": b"\n\x01u\x12\x01v",
            },
        ],
        ExecutionProperty=[
            {"execution_id": 5, "name": "lr", "is_custom_property": True, "double_value": 0.5}
        ],
    )  # fmt: skip
    view = graph.to_networkx()
    assert dict(view.nodes["artifact/5"]) == {
        "kind": "artifact",
        "id": 5,
        "type": "Model",
        "name": "m",
        "uri": "s3://m",
        "state": "LIVE",
        "external_id": "x",
        "create_time_since_epoch": 1_000,
        "last_update_time_since_epoch": 2_000,
        "contexts": ("context/30", "pipeline:p", "run:r1"),
        "properties": {"n": 3},
        "custom_properties": {"b": False, "p": ProtoValue("u", b"v")},
    }
    assert dict(view.nodes["artifact/6"]) == {"kind": "artifact", "id": 6, "state": "UNKNOWN(9)"}
    assert dict(view.nodes["artifact/7"]) == {"kind": "artifact", "id": 7, "missing": True}
    assert dict(view.nodes["execution/5"]) == {
        "kind": "execution",
        "id": 5,
        "type": "Trainer",
        "state": "COMPLETE",
        "custom_properties": {"lr": 0.5},
    }
    assert list(view.edges(keys=True, data=True)) == [
        ("artifact/7", "execution/5", 9, {"type": "INPUT", "role": "uses", "path": ()}),
        (
            "execution/5",
            "artifact/5",
            8,
            {
                "type": "OUTPUT",
                "role": "produces",
                "path": ("model", 0, "other", -3),
                "time": 1_500,
            },
        ),
    ]
    assert nx.utils.graphs_equal(view, graph.to_networkx(copy=True))
    assert "uri" not in view.nodes["artifact/7"]
    assert view.nodes["artifact/7"].get("uri", "none") == "none"
    with pytest.raises(KeyError):
        view.nodes["artifact/7"]["uri"]


@pytest.mark.parametrize(
    "key", ["artifact/5", "artifact/03", "artifact/+3", "artifact/ 3", "artifact/3_", "node/3",
            "artifact/", "artifact", "execution/3", "artifact/٣", "", 3, None, ("artifact", 3),
            "artifact/" + "9" * 5000]
)  # fmt: skip
def test_only_a_nodes_own_key_is_in_the_graph(key: object) -> None:
    view = tangled().to_networkx()
    assert "artifact/3" in view
    assert key not in view
    assert key not in view.adj
    with pytest.raises(KeyError):
        view.nodes[key]
    with pytest.raises(nx.NetworkXError, match="not in the digraph"):
        view.predecessors(key)


def test_what_cannot_be_hashed_is_no_node() -> None:
    view = tangled().to_networkx()
    assert ["artifact/3"] not in view
    assert list(view.nbunch_iter(["artifact/3", "no"])) == ["artifact/3"]


def test_a_view_cannot_be_changed(shared_stores: Path) -> None:
    view: Any = stored(shared_stores, "tfx_local.db").to_networkx()
    assert nx.is_frozen(view)
    attempts: list[Callable[[], Any]] = [
        lambda: view.add_node("x"),
        lambda: view.add_nodes_from("x"),
        lambda: view.add_edge("x", "y"),
        lambda: view.add_edges_from([("x", "y")]),
        lambda: view.add_weighted_edges_from([("x", "y", 1)]),
        lambda: view.remove_node("artifact/1"),
        lambda: view.remove_nodes_from(["artifact/1"]),
        lambda: view.remove_edge("artifact/1", "execution/1"),
        lambda: view.remove_edges_from([]),
        lambda: view.update(edges=[("x", "y")]),
        view.clear,
        view.clear_edges,
        lambda: nx.add_path(view, "xy"),
        lambda: view.nodes["artifact/1"].update(color="red"),
        lambda: nx.set_node_attributes(view, "red", "color"),
        lambda: nx.set_edge_attributes(view, {next(iter(view.edges)): {"color": "red"}}),
    ]
    for attempt in attempts:
        with pytest.raises(nx.NetworkXError, match="copy=True"):
            attempt()
    with pytest.raises(nx.NetworkXError, match="copy=True"):
        view.nodes["artifact/1"]["color"] = "red"
    with pytest.raises(nx.NetworkXError, match="copy=True"):
        del view.nodes["artifact/1"]["id"]
    assert len(view) == 47 + 57


@pytest.mark.parametrize(
    "make",
    [
        lambda view: view.copy(),
        lambda view: pickle.loads(pickle.dumps(view)),  # noqa: S301 - made here
        copy.deepcopy,
        nx.MultiDiGraph,
        lambda view: view.reverse().reverse(),
        lambda view: view.subgraph(list(view)).copy(),
    ],
    ids=["copy", "pickle", "deepcopy", "constructor", "reverse", "subgraph"],
)
def test_what_is_made_of_a_view_can_be_changed(
    shared_stores: Path, make: Callable[[Any], Any]
) -> None:
    graph = stored(shared_stores, "tfx_local.db")
    view = graph.to_networkx()
    other = make(view)
    assert type(other) is nx.MultiDiGraph
    assert not nx.is_frozen(other)
    assert nx.utils.graphs_equal(other, view)
    other.add_edge("artifact/1", "here", note=1)
    other.nodes["artifact/1"]["color"] = "red"
    assert "here" not in view
    assert "color" not in view.nodes["artifact/1"]


def test_views_of_a_view_are_frozen_too() -> None:
    view = tangled().to_networkx()
    some = view.subgraph(["artifact/10", "execution/7"])
    assert sorted(some.edges) == [
        ("artifact/10", "execution/7", 3),
        ("artifact/10", "execution/7", 4),
    ]
    with pytest.raises(nx.NetworkXError):
        some.add_node("x")


def test_making_a_view_reads_nothing() -> None:
    class Unread:
        source = "unread"
        schema_version = 10

        def __getitem__(self, table: str) -> pa.Table:
            raise AssertionError(table)

        def __contains__(self, table: object) -> bool:
            raise AssertionError(table)

    view = LineageGraph(Unread()).to_networkx()
    with pytest.raises(AssertionError, match="Event"):
        len(view)


def test_topology_reads_no_contexts_and_no_paths() -> None:
    class Noted:
        source = "noted"
        schema_version = 10

        def __init__(self, graph: LineageGraph) -> None:
            self.tables = graph.tables
            self.read: set[str] = set()

        def __getitem__(self, table: str) -> pa.Table:
            self.read.add(table)
            return self.tables[table]

        def __contains__(self, table: object) -> bool:
            return table in self.tables

    noted = Noted(chain())
    view = LineageGraph(noted).to_networkx()
    assert nx.ancestors(view, "artifact/4") == set(view) - {"artifact/4"}
    assert [kind for _, kind in view.nodes(data="type")] == ["Data"] * 4 + ["Step"] * 3
    assert not noted.read & {"Attribution", "Association", "Context", "EventPath"}
    assert "contexts" not in view.nodes["artifact/1"]
    assert "Attribution" in noted.read


def test_contexts_become_nodes() -> None:
    graph = made(
        Type=[*chain().tables["Type"].to_pylist(), {"id": 3, "name": "run", "type_kind": 2}],
        Artifact=nodes(1, type_id=2),
        Execution=nodes(1, type_id=1),
        Event=events((1, 1, 4)),
        Context=[
            {"id": 2, "type_id": 3, "name": "r", "create_time_since_epoch": 5},
            {"id": 4, "type_id": 3, "name": "alone"},
        ],
        Attribution=[{"id": 6, "context_id": 2, "artifact_id": 1},
                     {"id": 7, "context_id": 2, "artifact_id": 99}],
        Association=[{"id": 6, "context_id": 2, "execution_id": 1}],
        ParentContext=[{"context_id": 2, "parent_context_id": 3}],
    )  # fmt: skip
    found = graph.to_networkx(contexts=True)
    assert dict(found.nodes["context/2"]) == {
        "kind": "context",
        "id": 2,
        "type": "run",
        "name": "r",
        "create_time_since_epoch": 5,
    }
    assert dict(found.nodes["context/3"]) == {"kind": "context", "id": 3, "missing": True}
    assert "contexts" not in found.nodes["artifact/1"]
    assert "context/4" in found
    assert "artifact/99" not in found
    assert set(found.edges(keys=True, data="type")) == {
        ("execution/1", "artifact/1", 1, "OUTPUT"),
        ("context/2", "artifact/1", ("attribution", 6), "ATTRIBUTION"),
        ("context/2", "execution/1", ("association", 6), "ASSOCIATION"),
        ("context/3", "context/2", ("parent_context", 2), "PARENT_CONTEXT"),
    }


def test_contexts_of_a_real_trace(shared_stores: Path) -> None:
    trace = stored(shared_stores, "tfx_local.db").upstream("artifact/11")
    found = trace.to_networkx(contexts=True)
    assert set(trace) < set(found)
    names = {
        f"{found.nodes[context]['type']}:{found.nodes[context]['name']}"
        for context in found.predecessors("artifact/11")
        if context.startswith("context/")
    }
    assert names == set(trace.to_networkx().nodes["artifact/11"]["contexts"])


def test_many_events_between_one_pair_are_read_in_linear_time() -> None:
    count = 20_000
    graph = made(
        Artifact=nodes(1, type_id=2),
        Execution=nodes(1, type_id=1),
        Event=events(*[(1, 1, 3)] * count),
    )
    view = graph.to_networkx()
    assert sum(1 for _ in view.edges(keys=True, data=True)) == count
    assert len(view["artifact/1"]["execution/1"]) == count
