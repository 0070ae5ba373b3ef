"""The registry of readers: which one reads a metadata store, by the store's flavor."""

from __future__ import annotations

import pkgutil
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlmd_lineage import _proto, errors, stores
from mlmd_lineage.stores.local_paths import LocalStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.readers.base import Reader
    from mlmd_lineage.stores import BaseMetadataStore, KubeflowMetadataStore


_READERS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        (f"mlmd_lineage.stores.{module}", flavor): f"mlmd_lineage.readers.{reader}"
        for module, flavor, reader in (
            ("sqlite", "SQLiteMetadataStore", "sqlite.reader:SQLiteReader"),
            ("mysql", "MySQLMetadataStore", "mysql.reader:MySQLReader"),
            ("postgresql", "PostgreSQLMetadataStore", "postgresql.reader:PostgreSQLReader"),
            ("kubeflow", "KubeflowMetadataStore", "grpc.reader:KubeflowReader"),
            (
                "kubeflow_archive",
                "KubeflowArchiveMetadataStore",
                "kubeflow_archive.reader:KubeflowArchiveReader",
            ),
            ("archive", "ArchiveMetadataStore", "parquet:ArchiveReader"),
        )
    }
)
"""The reader of each flavor, by the flavor's module and name.

Neither module is imported before it is needed, and with a reader's comes its driver.
"""


def reader_for(store: BaseMetadataStore | LocalStore) -> Reader:
    """Return the reader for a metadata store.

    >>> reader_for(SQLiteMetadataStore(uri="metadata.db"))
    <mlmd_lineage.readers.sqlite.reader.SQLiteReader object at ...>

    A flavor that inherits from one with a reader has the same; any other is read as the store that
    its ``connection_config()`` describes.

    Raises:
        ConfigurationError: Its ``connection_config()`` means no database that can be read.
    """
    if isinstance(store, LocalStore):
        flavors = [store.flavor]
    else:
        flavors = [(flavor.__module__, flavor.__qualname__) for flavor in type(store).__mro__]
    for flavor in flavors:
        if flavor in _READERS:
            made: Reader = pkgutil.resolve_name(_READERS[flavor])(store)
            return made
    assert not isinstance(store, LocalStore)
    return reader_for(built_in(store))


def built_in(store: BaseMetadataStore) -> BaseMetadataStore:
    """Return the store of a built-in flavor that a ``connection_config()`` describes."""
    from mlmd_lineage.stores.base import connection_config_of

    with _proto.only_ours():
        config: Any = connection_config_of(store)
    # The store gets no more than the one that describes it: see mlmd_lineage.config.origin.
    with store.as_made():
        return _described(store, config)


def _described(store: BaseMetadataStore, config: Any) -> BaseMetadataStore:
    if config.DESCRIPTOR.name == "MetadataStoreClientConfig":
        return _service(config)
    kind = config.WhichOneof("config")
    if kind == "sqlite":
        return stores.SQLiteMetadataStore(uri=config.sqlite.filename_uri)
    if kind == "mysql":
        return stores.MySQLMetadataStore(**_mysql_fields(config))
    if kind == "postgresql":
        return stores.PostgreSQLMetadataStore(**_postgresql_fields(config))
    what = f"a {kind}" if kind else "nothing"
    message = (
        f"The connection_config() of flavor {store.FLAVOR!r} means {what}; this release reads "
        "sqlite, mysql and postgresql."
    )
    raise errors.ConfigurationError(message)


def _service(config: Any) -> KubeflowMetadataStore:
    """Return the store that a ``MetadataStoreClientConfig`` describes.

    Raises:
        ConfigurationError: It holds certificates, which it does as texts and not as files.
    """
    if config.HasField("ssl_config"):
        message = (
            "A MetadataStoreClientConfig holds certificates as texts, and this library takes them "
            "only as files: let the flavor inherit from KubeflowMetadataStore, and give it files."
        )
        raise errors.ConfigurationError(message)
    fields = {"host": config.host, "port": config.port}
    if config.HasField("client_timeout_sec"):
        fields["timeout"] = config.client_timeout_sec
    return stores.KubeflowMetadataStore(**fields)


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
