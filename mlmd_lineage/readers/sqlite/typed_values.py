"""Expressions that give values of one type, where SQLite's columns may hold any.

Columns have an affinity and no type (https://www.sqlite.org/datatype3.html), and the Arrow driver
holds to the type that it met first, so each statement begins with a row of the right types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from mlmd_lineage.snapshot.tables import PROPERTY_TABLES, SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Sequence


def quoted(name: str) -> str:
    """Return a name as it stands in a statement."""
    return '"' + name.replace('"', '""') + '"'


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a column holds integers, floats or truth values."""
    return any(of(kind) for of in (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean))


def fits(column: pa.Array, kind: pa.DataType) -> bool:
    """Tell whether the driver returned the type of a column, and did not widen it."""
    if pa.types.is_floating(kind):
        return bool(pa.types.is_floating(column.type))
    return not is_number(kind) or bool(pa.types.is_integer(column.type))


def seed(columns: Sequence[str], table: str) -> str:
    """Return the columns of a row from which the driver learns their types."""
    kinds = SCHEMAS[table]
    return ", ".join(f"{_example(kinds.field(c).type)} AS {quoted(c)}" for c in columns)


def _example(kind: pa.DataType) -> str:
    if pa.types.is_floating(kind):
        return "0.5"
    if is_number(kind):
        return "0"
    return "x''" if pa.types.is_large_binary(kind) else "''"


def plain(columns: Sequence[str], table: str) -> str:
    """Return the columns of a SELECT for a table whose values are what they should be."""
    kinds = SCHEMAS[table]
    # MLMD stores a PROTO as text in a column of bytes.
    return ", ".join(
        f"CAST({quoted(c)} AS BLOB)" if pa.types.is_large_binary(kinds.field(c).type) else quoted(c)
        for c in columns
    )


def tolerant(columns: Sequence[str], table: str) -> dict[str, str]:
    """Return each column of a SELECT for a table with values that are not what they should be.

    A property's number that is none is kept as the double or the text that it is. Elsewhere a
    number that is none becomes NULL.
    """
    kinds = SCHEMAS[table]
    listed = {c: _typed(c, kinds.field(c).type) for c in columns}
    if table in PROPERTY_TABLES:
        values = [c for c in columns if c not in kinds.names[:3]]
        numbers = [c for c in values if is_number(kinds.field(c).type)]
        # A damaged store may have lost any of these columns.
        double, string = listed.get("double_value", "NULL"), listed.get("string_value", "NULL")
        listed["double_value"] = _first(
            double, *(f"CASE typeof({quoted(c)}) WHEN 'real' THEN {c} END" for c in numbers)
        )
        listed["string_value"] = _first(
            string,
            *(
                f"CASE WHEN typeof({quoted(c)}) IN ('text', 'blob') AND {_typed(c, kind)} IS NULL "
                f"THEN CAST({quoted(c)} AS TEXT) END"
                for c, kind in ((c, kinds.field(c).type) for c in numbers)
            ),
        )
    return listed


def wrong(column: str, table: str) -> str:
    """Return the condition that a column of numbers holds something else."""
    typed = _typed(column, SCHEMAS[table].field(column).type)
    return f"{quoted(column)} IS NOT NULL AND {typed} IS NULL"


def _first(*expressions: str) -> str:
    return f"COALESCE({', '.join(expressions)})" if len(expressions) > 1 else expressions[0]


def _typed(column: str, kind: pa.DataType) -> str:
    name = quoted(column)
    if is_number(kind):
        cast = f"CAST({name} AS {'REAL' if pa.types.is_floating(kind) else 'INTEGER'})"
        # A cast makes a number of anything; it is the same number only where it was one.
        return f"CASE WHEN {cast} = {name} THEN {cast} END"
    return f"CAST({name} AS {'BLOB' if pa.types.is_large_binary(kind) else 'TEXT'})"
