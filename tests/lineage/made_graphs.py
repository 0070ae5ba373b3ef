"""Small graphs made by hand, and those of the shared stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mlmd_lineage.lineage.graph import LineageGraph
from mlmd_lineage.readers.sqlite.reader import SQLiteReader
from mlmd_lineage.snapshot.tables import PROPERTY_TABLES, SCHEMAS, Tables
from mlmd_lineage.stores import SQLiteMetadataStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TYPES = ({"id": 1, "name": "Step", "type_kind": 0}, {"id": 2, "name": "Data", "type_kind": 1})


def made(*, properties: bool = False, **rows: Iterable[dict[str, Any]]) -> LineageGraph:
    """Return the graph of tables whose rows are dicts; columns left out are null."""
    rows.setdefault("Type", TYPES)
    names = [name for name in SCHEMAS if properties or name not in PROPERTY_TABLES]
    return LineageGraph(
        Tables(
            {name: pa.Table.from_pylist(list(rows.get(name, [])), SCHEMAS[name]) for name in names},
            source="made",
        )
    )


def events(*pairs: tuple[int, int, int]) -> list[dict[str, int]]:
    """Return rows of Event, numbered from 1, from ``(artifact, execution, type)``."""
    return [
        {"id": number, "artifact_id": artifact, "execution_id": execution, "type": kind}
        for number, (artifact, execution, kind) in enumerate(pairs, 1)
    ]


def nodes(*numbers: int, type_id: int, **more: object) -> list[dict[str, Any]]:
    """Return rows of Artifact or Execution."""
    return [{"id": number, "type_id": type_id, **more} for number in numbers]


def chain(length: int = 3) -> LineageGraph:
    """Return artifact/1 -> execution/1 -> artifact/2 -> ... -> artifact/length+1."""
    pairs = [p for n in range(1, length + 1) for p in ((n, n, 3), (n + 1, n, 4))]
    return made(
        Artifact=nodes(*range(1, length + 2), type_id=2),
        Execution=nodes(*range(1, length + 1), type_id=1),
        Event=events(*pairs),
    )


def tangled() -> LineageGraph:
    """Return a graph with a cycle, parallel edges, missing nodes, gaps in the ids and a lone node.

    execution/1 takes artifact/10 and gives it out again; execution/7 takes artifact/10 twice.
    """
    return made(
        Artifact=nodes(3, 10, 500, type_id=2),
        Execution=nodes(1, 7, type_id=1),
        Event=events(
            (10, 1, 3), (10, 1, 4), (10, 7, 3), (10, 7, 2), (3, 7, 4), (44, 7, 3), (3, 99, 3)
        ),
    )


def stored(folder: Path, name: str, *, properties: bool = True) -> LineageGraph:
    """Return the graph of a shared store."""
    reader = SQLiteReader(SQLiteMetadataStore(uri=str(folder / name)))
    names = [name for name in SCHEMAS if properties or name not in PROPERTY_TABLES]
    return LineageGraph(reader.read(names))
