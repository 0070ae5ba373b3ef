"""Several machines: workers that share no path with the driver, and executors that end.

The archive lies in an S3 bucket, which tasks read.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import merged_stores
import networkx as nx
import pyarrow.parquet as pq
import pytest
import spark_machines
import waiting
from spark_frames import cells, expected_closure, of_starts, of_table, same
from spark_machines import BUCKET, Refused

import mlmd_lineage as ml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    from spark_machines import Driver, Machines

_STARTS = [f"artifact/{merged_stores.APART * at + 1}" for at in range(3)]

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def archive(shared_stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive") / "archive"
    real = ml.connect(shared_stores / "real" / "tfx_sepsis_2022_06.db").snapshot()
    made = [merged_stores.star(40).snapshot(), merged_stores.chain(300).snapshot()]
    ml.Snapshot.of(merged_stores.merged([real, *made])).save(folder)
    return folder


@pytest.fixture(scope="module")
def one_machine(archive: Path) -> ml.Store:
    return ml.connect(archive)


@pytest.fixture(scope="module")
def machines(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    for name in ("pyspark", "s3fs", "moto"):
        pytest.importorskip(name)
    try:
        with spark_machines.running(tmp_path_factory.mktemp("machines"), archive) as machines:
            yield machines
    except spark_machines.MissingMachinesError as error:
        pytest.skip(f"several machines: {error}")


@pytest.fixture(scope="module")
def driver(machines: Machines) -> Iterator[Driver]:
    """Run a driver that keeps steps with the executors only."""
    with machines.driver() as driver:
        yield driver


def rows(driver: Driver, task: str, **arguments: object) -> pd.DataFrame:
    return of_table(pq.read_table(driver.ask(task, **arguments)))


def check_downstream(found: pd.DataFrame, one_machine: ml.Store) -> None:
    graph, by_start = one_machine.lineage(), of_starts(found)
    assert set(by_start) == set(_STARTS)
    for start in _STARTS:
        same(by_start[start], expected_closure(graph.downstream(start)))


def test_components_and_closures(driver: Driver, machines: Machines, one_machine: ml.Store):
    driver.ask("connect", url=BUCKET)
    found: dict[str, set[str]] = {}
    for row in rows(driver, "components").itertuples():
        found.setdefault(str(row.component), set()).add(str(row.node))
    graph = nx.Graph(one_machine.lineage().to_networkx(copy=True))
    expected = {frozenset(part) for part in nx.connected_components(graph)}
    assert {frozenset(part) for part in found.values()} == expected
    check_downstream(rows(driver, "downstream", nodes=_STARTS), one_machine)
    assert all(worker.executors() for worker in machines.workers)


def test_impact(driver: Driver, one_machine: ml.Store):
    driver.ask("connect", url=BUCKET)
    found = rows(driver, "impact", nodes=_STARTS)
    reached = 0
    for start in _STARTS:
        own, expected = found[found["start"] == start], one_machine.impact(start).to_pandas()
        for name in ("node", "run", "hops", "path"):
            assert cells(own[name]) == cells(expected[name]), name
        reached += len(expected)
    assert reached


def test_runs(driver: Driver, one_machine: ml.Store):
    driver.ask("connect", url=BUCKET)
    expected = one_machine.frames.runs().reset_index()
    assert len(expected)
    same(rows(driver, "runs"), expected)


def test_findings(driver: Driver, one_machine: ml.Store):
    driver.ask("connect", url=BUCKET)
    expected = [(str(one.code), one.subject, one.detail) for one in one_machine.findings]
    assert expected
    assert list(rows(driver, "findings").itertuples(index=False, name=None)) == expected


def test_executors_that_end_between_questions(
    driver: Driver, machines: Machines, one_machine: ml.Store
):
    """What only they had kept is lost: an error says so, and the next connection answers."""
    driver.ask("connect", url=BUCKET)
    driver.ask("components")
    for worker in machines.workers:
        worker.kill_executor()
    with pytest.raises(Refused, match=r"StoreError: Spark could not .*Connect again") as refused:
        driver.ask("downstream", nodes=_STARTS)
    assert "setCheckpointDir" in str(refused.value)
    assert "\n" not in str(refused.value)
    driver.ask("connect", url=BUCKET)
    check_downstream(rows(driver, "downstream", nodes=_STARTS), one_machine)


def test_an_executor_that_ends_amid_a_question(
    driver: Driver, machines: Machines, one_machine: ml.Store
):
    """The answer is right, or there is none."""
    driver.ask("connect", url=BUCKET)
    for worker in machines.workers:
        before = worker.tasks()
        driver.begin("downstream", nodes=_STARTS)
        worker.kill_amid_tasks(before)
        try:
            found = of_table(pq.read_table(driver.answer()))
        except Refused as error:
            assert "CHECKPOINT_RDD_BLOCK_ID_NOT_FOUND" in str(error)  # noqa: PT017 - or right
            driver.ask("connect", url=BUCKET)
        else:
            check_downstream(found, one_machine)


def test_executors_that_end_do_not_matter_with_checkpoints(
    machines: Machines, one_machine: ml.Store
):
    with machines.driver() as driver:
        driver.ask("connect", url=BUCKET, checkpoints=str(machines.shared / "checkpoints"))
        driver.ask("components")
        for worker in machines.workers:
            worker.kill_executor()
        check_downstream(rows(driver, "downstream", nodes=_STARTS), one_machine)
        for worker in machines.workers:
            before = worker.tasks()
            driver.begin("downstream", nodes=_STARTS)
            worker.kill_amid_tasks(before)
            check_downstream(of_table(pq.read_table(driver.answer())), one_machine)
        # A folder of that name on each machine is not one that they share.
        own = str(machines.alone / "checkpoints")
        driver.ask("connect", url=BUCKET, checkpoints=own)
        with pytest.raises(Refused, match="has to be one that all machines share"):
            driver.ask("components")


def test_folders_that_machines_do_not_share(driver: Driver, machines: Machines, archive: Path):
    driver.ask("connect", url=BUCKET)
    with pytest.raises(Refused, match=r"StoreError: Spark wrote .* are there: .* all machines"):
        driver.ask("write", folder=str(machines.alone / "tables"))
    shared = str(machines.shared / "tables")
    driver.ask("write", folder=shared)
    expected = ml.connect(archive).snapshot()
    for name in expected.names:
        assert pq.read_table(f"{shared}/{name}").num_rows == expected[name].num_rows, name
    copy = shutil.copytree(archive, machines.alone / "archive")
    driver.ask("connect", url=str(copy))
    with pytest.raises(Refused, match=r"StoreError: Spark could not .*under the same path"):
        driver.ask("findings")


def test_a_driver_that_workers_do_not_reach(machines: Machines):
    """Its own name leads to nowhere, as a container's often does; Spark says that it waits."""
    with machines.driver(spark_driver_host="nowhere.example") as driver:
        driver.begin("connect", url=BUCKET)
        waiting.until(lambda: "Initial job has not accepted any resources" in driver.log())
