"""Builds the indexes of an archive from its tables."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa

from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.archive_layout import ROW, TableIndex, text_key

_TOGETHER = 1 << 16
"""How many texts are looked at together."""


def build(index: TableIndex, table: pa.Table) -> pa.Table:
    """Return an index of a column: its values in order, and in which rows they stand.

    Args:
        index: Which index.
        table: The table, its rows as the archive holds them.
    """
    column = table[index.column]
    if index.is_of_text:
        keys, rows = _text_keys(column)
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        rows = rows[order]
        del order
    else:
        keys = arrays.to_numpy(column)
        rows = np.argsort(keys, kind="stable")
        keys = keys[rows]
    columns = {index.column: keys, ROW: rows}
    if index.beside is not None:
        columns[index.beside] = arrays.to_numpy(table[index.beside])[rows]
    made = [
        arrays.from_numpy(columns[name].astype(np.int64, copy=False)) for name in index.schema.names
    ]
    return pa.table(made, schema=index.schema)


def _text_keys(column: pa.ChunkedArray) -> tuple[arrays.Numbers, arrays.Numbers]:
    """Return what stands for each text of a column, and the rows that have one."""
    keys = [np.empty(0, np.int64)]
    for chunk in column.chunks:
        texts = chunk.drop_null()
        if not len(texts):
            continue
        width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
        _, starts, data = texts.buffers()
        offsets = np.frombuffer(starts, width)[texts.offset : texts.offset + len(texts) + 1]
        content = memoryview(data or b"").cast("B")
        for start in range(0, len(texts), _TOGETHER):
            bounds = itertools.pairwise(offsets[start : start + _TOGETHER + 1].tolist())
            keys.append(np.fromiter((text_key(content[a:b]) for a, b in bounds), np.int64))
    return np.concatenate(keys), np.flatnonzero(arrays.to_numpy(column.is_valid()))
