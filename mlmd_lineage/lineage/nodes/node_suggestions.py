"""Suggestions of nodes where a name fits none: those whose names or URIs are near to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.readers.base import Newest, Pageable
from mlmd_lineage.snapshot.arrays import pc
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS, Tables
from mlmd_lineage.snapshot.type_names import short_type

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.snapshot.tables import HasTables, NodeSchema

_LIKE_KEY = re.compile(r"^(a|e|c)[a-z]*[/: ]\s*([0-9]+)$", re.IGNORECASE)
_NEAR = 3
"""How many nodes are suggested."""
_COMPARED = 5_000
"""How many names and URIs of a kind are compared to find what is near."""
_LONGEST = 1_000
"""How many bytes a name or a URI has at most that is compared."""


def among_newest(session: Session, text: str) -> str:
    """Return a sentence with the nodes that are near to a text, of the newest of each kind.

    Args:
        session: An open read of the store.
        text: What was asked for.
    """
    rows = {"Type": session.fetch("Type", {})}
    for kind in KINDS.values():
        rows[kind.table] = []
        if isinstance(session, Pageable):
            rows[kind.table] = session.page(
                kind.table, "id", after=None, descending=True, limit=_COMPARED, where={}
            )[::-1]
        elif isinstance(session, Newest):
            rows[kind.table] = session.newest(kind.table, _COMPARED)
    made = {name: table_from_rows(name, found) for name, found in rows.items()}
    return suggestions(Tables(made, source=session.source), text, KINDS)


def suggestions(
    tables: HasTables, text: str, kinds: Collection[str] = ("artifact", "execution")
) -> str:
    """Return a sentence with the nodes whose names or URIs are near to a text, or nothing.

    Only labels of a usual length are compared, and not without end: a store can hold what takes
    minutes.

    Args:
        tables: The tables of types and of those kinds of nodes.
        text: What was asked for.
        kinds: The kinds of nodes that may be named.
    """
    like_key = _LIKE_KEY.match(text)
    if like_key is not None:
        meant = {"a": "artifact", "e": "execution", "c": "context"}[like_key[1].lower()]
        return f" Did you mean {meant}/{like_key[2]}?"
    # A type stands for its nodes, and lineage is of artifacts and executions.
    of_lineage = {KINDS[name].type_kind for name in ("artifact", "execution")}
    rows = tables["Type"].select(["name", "type_kind"]).to_pylist()
    types = {row["name"] for row in rows if row["name"] and row["type_kind"] in of_lineage}
    labels: dict[str, str] = {}
    for kind in (KINDS[name] for name in sorted(kinds)):
        for column in ("name", "uri"):
            if column in SCHEMAS[kind.table].names:
                _collect(labels, tables[kind.table], kind, column, text)
    for name in sorted(types):
        labels.setdefault(name, "")
        labels.setdefault(short_type(name), "")
    said: dict[str, str] = {}
    for name in _closest(text, labels):
        said.setdefault(labels[name] or name, f"{labels[name]} ({name})" if labels[name] else "")
    if not said:
        return ""
    named = [full or f"the type {name}" for name, full in list(said.items())[:_NEAR]]
    return f" Did you mean {' or '.join(named)}?"


def _collect(
    labels: dict[str, str], table: pa.Table, kind: NodeSchema, column: str, text: str
) -> None:
    """Add the newest nodes whose column holds a text, and the newest of all, by their values."""
    part = text.rsplit(":", 1)[-1] if column == "name" else text
    table = table.filter(pc.less_equal(pc.binary_length(table[column]), _LONGEST))
    values = table[column]
    holds = pc.match_substring(values, part or text, ignore_case=True)
    picked = table.filter(holds)
    for rows in (picked, table.filter(pc.is_valid(values))):
        newest = rows.slice(max(rows.num_rows - _COMPARED, 0))
        pairs = zip(newest["id"].to_pylist(), newest[column].to_pylist(), strict=True)
        for number, value in reversed(list(pairs)):
            if value:
                labels.setdefault(value, f"{kind.name}/{number}")


def _closest(text: str, labels: dict[str, str]) -> list[str]:
    """Return the labels that are near to a text: those of nodes also where they hold it."""
    lowered: dict[str, str] = {}
    for label in labels:
        lowered.setdefault(label.lower(), label)
    wanted = text.lower()
    near = errors.close_matches(wanted, lowered, limit=_NEAR, cutoff=0.6)
    name = wanted.rsplit(":", 1)[-1]
    parts = [part for part in (wanted, name) if len(part) > 1]  # one letter is in most of them
    near += [
        low
        for low, label in sorted(lowered.items(), key=lambda pair: len(pair[0]))
        if labels[label] and low not in near and any(part in low for part in parts)
    ]
    return [lowered[low] for low in near]
