"""Fetches the contexts of nodes, the parents of these contexts, and the memberships."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import KINDS, Tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.readers.base import Session


def contexts_of(session: Session, members: Mapping[str, list[int]]) -> Tables:
    """Return the tables of contexts and memberships.

    Args:
        session: What fetches them.
        members: The ids of the nodes of each kind.
    """
    tables: dict[str, Any] = {}
    wanted: set[int] = set()
    for kind, ids in members.items():
        name = KINDS[kind].membership or ""
        rows = sorted(session.fetch(name, {KINDS[kind].id_column: ids}))
        wanted |= {row[1] for row in rows}
        tables[name] = table_from_rows(name, rows)
    pairs: set[tuple[Any, ...]] = set()
    new = wanted
    while new:
        found = set(session.fetch("ParentContext", {"context_id": sorted(new)}))
        pairs |= found
        new = {parent for _, parent in found} - wanted
        wanted |= new
    tables["ParentContext"] = table_from_rows("ParentContext", sorted(pairs))
    rows = session.fetch("Context", {"id": sorted(wanted)})
    tables["Context"] = table_from_rows("Context", rows)
    return Tables(tables)
