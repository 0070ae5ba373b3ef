"""The registry of writers: maps a metadata store to what writes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.readers.registry import built_in
from mlmd_lineage.stores import (
    ArchiveMetadataStore,
    BaseMetadataStore,
    KubeflowMetadataStore,
    MySQLMetadataStore,
    PostgreSQLMetadataStore,
    SQLiteMetadataStore,
)

if TYPE_CHECKING:
    from mlmd_lineage.writing.writer import Writer


def writer_for(store: BaseMetadataStore) -> Writer:
    """Return the writer for a metadata store; a flavor of one's own is written by its config.

    Raises:
        ConfigurationError: Nothing can be written to it.
    """
    if isinstance(store, SQLiteMetadataStore):
        from mlmd_lineage.writing.sql.sqlite_writer import SQLiteWriter

        return SQLiteWriter(store)
    if isinstance(store, MySQLMetadataStore):
        from mlmd_lineage.writing.sql.mysql_writer import MySQLWriter

        return MySQLWriter(store)
    if isinstance(store, PostgreSQLMetadataStore):
        from mlmd_lineage.writing.sql.postgresql_writer import PostgreSQLWriter

        return PostgreSQLWriter(store)
    if isinstance(store, KubeflowMetadataStore):
        from mlmd_lineage.writing.grpc import GRPCWriter

        return GRPCWriter(store)
    if isinstance(store, ArchiveMetadataStore):
        message = (
            f"{store.location()} is an archive, which never changes. Write to the store that it "
            "was made of."
        )
        raise errors.ConfigurationError(message)
    return writer_for(built_in(store))
