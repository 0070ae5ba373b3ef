"""A small store with all that a filter may ask about, made without ``ml_metadata``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlite_stores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mlmd_lineage.snapshot.tables import NodeKind

MODEL, MODEL_V2, DATA, TRAINER, RUN, EXPERIMENT = range(10, 16)
TYPES = [
    {"id": 1, "name": "mlmd.Model", "type_kind": 1},
    {"id": MODEL, "name": "Model", "type_kind": 1},
    {"id": MODEL_V2, "name": "Model", "type_kind": 1, "version": "v2"},
    {"id": DATA, "name": "Data Set", "type_kind": 1},
    {"id": TRAINER, "name": "Trainer", "type_kind": 0},
    {"id": RUN, "name": "run", "type_kind": 2},
    {"id": EXPERIMENT, "name": "experiment", "type_kind": 2},
]
START = 1_700_000_000_000

# type, name, uri, state, external id, properties, custom properties
ARTIFACTS: list[tuple[Any, ...]] = [
    (
        MODEL, "A1", "s3://b/a1", 2, "ext-1",
        {"i": 1, "d": 0.5, "s": "one", "b": True}, {"x": 1, "blessed": 1},
    ),
    (
        MODEL, "a1", "s3://B/a1", 1, "ext-2",
        {"i": 2, "d": -0.25, "s": "Two", "b": False}, {"x": 2, "my x": 3},
    ),
    (MODEL, "it's", "", 4, None, {"i": -5}, {"x": "text", "ü": "ö"}),
    (MODEL, 'say "hi"', "", None, None, {"s": "100%"}, {"a.b": 1, "x": 1.5}),
    (MODEL_V2, "A1", "s3://b/a_1", 2, None, {"i": 1}, {"x": True}),
    (DATA, None, "s3://b/100%", 3, "e5", {"s": ""}, {}),
    (DATA, None, "path\\to", 5, None, {"s": "a\\b"}, {"x": 1}),
    (DATA, "Zürich", "gs://x", 6, None, {}, {"lower": "ABC", "Upper": 1}),
    (
        DATA, "tab\there\nline", "x", 2, None,
        {}, {"big": 2**31 - 1, "neg": -1.5e-3, "select": 7, "name": "nn"},
    ),
    (DATA, "", "u", 0, None, {}, {"st": "mlmd-struct::Cg4KAWESCREAAAAAAAAIQA=="}),
    (DATA, "unrelated", "u", None, None, {}, {}),
]  # fmt: skip
# name, last known state, properties, custom properties
EXECUTIONS: list[tuple[Any, ...]] = [
    ("e1", 3, {"p": 1}, {}),
    ("e2", 4, {"q": "x"}, {}),
    (None, 5, {}, {}),
    ("e4", None, {}, {"c": 1.0}),
    ("e5", 2, {}, {}),
]
# type, name, properties, custom properties
CONTEXTS: list[tuple[Any, ...]] = [
    (EXPERIMENT, "exp", {}, {}),
    (RUN, "run1", {"n": 1}, {}),
    (RUN, "run2", {}, {}),
    (EXPERIMENT, "lonely", {}, {"z": "z"}),
    (RUN, "Run1", {}, {}),
]
PARENTS = [(2, 1), (3, 1)]
ATTRIBUTIONS = [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (1, 4)]
ASSOCIATIONS = [(1, 1), (2, 1), (2, 2), (3, 3)]
# artifact, execution, type
EVENTS = [
    (6, 1, 3), (7, 1, 2), (1, 1, 4), (1, 2, 3), (2, 2, 4), (3, 3, 7), (4, 3, 6), (1, 3, 5),
    (1, 4, 1),
]  # fmt: skip


def made(path: Path, version: int = 10) -> Path:
    """Make the store, in a version of MLMD's schema."""
    sqlite_stores.new_store(path, version=version, rows=False)
    with sqlite_stores.connected(path) as connection:
        for table, rows in tables().items():
            for row in rows:
                sqlite_stores.insert(connection, table, row)
        connection.commit()
    return path


def tables() -> dict[str, list[dict[str, Any]]]:
    """Return all rows of the store."""
    nodes = [
        ("Artifact", ("type_id", "name", "uri", "state", "external_id"), ARTIFACTS),
        ("Execution", ("name", "last_known_state"), EXECUTIONS),
        ("Context", ("type_id", "name"), CONTEXTS),
    ]
    found: dict[str, list[dict[str, Any]]] = {"Type": TYPES}
    for table, columns, rows in nodes:
        owner = f"{table.lower()}_id"
        found[table], found[f"{table}Property"] = [], []
        for number, (*values, declared, custom) in enumerate(rows, 1):
            times = dict.fromkeys(
                ("create_time_since_epoch", "last_update_time_since_epoch"), START + number
            )
            row = {
                "id": number,
                "type_id": TRAINER,
                **times,
                **dict(zip(columns, values, strict=True)),
            }
            found[table].append(row)
            found[f"{table}Property"] += _properties(owner, number, declared, custom=False)
            found[f"{table}Property"] += _properties(owner, number, custom, custom=True)
    for table, columns, pairs in (
        ("Attribution", ("context_id", "artifact_id"), ATTRIBUTIONS),
        ("Association", ("context_id", "execution_id"), ASSOCIATIONS),
        ("Event", ("artifact_id", "execution_id", "type"), EVENTS),
    ):
        found[table] = [
            {"id": number, **dict(zip(columns, pair, strict=True))}
            for number, pair in enumerate(pairs, 1)
        ]
    for number, event in enumerate(found["Event"]):
        event["milliseconds_since_epoch"] = 1000 + number
    found["ParentContext"] = [
        {"context_id": child, "parent_context_id": parent} for child, parent in PARENTS
    ]
    return found


def _properties(
    owner: str, number: int, values: Mapping[str, Any], *, custom: bool
) -> Iterator[dict[str, Any]]:
    columns = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}
    for name, value in values.items():
        column = columns[type(value)]
        yield {owner: number, "name": name, "is_custom_property": custom, column: value}


KINDS: dict[str, NodeKind] = {"a": "artifact", "e": "execution", "c": "context"}
