"""Graphs of every shape: what each event means, and what is odd, deep, wide or missing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import odd_stores
import pytest
import sqlite_stores
from odd_stores import CACHED, INPUT, OUTPUT, RUNNING

import mlmd_lineage as ml
from mlmd_lineage.lineage.graph import LineageGraph
from mlmd_lineage.readers.sqlite.session import SQLiteSession

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlmd_lineage.lineage.graph import Trace


def roles(graph: LineageGraph) -> list[str]:
    return graph.edges["role"].tolist()


def nodes(trace: Trace) -> list[str]:
    return list(trace)


# What each event means


def test_a_cached_execution_reuses_what_another_made():
    graph = LineageGraph(odd_stores.tables([(1, 1, OUTPUT), (1, 2, OUTPUT)], states={2: CACHED}))
    assert roles(graph) == ["produces", "reuses"]
    assert graph.producers(1) == ("execution/1",)
    assert nodes(graph.upstream(1)) == ["artifact/1", "execution/1"]
    assert nodes(graph.upstream(1, reuse=True)) == ["artifact/1", "execution/1", "execution/2"]
    assert graph.findings == ()


def test_of_cached_executions_alone_the_earliest_is_the_producer():
    tables = odd_stores.tables(
        [(1, 3, OUTPUT), (1, 1, OUTPUT), (1, 2, OUTPUT)], states=dict.fromkeys((1, 2, 3), CACHED)
    )
    graph = LineageGraph(tables)
    assert roles(graph) == ["produces", "reuses", "reuses"]
    assert graph.producers(1) == ("execution/3",)
    (finding,) = graph.findings
    assert (finding.code, finding.subject) == ("only_cached_producer", "artifact/1")
    assert "execution/3" in finding.detail
    store = odd_stores.live(tables)
    for asked in (graph, store):
        # Also where the producer is no part of the answer.
        for trace in (asked.upstream(1, max_hops=0), asked.downstream(1)):
            assert nodes(trace) == ["artifact/1"]
            assert trace.findings == (finding,)


def test_two_that_wrote_it_are_both_its_producers():
    graph = LineageGraph(odd_stores.tables([(1, 2, OUTPUT), (1, 1, OUTPUT)]))
    assert graph.producers(1) == ("execution/1", "execution/2")


def test_resolvers_phantoms_and_what_is_pending_are_no_producers():
    graph = LineageGraph(
        odd_stores.tables(
            [(1, 1, OUTPUT), (1, 2, 6), (2, 3, OUTPUT), (3, 4, 7), (4, 3, OUTPUT), (1, 5, 5)],
            states={3: RUNNING},
            artifact_states={2: None},
        )
    )
    assert roles(graph) == ["produces", "resolves", "phantom", "pending", "produces", "internal"]
    assert graph.producers(2) == graph.producers(3) == ()
    assert nodes(graph.upstream(2)) == ["artifact/2"]
    assert nodes(graph.upstream(2, internal=True)) == ["artifact/2", "execution/3"]
    assert nodes(graph.downstream(1)) == ["artifact/1"]
    assert nodes(graph.downstream(1, internal=True)) == ["artifact/1", "execution/5"]


def test_states_that_tfx_kept_as_text_count(tmp_path: Path):
    store = ml.connect(odd_stores.old(tmp_path / "old.db"))
    expected = ["uses", "produces", "produces", "reuses", "uses", "produces", "phantom"]
    snapshot = LineageGraph(store.snapshot())
    for graph in (snapshot, store.lineage(), store.lineage(properties=True)):
        assert roles(graph) == expected
        states = graph.nodes.loc[["execution/1", "execution/2", "execution/4"], "state"]
        assert states.tolist() == ["COMPLETE", "CACHED", "NEW"]
        assert graph.nodes.loc["execution/3", "state"] is not states.iloc[0]
    for asked in (snapshot, store):
        assert nodes(asked.upstream(2)) == ["artifact/1", "artifact/2", "execution/1"]
        trace = asked.upstream(2, reuse=True)
        assert trace.nodes.loc["execution/2", "state"] == "CACHED"
        # The same event stands twice in a store of this schema: two edges.
        assert roles(trace) == ["uses", "produces", "produces", "reuses"]
    assert [f.code for f in store.snapshot().findings] == ["duplicate_event"]


def test_nodes_without_a_time_count_from_their_first_event(tmp_path: Path):
    store = ml.connect(odd_stores.old(tmp_path / "old.db"))
    graph = store.lineage()
    moment = odd_stores.START + 102  # the first two events
    expected = ["artifact/1", "artifact/2", "artifact/5", "execution/1", "execution/5"]
    assert list(graph.as_of(moment)) == expected
    for asked in (graph, store):
        assert nodes(asked.downstream(1, as_of=moment)) == [
            "artifact/1",
            "artifact/2",
            "execution/1",
        ]
        assert nodes(asked.upstream(5, as_of=moment)) == ["artifact/5"]
        with pytest.raises(ml.errors.NotFoundError):
            asked.upstream(3, as_of=moment)


@pytest.mark.parametrize(
    "moment",
    ["2020-09-13T12:26:40.102Z", "2020-09-13T14:26:40.102+02:00", "2020-09-13 12:26:40.102"],
)
def test_a_moment_may_be_written_as_text(moment: str):
    graph = LineageGraph(odd_stores.tables([(1, 1, INPUT), (2, 1, OUTPUT), (3, 1, OUTPUT)]))
    assert len(graph.downstream(1, as_of=moment)) == 3
    assert graph.downstream(1, as_of=moment).complete


# What is odd


def test_an_event_with_two_keys_is_one_edge_with_both(tmp_path: Path):
    store = ml.connect(odd_stores.odd(tmp_path / "odd.db"))
    for trace in (store.lineage(), store.downstream(1), store.snapshot().frames):
        frame = trace.edges if isinstance(trace, LineageGraph) else trace.events()
        assert frame.loc[1, "path"] == ("entrée", 0, "again", 3)
        assert frame.loc[2, "path"] == ("model",)
        assert frame.loc[3, "path"] == ()


def test_inputs_that_are_outputs_too_make_a_cycle():
    graph = LineageGraph(odd_stores.tables([(1, 1, INPUT), (1, 1, OUTPUT), (2, 1, OUTPUT)]))
    assert nodes(graph.upstream(1)) == ["artifact/1", "execution/1"]
    assert nodes(graph.upstream(2)) == ["artifact/1", "artifact/2", "execution/1"]
    assert graph.upstream(2).hops.tolist() == [2, 0, 1]
    assert nodes(graph.between(1, 1)) == ["artifact/1", "execution/1"]
    assert graph.roots == ()
    assert graph.leaves == ("artifact/2",)


def test_several_events_between_one_pair_are_several_edges():
    graph = LineageGraph(odd_stores.tables([(1, 1, 2), (1, 1, INPUT), (1, 1, 5)]))
    assert roles(graph) == ["uses", "uses", "internal"]
    assert len(graph.downstream(1).edges) == 2
    assert len(graph.downstream(1, internal=True).edges) == 3


def test_what_has_no_row_is_walked_through_and_said():
    tables = odd_stores.tables(
        [(1, 1, INPUT), (2, 1, OUTPUT), (2, 2, INPUT), (3, 2, OUTPUT)],
        rowless=["execution/1", "artifact/2"],
    )
    for asked in (LineageGraph(tables), odd_stores.live(tables)):
        trace = asked.upstream(3)
        assert nodes(trace) == [
            "artifact/1",
            "artifact/2",
            "artifact/3",
            "execution/1",
            "execution/2",
        ]
        frame = trace.nodes
        assert frame.index[frame["missing"]].tolist() == ["artifact/2", "execution/1"]
        assert frame.loc["artifact/2", ["type", "uri", "create_time_since_epoch"]].isna().all()
        assert [f.subject for f in trace.findings] == ["artifact/2", "execution/1"]
        assert trace.complete
        assert nodes(asked.downstream("artifact/2")) == ["artifact/2", "artifact/3", "execution/2"]
        assert len(asked.between("execution/1", 3)) == 4


def test_events_of_no_known_type_are_no_edges(tmp_path: Path):
    store = ml.connect(odd_stores.odd(tmp_path / "odd.db"))
    graph = store.lineage()
    assert not {20, 21} & set(graph.edges.index)
    told = [f for f in store.snapshot().findings if f.code == "unknown_event_type"]
    assert [f.subject for f in told] == ["event/20", "event/21"]
    with pytest.raises(ml.errors.NotFoundError):
        graph.upstream("execution/11")


@pytest.mark.slow
def test_ids_may_be_huge(tmp_path: Path):
    big = 2**40
    edges = [(big, big, INPUT), (big + 7, big, OUTPUT), (big + 7, big + 2, INPUT)]
    path = odd_stores.store(
        tmp_path / "huge.db",
        {
            "Artifact": [odd_stores.artifact(n, type_id=big) for n in (big, big + 7)],
            "Execution": [odd_stores.execution(n) for n in (big, big + 2)],
            "Event": odd_stores.events(edges),
        },
    )
    huge_type = f"INSERT INTO Type (id, name, type_kind) VALUES ({big}, 'Huge', 1)"  # noqa: S608
    sqlite_stores.change(path, huge_type)
    store = ml.connect(path)
    archive = ml.connect(store.snapshot().save(tmp_path / "archive"))
    for asked in (store, store.lineage(), archive):
        trace = asked.downstream(big, until="Huge")
        assert nodes(trace) == [
            f"artifact/{big}",
            f"artifact/{big + 7}",
            f"execution/{big}",
        ]
        assert trace.truncated_by == ("until",)
        assert trace.nodes["id"].tolist() == [big, big + 7, big]
        assert trace.nodes["type"].tolist()[:2] == ["Huge", "Huge"]
        for number in (2**63, 2**64, 10**30):
            with pytest.raises(ml.errors.NotFoundError):
                asked.upstream(number)


def test_a_store_may_be_empty(tmp_path: Path):
    store = ml.connect(odd_stores.store(tmp_path / "empty.db", {"Type": []}))
    graph = store.lineage()
    assert (len(graph), graph.roots, graph.leaves, graph.findings) == (0, (), (), ())
    assert graph.nodes.empty
    assert graph.edges.empty
    assert repr(graph) == "<LineageGraph: 0 artifacts, 0 executions, 0 events>"
    for asked in (store, graph, graph.as_of(0)):
        with pytest.raises(ml.errors.NotFoundError, match="no artifact/1"):
            asked.upstream(1)


def test_what_is_in_a_graph():
    graph = LineageGraph(odd_stores.tables([(1, 3, INPUT)]))
    assert "artifact/1" in graph
    assert 1 in graph
    assert "execution/3" in graph
    for other in ("execution/1", "context/3", "artifact/1\n", "artifact", 2, 1.0, None, True):
        assert other not in graph


def test_anything_with_a_key_stands_for_a_node():
    class View:
        node_key = "execution/3"

    graph = LineageGraph(odd_stores.tables([(1, 3, INPUT)]))
    assert nodes(graph.upstream(View())) == ["artifact/1", "execution/3"]


def test_a_way_that_does_not_exist_is_empty():
    tables = odd_stores.tables([(1, 1, INPUT), (2, 1, OUTPUT)])
    for asked in (LineageGraph(tables), odd_stores.live(tables)):
        trace = asked.between(2, 1)
        assert len(trace) == 0
        assert trace.complete
        assert (trace.starts, trace.end) == (("artifact/2",), "artifact/1")
        assert (trace.roots, trace.leaves, trace.boundary) == ((), (), ())
        assert trace.nodes.empty
        assert trace.edges.empty


def test_a_trace_says_what_it_answers():
    graph = LineageGraph(odd_stores.tables([(1, 1, INPUT), (2, 1, OUTPUT)]))
    trace = graph.upstream(2, max_hops=1)
    assert (trace.direction, trace.starts, trace.end) == ("upstream", ("artifact/2",), None)
    assert (trace.complete, trace.truncated_by) == (False, ("max_hops",))
    assert trace.boundary == ("execution/1",)
    assert graph.downstream(1).direction == "downstream"
    assert graph.between(1, 2).direction == "between"
    assert repr(trace) == "<Trace: 1 artifact, 1 execution, 1 event; cut by max_hops>"
    # What it asks for is not what bounds it.
    asked = graph.upstream(2, reuse=True, internal=True, as_of=2**50)
    assert asked.complete
    assert asked.truncated_by == ()


def test_an_answer_to_a_question_to_what_was_cut_says_so():
    graph = LineageGraph(odd_stores.tables([(1, 1, INPUT), (2, 1, OUTPUT), (2, 2, INPUT)]))
    cut = graph.upstream("execution/2", max_hops=2)
    assert cut.boundary == ("execution/1",)
    for again in (cut.upstream("execution/2"), cut.upstream(2), cut.as_of(2**50).upstream(2)):
        assert (again.complete, again.truncated_by) == (False, ("max_hops",))
        assert again.boundary == ("execution/1",)
        assert again.upstream(2).boundary == ("execution/1",)
    # It does not come to where it was cut, or not by what it was cut.
    assert cut.upstream(2, max_hops=0).boundary == ("artifact/2",)
    assert cut.downstream(2).complete
    assert graph.upstream("execution/2").upstream(2).complete


# What is deep or wide


def chain(hops: int) -> list[odd_stores.Edge]:
    pairs = ((n, n) for n in range(1, hops // 2 + 1))
    return [e for a, x in pairs for e in ((a, x, INPUT), (a + 1, x, OUTPUT))]


HOPS = 100_000
LIVE_HOPS = 20_000


@pytest.fixture(scope="module")
def long_chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return odd_stores.graph(tmp_path_factory.mktemp("chain") / "chain.db", chain(HOPS))


@pytest.mark.slow
def test_a_chain_of_100_000_hops_is_answered_whole(long_chain: Path):
    graph = ml.connect(long_chain).lineage()
    for trace in (graph.upstream(HOPS // 2 + 1), graph.downstream(1)):
        assert len(trace) == HOPS + 1
        assert trace.hops.max() == HOPS
        assert trace.complete
    assert len(graph.between(1, HOPS // 2 + 1)) == HOPS + 1
    started = time.process_time()
    graph.upstream(HOPS // 2 + 1)
    assert time.process_time() - started < 20


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the statements that SQLite is asked."""
    asked: list[str] = []
    execute: Callable[..., Any] = SQLiteSession._execute

    def counted(self: SQLiteSession, statement: str, parameters: tuple[str, ...]) -> Any:
        asked.append(statement)
        return execute(self, statement, parameters)

    monkeypatch.setattr(SQLiteSession, "_execute", counted)
    return asked


@pytest.mark.slow
def test_a_chain_of_20_000_hops_is_answered_live(long_chain: Path, statements: list[str]):
    store = ml.connect(long_chain)
    trace = store.upstream(LIVE_HOPS // 2 + 1)
    assert len(trace) == LIVE_HOPS + 1
    assert trace.hops.max() == LIVE_HOPS
    assert trace.complete
    # Along a narrow way many hops are fetched at once.
    assert len(statements) < LIVE_HOPS / 25


def test_another_process_looks_ahead_too(tmp_path: Path, statements: list[str]):
    path = odd_stores.deep(tmp_path / "deep.db", 200)
    expected = list(ml.connect(path).lineage().upstream(201))
    with sqlite_stores.connected(path):  # so this process has the file open
        assert list(ml.connect(path).upstream(201)) == expected
    assert statements == []


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> tuple[ml.Store, LineageGraph]:
    """Return a store with a long chain, and its graph."""
    store = ml.connect(odd_stores.deep(tmp_path_factory.mktemp("deep") / "deep.db", 120))
    return store, store.lineage()


@pytest.mark.parametrize("way", ["upstream", "downstream"])
@pytest.mark.parametrize(
    "question",
    [
        {},
        {"reuse": True},
        {"internal": True, "reuse": True},
        {"max_hops": 61},
        {"max_hops": 8, "reuse": True},
        {"as_of": odd_stores.START + 1060},
        {"until": "Model"},
        {"types": ["Data"]},
    ],
)
@pytest.mark.slow
def test_looking_ahead_changes_no_answer(
    deep: tuple[ml.Store, LineageGraph],
    way: str,
    question: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
):
    store, graph = deep
    asked = {}
    for node in ("artifact/1", "artifact/121", "execution/60", "artifact/1007"):
        memory = getattr(graph, way)(node, **question)
        for patience in (1, 10**9):
            monkeypatch.setattr("mlmd_lineage.lineage.fetching.prefetch.PATIENCE", patience)
            trace = getattr(store, way)(node, **question)
            found = (list(trace), trace.hops.tolist(), trace.boundary, trace.truncated_by)
            assert found == (
                list(memory),
                memory.hops.tolist(),
                memory.boundary,
                memory.truncated_by,
            )
            assert trace.edges.equals(memory.edges)
            assert asked.setdefault(node, found) == found


def test_where_the_server_cannot_look_ahead_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(SQLiteSession, "reachable", lambda *_: None)
    store = ml.connect(odd_stores.deep(tmp_path / "deep.db"))
    assert list(store.upstream(91)) == list(store.lineage().upstream(91))


@pytest.mark.slow
def test_fans_of_20_000_are_answered(tmp_path: Path):
    count = 20_000
    edges = [
        *((n, 1, OUTPUT) for n in range(2, count + 2)),
        (1, 1, INPUT),
        *((n, 2, INPUT) for n in range(2, count + 2)),
        (count + 2, 2, OUTPUT),
    ]
    store = ml.connect(odd_stores.graph(tmp_path / "fan.db", edges))
    for asked in (store, store.lineage()):
        assert len(asked.downstream(1)) == len(asked.upstream(count + 2)) == count + 4
        assert len(asked.between(1, count + 2)) == count + 4
        cut = asked.downstream(1, max_hops=1)
        assert cut.boundary == ("execution/1",)


# The number of round trips


class CountingReader:
    """Counts how often a session is asked."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.fetches: list[str] = []
        self.sessions = 0

    def read(self, _: Any = None) -> Any:
        message = "a live question does not read the store"
        raise AssertionError(message)

    def ask(self, question: Callable[[Any], Any]) -> Any:
        self.sessions += 1
        counted = self.fetches

        class Session:
            def __init__(self, session: Any) -> None:
                self._session = session
                self.source = session.source

            def fetch(self, table: str, where: Any) -> Any:
                counted.append(table)
                return self._session.fetch(table, where)

        return self._reader.ask(lambda session: question(Session(session)))


def layers(width: int, depth: int) -> list[odd_stores.Edge]:
    """Return executions in layers, each of which takes two artifacts of the layer before."""
    made = []
    for layer in range(depth):
        for n in range(width):
            run, base = layer * width + n + 1, layer * width
            made += [
                (base + n + 1, run, INPUT),
                (base + (n + 1) % width + 1, run, INPUT),
                (base + width + n + 1, run, OUTPUT),
            ]
    return list(dict.fromkeys(made))


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"reuse": True, "internal": True},
        {"as_of": 2**45},
        {"until": "Model"},
        {"types": ["Data", "Train"]},
    ],
)
def test_round_trips_are_bounded_for_each_hop(tmp_path: Path, question: dict[str, Any]):
    counts = {}
    for depth in (4, 8):
        for width in (2, 400):
            path = odd_stores.graph(tmp_path / f"{depth}-{width}.db", layers(width, depth))
            plain = ml.connect(path)
            start, end = 1, depth * width + 1
            for way, node in (("upstream", end), ("downstream", start)):
                reader = CountingReader(plain._reader)
                store = ml.Store(plain.metadata_store, reader=reader)
                trace = getattr(store, way)(node, **question)
                assert trace.hops.max() == 2 * depth
                assert reader.sessions == 1
                counts[way, depth, width] = len(reader.fetches)
    for way in ("upstream", "downstream"):
        # As many for a frontier of 2 as for one of 400; and for each hop at most two.
        assert counts[way, 4, 2] == counts[way, 4, 400]
        assert counts[way, 8, 2] == counts[way, 8, 400]
        assert counts[way, 8, 2] - counts[way, 4, 2] <= 8 * 2
        assert counts[way, 4, 2] <= 8 * 2 + 12


def test_a_live_trace_fetches_contexts_when_they_are_asked_for(tmp_path: Path):
    plain = ml.connect(odd_stores.odd(tmp_path / "odd.db"))
    reader = CountingReader(plain._reader)
    trace = ml.Store(plain.metadata_store, reader=reader).downstream(1)
    assert "Attribution" not in reader.fetches
    assert trace.tables["Context"]["name"].to_pylist() == [f"контекст {n}" for n in (1, 2, 3)]
    assert reader.sessions == 2
    assert trace.tables["Attribution"]["id"].to_pylist() == [1, 2, 3]
    assert reader.sessions == 2
