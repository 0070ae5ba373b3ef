"""Questions on Apache Spark: the same answers as on one machine, on all stores that there are."""

from __future__ import annotations

import itertools
import json
import shutil
from typing import TYPE_CHECKING, Any

import merged_stores
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from made_runs import Made
from spark_frames import cells, expected_closure, frame, of_starts, same

import mlmd_lineage as ml
from mlmd_lineage import errors, spark
from mlmd_lineage.dialects.registry import dialects
from mlmd_lineage.post_execution.loading.run_outlines import RunOutlines
from mlmd_lineage.post_execution.loading.step_images import needs_all
from mlmd_lineage.snapshot.json_values import json_value
from mlmd_lineage.spark import components, parts, sources
from mlmd_lineage.spark.parts import EVENTS, edges

if TYPE_CHECKING:
    from pathlib import Path

    from mlmd_lineage.spark import SparkStore

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support"),
]


def some_nodes(store: ml.Store, step: int) -> list[str]:
    """Return some artifacts and executions of each of the merged stores."""
    graph = store.lineage()
    return list(graph)[::step]


@pytest.fixture(scope="module")
def merged_archive(shared_stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive of all shared stores and generated ones, each with ids of its own."""
    files = sorted([*shared_stores.glob("*.db"), *shared_stores.glob("real/*.db")])
    snapshots = [ml.connect(file).snapshot() for file in files]
    made = [merged_stores.chain(400).snapshot(), merged_stores.star(60).snapshot()]
    folder = tmp_path_factory.mktemp("merged") / "archive"
    ml.Snapshot.of(merged_stores.merged([*snapshots, *made])).save(folder)
    return folder


@pytest.fixture(scope="module")
def one_machine(merged_archive: Path) -> ml.Store:
    """Return the merged store on one machine."""
    return ml.connect(merged_archive)


@pytest.fixture(scope="module")
def spark_store(merged_archive: Path, spark_session: Any) -> Any:
    """Return the merged store on Spark."""
    from mlmd_lineage import spark

    return spark.connect(merged_archive, session=spark_session)


@pytest.mark.parametrize(
    "direction", [pytest.param("upstream", marks=pytest.mark.long), "downstream"]
)
def test_closures_of_many_nodes(spark_store: SparkStore, one_machine: ml.Store, direction: str):
    starts = some_nodes(one_machine, 70)
    graph = one_machine.lineage()
    found = of_starts(frame(getattr(spark_store, direction)(starts)))
    assert set(found) == set(starts)
    for start in starts:
        same(found[start], expected_closure(getattr(graph, direction)(start)))


@pytest.mark.long
def test_bounds_of_closures(spark_store: SparkStore, one_machine: ml.Store):
    starts = some_nodes(one_machine, 120)
    bounds = {
        "max_hops": 3,
        "until": "Model",
        "reuse": True,
        "later": True,
    }
    graph = one_machine.lineage()
    found = of_starts(frame(spark_store.downstream(starts, **bounds)))
    truncated = 0
    for start in starts:
        trace = graph.downstream(start, **bounds)
        truncated += not trace.complete
        same(found[start], expected_closure(trace))
    assert truncated


@pytest.mark.long
def test_one_closure_of_many_nodes(spark_store: SparkStore, one_machine: ml.Store):
    starts = some_nodes(one_machine, 120)
    graph = one_machine.lineage()
    found = frame(spark_store.upstream(starts, together=True, as_of="2024-01-01T00:05"))
    there = graph.as_of("2024-01-01T00:05")
    expected = {node for start in starts if start in there for node in there.upstream(start)}
    assert set(found["node"]) == expected
    assert found["start"].isna().all()


@pytest.mark.long
def test_components(spark_store: SparkStore, one_machine: ml.Store):
    found: dict[str, set[str]] = {}
    for row in spark_store.components().collect():
        found.setdefault(row.component, set()).add(row.node)
    graph = nx.Graph(one_machine.lineage().to_networkx(copy=True))
    expected = {frozenset(part) for part in nx.connected_components(graph)}
    assert {frozenset(part) for part in found.values()} == expected
    assert all(name in part for name, part in found.items())


@pytest.mark.long
@pytest.mark.parametrize("most_links", [components.MOST_LINKS, 10])
def test_components_across_partitions(spark_store: SparkStore, spark_session: Any, most_links: int):
    """Edges of a chain that lie anywhere leave many links, as each task sees few of them."""
    pairs = spark_session.range(0, 2000).selectExpr("id * 7919 % 2003 AS u", "id AS n")
    order = pairs.toArrow().sort_by("n")["u"].to_pylist()
    chain = spark_session.createDataFrame(list(itertools.pairwise(order)), "u long, v long")
    found = components.components(chain.repartition(3), most_links=most_links).toArrow()
    assert set(found["node"].to_pylist()) == set(order)
    assert found.num_rows == len(order)
    assert set(found["component"].to_pylist()) == {min(order)}
    assert edges(spark_store.tables, (EVENTS,)).columns == ["u", "v"]


@pytest.mark.long
def test_components_that_more_edges_join(spark_session: Any):
    """Those of some edges, and then of others, are those of all of them."""
    pairs = [(3, 1), (3, 2), (7, 6), (8, 7), (20, 21)]
    more = [(8, 2), (30, 6), (41, 40)]

    def of(some: list[tuple[int, int]]) -> Any:
        return spark_session.createDataFrame(some, "u long, v long")

    def rows(frame: Any) -> list[tuple[int, int]]:
        return sorted(map(tuple, frame.collect()))

    known = components.components(of(pairs))
    assert rows(components.joined(known, of(more))) == rows(components.components(of(pairs + more)))
    assert rows(components.joined(known, of(more).where("u < 0"))) == rows(known)


def test_labels_of_some_edges():
    generator = np.random.default_rng(7)
    first, second = generator.integers(0, 500, (2, 300))
    made = dict(zip(*(part.tolist() for part in components.labels(first, second)), strict=True))
    graph = nx.Graph(list(zip(first.tolist(), second.tolist(), strict=True)))
    assert made == {n: min(part) for part in nx.connected_components(graph) for n in part}


@pytest.mark.long
def test_impact(spark_store: SparkStore, one_machine: ml.Store):
    starts = [node for node in some_nodes(one_machine, 110) if node.startswith("artifact/")]
    answers = spark_store.impact(starts)
    rows = answers.rows.toArrow().to_pandas()
    texts = rows[rows["node"].isna()].set_index("start")["text"]
    reached = 0
    for start in starts:
        impact = one_machine.impact(start)
        assert texts[start] == impact.text()
        own = rows[(rows["start"] == start) & rows["node"].notna()]
        wanted = impact.to_pandas()
        assert own["node"].tolist() == wanted["node"].tolist()
        assert [tuple(path) for path in own["path"]] == wanted["path"].tolist()
        assert cells(own["run"]) == cells(wanted["run"])
        reached += len(wanted)
    assert reached


@pytest.mark.long
@pytest.mark.parametrize("name", ["runs", "steps", "parameters", "metrics"])
def test_frames(spark_store: SparkStore, one_machine: ml.Store, name: str):
    expected = getattr(one_machine.frames, name)()
    expected = expected.reset_index() if expected.index.name else expected
    if name == "parameters":
        texts = [json.dumps(json_value(v), ensure_ascii=False) for v in expected["value"]]
        expected = expected.assign(value=texts)
    assert len(expected)
    same(frame(getattr(spark_store.frames, name)()), expected)


@pytest.mark.long
def test_no_executor_is_given_whole_tables(
    merged_archive: Path, spark_session: Any, monkeypatch: pytest.MonkeyPatch
):
    """Spark takes tables for as small as their files, and would broadcast all of these."""
    monkeypatch.setattr(parts, "FEW", 0)
    store = spark.connect(merged_archive, session=spark_session)
    # Only the nodes that are asked about.
    impact = store.impact(["artifact/1"]).rows
    for rows, count in ((impact, 1), (store.frames.steps(), 0), (store.findings, 0)):
        plan = rows._jdf.queryExecution().executedPlan().toString()
        assert "SortMergeJoin" in plan
        assert plan.count("BroadcastHashJoin") == count


@pytest.fixture(scope="module")
def odd_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive of runs that outlines and single properties do not tell."""
    made = Made()
    for number in range(6):
        pipeline = made.context("system.Pipeline", f"pipeline-{number}")
        run = made.context("system.PipelineRun", f"run-{number}", parents=[pipeline])
        for root in range(1 + number % 2):
            made.execution("system.DAGExecution", [pipeline, run], name=f"root-{root}")
    workspace = made.context("kubeflow.org/alpha/workspace", "3:workspace")
    depth = {"ALL_META": '{"hyperparameters": {"depth": 3}}'}
    model = made.artifact("kubeflow.org/alpha/model", custom=depth)
    made.execution("train", [workspace], custom={"__kf_run__": "run"}, outputs={"model": model})
    experiment = made.context("kf.ExperimentRun", "1:experiment", properties={"status": "FAILED"})
    metrics = made.artifact("kf.Metric", name="1:loss", properties={"value": 0.5})
    made.rows["Attribution"].append({"id": 1, "context_id": experiment, "artifact_id": metrics})
    folder = tmp_path_factory.mktemp("odd") / "archive"
    made.store().snapshot().save(folder)
    return folder


@pytest.mark.long
@pytest.mark.parametrize("name", ["runs", "parameters", "metrics"])
def test_frames_that_need_all_rows(
    odd_archive: Path, spark_session: Any, monkeypatch: pytest.MonkeyPatch, name: str
):
    one_machine = ml.connect(odd_archive)
    tables = one_machine.snapshot()
    assert RunOutlines(tables, dialects()).runs() is None
    types = tables["Type"]["name"].to_pylist()
    assert needs_all("parameters", dialects(), types)
    assert needs_all("metrics", dialects(), types)
    monkeypatch.setattr(parts, "_FEWEST", 1)  # some parts need them, and others do not
    found = frame(getattr(spark.connect(odd_archive, session=spark_session).frames, name)())
    expected = getattr(one_machine.frames, name)()
    expected = expected.reset_index() if expected.index.name else expected
    assert len(expected)
    if name == "parameters":
        expected = expected.assign(value=[json.dumps(json_value(v)) for v in expected["value"]])
    same(found, expected)


def test_findings(spark_store: SparkStore, one_machine: ml.Store):
    expected = [(str(one.code), one.subject, one.detail) for one in one_machine.findings]
    assert expected
    assert [tuple(row) for row in spark_store.findings.collect()] == expected


@pytest.mark.long
@pytest.mark.parametrize("contexts", [True, False])
def test_an_archive_of_a_part(
    spark_store: SparkStore,
    one_machine: ml.Store,
    tmp_path: Path,
    contexts: bool,  # noqa: FBT001 - a parameter
):
    models = one_machine.frames.artifacts(type="Model", runs=False)
    start = f"artifact/{models.index[0]}"
    part = ml.connect(spark_store.save(tmp_path / "part", [start], contexts=contexts))
    for direction in ("upstream", "downstream"):
        found, expected = (getattr(store, direction)(start) for store in (part, one_machine))
        pd.testing.assert_frame_equal(found.nodes, expected.nodes)
        pd.testing.assert_frame_equal(found.edges, expected.edges)
    assert part.impact(start).text() == one_machine.impact(start).text()
    if contexts:
        run = part.frames.runs()
        pd.testing.assert_frame_equal(run, one_machine.frames.runs().loc[run.index])


@pytest.mark.long
def test_tables_as_parquet(
    spark_store: SparkStore, spark_session: Any, one_machine: ml.Store, tmp_path: Path
):
    folder = str(tmp_path / "tables")
    spark_store.write_parquet(folder)
    again = spark.connect(folder, session=spark_session)
    saved = ml.connect(again.save(tmp_path / "archive")).snapshot()
    before = one_machine.snapshot()
    for name in before.names:
        assert saved[name].equals(before[name]), name
    name = before["Artifact"].filter(before["Artifact"]["uri"].is_valid())["uri"][-1].as_py()
    assert frame(again.upstream(name, max_hops=1))["node"].tolist() == list(
        one_machine.upstream(name, max_hops=1)
    )


@pytest.mark.long
def test_what_is_not_there_is_said(
    spark_store: SparkStore, spark_session: Any, merged_archive: Path, tmp_path: Path
):
    with pytest.raises(errors.NotFoundError, match="no artifact/77777777"):
        spark_store.upstream(["artifact/1", "artifact/77777777"])
    with pytest.raises(errors.NotFoundError, match="no artifact or execution type"):
        spark_store.upstream("artifact/1", until="Modell")
    small = spark.connect(merged_archive, session=spark_session, largest=50)
    with pytest.raises(errors.ConfigurationError, match="is in a component of"):
        small.frames.runs()
    with pytest.raises(errors.StoreError, match="neither an archive"):
        spark.connect(tmp_path, session=spark_session)
    shutil.copyfile(merged_archive / "manifest.json", tmp_path / "manifest.json")
    with pytest.raises(errors.StoreError, match=r"missing from the archive|Spark could not read"):
        spark.connect(tmp_path, session=spark_session)
    place = ml.ArchiveMetadataStore(uri="http://127.0.0.1:9/archive")
    with pytest.raises(errors.StoreError, match=r"127\.0\.0\.1:9/archive.*cannot be read"):
        sources.open_archive(place, spark_session)
