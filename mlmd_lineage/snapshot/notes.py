"""Notes on tables: what only the reader of a store could see.

A value that does not fit its column is changed, as little as can be, before it becomes a column;
the note says so. Notes travel in the metadata of the table's schema, through Arrow and Parquet
files too, and come out as findings.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from mlmd_lineage.snapshot.tables import KINDS, PROPERTY_TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_KEY = b"mlmd_lineage.notes"

_SUBJECTS = {
    **{kind.table: kind.name for kind in KINDS.values()},
    **{kind.properties: kind.name for kind in KINDS.values()},
    "Event": "event",
    "EventPath": "event",
    "Type": "type",
    "TypeProperty": "type",
    "ParentType": "type",
    "Attribution": "attribution",
    "Association": "association",
    "ParentContext": "context",
}


class Note(NamedTuple):
    """A finding in the making: its code, what it is about, and a sentence."""

    code: str
    subject: str
    detail: str


def subject_of(table: str, number: object) -> str:
    """Return the key of the node, type or event that a row is about, by the row's first column."""
    return f"{_SUBJECTS[table]}/{number}"


def about(table: str, row: Sequence[object], column: str) -> tuple[str, str]:
    """Return what a cell is about, and how to begin a sentence on it.

    Args:
        table: The table's name.
        row: Its first columns; the second names the property, where it is a table of those.
        column: The cell's column.
    """
    if table in PROPERTY_TABLES and column != "name":
        return subject_of(table, row[0]), f"its property {row[1]!r}"
    return subject_of(table, row[0]), f"its {column}"


def noted(table: pa.Table, notes: Iterable[Note]) -> pa.Table:
    """Return a table with more notes on it."""
    every = sorted({*notes_of(table), *notes})
    if not every:
        return table
    metadata = {**(table.schema.metadata or {}), _KEY: json.dumps(every)}
    return table.replace_schema_metadata(metadata)


def without(table: pa.Table, unwanted: Callable[[Note], bool]) -> pa.Table:
    """Return a table without some of the notes on it."""
    every = notes_of(table)
    kept = [note for note in every if not unwanted(note)]
    if len(kept) == len(every):
        return table
    metadata = {**table.schema.metadata, _KEY: json.dumps(kept)}
    return table.replace_schema_metadata(metadata)


def notes_of(table: pa.Table) -> list[Note]:
    """Return the notes on a table."""
    raw = (table.schema.metadata or {}).get(_KEY)
    return [Note(*map(str, note)) for note in json.loads(raw)] if raw else []


def joined(parts: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of some tables as one, with the notes on all of them."""
    return noted(pa.concat_tables(parts), [note for part in parts for note in notes_of(part)])
