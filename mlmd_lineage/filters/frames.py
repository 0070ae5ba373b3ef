"""The nodes that a filter finds, as DataFrames; only their rows are read, not the whole store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.filters.find import find_ids
from mlmd_lineage.filters.semantics import analyze
from mlmd_lineage.snapshot.frames import Frames
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS, Tables
from mlmd_lineage.snapshot.type_names import has_nodes_in, one_or_several, types_named

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from mlmd_lineage.readers.base import Reader, Session
    from mlmd_lineage.snapshot.tables import NodeKind


def found(
    reader: Reader,
    kind: NodeKind,
    where: str,
    *,
    type_names: str | Collection[str] | None,
    properties: bool,
) -> pd.DataFrame:
    """Return the nodes that a filter finds, with the columns that all frames of their kind have.

    Args:
        reader: What reads the store.
        kind: Which nodes: ``artifact``, ``execution`` or ``context``.
        where: The filter.
        type_names: Only those of this type or of one of these, in any version, or with such a
            base type.
        properties: Read the properties too.
    """
    analyze(where, kind)  # a mistake needs no store
    names = one_or_several("type", type_names)
    tables = reader.ask(lambda session: _tables(session, kind, where, names, properties))
    frames = Frames.of(tables)
    make = {
        "artifact": frames.artifacts,
        "execution": frames.executions,
        "context": frames.contexts,
    }[kind]
    return make(properties=properties)


def _tables(
    session: Session,
    kind: NodeKind,
    where: str,
    type_names: Collection[str],
    properties: bool,  # noqa: FBT001 - handed on
) -> Tables:
    spelled = KINDS[kind]
    tables = {
        name: table_from_rows(name, session.fetch(name, {})) for name in ("Type", "ParentType")
    }
    rows = []
    ids = find_ids(session, kind, where)
    if ids:
        rows = sorted(session.fetch(spelled.table, {"id": ids}), key=lambda row: row[0])
    if type_names:
        wanted = types_named(tables, type_names, spelled, has_nodes=has_nodes_in(session))
        at = SCHEMAS[spelled.table].names.index("type_id")
        rows = [row for row in rows if row[at] in wanted]
    tables[spelled.table] = table_from_rows(spelled.table, rows)
    if properties:
        name, owners = spelled.properties, [row[0] for row in rows]
        values = session.fetch(name, {spelled.id_column: owners}) if owners else []
        tables[name] = table_from_rows(name, values)
    return Tables(tables)
