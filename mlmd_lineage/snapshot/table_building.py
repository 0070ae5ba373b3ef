"""Construction of tables from the raw values that drivers return."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlmd_lineage.snapshot import arrays, notes
from mlmd_lineage.snapshot.arrays import pc
from mlmd_lineage.snapshot.finding_codes import FindingCode
from mlmd_lineage.snapshot.tables import PROPERTY_TABLES, SCHEMAS, SORT_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

TIES = {
    "type",
    "type_id",
    "parent_type_id",
    "artifact_id",
    "execution_id",
    "context_id",
    "parent_context_id",
    "event_id",
}
"""The columns that tie rows together: NOT NULL in every version."""
_SLICE = 1 << 17
"""How many rows are looked at together."""
_FEW_ROWS = 1024
"""How many rows are looked at in less time than the import of ``pyarrow.compute`` takes."""


def text_from_bytes(column: pa.ChunkedArray | pa.Array, to: pa.DataType) -> pa.Array:
    r"""Return text that is surely UTF-8; bytes that are not show as ``\xff`` and the like."""
    return _checked_text(column, to)[0]


def _checked_text(
    column: pa.ChunkedArray | pa.Array, to: pa.DataType
) -> tuple[pa.Array, Sequence[int]]:
    """Return text that is surely UTF-8, and the rows in which it was not."""
    # A driver's text is what the database holds, which need not be UTF-8; bytes are checked.
    raw = column.cast(pa.binary()) if pa.types.is_string(column.type) else column
    try:
        return raw.cast(to), ()
    except pa.ArrowInvalid:
        values = raw.to_pylist()
    decoded = [None if b is None else readable_text(b) for b in values]
    changed = [
        row
        for row, (before, after) in enumerate(zip(values, decoded, strict=True))
        if after is not None and before != after.encode()
    ]
    return arrays.from_values(decoded, to), changed


def readable_text(raw: bytes) -> str:
    """Return the text that some bytes are, losing none of those that are not UTF-8."""
    return raw.decode("utf-8", errors="backslashreplace")


def proto_bytes(raw: bytes | str) -> bytes:
    """Return a PROTO value's serialized ``Any``, which SQLite and MySQL keep as base64 text.

    What is not base64 is returned as it is.
    """
    data = raw.encode() if isinstance(raw, str) else raw
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return data


def finished(  # noqa: PLR0913 - what drivers differ in
    table: str,
    columns: Mapping[str, Any],
    rows: int,
    *,
    base64_protos: bool = True,
    trim: bool = True,
    shared: arrays.SharedBuffers | None = None,
) -> pa.Table:
    """Return a table of exactly the columns in its schema; those that are not given are null.

    Args:
        table: MLMD's name of the table.
        columns: Its columns, as the driver made them.
        rows: How many rows there are.
        base64_protos: Whether protos come as base64 text.
        trim: Whether the driver's buffers may be larger than needed.
        shared: What the columns of several tables have in common.
    """
    made: dict[str, pa.Array] = {}
    found: list[notes.Note] = []
    rows_of: dict[str, tuple[Sequence[int], Sequence[int]]] = {}
    for field in SCHEMAS[table]:
        column, invalid = _converted(field, columns.get(field.name), rows, base64_protos)
        null: Sequence[int] = ()
        if column.null_count and is_key(table, field.name):
            null = np.flatnonzero(~arrays.to_numpy(column.is_valid())).tolist()
            column = _without_nulls(column)
        rows_of[field.name] = invalid, null
        if column.null_count == rows:
            made[field.name] = arrays.nulls(rows, field.type)
        else:
            known = shared.shared(column) if shared is not None else None
            if known is None:
                known = _in_its_size(column) if trim else column
                if shared is not None:
                    shared.keep(known)
            made[field.name] = known
    if table in PROPERTY_TABLES:
        values = arrays.in_one_buffer(made["int_value"], made["double_value"])
        made |= dict(zip(("int_value", "double_value"), values, strict=True))
    whole = pa.table(list(made.values()), schema=SCHEMAS[table])
    for name, (invalid, null) in rows_of.items():
        found += _notes(table, whole, name, FindingCode.INVALID_TEXT, invalid)
        found += _notes(table, whole, name, FindingCode.NULL_KEY, null)
    return notes.noted(whole, found)


_DETAILS = {
    FindingCode.INVALID_TEXT: "is not UTF-8; the bytes that are not show as \\xff and the like",
    FindingCode.NULL_KEY: "is NULL, which MLMD never writes; it shows as 0, false or an empty text",
}


def _notes(
    table: str, whole: pa.Table, column: str, code: FindingCode, rows: Sequence[int]
) -> Iterator[notes.Note]:
    for row in rows:
        first, second = (whole[number][row].as_py() for number in range(2))
        subject, start = notes.about(table, (first, second), column)
        yield notes.Note(code, subject, f"{start} {_DETAILS[code]}")


def is_key(table: str, column: str) -> bool:
    """Tell whether a column tells what a row is about: NOT NULL in every version."""
    named = table in PROPERTY_TABLES and column in {"name", "is_custom_property"}
    return named or column in TIES or column == "id"


def key_value(column: str) -> int | str:
    """Return what stands for a key that is NULL: no node, type or event has it."""
    return "" if column == "name" else 0


def _converted(
    field: pa.Field,
    column: pa.Array | None,
    rows: int,
    base64_protos: bool,  # noqa: FBT001 - as finished() has it
) -> tuple[pa.Array, Sequence[int]]:
    """Return a column as its schema has it, and the rows in which it was not UTF-8."""
    if column is None or (column.null_count == rows and not pa.types.is_dictionary(field.type)):
        return arrays.nulls(rows, field.type), ()
    if pa.types.is_dictionary(field.type):
        if pa.types.is_dictionary(column.type):
            return column, ()
        texts, invalid = _checked_text(column, pa.string())
        return texts.dictionary_encode(), invalid
    if field.name == "proto_value" and base64_protos:
        return _without_base64(column), ()
    if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
        return _checked_text(column, field.type)
    return column if column.type == field.type else column.cast(field.type), ()


def _without_nulls(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        texts = arrays.decoded(column)
        return texts.fill_null(arrays.scalar("", texts.type)).dictionary_encode()
    return column.fill_null(arrays.scalar(0, column.type))


def _in_its_size(column: pa.Array) -> pa.Array:
    """Return a copy of a column, as a driver's buffers may be twice as large as needed.

    The system gives the memory: Arrow's own allocator keeps a third more than it gives.
    """
    half = len(column) // 2
    return pa.concat_arrays([column.slice(0, half), column.slice(half)], pa.system_memory_pool())


def _without_base64(column: pa.Array) -> pa.Array:
    values = [None if value is None else proto_bytes(value) for value in column.to_pylist()]
    return arrays.from_values(values, pa.large_binary())


def table_from_rows(table: str, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Return rows, in the order of the schema's columns, as a table."""
    schema = SCHEMAS[table]
    if not rows:
        return arrays.empty_table(schema)
    columns = zip(*rows, strict=True)
    made = []
    for field, values in zip(schema, columns, strict=True):
        dictionary = pa.types.is_dictionary(field.type)
        given: Sequence[Any] = values
        if pa.types.is_boolean(field.type):  # SQLite and MySQL keep 0 and 1
            given = [None if value is None else bool(value) for value in values]
        array = arrays.from_values(given, pa.string() if dictionary else field.type)
        made.append(array.dictionary_encode() if dictionary else array)
    return pa.table(made, schema=schema)


def ordered(table: str, data: pa.Table) -> pa.Table:
    """Return a table with its rows in order; it is copied only where they are not.

    Of rows with one id, which only a table without a primary key has, the first is kept.
    """
    keys = SORT_KEYS[table]
    least = _least_step(data[keys[0]])
    if least > 0:
        return data
    if len(keys) > 1:
        if _is_in_order([data[key] for key in keys]):
            return data
        return data.take(pc.sort_indices(data, [(key, "ascending") for key in keys]))
    if least < 0:
        order = np.argsort(arrays.to_numpy(data[keys[0]]), kind="stable")
        data = data.take(arrays.from_numpy(order))
        least = _least_step(data[keys[0]])
    if keys == ("id",) and least == 0:
        return _without_repeats(table, data, arrays.to_numpy(data["id"]))
    return data


def _is_in_order(keys: list[pa.ChunkedArray]) -> bool:
    """Tell whether the few rows of a small table are in order; of others, that is not known."""
    if len(keys[0]) > _FEW_ROWS or any(key.null_count for key in keys):
        return False
    rows = list(zip(*(key.to_pylist() for key in keys), strict=True))
    return rows == sorted(rows)


def _least_step(column: pa.ChunkedArray) -> int:
    """Return the least difference between a number and the one before it, 1 where there is none.

    It is looked for piece by piece, as a copy of the whole column would take much memory.
    """
    least, last = 1, None
    for chunk in column.chunks:
        if not len(chunk):
            continue
        numbers = arrays.to_numpy(chunk)
        if last is not None:
            least = min(least, int(numbers[0]) - last)
        if len(numbers) > 1:
            least = min(least, int(np.diff(numbers).min()))
        last = int(numbers[-1])
    return least


def _without_repeats(table: str, data: pa.Table, ids: arrays.Numbers) -> pa.Table:
    kept, places, counts = np.unique(ids, return_index=True, return_counts=True)
    several = zip(kept[counts > 1].tolist(), counts[counts > 1].tolist(), strict=True)
    found = [
        notes.Note(
            FindingCode.DUPLICATE_ID,
            notes.subject_of(table, number),
            f"{count} rows have its id; the first is kept",
        )
        for number, count in several
    ]
    return notes.noted(data.take(arrays.from_numpy(places)), found)


def canonical(name: str, table: pa.Table) -> pa.Table:
    """Return a table whose rows and whose bytes depend on nothing but its values.

    Properties are ordered by node, then by name; paths keep the order of their steps.
    """
    order = canonical_order(name, table)
    if order is not None:
        table = table.take(arrays.from_numpy(order))
    for number, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(number, field.name, arrays.decoded(table.column(number)))
    return table.combine_chunks()


def canonical_order(name: str, table: pa.Table) -> arrays.Numbers | None:
    """Return the order of a table's rows that depends on their values only; None if it is theirs.

    Other tables than those of properties have it already.
    """
    if name not in PROPERTY_TABLES or not table.num_rows:
        return None
    names = table["name"].unify_dictionaries()
    dictionary = names.chunk(0).dictionary.to_pylist()
    ranks = np.argsort(np.argsort(np.array(dictionary, dtype=object))).astype(np.int32)

    def keys(start: int, length: int) -> tuple[arrays.Numbers, arrays.Numbers, arrays.Numbers]:
        part = names.slice(start, length)
        indices = [arrays.to_numpy(chunk.indices) for chunk in part.chunks]
        return (
            arrays.to_numpy(table["is_custom_property"].slice(start, length)),
            ranks[np.concatenate(indices)],
            arrays.to_numpy(table.column(0).slice(start, length)),
        )

    if all(_in_order(*keys(at, _SLICE + 1)) for at in range(0, table.num_rows, _SLICE)):
        return None
    return _sorted_by_owner(keys, table.num_rows)


def _sorted_by_owner(
    keys: Callable[[int, int], tuple[arrays.Numbers, arrays.Numbers, arrays.Numbers]], rows: int
) -> arrays.Numbers:
    """Return the order of rows, of which some owners are looked at together.

    They stand together already, as the rows of every table of properties do.

    Args:
        keys: Returns what orders some rows, the first of which has a number; the owner as the last.
        rows: How many rows there are.
    """
    order = np.empty(rows, np.int64)
    start, together, last = 0, _SLICE, None
    while start < rows:
        part = keys(start, together)
        owners = part[-1]
        is_behind = last is not None and owners[0] < last
        if is_behind or (np.diff(owners) < 0).any():
            return np.lexsort(keys(0, rows))
        end = len(owners)
        if start + end < rows:  # the last owner may have more rows
            end = int(owners.searchsorted(owners[-1]))
        if not end:
            together *= 2
            continue
        order[start : start + end] = start + np.lexsort([key[:end] for key in part])
        start, together, last = start + end, _SLICE, owners[end - 1]
    return order


def _in_order(custom: arrays.Numbers, rank: arrays.Numbers, owner: arrays.Numbers) -> bool:
    by_owner, by_name = np.diff(owner), np.diff(rank)
    by_custom = np.diff(custom.astype(np.int8))
    later = (by_owner > 0) | (by_owner == 0) & ((by_name > 0) | (by_name == 0) & (by_custom >= 0))
    return bool(later.all())
