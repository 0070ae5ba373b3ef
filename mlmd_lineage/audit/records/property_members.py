"""Properties of nodes as JSON objects, made column by column."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlmd_lineage.audit.records import canonical_json
from mlmd_lineage.audit.records.text_columns import (
    TEXT,
    constant,
    doubles,
    grouped,
    integers,
    joined,
    quoted,
    whole,
)
from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def properties_by_owner(
    properties: pa.Table, owner_column: str, ids: Array
) -> tuple[pa.Array, pa.Array]:
    """Return the members of each node's properties and custom properties, null where it has none.

    Args:
        properties: A table of properties.
        owner_column: The column of its nodes' ids.
        ids: The ids of all nodes, in ascending order, those that have properties among them.
    """
    if not properties.num_rows:
        return pa.nulls(len(ids), TEXT), pa.nulls(len(ids), TEXT)
    names = properties["name"].unify_dictionaries()
    encoded = whole(names)
    dictionary = [name or "" for name in encoded.dictionary.to_pylist()]
    by_name = sorted(range(len(dictionary)), key=lambda at: canonical_json.sort_key(dictionary[at]))
    rank = np.empty(len(dictionary), np.int64)
    rank[by_name] = np.arange(len(dictionary))
    codes = arrays.to_numpy(encoded.indices).astype(np.int64)
    owners = arrays.to_numpy(properties[owner_column]).astype(np.int64)
    custom = arrays.to_numpy(properties["is_custom_property"])
    # All values are not taken in order, but their texts are: that takes less memory.
    order = _order(owners, rank[codes] if dictionary else codes, custom)
    texts = _members(properties, encoded.indices, dictionary)
    if order is not None:
        texts, owners, custom = texts.take(arrays.from_numpy(order)), owners[order], custom[order]
        codes = codes[order]
    texts, kept = _without_duplicates(texts, owners, custom, codes, dictionary)
    owners, custom = owners[kept], custom[kept]
    both = []
    for flags in (~custom, custom):
        part = texts if flags.all() else texts.filter(arrays.from_numpy(flags))
        both.append(grouped(part, owners[flags], ids))
    return both[0], both[1]


def _order(owners: Array, ranks: Array, custom: Array) -> Array | None:
    """Return the order by owner, kind and name; None where the rows are in it."""
    if len(owners) < 2:
        return None
    below = owners[:-1] < owners[1:]
    same = owners[:-1] == owners[1:]
    keys = custom * (int(ranks.max()) + 1) + ranks
    if (below | (same & (keys[:-1] <= keys[1:]))).all():
        return None
    return np.lexsort((keys, owners))


def _members(properties: pa.Table, codes: pa.Array, dictionary: list[str]) -> pa.Array:
    r"""Return each row as a member of an object, such as ``"auc":{"double_value":0.91}``."""
    columns = {
        name: whole(properties[name])
        for name in sorted(properties.column_names)
        if name.endswith("_value") and properties[name].null_count < properties.num_rows
    }
    texts = {name: _column(column) for name, column in columns.items()}
    heads = [f"{canonical_json.dumps(name)}:{{" for name in dictionary]
    which = np.full(properties.num_rows, -1, np.int64)
    count = np.zeros(properties.num_rows, np.int8)
    for number, column in enumerate(columns.values()):
        there = arrays.to_numpy(column.is_valid())
        which[there] = number
        count += there
    numbers = arrays.to_numpy(codes).astype(np.int64)
    if count.max() > 1:  # values of several kinds in one row, which MLMD never writes
        rows = zip(numbers.tolist(), *(text.to_pylist() for text in texts.values()), strict=True)
        made = [f"{heads[at]}{','.join(_pairs(texts, values))}}}" for at, *values in rows]
        return arrays.from_values(made, TEXT)
    # One head for each name and each column, the last for a property without a value.
    every = [
        f"{head}{f'{chr(34)}{name}{chr(34)}:' if name else ''}"
        for head in heads
        for name in (*columns, "")
    ]
    which[which < 0] = len(columns)
    head = arrays.from_values(every, TEXT).take(
        arrays.from_numpy(numbers * (len(columns) + 1) + which)
    )
    value = pc.coalesce(*texts.values(), constant("")) if texts else ""
    return joined(head, whole(value) if texts else "", "}")


def _pairs(texts: Iterable[str], values: Iterable[str | None]) -> list[str]:
    pairs = zip(texts, values, strict=True)
    return [f'"{name}":{value}' for name, value in pairs if value is not None]


def _column(column: pa.Array) -> pa.Array:
    """Return values as JSON, null where there is none."""
    kind = column.type
    if pa.types.is_integer(kind):
        return integers(column)
    if pa.types.is_floating(kind):
        return doubles(column)
    if pa.types.is_boolean(kind):
        return column.cast(TEXT)
    if pa.types.is_large_binary(kind):
        raw = [None if b is None else base64.b64encode(b).decode() for b in column.to_pylist()]
        return quoted(arrays.from_values(raw, TEXT))
    return quoted(column)


def _without_duplicates(
    texts: pa.Array, owners: Array, custom: Array, codes: Array, dictionary: list[str]
) -> tuple[pa.Array, Array]:
    """Return the members without those of one name, and which rows they are.

    Only a table without constraints holds a property twice: then its value is an array of all.
    """
    kept = np.ones(len(owners), bool)
    twice = (owners[1:] == owners[:-1]) & (codes[1:] == codes[:-1]) & (custom[1:] == custom[:-1])
    if not twice.any():
        return texts, kept
    kept[1:] = ~twice
    firsts = np.flatnonzero(kept)
    lasts = np.r_[firsts[1:], len(owners)]
    made = texts.to_pylist()
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        if last - first > 1:
            head = f"{canonical_json.dumps(dictionary[codes[first]])}:"
            values = sorted(text.removeprefix(head) for text in made[first:last])
            made[first] = f"{head}[{','.join(values)}]"
    return arrays.from_values([made[at] for at in firsts.tolist()], TEXT), kept
