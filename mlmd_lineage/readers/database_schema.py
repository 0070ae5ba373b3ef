"""The schema of a store's database: which of MLMD's tables and columns it has, and its version.

Old schemas lack columns and tables, and servers may spell names in lower case. The versions are
those of ``ml_metadata/util/metadata_source_query_config.cc`` in MLMD's repository.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.snapshot import arrays, notes
from mlmd_lineage.snapshot.finding_codes import FindingCode
from mlmd_lineage.snapshot.table_building import TIES
from mlmd_lineage.snapshot.tables import (
    NEWEST_SCHEMA_VERSION,
    OLDEST_SCHEMA_VERSION,
    SCHEMAS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pyarrow as pa

_FIRST_VERSION = {
    "Context": 3,
    "ContextProperty": 3,
    "Association": 4,
    "Attribution": 4,
    "ParentType": 6,
    "ParentContext": 6,
}
"""The versions in which tables came that were not there from the beginning."""

_CORE = ("Type", "Artifact", "Execution", "Event")

_NEW_COLUMNS = (
    (10, "ArtifactProperty", "bool_value"),
    (9, "Artifact", "external_id"),
    (7, "ArtifactProperty", "byte_value"),
    (6, "Type", "version"),
    (5, "Artifact", "create_time_since_epoch"),
    (4, "Association", "id"),
    (3, "Context", "id"),
)
"""A column that came with each version, but for 8, which added indexes only."""

_OLD_KIND = "is_artifact_type"
"""What ``type_kind`` was called before schema 2; its numbers, 0 and 1, mean the same."""


@dataclasses.dataclass(frozen=True)
class DatabaseSchema:
    """The tables and columns that a store really has, by MLMD's names for them."""

    version: int
    spelling: Mapping[str, str]
    columns: Mapping[str, tuple[str, ...]]
    old_kind: bool = False
    """Whether the table Type has ``is_artifact_type`` in place of ``type_kind``."""
    has_version: bool = True
    """Whether the store says its version itself; otherwise its columns imply it."""
    environment: str | None = None
    """The name in the database of the table MLMDEnv."""
    stated: tuple[int, ...] = ()
    """What stands in it."""

    @classmethod
    def of(
        cls,
        found: Mapping[str, Iterable[str]],
        read_versions: Callable[[str], Sequence[int]],
        source: str,
        case: str | None = None,
    ) -> DatabaseSchema:
        """Check that a database is an MLMD store of a version that can be read.

        Args:
            found: The names of its tables, each with the names of its columns.
            read_versions: Gives the values in the MLMDEnv table, whose name it is given.
            source: The store's name for messages.
            case: Which tables are MLMD's where there are two sets: ``lower`` or ``mixed``.

        Raises:
            NotAMetadataStoreError: It holds no MLMD tables.
            ConfigurationError: It holds two sets of tables, and ``case`` is None.
            UnsupportedSchemaError: Its schema version is newer than 10.
        """
        names = _chosen(found, source, case)
        spelling = {table: names[table] for table in SCHEMAS if table in names}
        columns = {}
        for table, actual in spelling.items():
            have = {name.lower() for name in found[actual]}
            columns[table] = tuple(c for c in SCHEMAS[table].names if c.lower() in have)
        _check_columns(columns, found, source)
        old_kind = "type_kind" not in columns["Type"]
        if old_kind:
            if _OLD_KIND not in {name.lower() for name in found[spelling["Type"]]}:
                raise _lacks(source, "Type", "type_kind")
            kept = {*columns["Type"], "type_kind"}
            columns["Type"] = tuple(c for c in SCHEMAS["Type"].names if c in kept)
        environment = names.get("MLMDEnv")
        versions = tuple(read_versions(environment)) if environment is not None else ()
        version = max(versions, default=_version_by_columns(columns, old_kind=old_kind))
        if not OLDEST_SCHEMA_VERSION <= version <= NEWEST_SCHEMA_VERSION:
            message = (
                f"{source} has MLMD schema version {version}; this release reads versions "
                f"{OLDEST_SCHEMA_VERSION} to {NEWEST_SCHEMA_VERSION}. Use a newer mlmd-lineage."
            )
            raise errors.UnsupportedSchemaError(message)
        # Schema 0 had no table for it.
        says_so = bool(versions) or (version == 0 and environment is None)
        return cls(version, spelling, columns, old_kind, says_so, environment, versions)

    @property
    def missing(self) -> list[str]:
        """The tables that the store does not have, and should."""
        return [
            table
            for table in SCHEMAS
            if table not in self.spelling and self.version >= _FIRST_VERSION.get(table, 0)
        ]

    def absent(self, table: str) -> pa.Table:
        """Return a table that the store does not have: empty, and noted if it should have it."""
        if table not in self.missing:
            return arrays.empty_table(SCHEMAS[table])
        detail = f"the store has no such table, which belongs to schema version {self.version}"
        note = notes.Note(FindingCode.MISSING_TABLE, f"table/{table}", detail)
        return notes.noted(arrays.empty_table(SCHEMAS[table]), [note])

    def noted(self, table: str, data: pa.Table) -> pa.Table:
        """Return a table with a note if the store does not say its version."""
        if table != "Type" or self.has_version:
            return data
        detail = f"the store names no schema version; its columns are those of {self.version}"
        return notes.noted(data, [notes.Note(FindingCode.MISSING_VERSION, "table/MLMDEnv", detail)])

    def is_derived(self, table: str) -> bool:
        """Return whether a table is read through a subquery, which has no ``rowid``."""
        return table == "Type" and self.old_kind

    def from_clause(self, table: str, quote: Callable[[str], str]) -> str:
        """Return what follows FROM in a statement that selects a table's rows.

        Args:
            table: MLMD's name of the table.
            quote: Gives a name as it stands in a statement of the database.
        """
        name = quote(self.spelling[table])
        if not self.is_derived(table):
            return name
        kind = f"{quote(_OLD_KIND)} AS {quote('type_kind')}"
        listed = ", ".join(quote(c) for c in self.columns[table] if c != "type_kind")
        return f"(SELECT {listed}, {kind} FROM {name}) AS {quote('Type')}"  # noqa: S608 - MLMD's names


def _chosen(found: Mapping[str, object], source: str, case: str | None) -> dict[str, str]:
    """Return the names in the database of the tables that are MLMD's.

    A PostgreSQL database may hold two sets: MLMD's, in lower case, and those of a later Model
    Registry, which are capitalised as MLMD's are elsewhere.
    """
    every = (*SCHEMAS, "MLMDEnv")
    sets = {
        "lower": {table: table.lower() for table in every if table.lower() in found},
        "mixed": {table: table for table in every if table in found},
    }
    whole = [name for name, tables in sets.items() if all(table in tables for table in _CORE)]
    if case is not None and case not in whole:
        message = f"{source} holds no whole set of MLMD's tables in {case} case."
        raise errors.NotAMetadataStoreError(message)
    if case is None and len(whole) > 1:
        lower, mixed = (", ".join(sorted(tables.values())[:4]) for tables in sets.values())
        message = (
            f"{source} holds two sets of MLMD's tables: {lower} and so on, in lower case, and "
            f"{mixed} and so on, capitalised, such as Model Registry makes. Say which to read: "
            "table_case='lower' or table_case='mixed' (in a URL ?table_case=lower)."
        )
        raise errors.ConfigurationError(message)
    if whole:
        return sets[case or whole[0]]
    by_lower = {name.lower(): name for name in found}
    return {table: by_lower[table.lower()] for table in every if table.lower() in by_lower}


def _check_columns(
    columns: Mapping[str, Sequence[str]], found: Mapping[str, object], source: str
) -> None:
    if any("id" not in columns.get(table, ()) for table in _CORE):
        held = ", ".join(sorted(found)[:8]) or "no tables at all"
        message = (
            f"{source} is not an MLMD store: it lacks MLMD's tables (it holds {held}). "
            "Nothing was changed. Check that it is the right database."
        )
        if not found:
            message += " 'mlmd-lineage init' makes a new store in an empty one."
        raise errors.NotAMetadataStoreError(message)
    for table, has in columns.items():
        lacking = [c for c in SCHEMAS[table].names if c in TIES and c not in has]
        if lacking:
            raise _lacks(source, table, lacking[0])


def _lacks(source: str, table: str, column: str) -> errors.NotAMetadataStoreError:
    return errors.NotAMetadataStoreError(
        f"{source} is not an MLMD store: its table {table} lacks the column {column}. Nothing was "
        "changed. Check that it is the right database."
    )


def _version_by_columns(columns: Mapping[str, Sequence[str]], *, old_kind: bool) -> int:
    """Return the version to which the columns belong, the oldest of those that fit."""
    for version, table, column in _NEW_COLUMNS:
        if column in columns.get(table, ()):
            return version
    return 0 if old_kind else 2
