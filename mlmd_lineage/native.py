"""Opening a store with MLMD's own library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors

if TYPE_CHECKING:
    from mlmd_lineage.snapshot.reader import Reader
    from mlmd_lineage.stores import BaseMetadataStore

MISSING = (
    "ml_metadata is not installed, and writing needs it; reading does not. Install it with "
    "'pip install mlmd-lineage[mlmd]' on Linux x86-64 or macOS."
)


def open_native(store: BaseMetadataStore, reader: Reader) -> Any:
    """Return ``ml_metadata.MetadataStore`` on a store; see ``Store.native``.

    The store is read first: the native library makes MLMD's tables in any database that lacks
    them, says nothing of why it cannot connect, and aborts the interpreter on some settings.
    """
    config = store.connection_config()
    try:
        from ml_metadata import MetadataStore
    except ImportError:
        raise errors.NativeLibraryError(MISSING) from None
    version = reader.read(("Type",)).schema_version
    try:
        return MetadataStore(config)
    except Exception as error:  # noqa: BLE001 - its errors have no common base over its versions
        message = (
            f"ml_metadata cannot open {store.location()} (MLMD schema version {version}): "
            f"{type(error).__name__}. It opens only the schema version of its own release."
        )
        raise errors.NativeLibraryError(message) from None
