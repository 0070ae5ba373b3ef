"""The closed lineage of a trace: its rows in all of MLMD's tables, and all rows those refer to."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from mlmd_lineage.lineage.graph_tables import TablesSession
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import ALL_TABLES, KINDS, PROPERTY_TABLES, SCHEMAS, Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from mlmd_lineage.lineage.graph_data import GraphData
    from mlmd_lineage.readers.base import Reader, Session

    Row = tuple[Any, ...]

_TIMES = {
    "Artifact": "last_update_time_since_epoch",
    "Execution": "last_update_time_since_epoch",
    "Context": "last_update_time_since_epoch",
    "Event": "milliseconds_since_epoch",
}


def closed_lineage(
    graphs: Iterable[GraphData], source: str, reader: Reader | None = None
) -> Tables:
    """Return the rows of some graphs' nodes and events, and all rows that those refer to.

    That are the contexts of the nodes and all that hold those, and the types of all with their
    base types. ``taken_at`` is the newest time in the rows, so that the same rows give the same
    bytes whenever they are read.

    Args:
        graphs: The graphs, of one store.
        source: Where the store is, without any secret.
        reader: Reads the rows as they are in the store, in one transaction. Without it they are
            those of the graphs, in which an execution whose state TFX kept as text has it in
            ``last_known_state``.
    """
    graphs = list(graphs)
    events: set[int] = set()
    nodes: dict[str, set[int]] = {"artifact": set(), "execution": set()}
    for graph in graphs:
        events.update(graph.tables["Event"]["id"].to_pylist())
        nodes["artifact"].update(graph.index.artifact_ids.tolist())
        nodes["execution"].update(graph.index.execution_ids.tolist())

    def question(session: Session) -> dict[str, set[Row]]:
        return _rows(session, nodes, events)

    if reader is not None:
        found = reader.ask(question)
    else:
        found = {name: set() for name in ALL_TABLES}
        for graph in graphs:
            for name, rows in question(TablesSession(graph.tables)).items():
                found[name] |= rows
    tables = {name: table_from_rows(name, _ordered(name, rows)) for name, rows in found.items()}
    return Tables(tables, source=source, taken_at=_newest(found))


def _rows(session: Session, nodes: dict[str, set[int]], events: set[int]) -> dict[str, set[Row]]:
    def fetch(table: str, column: str, values: Collection[int]) -> set[Row]:
        return set(session.fetch(table, {column: sorted(values)})) if values else set()

    found = {
        "Event": fetch("Event", "id", events),
        "EventPath": _steps(session, events),
    }
    contexts: set[int] = set()
    for name, ids in nodes.items():
        kind = KINDS[name]
        found[kind.table] = fetch(kind.table, "id", ids)
        found[kind.properties] = fetch(kind.properties, kind.id_column, ids)
        members = fetch(str(kind.membership), kind.id_column, ids)
        found[str(kind.membership)] = members
        contexts |= {row[1] for row in members}
    found["ParentContext"] = _closure(
        contexts, lambda new: fetch("ParentContext", "context_id", new)
    )
    found["Context"] = fetch("Context", "id", contexts)
    found["ContextProperty"] = fetch("ContextProperty", "context_id", contexts)
    types = {row[1] for kind in KINDS.values() for row in found[kind.table] if row[1] is not None}
    found["ParentType"] = _closure(types, lambda new: fetch("ParentType", "type_id", new))
    found["Type"] = fetch("Type", "id", types)
    found["TypeProperty"] = fetch("TypeProperty", "type_id", types)
    return found


def _steps(session: Session, events: set[int]) -> set[Row]:
    """Return the steps of some events' paths, each with its event and its number before it."""
    if not events:
        return set()
    counts: dict[int, int] = {}
    found: set[Row] = set()
    for row in session.fetch("EventPath", {"event_id": sorted(events)}):
        counts[row[0]] = number = counts.get(row[0], -1) + 1
        found.add((row[0], number, row))
    return found


def _closure(ids: set[int], fetch: Callable[[set[int]], set[Row]]) -> set[Row]:
    """Return the rows that lead from some ids to their parents, and add those to the ids."""
    rows: set[Row] = set()
    new = set(ids)
    while new:
        found = fetch(new)
        rows |= found
        new = {parent for _, parent in found} - ids
        ids |= new
    return rows


def _ordered(table: str, rows: set[Row]) -> list[Row]:
    """Return the rows of a table in an order that depends on nothing but them."""
    if table == "EventPath":
        return [row for _, _, row in sorted(rows, key=lambda step: step[:2])]
    if table in PROPERTY_TABLES or table == "TypeProperty":
        return sorted(rows, key=lambda row: (row[0], row[1] or "", row[2] or 0))
    return sorted(rows, key=lambda row: row[:1] if "id" in SCHEMAS[table].names else row)


def _newest(found: dict[str, set[Row]]) -> dt.datetime:
    times = [
        row[at] or 0
        for table, column in _TIMES.items()
        for at in [SCHEMAS[table].names.index(column)]
        for row in found[table]
    ]
    newest = max(times, default=0)
    limit = 253_402_300_799_999  # the last millisecond that datetime can hold
    clamped = min(max(newest, 0), limit)
    return dt.datetime.fromtimestamp(0, tz=dt.timezone.utc) + dt.timedelta(milliseconds=clamped)
