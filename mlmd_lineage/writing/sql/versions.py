"""The check that a store has schema version 10, the only one that is written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.writing import schema

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def check(found: Sequence[int], source: str) -> None:
    """Check what stands in a store's table MLMDEnv.

    Raises:
        UnsupportedSchemaError: It is not version 10.
    """
    if list(found) == [schema.SCHEMA_VERSION]:
        return
    version = max(found, default=None)
    if version is None:
        said = "says of no schema version"
    elif version > schema.SCHEMA_VERSION:
        message = (
            f"{source} has MLMD schema version {version}; this release writes version "
            f"{schema.SCHEMA_VERSION}. Nothing was written. Use a newer mlmd-lineage."
        )
        raise errors.UnsupportedSchemaError(message)
    else:
        said = f"has MLMD schema version {version}"
    message = (
        f"{source} {said}; this release writes version {schema.SCHEMA_VERSION} only, and migrates "
        "nothing. Nothing was written. Keep a backup and let ml_metadata migrate it "
        "(MetadataStore(config, enable_upgrade_migration=True)), or write to a new store."
    )
    raise errors.UnsupportedSchemaError(message)


def refuse_without_environment(tables: Collection[str], source: str) -> None:
    """Raise what is wrong with a database that has no table MLMDEnv.

    Raises:
        UnsupportedSchemaError: It is an MLMD store from before there was one.
        NotAMetadataStoreError: It is none.
    """
    lower = {name.lower() for name in tables}
    if {"type", "artifact", "execution"} <= lower:
        check([0], source)
    held = ", ".join(sorted(tables)[:8]) or "no tables at all"
    what = (
        "Create MLMD's tables with 'mlmd-lineage init', or connect(..., create=True)."
        if not tables
        else "Check that it is the right database."
    )
    message = (
        f"{source} is not an MLMD store: it lacks MLMD's tables (it holds {held}). Nothing was "
        f"written. {what}"
    )
    raise errors.NotAMetadataStoreError(message)
