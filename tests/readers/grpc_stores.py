"""What MLMD's service can tell of a store, for comparison with what is read from one."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Any

from mlmd_lineage.readers.grpc import rows as grpc_rows
from mlmd_lineage.snapshot.snapshot import Snapshot
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import KINDS, SORT_KEYS, Tables
from mlmd_lineage.snapshot.values import STRUCT_PREFIX, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    Row = tuple[Any, ...]


def as_told(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot as a service tells it.

    Events, attributions and associations have the ids that we give them, the fields of structs
    are in order, and what hangs on a row that is not there is left out, where only that row would
    lead to it.
    """
    rows = {name: list(rows_of(snapshot[name])) for name in snapshot.names}
    ids = {kind.table: {row[0] for row in rows[kind.table]} for kind in KINDS.values()}
    for kind in KINDS.values():
        rows[kind.properties] = [
            _ordered(row) for row in rows[kind.properties] if row[0] in ids[kind.table]
        ]
        if kind.membership:
            rows[kind.membership] = [
                (grpc_rows.membership_id(context, node), context, node)
                for _, context, node in rows[kind.membership]
                if node in ids[kind.table]
            ]
    numbers = dict(_numbers(rows["Event"]))
    rows["Event"] = [(numbers[row[0]], *row[1:]) for row in rows["Event"]]
    rows["EventPath"] = [
        (numbers[event], *step) for event, *step in rows["EventPath"] if event in numbers
    ]
    made = {}
    for name, some in rows.items():
        keys = 1 if name == "EventPath" or name.endswith("Property") else len(SORT_KEYS[name])
        made[name] = table_from_rows(name, sorted(some, key=lambda row, n=keys: row[:n]))
    return Snapshot.of(Tables(made, source=snapshot.source, taken_at=snapshot.taken_at))


def _ordered(row: Row) -> Row:
    """Return a property's row with the fields of a struct in order."""
    text = row[5]
    if text is not None and text.startswith(STRUCT_PREFIX):
        with contextlib.suppress(Exception):  # some are no structs
            raw = base64.b64decode(text.removeprefix(STRUCT_PREFIX), validate=True)
            return (*row[:5], grpc_rows.struct_text(raw).decode(), *row[6:])
    return row


def _numbers(events: list[Row]) -> Iterator[tuple[int, int]]:
    """Yield the id that each event has, and the one that we give it."""
    seen: dict[tuple[int, int, int], int] = {}
    for number, artifact, execution, kind, _ in sorted(events, key=lambda row: (row[4], row[0])):
        ends = (artifact, execution, kind)
        seen[ends] = seen.get(ends, -1) + 1
        yield number, grpc_rows.event_id(*ends, seen[ends])
