"""Columns of JSON texts, made by Arrow without a Python object for each row."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlmd_lineage.audit.records import canonical_json
from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from typing import TypeAlias

    Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

TEXT = pa.large_string()
_MOST_WHOLE = 2.0**53
_LEAST_PLAIN, _MOST_PLAIN = 1e-4, 1e10
"""The bounds between which Arrow, as Python, writes doubles without an exponent."""


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece."""
    if isinstance(column, pa.Array):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    if not column.num_chunks:
        return pa.nulls(0, column.type)
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else combined.chunk(0)


@functools.lru_cache(maxsize=512)
def constant(text: str) -> pa.Scalar:
    """Return a text that stands beside columns of texts."""
    return arrays.scalar(text, TEXT)


def joined(*parts: str | pa.Array, null: str | None = None) -> pa.Array:
    """Return the texts of some columns side by side, with constant texts between them.

    Args:
        parts: The columns, at least one, and the constants.
        null: What stands for null; where None is given, a row with a null is null.
    """
    merged: list[Any] = []
    for part in parts:  # each part takes time in each row
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif not isinstance(part, str) or part:
            merged.append(part)
    texts = [constant(part) if isinstance(part, str) else part for part in merged]
    handling = {} if null is None else {"null_handling": "replace", "null_replacement": null}
    nothing = constant("")
    return whole(pc.binary_join_element_wise(*texts, nothing, **handling))


def integers(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return whole numbers as JSON, null where there is none."""
    return whole(column).cast(TEXT)


def quoted(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return texts as JSON, null where there is none."""
    found = whole(arrays.decoded(column)).cast(TEXT)
    at, control = _special(found)
    made = joined('"', found, '"')
    if not len(at):
        return made
    # Of texts that need an escape nearly all need it for quotation marks and backslashes alone.
    texts = found.take(arrays.from_numpy(at))
    plain = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')
    escaped = joined('"', plain, '"')
    if len(control):
        slow = [
            canonical_json.dumps(text)
            for text in texts.take(arrays.from_numpy(control)).to_pylist()
        ]
        escaped = _replaced(escaped, control, arrays.from_values(slow, TEXT))
    return _replaced(made, at, escaped)


def _replaced(column: pa.Array, places: Array, values: pa.Array) -> pa.Array:
    """Return a column with other values in some places."""
    mask = np.zeros(len(column), bool)
    mask[places] = True
    return whole(pc.replace_with_mask(column, arrays.from_numpy(mask), values))


def _special(texts: pa.Array) -> tuple[Array, Array]:
    """Return the rows whose texts need an escape, and which of those hold a control character."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    starts = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    raw = np.frombuffer(data, np.uint8)[: starts[-1]]
    places = np.flatnonzero((raw < 0x20) | (raw == ord('"')) | (raw == ord("\\")))
    places = places[places.searchsorted(starts[0]) :]
    # A place belongs to the last row that begins at or before it, as that one is not empty.
    rows = starts.searchsorted(places, side="right") - 1
    at = np.unique(rows)
    return at, at.searchsorted(np.unique(rows[raw[places] < 0x20]))


def doubles(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return doubles as canonical JSON, null where there is none."""
    found = whole(column)
    if found.null_count == len(found):
        return pa.nulls(len(found), TEXT)
    there = np.flatnonzero(arrays.to_numpy(found.is_valid()))
    made = _number_texts(arrays.to_numpy(found)[there])
    return made if len(there) == len(found) else arrays.spread(made, there, len(found))


def _number_texts(values: Array) -> pa.Array:
    """Return doubles as canonical JSON, nearly all by Arrow.

    Arrow, as Python, writes the fewest digits that read back as the same double, and of those the
    nearest; between these bounds neither writes an exponent. Above them Arrow does, and Python not
    below 1e16.
    """
    size = np.abs(values)
    whole_numbers = (size < _MOST_WHOLE) & (values == np.floor(values))
    whole_numbers &= (values != 0) | ~np.signbit(values)  # minus zero is another value than zero
    plain = ~whole_numbers & (size >= _LEAST_PLAIN) & (size < _MOST_PLAIN)  # NaN is neither
    others = np.flatnonzero(~whole_numbers & ~plain)
    parts = [
        arrays.from_numpy(values[whole_numbers].astype(np.int64)).cast(TEXT),
        arrays.from_numpy(values[plain]).cast(TEXT),
        arrays.from_values([canonical_json.number(v) for v in values[others].tolist()], TEXT),
    ]
    order = np.r_[np.flatnonzero(whole_numbers), np.flatnonzero(plain), others]
    places = np.empty(len(values), np.int64)
    places[order] = np.arange(len(values))
    return pa.concat_arrays(parts).take(arrays.from_numpy(places))


def grouped(texts: pa.Array, owners: Array, ids: Array) -> pa.Array:
    """Return for each id the texts of its rows with commas between them, null where it has none.

    Args:
        texts: One for each row, in the order in which an owner's are to stand.
        owners: The rows' owners, in ascending order; each is one of the ids.
        ids: All ids, in ascending order.
    """
    if not len(owners):
        return pa.nulls(len(ids), TEXT)
    starts = np.flatnonzero(np.r_[True, owners[1:] != owners[:-1]])
    offsets = arrays.from_numpy(np.r_[starts, len(owners)].astype(np.int64))
    lists = pa.LargeListArray.from_arrays(offsets, texts)
    lines = pc.binary_join(lists, constant(","))
    return arrays.spread(whole(lines), ids.searchsorted(owners[starts]), len(ids))
