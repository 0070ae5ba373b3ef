"""Metadata stores from paths and URLs."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from mlmd_lineage import errors
from mlmd_lineage.stores.archive import ArchiveMetadataStore
from mlmd_lineage.stores.base import BaseMetadataStore
from mlmd_lineage.stores.credentials import MISTYPED, holds_credentials
from mlmd_lineage.stores.local_paths import MANIFEST, TRANSFER_ARCHIVE_SUFFIX, is_archive
from mlmd_lineage.stores.object_storage import SCHEMES, checked_url, is_object_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# One letter is a Windows drive, not a scheme.
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):(?://)?")
_NAME, _SQLITE_URL, _KUBEFLOW_URL = "The store's name", "The sqlite URL", "The kubeflow URL"
_EXAMPLES = (
    "a path, sqlite:///absolute/path.db, mysql://user@host:3306/database, "
    "postgresql://user@host:5432/database, grpc://host:8080, kubeflow://context/namespace, or an "
    "archive's s3://bucket/archive"
)


def metadata_store_from(target: object) -> BaseMetadataStore:
    """Return the metadata store that a path, a URL or a store object stands for.

    >>> metadata_store_from("mysql://reader@db.example/metadb").location()
    'mysql://reader@db.example:3306/metadb'

    Args:
        target: A path of an SQLite file or of an archive folder; a URL; or a store, which is
            returned unchanged. A password in a URL is percent-encoded.

    Raises:
        ConfigurationError: The target cannot be a store. The message holds no password.
    """
    if isinstance(target, BaseMetadataStore):
        return target
    if isinstance(target, os.PathLike):
        return _from_path(target)
    if isinstance(target, (list, tuple)):
        return _from_paths(target)
    if not isinstance(target, str):
        message = (
            f"A store is {_EXAMPLES}, or a store object; this is of type {type(target).__name__}."
        )
        raise errors.ConfigurationError(message)
    if not target.strip():
        message = f"The store's name is empty; give {_EXAMPLES}."
        raise errors.ConfigurationError(message)
    scheme = _SCHEME.match(target)
    if scheme is None:
        return _from_path(target)
    if os.path.exists(target) and "://" not in target:  # noqa: PTH110 - a path need not be one
        return _from_path(Path(target))
    make = _MAKERS.get(scheme[1].lower(), _from_object_url if is_object_url(target) else None)
    proper = make is not None and target[scheme.end(1) :].startswith("://")
    if not proper and scheme[1].lower() != "file" and holds_credentials(target):
        raise _mistyped(_NAME)
    if make is None:
        near = errors.did_you_mean(scheme[1].lower().split("+")[0], {*_MAKERS, *SCHEMES})
        message = f"{scheme[1]!r} is not a kind of store that this release reads; give {_EXAMPLES}."
        raise errors.ConfigurationError(message + near)
    return make(target)


def _from_object_url(url: str) -> BaseMetadataStore:
    return ArchiveMetadataStore(uri=checked_url(url))


def _mistyped(what: str) -> errors.ConfigurationError:
    return errors.ConfigurationError(f"{what} {MISTYPED}")


def _from_path(path: str | os.PathLike[str]) -> BaseMetadataStore:
    text = os.fsdecode(path)
    if holds_credentials(text) and not os.path.exists(text):  # noqa: PTH110
        raise _mistyped(_NAME)
    expanded = os.path.expanduser(text)  # noqa: PTH111 - a path that is no path must not raise
    if is_archive(expanded):
        return ArchiveMetadataStore(uri=path)
    if os.path.isdir(expanded):  # noqa: PTH112
        if any(name.endswith(TRANSFER_ARCHIVE_SUFFIX) for name in os.listdir(expanded)):  # noqa: PTH208
            return _kubeflow_archive(path)
        message = (
            f"{path} is a folder without {MANIFEST}, so it is no archive of this library; give "
            "the SQLite file in it."
        )
        raise errors.NotAMetadataStoreError(message)
    if text.lower().endswith(TRANSFER_ARCHIVE_SUFFIX):
        return _kubeflow_archive(path)
    return _sqlite(path)


def _kubeflow_archive(path: str | os.PathLike[str]) -> BaseMetadataStore:
    from mlmd_lineage.stores.kubeflow_archive import KubeflowArchiveMetadataStore

    return KubeflowArchiveMetadataStore(uri=path)


def _from_paths(paths: Sequence[Any]) -> BaseMetadataStore:
    """Return the store that several transfer archives of Kubeflow are together."""
    from mlmd_lineage.stores.kubeflow_archive import KubeflowArchiveMetadataStore

    given = [metadata_store_from(path) for path in paths]
    others = [store for store in given if not isinstance(store, KubeflowArchiveMetadataStore)]
    if others or not given:
        what = f"{others[0].location()} is none" if others else "there are none"
        message = (
            f"Several stores are opened together only where all are transfer archives of Kubeflow, "
            f"such as run-history.json; {what}."
        )
        raise errors.ConfigurationError(message)
    first, *rest = (str(os.fspath(path)) for path in paths)
    return KubeflowArchiveMetadataStore(uri=first, others=tuple(rest))


def _sqlite(path: str | os.PathLike[str]) -> BaseMetadataStore:
    from mlmd_lineage.stores.sqlite import SQLiteMetadataStore

    return SQLiteMetadataStore(uri=path)


def _from_sqlite_url(url: str) -> BaseMetadataStore:
    from mlmd_lineage.stores.sqlite import SQLiteMetadataStore

    parts = urlsplit(url)
    if parts.netloc == ":memory:" or ":memory:" in parts.path:
        return SQLiteMetadataStore(uri=":memory:")
    if "@" in parts.netloc:
        raise _mistyped(_SQLITE_URL)
    if parts.netloc:
        message = (
            f"sqlite://{parts.netloc}{parts.path} names a host, and SQLite has none: an absolute "
            "path takes three slashes, sqlite:///absolute/path.db."
        )
        raise errors.ConfigurationError(message)
    if not parts.path.strip("/"):
        message = "The URL names no file; write sqlite:///absolute/path.db."
        raise errors.ConfigurationError(message)
    # SQLAlchemy writes four slashes before an absolute path.
    path = "/" + unquote(parts.path).lstrip("/")
    return SQLiteMetadataStore(uri=path, **_query(parts.query))


def _server_parts(url: str, example: str) -> tuple[SplitResult, int | None]:
    """Return a server's URL in parts, and its port; no message may quote a password in it."""
    scheme = url.split(":", 1)[0]
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        message = (
            f"The {scheme} URL cannot be read: its port or its brackets are not right, or a "
            f"character in its password needs percent-encoding. Write {example}."
        )
        raise errors.ConfigurationError(message) from None
    if len(parts.netloc.rpartition("@")[0].split()) > 1:  # a space in place of a colon
        what = f"The {scheme} URL"
        raise _mistyped(what)
    return parts, port


def _server_fields(url: str, example: str) -> dict[str, object]:
    """Return the fields in the URL of a database server."""
    scheme = url.split(":", 1)[0]
    parts, port = _server_parts(url, example)
    if parts.fragment:
        message = (
            f"The {scheme} URL holds a '#', which ends a URL; write it as %23 if it belongs to "
            "the password."
        )
        raise errors.ConfigurationError(message)
    fields: dict[str, object] = dict(_query(parts.query))
    fields["host"] = parts.hostname or ""
    fields["database"] = unquote(parts.path.removeprefix("/"))
    missing = [name for name in ("host", "database") if not fields[name]]
    if parts.username is None:
        missing.append("user")
    if missing:
        message = f"The {scheme} URL names no {' and no '.join(missing)}; write {example}."
        raise errors.ConfigurationError(message)
    fields["username"] = unquote(parts.username or "")
    if parts.password is not None:
        fields["password"] = unquote(parts.password)
    if port is not None:
        fields["port"] = port
    return fields


def _query(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    fields = dict(pairs)
    if len(fields) != len(pairs):
        message = "The URL gives one of its options twice."
        raise errors.ConfigurationError(message)
    for name in ("password", "username", "host", "port", "database", "uri", "headers"):
        if name in fields:
            message = f"The URL gives {name!r} after its '?'; it belongs before it."
            raise errors.ConfigurationError(message)
    return fields


def _from_mysql_url(url: str) -> BaseMetadataStore:
    from mlmd_lineage.stores.mysql import MySQLMetadataStore

    return MySQLMetadataStore(**_server_fields(url, "mysql://user:password@host:3306/database"))


def _from_postgresql_url(url: str) -> BaseMetadataStore:
    from mlmd_lineage.stores.postgresql import PostgreSQLMetadataStore

    example = "postgresql://user:password@host:5432/database"
    fields = _server_fields(url, example)
    # libpq's own names for the same things.
    for libpq, ours in (("sslrootcert", "ssl_ca"), ("sslcert", "ssl_cert"), ("sslkey", "ssl_key")):
        if libpq in fields:
            fields[ours] = fields.pop(libpq)
    return PostgreSQLMetadataStore(**fields)


def _from_grpc_url(url: str) -> BaseMetadataStore:
    from mlmd_lineage.stores.kubeflow import KubeflowMetadataStore

    scheme = url.split(":", 1)[0].lower()
    example = f"{scheme}://host:8080"
    parts, port = _server_parts(url, example)
    if parts.username is not None or parts.fragment or parts.path.strip("/"):
        message = (
            f"A {scheme} URL holds a host and a port, and neither user nor path: write {example}. "
            "A token is given as headers of a KubeflowMetadataStore, or in MLMD_LINEAGE_TOKEN."
        )
        raise errors.ConfigurationError(message)
    if not parts.hostname:
        message = f"The {scheme} URL names no host; write {example}."
        raise errors.ConfigurationError(message)
    fields: dict[str, object] = {"host": parts.hostname, **_query(parts.query)}
    if port is not None:
        fields["port"] = port
    elif scheme == "grpcs":
        fields["port"] = 443
    if scheme == "grpcs":
        fields.setdefault("ssl", True)
    return KubeflowMetadataStore(**fields)


def _from_kubeflow_url(url: str) -> BaseMetadataStore:
    from mlmd_lineage.stores.kubeflow import KubeflowMetadataStore

    # Names of contexts hold characters that a URL may not: arn:aws:eks:eu-west-1:123:cluster/prod.
    rest, _, query = url.split("://", 1)[-1].partition("?")
    context, _, namespace = rest.rstrip("/").rpartition("/")
    if holds_credentials(f"{context}/"):
        raise _mistyped(_KUBEFLOW_URL)
    if not context or not namespace:
        message = (
            "A kubeflow URL names a context of the kubeconfig and a namespace: write "
            "kubeflow://context/namespace; 'kubectl config get-contexts' lists them."
        )
        raise errors.ConfigurationError(message)
    return KubeflowMetadataStore(
        kube_context=unquote(context), kube_namespace=namespace, **_query(query)
    )


_MAKERS: dict[str, Callable[[str], BaseMetadataStore]] = {
    "sqlite": _from_sqlite_url,
    "file": _sqlite,
    "mysql": _from_mysql_url,
    "mariadb": _from_mysql_url,
    "postgresql": _from_postgresql_url,
    "postgres": _from_postgresql_url,
    "grpc": _from_grpc_url,
    "grpcs": _from_grpc_url,
    "kubeflow": _from_kubeflow_url,
}
