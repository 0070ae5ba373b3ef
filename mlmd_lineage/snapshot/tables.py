"""MLMD's tables as Arrow columns: their schemas, and ``Tables``, those of one store.

Table and column names, units and numbers (see ``enums``) are MLMD's own: those of
``metadata_store.proto`` and the SQL schema of version 10. Times are milliseconds since 1970-01-01
UTC. Columns that a store's older schema lacks are null.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import pyarrow as pa

from mlmd_lineage import errors
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.enums import TypeKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

NodeKind = Literal["artifact", "execution", "context"]

NEWEST_SCHEMA_VERSION = 10
OLDEST_SCHEMA_VERSION = 0

_INT = pa.int64()
_TEXT = pa.string()
_LONG_TEXT = pa.large_string()
_BYTES = pa.large_binary()
# Few distinct names stand in very many rows.
_NAME = pa.dictionary(pa.int32(), pa.string())


def _node(*, state: str | None, uri: bool = False) -> pa.Schema:
    columns = [("id", _INT), ("type_id", _INT)]
    columns += [("uri", _LONG_TEXT)] if uri else []
    columns += [(state, _INT)] if state else []
    columns += [
        ("name", _TEXT),
        ("external_id", _TEXT),
        ("create_time_since_epoch", _INT),
        ("last_update_time_since_epoch", _INT),
    ]
    return pa.schema(columns)


def _properties(owner: str) -> pa.Schema:
    return pa.schema(
        [
            (owner, _INT),
            ("name", _NAME),
            ("is_custom_property", pa.bool_()),
            ("int_value", _INT),
            ("double_value", pa.float64()),
            ("string_value", _LONG_TEXT),
            ("byte_value", _BYTES),
            ("proto_value", _BYTES),
            ("bool_value", pa.bool_()),
        ]
    )


def _pairs(*columns: str) -> pa.Schema:
    return pa.schema([(name, _INT) for name in columns])


SCHEMAS: Mapping[str, pa.Schema] = MappingProxyType(
    {
        "Type": pa.schema(
            [
                ("id", _INT),
                ("name", _TEXT),
                ("version", _TEXT),
                ("type_kind", _INT),
                ("description", _TEXT),
                ("input_type", _TEXT),
                ("output_type", _TEXT),
                ("external_id", _TEXT),
            ]
        ),
        "TypeProperty": pa.schema([("type_id", _INT), ("name", _TEXT), ("data_type", _INT)]),
        "ParentType": _pairs("type_id", "parent_type_id"),
        "Artifact": _node(state="state", uri=True),
        "Execution": _node(state="last_known_state"),
        "Context": _node(state=None),
        "ArtifactProperty": _properties("artifact_id"),
        "ExecutionProperty": _properties("execution_id"),
        "ContextProperty": _properties("context_id"),
        "Event": _pairs("id", "artifact_id", "execution_id", "type", "milliseconds_since_epoch"),
        "EventPath": pa.schema(
            [
                ("event_id", _INT),
                ("is_index_step", pa.bool_()),
                ("step_index", _INT),
                ("step_key", _NAME),
            ]
        ),
        "Attribution": _pairs("id", "context_id", "artifact_id"),
        "Association": _pairs("id", "context_id", "execution_id"),
        "ParentContext": _pairs("context_id", "parent_context_id"),
    }
)
"""Each table's columns, in the order in which they are read."""

ALL_TABLES = tuple(SCHEMAS)
PROPERTY_TABLES = ("ArtifactProperty", "ExecutionProperty", "ContextProperty")
RARE_VALUES = ("byte_value", "proto_value", "bool_value")
TIMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("Artifact", "Execution", "Context"),
            ("create_time_since_epoch", "last_update_time_since_epoch"),
        ),
        "Event": ("milliseconds_since_epoch",),
    }
)
"""The columns of times, by their tables."""

SORT_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        name: (
            ("id",)
            if "id" in schema.names
            # MLMD gives the steps of a path no number: their order is that of insertion.
            else ("event_id",)
            if name == "EventPath"
            else (schema.names[0],)
            if name in PROPERTY_TABLES
            else tuple(schema.names[:2])
        )
        for name, schema in SCHEMAS.items()
    }
)
"""The columns by which a table's rows are ordered, so that the same store gives the same bytes."""


@dataclasses.dataclass(frozen=True, slots=True)
class NodeSchema:
    """How MLMD spells one kind of node."""

    name: NodeKind
    table: str
    properties: str
    id_column: str
    type_kind: TypeKind
    state: str | None = None
    membership: str | None = None


KINDS: Mapping[str, NodeSchema] = MappingProxyType(
    {
        "artifact": NodeSchema(
            "artifact",
            "Artifact",
            "ArtifactProperty",
            "artifact_id",
            TypeKind.ARTIFACT_TYPE,
            "state",
            "Attribution",
        ),
        "execution": NodeSchema(
            "execution",
            "Execution",
            "ExecutionProperty",
            "execution_id",
            TypeKind.EXECUTION_TYPE,
            "last_known_state",
            "Association",
        ),
        "context": NodeSchema(
            "context", "Context", "ContextProperty", "context_id", TypeKind.CONTEXT_TYPE
        ),
    }
)


class TableCounts(NamedTuple):
    """How many rows a table of nodes or of events has, and when they are of."""

    groups: tuple[tuple[int, int | None, int], ...]
    """The id of each type, a state, and how many have both; of events one group, of type 0."""
    first: int | None
    """The least of the times but 0, in milliseconds since 1970-01-01 UTC."""
    last: int | None
    """The greatest of them."""


class HasTables(Protocol):
    """Tables by MLMD's names for them: ``Tables``, or a dict of some that were read."""

    def __contains__(self, table: object, /) -> bool: ...
    def __getitem__(self, table: str, /) -> pa.Table: ...


class Tables:
    """The tables of one store at one moment; nothing in it can change.

    ``tables["Event"]`` and the attributes below are ``pyarrow.Table``s with MLMD's own columns.

    Raises:
        NotLoadedError: A table is asked for that was left out when the store was read.
    """

    __slots__ = ("_tables", "schema_version", "source", "taken_at")

    _tables: Mapping[str, pa.Table]
    schema_version: int
    """The version of the store's MLMD schema, 0 to 10."""
    source: str
    """Where the store is, without any secret."""
    taken_at: dt.datetime
    """When it was read, in UTC."""

    def __init__(
        self,
        tables: Mapping[str, pa.Table],
        *,
        schema_version: int = NEWEST_SCHEMA_VERSION,
        source: str = "",
        taken_at: dt.datetime | None = None,
    ) -> None:
        set_ = object.__setattr__
        set_(self, "_tables", MappingProxyType(dict(tables)))
        set_(self, "schema_version", schema_version)
        set_(self, "source", source)
        set_(self, "taken_at", taken_at or dt.datetime.now(tz=dt.timezone.utc))

    def __setattr__(self, name: str, value: object) -> None:
        message = f"{type(self).__name__} is immutable; {name!r} cannot be set"
        raise AttributeError(message)

    def __delattr__(self, name: str) -> None:
        message = f"{type(self).__name__} is immutable; {name!r} cannot be deleted"
        raise AttributeError(message)

    def __reduce__(self) -> tuple[Any, ...]:
        state = self.schema_version, self.source, self.taken_at
        return _remade, (type(self), dict(self._tables), *state)

    def __contains__(self, table: object) -> bool:
        return table in self._tables

    def __getitem__(self, table: str) -> pa.Table:
        try:
            return self._tables[table]
        except KeyError:
            if table not in SCHEMAS:
                near = errors.did_you_mean(table, SCHEMAS)
                message = f"MLMD has no table {table!r}.{near}"
                raise errors.NotFoundError(message) from None
            message = (
                f"The table {table} was left out when {self.source or 'the store'} was read; "
                "use store.snapshot(), or store.lineage(properties=True), which hold it."
            )
            raise errors.NotLoadedError(message) from None

    def with_tables(self, tables: Mapping[str, pa.Table]) -> Tables:
        """Return these tables and some more, which may take the place of some."""
        state = self.schema_version, self.source, self.taken_at
        return _remade(Tables, {**self._tables, **tables}, *state)

    @property
    def names(self) -> tuple[str, ...]:
        """The tables that are there, in the order of ``SCHEMAS``."""
        return tuple(name for name in SCHEMAS if name in self._tables)


def _remade(
    kind: type[Tables],
    tables: Mapping[str, pa.Table],
    schema_version: int,
    source: str,
    taken_at: dt.datetime,
) -> Tables:
    """Return tables that were pickled, or copied."""
    return kind(tables, schema_version=schema_version, source=source, taken_at=taken_at)


def empty(table: str) -> pa.Table:
    """Return a table without rows."""
    return arrays.empty_table(SCHEMAS[table])


def wanted(tables: Collection[str] | None) -> tuple[str, ...]:
    """Return the tables asked for in their order, or all where None is given."""
    return ALL_TABLES if tables is None else tuple(t for t in ALL_TABLES if t in tables)
