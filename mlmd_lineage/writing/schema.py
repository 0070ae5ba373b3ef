"""The tables and indexes of MLMD's schema version 10, and the statements that create them.

Tables, columns, keys and indexes are those that ``ml_metadata`` 1.11 to 1.21 creates and expects;
``tests/writing/test_schema.py`` compares the two on each database.
"""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCHEMA_VERSION = 10

Dialect = Literal["sqlite", "mysql", "postgresql"]

EXECUTION, ARTIFACT, CONTEXT = 0, 1, 2
"""The numbers of ``Type.type_kind``."""

BASE_TYPES: tuple[tuple[str, int], ...] = (
    ("mlmd.Dataset", ARTIFACT),
    ("mlmd.Model", ARTIFACT),
    ("mlmd.Metrics", ARTIFACT),
    ("mlmd.Statistics", ARTIFACT),
    ("mlmd.Train", EXECUTION),
    ("mlmd.Transform", EXECUTION),
    ("mlmd.Process", EXECUTION),
    ("mlmd.Evaluate", EXECUTION),
    ("mlmd.Deploy", EXECUTION),
)
"""The types that every store has from the first, in the order of their ids, with their kinds."""


class _Table(NamedTuple):
    """A table, in terms that each database has a word for."""

    columns: str
    primary: tuple[str, ...] = ()
    """The primary key, where it is not ``id``."""
    unique: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Names of unique keys, and their columns."""


# A column is "name kind", with "!" behind the kind where it must not be NULL, and "=0" behind
# that where its default is 0.
_TIMES = "create_time_since_epoch time!=0, last_update_time_since_epoch time!=0"
_VALUES = (
    "name name!, is_custom_property flag!, int_value int, double_value double, "
    "string_value longtext, byte_value bytes, proto_value bytes, bool_value bool"
)
_EXTERNAL_ID = ("external_id", ("external_id",))

_TABLES: Mapping[str, _Table] = MappingProxyType(
    {
        "Type": _Table(
            "id serial, name name!, version name, type_kind small!, description text, "
            "input_type text, output_type text, external_id name",
            unique=(_EXTERNAL_ID,),
        ),
        "TypeProperty": _Table("type_id int!, name name!, data_type int", ("type_id", "name")),
        "ParentType": _Table("type_id int!, parent_type_id int!", ("type_id", "parent_type_id")),
        "Artifact": _Table(
            "id serial, type_id int!, uri text, state int, name name, external_id name, " + _TIMES,
            unique=(_EXTERNAL_ID, ("UniqueArtifactTypeName", ("type_id", "name"))),
        ),
        "ArtifactProperty": _Table(
            "artifact_id int!, " + _VALUES, ("artifact_id", "name", "is_custom_property")
        ),
        "Execution": _Table(
            "id serial, type_id int!, last_known_state int, name name, external_id name, " + _TIMES,
            unique=(_EXTERNAL_ID, ("UniqueExecutionTypeName", ("type_id", "name"))),
        ),
        "ExecutionProperty": _Table(
            "execution_id int!, " + _VALUES, ("execution_id", "name", "is_custom_property")
        ),
        "Context": _Table(
            "id serial, type_id int!, name name!, external_id name, " + _TIMES,
            unique=(("type_id", ("type_id", "name")), _EXTERNAL_ID),
        ),
        "ContextProperty": _Table(
            "context_id int!, " + _VALUES, ("context_id", "name", "is_custom_property")
        ),
        "ParentContext": _Table(
            "context_id int!, parent_context_id int!", ("context_id", "parent_context_id")
        ),
        "Event": _Table(
            "id serial, artifact_id int!, execution_id int!, type int!, "
            "milliseconds_since_epoch time",
            unique=(("UniqueEvent", ("artifact_id", "execution_id", "type")),),
        ),
        "EventPath": _Table("event_id int!, is_index_step flag!, step_index int, step_key text"),
        "Association": _Table(
            "id serial, context_id int!, execution_id int!",
            unique=(("context_id", ("context_id", "execution_id")),),
        ),
        "Attribution": _Table(
            "id serial, context_id int!, artifact_id int!",
            unique=(("context_id", ("context_id", "artifact_id")),),
        ),
        "MLMDEnv": _Table("schema_version version", ("schema_version",)),
    }
)

TABLES = tuple(_TABLES)
"""The names of all tables."""

_KINDS: Mapping[Dialect, Mapping[str, str]] = MappingProxyType(
    {
        "sqlite": {
            "serial": "INTEGER PRIMARY KEY AUTOINCREMENT",
            "version": "INTEGER PRIMARY KEY",
            "int": "INT",
            "small": "TINYINT(1)",
            "flag": "TINYINT(1)",
            "bool": "BOOLEAN",
            "time": "INT",
            "double": "DOUBLE",
            "name": "VARCHAR(255)",
            "text": "TEXT",
            "longtext": "TEXT",
            "bytes": "BLOB",
        },
        "mysql": {
            "serial": "INT NOT NULL AUTO_INCREMENT PRIMARY KEY",
            "version": "INT PRIMARY KEY",
            "int": "INT",
            "small": "TINYINT(1)",
            "flag": "TINYINT(1)",
            "bool": "BOOLEAN",
            "time": "BIGINT",
            "double": "DOUBLE",
            "name": "VARCHAR(255)",
            "text": "TEXT",
            "longtext": "MEDIUMTEXT",
            "bytes": "MEDIUMBLOB",
        },
        "postgresql": {
            "serial": "SERIAL PRIMARY KEY",
            "version": "INT PRIMARY KEY",
            "int": "INT",
            "small": "SMALLINT",
            "flag": "BOOLEAN",
            "bool": "BOOLEAN",
            "time": "BIGINT",
            "double": "DOUBLE PRECISION",
            "name": "VARCHAR(255)",
            "text": "TEXT",
            "longtext": "TEXT",
            "bytes": "BYTEA",
        },
    }
)

_MYSQL_PREFIX = 255
"""How many characters of a text an index of MySQL takes."""


class _Index(NamedTuple):
    name: str
    table: str
    columns: tuple[str, ...]
    where: str = ""
    """The column that must hold a value, in SQLite's partial indexes."""
    text: str = ""
    """The column that is a text without a limit."""


def _indexes() -> Iterator[_Index]:
    yield _Index("idx_artifact_uri", "Artifact", ("uri",), text="uri")
    for node in ("Artifact", "Execution", "Context"):
        for column in ("create_time_since_epoch", "last_update_time_since_epoch"):
            yield _Index(f"idx_{node.lower()}_{column}", node, (column,))
        for kind in ("int", "double", "string"):
            value = f"{kind}_value"
            yield _Index(
                f"idx_{node.lower()}_property_{kind}",
                f"{node}Property",
                ("name", "is_custom_property", value),
                where=value,
                text="string_value",
            )
    for table in ("Type", "Artifact", "Execution", "Context"):
        yield _Index(f"idx_{table.lower()}_external_id", table, ("external_id",))
    yield _Index("idx_event_execution_id", "Event", ("execution_id",))
    yield _Index("idx_eventpath_event_id", "EventPath", ("event_id",))
    yield _Index("idx_parentcontext_parent_context_id", "ParentContext", ("parent_context_id",))
    yield _Index("idx_type_name", "Type", ("name",))


def creating(dialect: Dialect) -> Iterator[str]:
    """Yield the statements that create what is missing of the tables and their indexes.

    >>> next(iter(creating("postgresql"))).splitlines()[0]
    'CREATE TABLE IF NOT EXISTS Type ('
    """
    for name, table in _TABLES.items():
        yield _create_table(dialect, name, table)
    if dialect == "mysql":
        return  # its indexes stand in the tables: it has no CREATE INDEX IF NOT EXISTS
    for index in _indexes():
        columns = ", ".join(quoted(dialect, column) for column in index.columns)
        where = ""
        if dialect == "sqlite" and index.where:
            where = f" WHERE {quoted(dialect, index.where)} IS NOT NULL"
        yield (
            f"CREATE INDEX IF NOT EXISTS {quoted(dialect, index.name)} "
            f"ON {quoted(dialect, index.table)} ({columns}){where}"
        )


@functools.cache
def quoted(dialect: Dialect, name: str) -> str:
    """Return the name of a table or a column as it stands in a statement.

    PostgreSQL gets it as it is, and makes small letters of it, as MLMD has it do.
    """
    return name if dialect == "postgresql" else f"`{name}`"


def _create_table(dialect: Dialect, name: str, table: _Table) -> str:
    parts = [_column(dialect, *column.split()) for column in table.columns.split(", ")]
    if table.primary and name != "MLMDEnv":
        parts.append(f"PRIMARY KEY ({_listed(dialect, table.primary)})")
    for key, columns in table.unique:
        named = {
            "sqlite": "UNIQUE",
            "mysql": f"UNIQUE KEY {quoted(dialect, key)}",
            # What has a name of its own in MLMD begins with "Unique"; the rest is PostgreSQL's.
            "postgresql": f"CONSTRAINT {key} UNIQUE" if key.startswith("Unique") else "UNIQUE",
        }[dialect]
        parts.append(f"{named} ({_listed(dialect, columns)})")
    if dialect == "mysql":
        parts += [
            f"KEY {quoted(dialect, index.name)} ({_keyed(index)})"
            for index in _indexes()
            if index.table == name
        ]
    body = ",\n  ".join(parts)
    engine = " ENGINE=InnoDB" if dialect == "mysql" else ""
    return f"CREATE TABLE IF NOT EXISTS {quoted(dialect, name)} (\n  {body}\n){engine}"


def _column(dialect: Dialect, name: str, kind: str) -> str:
    kind, _, default = kind.partition("=")
    required = kind.endswith("!")
    return "".join(
        [
            f"{quoted(dialect, name)} {_KINDS[dialect][kind.rstrip('!')]}",
            " NOT NULL" if required else "",
            f" DEFAULT {default}" if default else "",
        ]
    )


def _listed(dialect: Dialect, columns: tuple[str, ...]) -> str:
    return ", ".join(quoted(dialect, column) for column in columns)


def _keyed(index: _Index) -> str:
    return ", ".join(
        f"`{column}`({_MYSQL_PREFIX})" if column == index.text else f"`{column}`"
        for column in index.columns
    )
