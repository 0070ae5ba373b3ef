"""Opens stores on Apache Spark: archives, folders of Parquet files and databases."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlmd_lineage.readers.registry import reader_for
from mlmd_lineage.spark import jdbc, sources
from mlmd_lineage.spark.parts import LARGEST_PART
from mlmd_lineage.spark.session import session_of
from mlmd_lineage.spark.store import SparkStore
from mlmd_lineage.stores.archive import ArchiveMetadataStore
from mlmd_lineage.stores.urls import metadata_store_from

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pyspark.sql import SparkSession

_DATABASES = ("mysql://", "mysql+pymysql://", "postgresql://", "postgres://", "sqlite://")


def connect(  # noqa: PLR0913 - each stands alone
    target: str | os.PathLike[str],
    *,
    session: SparkSession | None = None,
    largest: int = LARGEST_PART,
    jars: str | Collection[str] = (),
    partitions: int | None = None,
    options: Mapping[str, str] | None = None,
) -> SparkStore:
    """Return a store on Apache Spark: an archive, a folder of Parquet files, or a database.

    >>> store = mlmd_lineage.spark.connect("s3://bucket/archive")
    >>> store.impact(["artifact/1", "artifact/7"]).reached.show()

    Args:
        target: The folder of an archive, or its URL; or a folder with a folder of Parquet files
            for each of MLMD's tables, as ``SparkStore.write_parquet()`` writes it; or the URL of a
            database, ``mysql://`` or ``postgresql://``, as ``mlmd_lineage.connect()`` takes it.
        session: The Spark session; without, the one that is running, or a new one.
        largest: How many nodes a component may have; a task holds one in its memory.
        jars: The file of the database's JDBC driver, for a new session.
        partitions: How many statements read a table of a database at once; by default as many as
            Spark has cores.
        options: Options for Spark's JDBC source and for the driver.

    Raises:
        ConfigurationError: pyspark, Java or the driver is missing, or it is an SQLite file.
        StoreError: There is no archive and no such folder.
    """
    text = os.fspath(target)
    sources.refuse_sqlite(text)
    is_database = text.startswith(_DATABASES)
    # What is wrong with a path is said before Spark starts, which takes seconds.
    is_archive = not is_database and sources.is_archive(text)
    if not is_database:
        sources.check_there(text)
    spark = session_of(session, [jars] if isinstance(jars, str) else jars)
    if is_database:
        tables = jdbc.open_database(
            metadata_store_from(text), spark, partitions=partitions, options=options
        )
        return SparkStore(tables, largest=largest)
    if not is_archive:
        return SparkStore(sources.open_parquet(text, spark), largest=largest)
    place = ArchiveMetadataStore(uri=text)
    return SparkStore(sources.open_archive(place, spark), reader_for(place), largest=largest)
