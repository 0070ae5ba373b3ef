"""Small MLMD stores, made without ``ml_metadata``, that hold what real ones rarely do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlite_stores

from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import ALL_TABLES, SCHEMAS, Tables, wanted
from mlmd_lineage.snapshot.values import rows_of
from mlmd_lineage.store import Store
from mlmd_lineage.stores import SQLiteMetadataStore

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from mlmd_lineage.readers.base import Session

DATA, MODEL, BASE, TRAIN, RESOLVE, RUN = range(1, 7)
TYPES = [
    {"id": DATA, "name": "Data", "type_kind": 1},
    {"id": MODEL, "name": "Model", "type_kind": 1, "version": "v2", "description": "dépôt"},
    {"id": BASE, "name": "mlmd.Model", "type_kind": 1},
    {"id": TRAIN, "name": "Train", "type_kind": 0},
    {"id": RESOLVE, "name": "Resolve", "type_kind": 0, "external_id": "t5"},
    {"id": RUN, "name": "Run", "type_kind": 2},
]
START = 1_600_000_000_000
STRUCT = "mlmd-struct::Cg4KAWESCREAAAAAAAAIQA=="  # {"a": 3.0}
ANY = "CgFhEgFi"  # type_url a, value b

NEW, RUNNING, COMPLETE, CACHED = 1, 2, 3, 5
INPUT, OUTPUT, INTERNAL_INPUT, INTERNAL_OUTPUT, PENDING_OUTPUT = 3, 4, 5, 6, 7

Edge = tuple[int, int, int]
"""An event: its artifact, its execution, and its type."""


def artifact(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "type_id": DATA,
        "uri": f"/data/{number}",
        "state": 2,
        "create_time_since_epoch": START + number,
        "last_update_time_since_epoch": START + number,
        **more,
    }


def execution(number: int, state: int | None = COMPLETE, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "type_id": TRAIN,
        "last_known_state": state,
        "create_time_since_epoch": START + number,
        "last_update_time_since_epoch": START + number,
        **more,
    }


def events(edges: Iterable[Edge]) -> list[dict[str, Any]]:
    """Return the events of some edges, each a millisecond later than the one before."""
    return [
        {
            "id": number,
            "artifact_id": a,
            "execution_id": e,
            "type": kind,
            "milliseconds_since_epoch": START + 100 + number,
        }
        for number, (a, e, kind) in enumerate(edges, 1)
    ]


def store(path: Path, rows: Mapping[str, Iterable[dict[str, Any]]], *, version: int = 10) -> Path:
    """Make a store of some rows, and of the types above."""
    sqlite_stores.new_store(path, version=version, rows=False)
    with sqlite_stores.connected(path) as connection:
        for table, some in {"Type": TYPES, **rows}.items():
            columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            marks = ", ".join("?" * len(columns))
            connection.executemany(
                f"INSERT INTO {table} VALUES ({marks})",  # noqa: S608 - MLMD's names
                ([row.get(name) for name in columns] for row in some) if columns else (),
            )
    return path


def graph(
    path: Path,
    edges: Iterable[Edge],
    *,
    states: Mapping[int, int | None] | None = None,
    artifact_states: Mapping[int, int | None] | None = None,
    version: int = 10,
) -> Path:
    """Make a store of some edges, with a row for each node that they name.

    Args:
        path: Where to make it.
        edges: Its events.
        states: The states of the executions that are not COMPLETE.
        artifact_states: The states of the artifacts that are not LIVE.
        version: Its schema's version.
    """
    edges = list(edges)
    states, artifact_states = states or {}, artifact_states or {}
    artifacts = sorted({a for a, _, _ in edges} | set(artifact_states))
    executions = sorted({e for _, e, _ in edges} | set(states))
    return store(
        path,
        {
            "Artifact": [artifact(n, state=artifact_states.get(n, 2)) for n in artifacts],
            "Execution": [execution(n, states.get(n, COMPLETE)) for n in executions],
            "Event": events(edges),
        },
        version=version,
    )


def odd(path: Path) -> Path:
    """Make a store with something of everything that a schema of version 10 allows."""
    edges = [
        (1, 1, INPUT),
        (2, 1, OUTPUT),  # the producer of 2
        (1, 2, INPUT),
        (2, 2, OUTPUT),  # a cached execution claims it
        (2, 3, INTERNAL_OUTPUT),  # a resolver hands it on
        (2, 4, INPUT),
        (3, 4, OUTPUT),
        (3, 5, INPUT),
        (1, 5, OUTPUT),  # back to the beginning
        (4, 6, INPUT),
        (4, 6, OUTPUT),  # a loop of one
        (5, 7, PENDING_OUTPUT),
        (6, 8, OUTPUT),  # a phantom: 8 is not finished, and 6 has no state
        (7, 2, OUTPUT),
        (7, 9, OUTPUT),  # only cached executions claim 7
        (7, 4, INTERNAL_INPUT),
        (90, 4, INPUT),  # no row
        (3, 91, INPUT),  # no row
        (8, 91, OUTPUT),
        (8, 10, 0),  # neither an input nor an output
        (9, 10, 9),
        (9, 4, 1),  # DECLARED_OUTPUT
        (3, 10, 2),  # DECLARED_INPUT
        (2, 10, INPUT),
        (2, 10, INTERNAL_INPUT),  # twice between one pair
    ]
    paths = [
        {"event_id": 1, "is_index_step": 0, "step_key": "entrée"},
        {"event_id": 1, "is_index_step": 1, "step_index": 0},
        {"event_id": 1, "is_index_step": 0, "step_key": "again"},
        {"event_id": 1, "is_index_step": 1, "step_index": 3},
        {"event_id": 2, "is_index_step": 0, "step_key": "model"},
        {"event_id": 99, "is_index_step": 0, "step_key": "no such event"},
    ]
    values = [
        ("int", {"int_value": 7}),
        ("double", {"double_value": 0.1}),
        ("text", {"string_value": "Zoë 中文 \U0001f600"}),
        ("true", {"bool_value": 1}),
        ("struct", {"string_value": STRUCT}),
        ("proto", {"proto_value": ANY}),
        ("no value", {}),
        ("null text", {"string_value": "__MLMD_NULL__"}),
        ("no struct", {"string_value": "mlmd-struct::!"}),
        ("Größe", {"string_value": ""}),
        ("name", {"string_value": "like a column"}),
        ("state", {"string_value": "cached"}),
    ]

    def properties(owner: str, number: int) -> list[dict[str, Any]]:
        return [
            {owner: number, "name": name, "is_custom_property": custom, **value}
            for custom in (0, 1)
            for name, value in values
        ]

    mixed = [
        {"artifact_id": 2, "name": "mixed", "is_custom_property": 1, "int_value": 1},
        {"artifact_id": 3, "name": "mixed", "is_custom_property": 1, "string_value": "one"},
    ]
    contexts = [
        {
            "id": n,
            "type_id": RUN,
            "name": f"контекст {n}",
            "create_time_since_epoch": START,
            "last_update_time_since_epoch": 0,
        }
        for n in (1, 2, 3)
    ]
    return store(
        path,
        {
            "TypeProperty": [{"type_id": DATA, "name": "int", "data_type": 1}],
            "ParentType": [{"type_id": MODEL, "parent_type_id": BASE}],
            "Artifact": [
                artifact(1, name="données", uri="s3://bücket/ä b", external_id="a1"),
                artifact(2, type_id=MODEL, name="model"),
                artifact(3, type_id=77),  # no such type
                artifact(4, state=55),  # no such state
                artifact(5, state=1, create_time_since_epoch=0),
                artifact(6, state=None),
                *(artifact(n) for n in (7, 8, 9)),
            ],
            "Execution": [
                *(execution(n) for n in (1, 4, 5, 6, 7, 10)),
                execution(2, CACHED, name="two"),
                execution(3, type_id=RESOLVE),
                execution(8, RUNNING),
                execution(9, None),
            ],
            "Context": contexts,
            "ArtifactProperty": [*properties("artifact_id", 1), *mixed],
            # By the text in its property, 9 is cached.
            "ExecutionProperty": [*properties("execution_id", 9), *properties("execution_id", 70)],
            "ContextProperty": properties("context_id", 1),
            "Event": events(edges),
            "EventPath": paths,
            "Attribution": [
                {"id": 1, "context_id": 2, "artifact_id": 2},
                {"id": 2, "context_id": 1, "artifact_id": 2},
                {"id": 3, "context_id": 88, "artifact_id": 1},
                {"id": 4, "context_id": 1, "artifact_id": 87},
            ],
            "Association": [{"id": 1, "context_id": 1, "execution_id": 1}],
            "ParentContext": [
                {"context_id": 2, "parent_context_id": 3},
                {"context_id": 1, "parent_context_id": 2},
            ],
        },
    )


def old(path: Path) -> Path:
    """Make a store of schema 5: text states, duplicate events, nodes without a time."""
    edges = [
        (1, 1, INPUT),
        (2, 1, OUTPUT),
        (2, 1, OUTPUT),  # twice
        (2, 2, OUTPUT),
        (2, 3, INPUT),
        (3, 3, OUTPUT),
        (4, 4, OUTPUT),
    ]
    texts = {1: "complete", 2: "cached", 3: "no such state", 4: "new"}
    times = {"create_time_since_epoch": 0, "last_update_time_since_epoch": 0}
    return store(
        path,
        {
            "Artifact": [artifact(n, state=None, **times) for n in (1, 2, 3, 4, 5)],
            "Execution": [execution(n, None, **times) for n in (1, 2, 3, 4, 5)],
            "ExecutionProperty": [
                {
                    "execution_id": number,
                    "name": "state",
                    "is_custom_property": 0,
                    "string_value": text,
                }
                for number, text in texts.items()
            ],
            "Event": events(edges),
        },
        version=5,
    )


def deep(path: Path, length: int = 90) -> Path:
    """Make a store of a long chain: with side ways, a wide part, and a cycle at either end."""
    edges: list[Edge] = []
    for n in range(1, length + 1):
        edges += [(n, n, INPUT), (n + 1, n, OUTPUT)]
        if n % 7 == 0:
            edges += [(1000 + n, n, INPUT), (2000 + n, n, OUTPUT)]
        if n % 11 == 0:
            edges.append((n + 1, 3000 + n, OUTPUT))  # a cached execution claims it
        if n == length // 2:
            edges += [(4000 + k, n, OUTPUT) for k in range(300)]
            edges += [(4000 + k, n + 1, INPUT) for k in range(300)]
    edges += [(1, 5000, OUTPUT), (2, 5000, INPUT)]
    edges += [(length, 5001, OUTPUT), (length + 1, 5001, INPUT)]
    cached = {3000 + n: CACHED for n in range(11, length + 1, 11)}
    return graph(path, edges, states=cached)


def tables(  # noqa: PLR0913 - what a store may have
    edges: Iterable[Edge],
    *,
    states: Mapping[int, int | None] | None = None,
    artifact_states: Mapping[int, int | None] | None = None,
    types: Mapping[str, int] | None = None,
    rowless: Iterable[str] = (),
    times: Mapping[int, int | None] | None = None,
) -> Tables:
    """Return the tables of a graph, in memory; otherwise as ``graph()`` does.

    Args:
        edges: Its events.
        states: The states of the executions that are not COMPLETE.
        artifact_states: The states of the artifacts that are not LIVE.
        types: The types of the nodes that are no Data or Train, by the nodes' keys.
        rowless: The nodes that have no row, by their keys.
        times: The times of events, by their numbers, where each is not later than the one before.
    """
    edges = list(edges)
    states, artifact_states, types = states or {}, artifact_states or {}, types or {}
    times = times or {}
    gone = set(rowless)
    artifacts = {a for a, _, _ in edges} | set(artifact_states)
    executions = {e for _, e, _ in edges} | set(states)
    rows: dict[str, list[dict[str, Any]]] = {
        "Type": TYPES,
        "ParentType": [{"type_id": MODEL, "parent_type_id": BASE}],
        "Artifact": [
            artifact(n, state=artifact_states.get(n, 2), type_id=types.get(f"artifact/{n}", DATA))
            for n in sorted(artifacts)
            if f"artifact/{n}" not in gone
        ],
        "Execution": [
            execution(n, states.get(n, COMPLETE), type_id=types.get(f"execution/{n}", TRAIN))
            for n in sorted(executions)
            if f"execution/{n}" not in gone
        ],
        "Event": [
            {
                **row,
                "milliseconds_since_epoch": times.get(row["id"], row["milliseconds_since_epoch"]),
            }
            for row in events(edges)
        ],
    }
    return Tables(
        {
            name: table_from_rows(
                name, [tuple(row.get(c) for c in SCHEMAS[name].names) for row in rows.get(name, ())]
            )
            for name in ALL_TABLES
        },
        source="memory",
    )


class MemoryReader:
    """Reads tables in memory: a reader that anybody can write."""

    def __init__(self, held: Tables) -> None:
        self.held = held
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """What its sessions were asked for."""

    def read(self, names: Collection[str] | None = None) -> Tables:
        return Tables({name: self.held[name] for name in wanted(names)}, source=self.held.source)

    def ask(self, question: Callable[[Session], Any]) -> Any:
        return question(MemorySession(self))


class MemorySession:
    """Answers from tables in memory."""

    def __init__(self, reader: MemoryReader) -> None:
        self._reader = reader
        self.source = reader.held.source

    def fetch(
        self, table: str, where: Mapping[str, Collection[int | str]]
    ) -> list[tuple[Any, ...]]:
        self._reader.asked.append((table, dict(where)))
        names = SCHEMAS[table].names
        kept = [(names.index(column), set(values)) for column, values in where.items()]
        return [
            row
            for row in rows_of(self._reader.held[table])
            if all(row[at] in values for at, values in kept)
        ]


def live(held: Tables) -> Store:
    """Return a store that reads tables in memory."""
    return Store(SQLiteMetadataStore(uri="memory.db"), reader=MemoryReader(held))
