"""From a metadata store to the reader that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import _proto, errors
from mlmd_lineage.stores import (
    ArchiveMetadataStore,
    BaseMetadataStore,
    KubeflowMetadataStore,
    MySQLMetadataStore,
    PostgreSQLMetadataStore,
    SQLiteMetadataStore,
)

if TYPE_CHECKING:
    from mlmd_lineage.readers.base import Reader


def reader_for(store: BaseMetadataStore) -> Reader:
    """Return the reader for a metadata store; a flavor of one's own is read by its config.

    Raises:
        ConfigurationError: Its ``connection_config()`` means no database that can be read.
    """
    if isinstance(store, SQLiteMetadataStore):
        from mlmd_lineage.readers.sqlite.reader import SQLiteReader

        return SQLiteReader(store)
    if isinstance(store, MySQLMetadataStore):
        from mlmd_lineage.readers.mysql.reader import MySQLReader

        return MySQLReader(store)
    if isinstance(store, PostgreSQLMetadataStore):
        from mlmd_lineage.readers.postgresql.reader import PostgreSQLReader

        return PostgreSQLReader(store)
    if isinstance(store, KubeflowMetadataStore):
        from mlmd_lineage.readers.grpc.reader import KubeflowReader

        return KubeflowReader(store)
    if isinstance(store, ArchiveMetadataStore):
        from mlmd_lineage.readers.parquet import ArchiveReader

        return ArchiveReader(store)
    return reader_for(built_in(store))


def built_in(store: BaseMetadataStore) -> BaseMetadataStore:
    """Return the built-in store that a ConnectionConfig means."""
    with _proto.only_ours():
        config: Any = store.connection_config()
    if config.DESCRIPTOR.name == "MetadataStoreClientConfig":
        return _service(config)
    kind = config.WhichOneof("config")
    if kind == "sqlite":
        return SQLiteMetadataStore(uri=config.sqlite.filename_uri)
    if kind == "mysql":
        return MySQLMetadataStore(**_mysql_fields(config))
    if kind == "postgresql":
        return PostgreSQLMetadataStore(**_postgresql_fields(config))
    what = f"a {kind}" if kind else "nothing"
    message = (
        f"The connection_config() of flavor {store.FLAVOR!r} means {what}; this release reads "
        "sqlite, mysql and postgresql."
    )
    raise errors.ConfigurationError(message)


def _service(config: Any) -> KubeflowMetadataStore:
    """Return the service that a MetadataStoreClientConfig means.

    Raises:
        ConfigurationError: It holds certificates, which it does as texts and not as files.
    """
    if config.HasField("ssl_config"):
        message = (
            "A MetadataStoreClientConfig with certificates cannot be read from: return a "
            "KubeflowMetadataStore's, or inherit from it, which takes them as files."
        )
        raise errors.ConfigurationError(message)
    fields = {"host": config.host, "port": config.port}
    if config.HasField("client_timeout_sec"):
        fields["timeout"] = config.client_timeout_sec
    return KubeflowMetadataStore(**fields)


def _mysql_fields(config: Any) -> dict[str, object]:
    mysql = config.mysql
    options = mysql.ssl_options
    fields = {
        "host": mysql.host,
        "port": mysql.port or None,
        "database": mysql.database,
        "username": mysql.user,
        "password": mysql.password or None,
        "ssl_ca": options.ca or None,
        "ssl_cert": options.cert or None,
        "ssl_key": options.key or None,
    }
    if mysql.HasField("ssl_options"):
        fields["ssl_verify_server_cert"] = options.verify_server_cert
        fields["ssl"] = True
    return {name: value for name, value in fields.items() if value is not None}


def _postgresql_fields(config: Any) -> dict[str, object]:
    postgresql = config.postgresql
    options = postgresql.ssloption
    fields = {
        "host": postgresql.host or postgresql.hostaddr,
        "port": postgresql.port or None,
        "database": postgresql.dbname,
        "username": postgresql.user,
        "password": postgresql.password or None,
        "sslmode": options.sslmode or None,
        "ssl_ca": options.sslrootcert or None,
        "ssl_cert": options.sslcert or None,
        "ssl_key": options.sslkey or None,
    }
    return {name: value for name, value in fields.items() if value is not None}
