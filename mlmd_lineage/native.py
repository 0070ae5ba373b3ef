"""Opening a store with MLMD's own library."""

from __future__ import annotations

import contextlib
import sqlite3
import warnings
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.stores import SQLiteMetadataStore
from mlmd_lineage.stores.base import connection_config_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlmd_lineage.readers.base import Reader
    from mlmd_lineage.stores import BaseMetadataStore

MISSING = (
    "ml_metadata is not installed, and writing needs it; reading does not. Install it with "
    "'pip install mlmd-lineage[mlmd]' on Linux x86-64 or macOS."
)


# What MLMD has said of a database of an older schema since its schema version 4.
_OLDER = "is older than library version"


def open_native(store: BaseMetadataStore, reader: Reader) -> Any:
    """Return ``ml_metadata.MetadataStore`` on a store; see ``Store.native``.

    The store is read first: the native library makes MLMD's tables in any database that lacks
    them, says nothing of why it cannot connect, and aborts the interpreter on some settings.
    """
    config = connection_config_of(store)
    try:
        from ml_metadata import MetadataStore
    except ImportError:
        raise errors.NativeLibraryError(MISSING) from None
    version = reader.read(("Type",)).schema_version
    try:
        return MetadataStore(config)
    except Exception as error:  # noqa: BLE001 - its errors have no common base over its versions
        if store.upgrade_migration_enabled and _OLDER in str(error):
            return _migrated(store, config, version)
        message = (
            f"ml_metadata cannot open {store.location()} (MLMD schema version {version}): "
            f"{type(error).__name__}. It opens only the schema version of its own release."
        )
        raise errors.NativeLibraryError(message) from None


def _migrated(store: BaseMetadataStore, config: Any, version: int) -> Any:
    """Return the native store after a migration, announced, and of SQLite with a backup."""
    from ml_metadata import MetadataStore

    kept = "Have a backup: older releases of MLMD cannot open it afterwards."
    if isinstance(store, SQLiteMetadataStore):
        kept = f"It is kept as it was in {_backup(store.path, version)}."
    told = (
        f"{store.location()} has MLMD schema version {version}, and is migrated to that of the "
        f"installed ml_metadata. {kept} upgrade_migration_enabled=False refuses instead."
    )
    warnings.warn(told, UserWarning, stacklevel=4)
    try:
        return MetadataStore(config, enable_upgrade_migration=True)
    except Exception as error:  # noqa: BLE001 - as above
        message = (
            f"ml_metadata cannot migrate {store.location()} (MLMD schema version {version}): "
            f"{type(error).__name__}. {kept}"
        )
        raise errors.NativeLibraryError(message) from None


def _backup(path: Path, version: int) -> Path:
    """Copy an SQLite file beside it, under a name that is not taken."""
    number = 0
    while True:
        suffix = f".{number}" if number else ""
        copy = path.with_name(f"{path.name}.schema-{version}.backup{suffix}")
        if not copy.exists():
            break
        number += 1
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with (
        contextlib.closing(sqlite3.connect(uri, uri=True)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy
