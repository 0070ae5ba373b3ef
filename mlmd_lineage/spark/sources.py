"""Opens archives and folders of Parquet files as Spark DataFrames."""

from __future__ import annotations

import itertools
import os
import re
import stat
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.readers.archive_files import FolderFiles
from mlmd_lineage.readers.parquet import ArchiveReader
from mlmd_lineage.readers.parquet_file import reading
from mlmd_lineage.readers.sqlite.files import MAGIC
from mlmd_lineage.snapshot.tables import ALL_TABLES
from mlmd_lineage.spark import remote_tables
from mlmd_lineage.spark.packed_rows import ORDINAL, schema_of
from mlmd_lineage.spark.session import explained
from mlmd_lineage.spark.spark_tables import SparkTables
from mlmd_lineage.stores.archive import ArchiveMetadataStore
from mlmd_lineage.stores.credentials import MISTYPED, holds_credentials
from mlmd_lineage.stores.local_paths import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from mlmd_lineage.readers.archive_manifest import Manifest

_PATTERNS = re.compile(r"[{}\[\]*?\\]")
"""What means something in a path that Hadoop looks up."""
_HADOOP = {"s3": "s3a"}
"""The schemes of object storage that Hadoop's file systems call otherwise."""


def open_archive(store: ArchiveMetadataStore, session: SparkSession) -> SparkTables:
    """Return the tables of an archive, of the generation that is asked for.

    Spark reads the Parquet files itself: it does not compare them with the archive's checksums.
    Their sizes are compared in a folder of this machine, as Spark takes an empty file for one
    without rows. Where it has no file system for a URL, tasks read them by fsspec, as one machine
    does.

    Raises:
        StoreError: There is no archive, or it cannot be read.
        DamagedStoreError: A file is not of the size that the manifest says.
        ConfigurationError: It lies in a bundle, whose files Spark cannot read one by one.
    """
    reader = ArchiveReader(store)
    manifest = reader.manifest
    if store.url is None and not isinstance(reader.files, FolderFiles):
        message = (
            f"{store.uri} is a bundle, and Spark reads archives; write one with "
            f"'mlmd-lineage snapshot {store.uri} DIR'."
        )
        raise errors.ConfigurationError(message)
    if isinstance(reader.files, FolderFiles):
        _check_sizes(reader.files, manifest)
    base = _file_url(store.path) if store.url is None else _hadoop_url(store.url)
    by_spark = store.url is None or (
        not store.url.startswith("http") and remote_tables.has_hadoop_module(session, base)
    )
    with explained(f"read {store.uri}"):
        frames = {
            name: _parquet(session, name, [f"{base}/{file}" for file in members])
            if by_spark
            else remote_tables.table(session, reader.files, name, members, manifest.files)
            for name, members in ((name, manifest.tables[name]) for name in ALL_TABLES)
        }
    return SparkTables(
        session,
        frames,
        source=manifest.source,
        schema_version=manifest.schema_version,
        taken_at=manifest.taken_at,
        noted=reader.table_notes(),
    )


def _check_sizes(files: FolderFiles, manifest: Manifest) -> None:
    """Refuse an archive of which a table's file is cut off, replaced or missing."""
    for name in itertools.chain.from_iterable(manifest.tables.get(name, ()) for name in ALL_TABLES):
        path = files.path / name
        described = manifest.files.get(name)
        with reading(path):
            status = path.stat()
        # Earlier releases wrote no sizes into manifests, and no Parquet file is empty.
        expected = (described.size or status.st_size) if described else 0
        if not stat.S_ISREG(status.st_mode) or not status.st_size == expected > 0:
            message = (
                f"{path} is not the file that its manifest describes: it was changed or damaged. "
                "Restore the archive from a copy."
            )
            raise errors.DamagedStoreError(message)


def open_parquet(folder: str, session: SparkSession) -> SparkTables:
    """Return the tables of a folder that has a folder of Parquet files for each of them.

    Such a folder is what ``SparkStore.write_parquet()`` writes; another tool may have written it
    with MLMD's columns. A table of which there is none is empty.

    Raises:
        NotAMetadataStoreError: It has none of artifacts, executions or events.
    """
    from pyspark.errors import AnalysisException

    base = folder.rstrip("/")
    frames, missing = {}, []
    for name in ALL_TABLES:
        try:
            frames[name] = _parquet(session, name, [f"{base}/{name}"])
        except AnalysisException:
            missing.append(name)
            frames[name] = session.createDataFrame([], _with_ordinal(name))
    needed = [name for name in ("Artifact", "Execution", "Event") if name in missing]
    if needed:
        message = (
            f"{folder} is neither an archive, with a {MANIFEST}, nor a folder of MLMD's tables: it "
            f"holds no {' and no '.join(needed)}."
        )
        raise errors.NotAMetadataStoreError(message)
    return SparkTables(session, frames, source=folder)


def refuse_sqlite(target: str) -> None:
    """Refuse an SQLite file, which one machine reads.

    Raises:
        ConfigurationError: It is one.
    """
    path = target.removeprefix("file://")
    if not os.path.isfile(path):  # noqa: PTH113 - may be a URL
        return
    with open(path, "rb") as file:  # noqa: PTH123 - likewise
        is_sqlite = file.read(len(MAGIC)) == MAGIC
    if is_sqlite:
        message = (
            f"{target} is an SQLite file, which one machine reads. Save it as an archive with "
            f"'mlmd-lineage snapshot {target} DIR', and ask that."
        )
        raise errors.ConfigurationError(message)


def check_there(target: str) -> None:
    """Refuse a path of this machine where there is nothing.

    Raises:
        NotAMetadataStoreError: There is nothing.
        ConfigurationError: It looks like a URL with a password, which is not repeated.
    """
    path = target.removeprefix("file://")
    if "://" not in path and not os.path.exists(path):  # noqa: PTH110 - may be a URL
        if holds_credentials(path):
            message = f"The store's name {MISTYPED}"
            raise errors.ConfigurationError(message)
        message = (
            f"There is no {target}: give the folder or the URL of an archive, or of a folder with "
            "a folder of Parquet files for each table."
        )
        raise errors.NotAMetadataStoreError(message)


def is_archive(target: str) -> bool:
    """Tell whether a folder of this machine or a URL means an archive."""
    if "://" in target and not target.startswith("file://"):
        try:
            _ = ArchiveReader(ArchiveMetadataStore(uri=target)).manifest
        except errors.NotAMetadataStoreError:
            return False
        return True
    return os.path.exists(os.path.join(target, MANIFEST)) or os.path.isfile(target)  # noqa: PTH110, PTH113, PTH118 - may be a URL


def _file_url(path: Path) -> str:
    """Return the URL of a path as Hadoop has it, in which nothing is percent-encoded."""
    return f"file:///{path.as_posix().lstrip('/')}"


def _hadoop_url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{_HADOOP.get(scheme, scheme)}://{rest}"


def literal(path: str) -> str:
    """Return a path as Hadoop looks it up: "[1]" in a name is no pattern of others."""
    return _PATTERNS.sub(r"\\\g<0>", path)


def _with_ordinal(table: str) -> str:
    return schema_of(table) + (f", {ORDINAL} bigint" if table == "EventPath" else "")


def _parquet(session: SparkSession, table: str, paths: list[str]) -> DataFrame:
    from pyspark.sql import functions as f

    found = session.read.schema(schema_of(table)).parquet(*map(literal, paths))
    if table != "EventPath":
        return found
    # The steps of a path stand beside each other in one file.
    return found.withColumn(ORDINAL, f.col("_metadata.row_index"))
