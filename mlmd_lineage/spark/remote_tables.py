"""Reads archives at URLs by fsspec, in the tasks, where Spark has no Hadoop module for them.

Each task takes whole files, which an archive keeps small: about a million rows.
"""

from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003 - pyspark reads the types of a task
from typing import TYPE_CHECKING

import pyarrow as pa

from mlmd_lineage.readers.parquet_file import file_table
from mlmd_lineage.snapshot.tables import SCHEMAS
from mlmd_lineage.spark.packed_rows import ORDINAL, schema_of, spark_type
from mlmd_lineage.spark.session import without_pandas_warning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame, SparkSession

    from mlmd_lineage.readers.archive_files import ArchiveFiles
    from mlmd_lineage.readers.archive_manifest import FileDescription

_MOST_ROWS = 1 << 40
"""More rows than a file has: ordinals of different files do not meet."""
_TOGETHER = 1 << 16
_ARROW = {
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "binary": pa.binary(),
}


def has_hadoop_module(session: SparkSession, url: str) -> bool:
    """Return whether Spark's own file systems read a URL."""
    from py4j.protocol import Py4JJavaError

    context = session.sparkContext
    settings = context._jsc.hadoopConfiguration()  # noqa: SLF001 - pyspark has no public name for it
    try:
        context._jvm.org.apache.hadoop.fs.FileSystem.getFileSystemClass(  # noqa: SLF001 - likewise
            url.partition("://")[0], settings
        )
    except Py4JJavaError:
        return False
    return True


def table(
    session: SparkSession,
    files: ArchiveFiles,
    name: str,
    members: Sequence[str],
    described: Mapping[str, FileDescription],
) -> DataFrame:
    """Return a table of an archive.

    Args:
        session: The Spark session.
        files: The files of the archive; tasks take them along, with their credentials if
            ``register_scheme()`` was told some, else find these where they run.
        name: MLMD's name of the table.
        members: The names of its files.
        described: What the manifest says of them: as on one machine, a server that sends something
            else, without end or what unpacks to far more than there is, is an error.
    """
    of_members = {member: described.get(member) for member in members}

    def of_files(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for member, number in zip(
                *(batch[n].to_pylist() for n in batch.schema.names), strict=True
            ):
                found = file_table(files, member, name, of_members[member], is_remote=True)
                yield from _rows(found, name, number)

    schema = schema_of(name) + (f", {ORDINAL} bigint" if name == "EventPath" else "")
    numbers = pa.array(range(len(members)), pa.int64())
    listed = pa.table([pa.array(members, pa.string()), numbers], names=["member", "number"])
    with without_pandas_warning():
        return session.createDataFrame(listed).mapInArrow(of_files, schema)


def _rows(found: pa.Table, name: str, number: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file with Spark's types."""
    start = number * _MOST_ROWS
    for batch in found.to_batches(max_chunksize=_TOGETHER):
        made = {
            field.name: batch[field.name].cast(_ARROW[spark_type(field.type)])
            for field in SCHEMAS[name]
        }
        if name == "EventPath":
            made[ORDINAL] = pa.array(range(start, start + batch.num_rows), pa.int64())
            start += batch.num_rows
        yield pa.RecordBatch.from_pydict(made)
