"""The guide's job on a cluster, sent by ``spark-submit``: executors are processes of their own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import merged_stores
import pyarrow.parquet as pq
import pytest
import spark_cluster

import mlmd_lineage as ml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
_DATASETS = ("artifact/1", "artifact/2", f"artifact/{merged_stores.APART + 7}")

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[spark_cluster.Cluster]:
    pytest.importorskip("pyspark")
    with spark_cluster.running(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive") / "archive"
    stores = [merged_stores.star(40).snapshot(), merged_stores.chain(300).snapshot()]
    ml.Snapshot.of(merged_stores.merged(stores)).save(folder)
    return folder


def test_the_job_of_the_guide(cluster: spark_cluster.Cluster, archive: Path, tmp_path: Path):
    text = (ROOT / "docs" / "spark.md").read_text(encoding="utf-8")
    [code] = re.findall(r"^```python\n(# impact_job.py\n.*?)^```$", text, re.MULTILINE | re.DOTALL)
    job, datasets, target = (tmp_path / name for name in ("impact_job.py", "datasets.txt", "out"))
    job.write_text(code, encoding="utf-8")
    datasets.write_text("\n".join(_DATASETS), encoding="utf-8")
    cluster.submit(job, archive, datasets, target)
    found = pq.read_table(target)
    one_machine = ml.connect(archive)
    expected = {
        (start, node)
        for start in _DATASETS
        for node in one_machine.impact(start).to_pandas()["node"]
    }
    assert expected
    assert set(zip(found["start"].to_pylist(), found["node"].to_pylist(), strict=True)) == expected
    assert cluster.executors() == ["work-0", "work-1"]
