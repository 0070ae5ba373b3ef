"""Names and files that were not meant well, on Spark."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import merged_stores
import pyarrow as pa
import pytest

from mlmd_lineage import errors, spark
from mlmd_lineage.readers.parquet import ArchiveReader
from mlmd_lineage.spark import jdbc, opening, remote_tables, session, sources
from mlmd_lineage.stores import (
    ArchiveMetadataStore,
    MySQLMetadataStore,
    PostgreSQLMetadataStore,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support"),
]
NOBODY: Any = None


@pytest.mark.parametrize(
    "target",
    [
        "u:hidden-pw@host/d",
        "mysql//u:hidden-pw@host/d",
        "file://u:hidden-pw@host/x",
        "pw=1 pwd=hidden-pw",
    ]
    + [f"{scheme}://u:hidden-pw@host/d" for scheme in ("MYSQL", "mariadb", "jdbc:mysql", "s3a")],
)
def test_a_mistyped_url_is_not_repeated(target: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(opening, "session_of", pytest.fail)
    with pytest.raises(errors.ConfigurationError, match="not repeated") as refused:
        spark.connect(target)
    assert "hidden-pw" not in str(refused.value)


@pytest.mark.parametrize("store", [MySQLMetadataStore, PostgreSQLMetadataStore])
@pytest.mark.parametrize(
    ("host", "database"),
    [
        ("db", "m?autoDeserialize=true"),
        ("db", "m?socketFactory=x&socketFactoryArg=y"),
        ("db", "m;a=b"),
        ("db", "m%3Fa=b"),
        ("db,impostor", "m"),
        ("db?a=b", "m"),
        ("(host=db)", "m"),
    ],
)
def test_no_name_adds_options_of_jdbc(store: Any, host: str, database: str):
    place = store(host=host, database=database, username="u", password="pw")
    with pytest.raises(errors.ConfigurationError, match="in a URL of JDBC"):
        jdbc.open_database(place, NOBODY)


@pytest.mark.parametrize(
    "jar",
    ["https://host/x.jar", "ivy://group:name:1", "nowhere.jar", "https://u:hidden-pw@h/x.jar"],
)
def test_a_driver_is_a_file_of_this_machine(jar: str, monkeypatch: pytest.MonkeyPatch):
    sql: Any = pytest.importorskip("pyspark.sql")
    monkeypatch.setattr(sql.SparkSession, "getActiveSession", lambda: None)
    monkeypatch.setattr(session, "_check_java", lambda: None)
    with pytest.raises(errors.ConfigurationError, match="no file of this machine") as refused:
        session.session_of(jars=[jar])
    assert "hidden-pw" not in str(refused.value)


class Tasks:
    """A session that runs what executors would run."""

    def createDataFrame(self, rows: pa.Table) -> Tasks:  # noqa: N802 - Spark's name
        self.rows = rows
        return self

    def mapInArrow(self, task: Any, schema: str) -> list[pa.RecordBatch]:  # noqa: N802 - Spark's
        del schema
        return list(task(iter(self.rows.to_batches())))


def test_tasks_read_what_the_manifest_describes_only(tmp_path: Path):
    """As on one machine: another file, and far more rows than there can be, are errors."""
    reader = ArchiveReader(
        ArchiveMetadataStore(uri=merged_stores.star(3).snapshot().save(tmp_path))
    )
    tasks: Any = Tasks()
    described = reader.manifest.files
    members = reader.manifest.tables["Event"]
    read: Any = remote_tables.table(tasks, reader.files, "Event", members, described)
    assert pa.Table.from_batches(read).num_rows == described[members[0]].rows
    other = {members[0]: described[members[0]]._replace(sha256="0" * 64)}
    with pytest.raises(errors.DamagedStoreError, match="is not the file that its manifest"):
        remote_tables.table(tasks, reader.files, "Event", members, other)
    less = {members[0]: described[members[0]]._replace(size=10)}
    with pytest.raises(errors.DamagedStoreError):
        remote_tables.table(tasks, reader.files, "Event", members, less)


@pytest.mark.parametrize("damage", ["empty", "cut off", "a pipe", "missing"])
def test_files_of_other_sizes_are_refused(damage: str, tmp_path: Path):
    """Spark takes an empty file and a pipe for tables without rows."""
    merged_stores.star(3).snapshot().save(tmp_path / "archive")
    path = tmp_path / "archive" / "Event.parquet"
    held = path.read_bytes()
    path.unlink()
    if damage == "a pipe":
        os.mkfifo(path)
    elif damage != "missing":
        path.write_bytes(held[: 0 if damage == "empty" else -1])
    with pytest.raises(errors.DamagedStoreError, match=re.escape(str(path))):
        sources.open_archive(ArchiveMetadataStore(uri=tmp_path / "archive"), NOBODY)


@pytest.mark.long
def test_a_folder_may_be_called_anything(spark_session: Any, tmp_path: Path):
    """Hadoop takes some names for patterns of others, and decodes nothing."""
    made = merged_stores.star(3).snapshot()
    events = len(made["Event"])
    for name in ("a?b", "a-b", "data [1] a%20{x,y}"):
        store = spark.connect(made.save(tmp_path / name / "archive"), session=spark_session)
        assert store.tables["Event"].count() == events
        store.write_parquet(tmp_path / name / "tables")
    for name in ("a?b", "data [1] a%20{x,y}"):
        store = spark.connect(tmp_path / name / "tables", session=spark_session)
        assert store.tables["Event"].count() == events
