"""Archives at URLs for which Spark has no file system of its own: tasks read them by fsspec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import merged_stores
import pytest

import mlmd_lineage as ml
from mlmd_lineage import errors, spark
from mlmd_lineage.spark import remote_tables, saving
from mlmd_lineage.spark.session import explained

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support"),
]


@pytest.fixture(scope="module")
def archive(shared_stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("remote") / "archive"
    [first, *_] = sorted(shared_stores.glob("*.db"))
    stores = [ml.connect(first).snapshot(), merged_stores.star(20).snapshot()]
    ml.Snapshot.of(merged_stores.merged(stores)).save(folder)
    return folder


@pytest.fixture
def of_a_scheme(archive: Path) -> Iterator[str]:
    """Yield the URL of the archive in a scheme that Hadoop does not know."""
    unregister = ml.register_scheme("team", "file")
    yield f"team://{archive}"
    unregister()


@pytest.fixture
def bucket(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the archive by a local server that speaks S3; yield its URL."""
    s3fs = pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim")
    options = {"endpoint_url": f"http://{host}:{port}", "key": "key", "secret": "geheim"}
    try:
        files = s3fs.S3FileSystem(**options)
        files.mkdir("bucket")
        for path in archive.iterdir():
            files.pipe_file(f"bucket/archive/{path.name}", path.read_bytes())
        unregister = ml.register_scheme("s3", "s3", **options)
        yield "s3://bucket/archive"
        unregister()
    finally:
        server.stop()


@pytest.mark.parametrize("place", ["of_a_scheme", "bucket"])
def test_an_archive_at_a_url(
    spark_session: Any, archive: Path, place: str, request: pytest.FixtureRequest
):
    url = request.getfixturevalue(place)
    assert not remote_tables.has_hadoop_module(spark_session, url)
    found = spark.connect(url, session=spark_session)
    local = spark.connect(archive, session=spark_session)
    for name, rows in local.tables.frames.items():
        assert found.tables.collected(name).equals(local.tables.collected(name)), name
        assert found.tables[name].columns == rows.columns
    assert found.tables["Event"].count()
    start = f"artifact/{merged_stores.APART + 1}"
    reached = {row.node for row in found.impact([start]).reached.collect()}
    assert reached == set(ml.connect(archive).impact(start).to_pandas()["node"])


def test_where_spark_cannot_write_is_said(spark_session: Any):
    rows = spark_session.range(3)
    assert remote_tables.has_hadoop_module(spark_session, "file:///folder")
    with (
        pytest.raises(errors.StoreError, match=r"Spark could not write team://.*team") as raised,
        explained("write team://folder"),
    ):
        rows.write.parquet("team://folder")
    assert "\n" not in str(raised.value)


_OF_A_TASK = """[PYTHON_EXCEPTION] An exception was thrown from the Python worker: \
Traceback (most recent call last):
  File "worker.py", line 1, in main
ModuleNotFoundError: No module named 'mlmd_lineage'

\tat org.apache.spark.X
"""
_OF_JAVA = """An error occurred while calling o1.getResult.
: org.apache.spark.SparkException: Exception thrown in awaitResult:\x20
\tat org.apache.spark.X
Caused by: org.apache.spark.SparkException: [FAILED_READ_FILE.FILE_NOT_EXIST] There is none.
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            _OF_A_TASK,
            r"ModuleNotFoundError: No module named 'mlmd_lineage'\. Executors need Python",
        ),
        (_OF_JAVA, r"FILE_NOT_EXIST\] There is none\. All executors have to see a folder"),
    ],
)
def test_the_line_that_says_why(text: str, said: str):
    pyspark = pytest.importorskip("pyspark.errors")
    with (
        pytest.raises(errors.StoreError, match=f"^Spark could not answer: .*{said}") as raised,
        explained("answer"),
    ):
        raise pyspark.PySparkException(text)
    assert "\n" not in str(raised.value)


def test_rows_that_are_not_there_are_an_error(
    spark_session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As where each machine has a folder of its own under one name."""
    rows = spark_session.range(3)
    saving.write(rows, str(tmp_path / "data [1]"))
    saving.write(rows.where("id < 0"), str(tmp_path / "none"))
    monkeypatch.setattr(saving, "literal", lambda _: str(tmp_path / "none"))
    with pytest.raises(errors.StoreError, match=r"wrote 3 rows to .*, and only 0 are there"):
        saving.write(rows, str(tmp_path / "lost"))
