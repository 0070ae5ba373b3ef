"""Packed rows: rows of all of MLMD's tables in one schema, so that Spark groups them together.

A packed row names its part and its table, and has the row's integers, texts and other values in
columns that the tables share. The rows of a part come out as ``Tables`` again.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlmd_lineage.readers.parquet import as_schema
from mlmd_lineage.snapshot import arrays, notes
from mlmd_lineage.snapshot.tables import PROPERTY_TABLES, SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pyspark.sql import DataFrame

ORDINAL = "ordinal"
"""A column that tables of event paths have in Spark: the order of the steps, which have no id."""
TYPE_TABLES = ("Type", "TypeProperty", "ParentType")
"""Small tables that each part needs; they are not packed."""
PACKED_TABLES = tuple(name for name in SCHEMAS if name not in TYPE_TABLES)
MARKS = "marks"
"""A table that is none of MLMD's: nodes about which a part is told something."""
_MARK_COLUMNS = ("node", "mark")


def _slots(table: str) -> dict[str, str]:
    """Return for each column of a table the column that holds it in a packed row."""
    if table == MARKS:
        return {"node": "integer_0", "mark": "integer_1"}
    counts: dict[str, int] = {}
    made = {}
    for name, kind in _columns(table):
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        made[name] = f"{kind}_{number}"
    return made


def _columns(table: str) -> Iterator[tuple[str, str]]:
    for field in SCHEMAS[table]:
        yield field.name, spark_type(field.type).replace("bigint", "integer")
    if table == "EventPath":
        yield ORDINAL, "integer"


def spark_type(kind: pa.DataType) -> str:
    """Return how Spark calls a type of MLMD's columns."""
    if pa.types.is_integer(kind):
        return "bigint"
    if pa.types.is_floating(kind):
        return "double"
    if pa.types.is_boolean(kind):
        return "boolean"
    return "binary" if pa.types.is_large_binary(kind) else "string"


_SLOTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {name: MappingProxyType(_slots(name)) for name in (*PACKED_TABLES, MARKS)}
)
_EVERY = sorted({slot for slots in _SLOTS.values() for slot in slots.values()})
_NUMBERS = MappingProxyType({name: number for number, name in enumerate(_SLOTS)})


def pack(frame: DataFrame, table: str) -> DataFrame:
    """Return rows of a table as packed rows.

    Args:
        frame: The rows, and a column ``part``.
        table: MLMD's name of the table, or ``MARKS``.
    """
    from pyspark.sql import functions as f

    by_slot = {slot: name for name, slot in _SLOTS[table].items()}
    columns = [f.col("part"), f.lit(_NUMBERS[table]).alias("table_number")]
    for slot in _EVERY:
        kind = slot.partition("_")[0].replace("integer", "bigint")
        value = f.col(by_slot[slot]) if slot in by_slot else f.lit(None)
        columns.append(value.cast(kind).alias(slot))
    return frame.select(*columns)


def unpack(batches: Iterable[pa.RecordBatch]) -> dict[str, pa.Table]:
    """Return the tables that packed rows hold, each as its schema has it; all but those of types.

    ``MARKS`` has the columns ``node`` and ``mark``.
    """
    held: dict[str, list[pa.Table]] = {name: [] for name in _SLOTS}
    names = list(_SLOTS)
    for batch in batches:
        numbers = arrays.to_numpy(batch["table_number"])
        found = np.unique(numbers).tolist()
        for number in found:
            name = names[number]
            columns = list(_SLOTS[name].values())
            part = pa.table([batch[column] for column in columns], names=list(_SLOTS[name]))
            if len(found) > 1:
                part = part.filter(arrays.from_numpy(numbers == number))
            held[name].append(part)
    return {name: _table(name, parts) for name, parts in held.items()}


def _table(name: str, parts: list[pa.Table]) -> pa.Table:
    if name == MARKS:
        empty = pa.schema([(column, pa.int64()) for column in _MARK_COLUMNS])
        return pa.concat_tables(parts) if parts else arrays.empty_table(empty)
    if not parts:
        return arrays.empty_table(SCHEMAS[name])
    return in_order(name, pa.concat_tables(parts))


def in_order(name: str, rows: pa.Table) -> pa.Table:
    """Return rows that Spark gave, in any order, as a table's schema has them.

    Args:
        name: MLMD's name of the table.
        rows: Its rows; those of event paths with their ordinals.
    """
    found = notes.notes_of(rows)
    if name in PROPERTY_TABLES:
        keys = [(SCHEMAS[name].names[0], "ascending"), ("is_custom_property", "ascending")]
        rows = rows.sort_by([keys[0], ("name", "ascending"), keys[1]])
    elif ORDINAL in rows.column_names:
        rows = rows.sort_by([("event_id", "ascending"), (ORDINAL, "ascending")])
    elif "id" in rows.column_names:
        rows = rows.sort_by("id")
    return as_schema(name, notes.noted(rows.combine_chunks(), found))


def schema_of(table: str, columns: Collection[str] | None = None) -> str:
    """Return the columns of a table as Spark writes a schema.

    >>> schema_of("ParentType")
    'type_id bigint, parent_type_id bigint'
    """
    fields: list[Any] = [f for f in SCHEMAS[table] if columns is None or f.name in columns]
    return ", ".join(f"{field.name} {spark_type(field.type)}" for field in fields)
