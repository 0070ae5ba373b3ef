"""MLMD's SQL schema, version by version, as far as readers can tell the versions apart.

Each column stands with the version that brought it. The keys and indexes are those that readers
rely on, or that make a table's order on disk differ from that of its ids.
"""

from __future__ import annotations

_TIMES = {
    "create_time_since_epoch": ("INT NOT NULL DEFAULT 0", 5),
    "last_update_time_since_epoch": ("INT NOT NULL DEFAULT 0", 5),
}
_ID = {"id": ("INTEGER PRIMARY KEY AUTOINCREMENT", 4)}
_EXTERNAL = {"external_id": ("VARCHAR(255) UNIQUE", 9)}
_TYPED = {"type_id": ("INT NOT NULL", 4)}


def _properties(owner: str) -> dict[str, tuple[str, int]]:
    return {
        owner: ("INT NOT NULL", 4),
        "name": ("VARCHAR(255) NOT NULL", 4),
        "is_custom_property": ("TINYINT(1) NOT NULL", 4),
        "int_value": ("INT", 4),
        "double_value": ("DOUBLE", 4),
        "string_value": ("TEXT", 4),
        "byte_value": ("BLOB", 7),
        "proto_value": ("BLOB", 10),
        "bool_value": ("BOOLEAN", 10),
    }


def _pair(*names: str, since: int = 4) -> dict[str, tuple[str, int]]:
    return dict.fromkeys(names, ("INT NOT NULL", since))


TABLES: dict[str, dict[str, tuple[str, int]]] = {
    "Type": {
        **_ID,
        "name": ("VARCHAR(255) NOT NULL", 4),
        "version": ("VARCHAR(255)", 6),
        "type_kind": ("TINYINT(1) NOT NULL", 4),
        "description": ("TEXT", 6),
        "input_type": ("TEXT", 4),
        "output_type": ("TEXT", 4),
        **_EXTERNAL,
    },
    "TypeProperty": {
        "type_id": ("INT NOT NULL", 4),
        "name": ("VARCHAR(255) NOT NULL", 4),
        "data_type": ("INT", 4),
    },
    "ParentType": _pair("type_id", "parent_type_id", since=6),
    "Artifact": {
        **_ID,
        **_TYPED,
        "uri": ("TEXT", 4),
        "state": ("INT", 5),
        "name": ("VARCHAR(255)", 5),
        **_EXTERNAL,
        **_TIMES,
    },
    "Execution": {
        **_ID,
        **_TYPED,
        "last_known_state": ("INT", 5),
        "name": ("VARCHAR(255)", 5),
        **_EXTERNAL,
        **_TIMES,
    },
    "Context": {**_ID, **_TYPED, "name": ("VARCHAR(255) NOT NULL", 4), **_EXTERNAL, **_TIMES},
    "ArtifactProperty": _properties("artifact_id"),
    "ExecutionProperty": _properties("execution_id"),
    "ContextProperty": _properties("context_id"),
    "Event": {
        **_ID,
        **_pair("artifact_id", "execution_id", "type"),
        "milliseconds_since_epoch": ("INT", 4),
    },
    "EventPath": {
        "event_id": ("INT NOT NULL", 4),
        "is_index_step": ("TINYINT(1) NOT NULL", 4),
        "step_index": ("INT", 4),
        "step_key": ("TEXT", 4),
    },
    "Association": {**_ID, **_pair("context_id", "execution_id")},
    "Attribution": {**_ID, **_pair("context_id", "artifact_id")},
    "ParentContext": _pair("context_id", "parent_context_id", since=6),
    "MLMDEnv": {"schema_version": ("INTEGER PRIMARY KEY", 4)},
}

KEYS: dict[str, tuple[str, tuple[str, ...], int]] = {
    "TypeProperty": ("PRIMARY KEY", ("type_id", "name"), 4),
    "ParentType": ("PRIMARY KEY", ("type_id", "parent_type_id"), 6),
    "Artifact": ("UNIQUE", ("type_id", "name"), 5),
    "Execution": ("UNIQUE", ("type_id", "name"), 5),
    "Context": ("UNIQUE", ("type_id", "name"), 4),
    "ArtifactProperty": ("PRIMARY KEY", ("artifact_id", "name", "is_custom_property"), 4),
    "ExecutionProperty": ("PRIMARY KEY", ("execution_id", "name", "is_custom_property"), 4),
    "ContextProperty": ("PRIMARY KEY", ("context_id", "name", "is_custom_property"), 4),
    "Event": ("UNIQUE", ("artifact_id", "execution_id", "type"), 8),
    "Association": ("UNIQUE", ("context_id", "execution_id"), 4),
    "Attribution": ("UNIQUE", ("context_id", "artifact_id"), 4),
    "ParentContext": ("PRIMARY KEY", ("context_id", "parent_context_id"), 6),
}

INDEXES = (
    ("Artifact", ("uri",), 6),
    ("Event", ("execution_id",), 6),
    ("ParentContext", ("parent_context_id",), 6),
    ("EventPath", ("event_id",), 7),
)


def columns(table: str, version: int) -> list[str]:
    """Return the columns that a table has in a version, in MLMD's order."""
    return [name for name, (_, since) in TABLES[table].items() if since <= version]


def ddl(version: int) -> str:
    """Return the statements that make the tables of a version in SQLite."""
    statements = []
    for table, held in TABLES.items():
        names = columns(table, version)
        if not names:
            continue
        parts = [f"{name} {held[name][0]}" for name in names]
        kind, key, since = KEYS.get(table, ("", (), 99))
        if since <= version:
            parts.append(f"{kind} ({', '.join(key)})")
        statements.append(f"CREATE TABLE {table} ({', '.join(parts)});")
    for table, key, since in INDEXES:
        if since <= version:
            name = f"idx_{table}_{'_'.join(key)}"
            statements.append(f"CREATE INDEX {name} ON {table} ({', '.join(key)});")
    return "\n".join(statements)
