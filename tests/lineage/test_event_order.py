"""Producers by time: who published an artifact before it was taken, and who only afterwards."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import odd_stores
import pytest
from closure_oracle import Oracle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_walks import edge_set, stores

import mlmd_lineage as ml
from mlmd_lineage.lineage.graph import LineageGraph
from mlmd_lineage.lineage.shortest_ways import ShortestWays
from mlmd_lineage.snapshot.finding_codes import FindingCode
from mlmd_lineage.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlmd_lineage.snapshot.tables import Tables

INPUT, OUTPUT = odd_stores.INPUT, odd_stores.OUTPUT
FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
# artifact/1 is published by 1 and, after 2 took it, by 3; 4 took it then. 2 and 4 made 2 and 3.
AGAIN = [
    (1, 1, OUTPUT),
    (1, 2, INPUT),
    (2, 2, OUTPUT),
    (1, 3, OUTPUT),
    (1, 4, INPUT),
    (3, 4, OUTPUT),
]


@pytest.fixture(params=["memory", "live", "archive"])
def importer(
    request: pytest.FixtureRequest, shared_cases: Path, tmp_path: Path
) -> ml.Store | LineageGraph:
    """Return a store in which an importer writes the same artifact on 30 days."""
    store = ml.connect(shared_cases / "kfp_importer_reuse.db")
    if request.param == "memory":
        return store.lineage()
    return store if request.param == "live" else ml.connect(store.snapshot().save(tmp_path / "a"))


def executions(graph: LineageGraph) -> list[int]:
    found: list[int] = graph.index.execution_ids.tolist()
    return found


def test_an_importer_of_later_days_stands_above_no_earlier_model(importer: Any):
    assert executions(importer.upstream("artifact/2")) == [2, 3]
    assert executions(importer.upstream("artifact/3")) == [2, 5, 6]
    assert len(executions(importer.upstream("artifact/31"))) == 31
    assert len(executions(importer.upstream("artifact/2", later=True))) == 31
    # The artifact itself came from all of them.
    assert len(executions(importer.upstream("artifact/1"))) == 30
    last = importer.downstream("execution/89")
    assert list(last) == ["artifact/1", "artifact/31", "execution/89", "execution/90"]
    assert len(executions(importer.downstream("execution/2"))) == 31
    assert list(importer.between("execution/89", "artifact/2")) == []
    assert len(importer.between("execution/89", "artifact/2", later=True)) == 4
    assert importer.upstream("artifact/2").complete
    assert importer.upstream("artifact/2").findings == ()


def test_impact_of_a_later_import_names_no_earlier_model(shared_cases: Path):
    store = ml.connect(shared_cases / "kfp_importer_reuse.db")
    assert store.impact("execution/89").models["node"].tolist() == ["artifact/31"]
    impact = store.impact("execution/86")
    assert impact.models["node"].tolist() == ["artifact/30", "artifact/31"]
    assert impact.models.loc[1, "path"] == (
        "execution/86",
        "artifact/1",
        "execution/90",
        "artifact/31",
    )
    assert len(store.impact("artifact/1").models) == 30
    assert store.diff("artifact/2", "artifact/31").text()


def test_a_result_that_only_a_validation_wrote_has_it_as_its_producer(shared_cases: Path):
    store = ml.connect(shared_cases / "cmf_validation.db")
    for source in (store, store.lineage()):
        expected = ["artifact/1", "artifact/2", "execution/1", "execution/2"]
        assert list(source.upstream("artifact/2")) == expected
        assert list(source.downstream("artifact/1")) == [*expected[:2], "execution/2"]


def test_one_that_wrote_it_again_is_later_in_the_eyes_of_whoever_took_it_before():
    graph = LineageGraph(odd_stores.tables(AGAIN))
    roles = dict(zip(graph.edges.index, graph.edges["role"], strict=True))
    assert roles == {1: "produces", 2: "uses", 3: "produces", 4: "later", 5: "uses", 6: "produces"}
    assert graph.producers(1) == ("execution/1",)
    # Where only 4 took it, both had written it before.
    assert set(graph.upstream(3).edges["role"]) == {"produces", "uses"}
    shown = graph.upstream(2, later=True)
    assert list(shown.edges["role"]) == ["produces", "uses", "produces", "later"]
    assert '"later": true' in shown.to_json()
    line = next(line for line in shown.to_dot().splitlines() if "OUTPUT (later), event 4" in line)
    assert line.endswith('style="dotted"];')
    assert "execution3 -.-> artifact1" in shown.to_mermaid()
    assert "upstream of artifact/2, later" in shown.to_svg()
    seen = shown.to_networkx()
    assert seen.edges["execution/3", "artifact/1", 4]["role"] == "later"
    assert list(seen.pred["artifact/1"]) == ["execution/1", "execution/3"]


@pytest.mark.parametrize("way", ["upstream", "downstream", "between"])
def test_later_must_be_a_flag(way: str):
    graph = LineageGraph(odd_stores.tables(AGAIN))
    nodes = (1, 2) if way == "between" else (1,)
    with pytest.raises(ml.errors.ConfigurationError, match="later is True or False"):
        getattr(graph, way)(*nodes, later="yes")


@pytest.fixture
def told() -> Callable[..., list[str]]:
    """Return a function that gives the findings on a graph, on answers, and on live answers."""

    def findings(times: dict[int, int | None], *nodes: int) -> list[str]:
        tables = odd_stores.tables(AGAIN, times=times)
        graph, store = LineageGraph(tables), odd_stores.live(tables)
        for node in nodes:
            assert store.upstream(node).findings == graph.upstream(node).findings
        return [str(finding) for node in nodes for finding in graph.upstream(node).findings]

    return findings


def test_findings_of_an_answer_from_an_archive_read_no_whole_table(tmp_path: Path):
    """They compare times with those of all events of the answer's artifacts."""
    tables = odd_stores.tables(AGAIN, times={2: odd_stores.START})
    saved = ml.connect(Snapshot.of(tables).save(tmp_path / "archive")).lineage()
    [found] = saved.upstream(2).findings
    assert found.code == FindingCode.USED_BEFORE_PRODUCED
    assert "_whole" not in vars(saved.tables)
    assert not {"incoming", "outgoing", "_whole_nodes"} & vars(saved.index).keys()
    assert saved.findings == LineageGraph(tables).findings


def test_what_was_taken_before_anyone_wrote_it_comes_from_the_first_that_did(
    told: Callable[..., list[str]],
):
    early = {2: odd_stores.START}
    graph = LineageGraph(odd_stores.tables(AGAIN, times=early))
    assert executions(graph.upstream(2)) == [1, 2]
    assert executions(graph.downstream("execution/3")) == [3, 4]
    assert told(early, 2, 3) == [
        (
            "artifact/1: execution/2 took it before any execution had written it; the first that "
            "did, execution/1, stands for its producer (used_before_produced)"
        )
    ]
    assert [finding.code for finding in graph.findings] == ["used_before_produced"]
    assert FindingCode.USED_BEFORE_PRODUCED.meaning


def test_events_without_a_time_bind_nothing_and_it_is_said(told: Callable[..., list[str]]):
    for untimed in ({2: None}, {4: 0}, {1: None, 2: None, 4: None, 5: None}):
        graph = LineageGraph(odd_stores.tables(AGAIN, times=untimed))
        assert executions(graph.upstream(2)) == [1, 2, 3]
        assert [finding.code for finding in graph.findings] == ["untimed_event"]
    assert told({2: None}, 2) == [
        (
            "artifact/1: several executions wrote it, and one of its events has no time: such an "
            "event counts as early enough for all (untimed_event)"
        )
    ]
    assert told({3: None, 6: None}, 2, 3) == []
    assert FindingCode.UNTIMED_EVENT.meaning


def test_at_equal_times_what_was_published_counts():
    same = dict.fromkeys(range(1, 7), odd_stores.START)
    graph = LineageGraph(odd_stores.tables(AGAIN, times=same))
    assert executions(graph.upstream(2)) == [1, 2, 3]
    assert graph.findings == ()


def test_a_store_that_imports_and_trains_in_turn_is_walked_in_linear_time():
    days = 3_000
    edges = [
        edge
        for day in range(days)
        for edge in (
            (1, 2 * day + 1, OUTPUT),
            (1, 2 * day + 2, INPUT),
            (day + 2, 2 * day + 2, OUTPUT),
            (day + 2, 2 * day + 4, INPUT),
        )
    ]
    graph = LineageGraph(odd_stores.tables(edges))
    # Each model was trained from the one of the day before, so each day opens an earlier deadline.
    assert len(executions(graph.upstream(days + 1))) == 2 * days
    assert len(executions(graph.upstream(2))) == 2
    down = graph.downstream("execution/1")
    assert len(executions(down)) == days + 2
    assert len(executions(graph.downstream(f"execution/{2 * days - 1}"))) == 3


@FEW
@given(stores(), st.booleans(), st.sampled_from(["upstream", "downstream"]))
def test_shortest_ways_are_ways_that_count(tables: Tables, later: bool, way: str):  # noqa: FBT001 - drawn
    graph = LineageGraph(tables)
    up = way == "upstream"
    oracle = Oracle(graph, reuse=True, internal=True, later=later)
    for node in graph:
        trace = getattr(graph, way)(node, reuse=True, internal=True, later=later)
        ways = ShortestWays(trace)
        for other, hops in zip(trace, trace.hops.tolist(), strict=True):
            keys = ways.to(other)
            assert (keys[0], keys[-1], len(keys)) == (node, other, hops + 1)
            came: list[Any] = [None]
            for at, following in itertools.pairwise(keys):
                came = [
                    event
                    for before in came
                    for event in oracle.onward(at, before, up=up)
                    if (event.source if up else event.target) == following
                ]
                assert came


@FEW
@given(stores())
def test_a_later_question_of_an_answer_is_one_of_the_graph(tables: Tables):
    graph = LineageGraph(tables)
    for node in list(graph)[:5]:
        trace = graph.upstream(node, reuse=True, internal=True, later=True)
        assert set(trace.upstream(node)) == set(graph.upstream(node))
        assert edge_set(trace.upstream(node)) == edge_set(graph.upstream(node))
