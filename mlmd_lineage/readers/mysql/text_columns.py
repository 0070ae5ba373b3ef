"""Arrow columns of texts that MLMD may have stored twice encoded: see ``double_encoding``."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlmd_lineage.readers.mysql.double_encoding import once_encoded
from mlmd_lineage.snapshot import table_building


def text_column(raw: pa.Array, to: pa.DataType) -> pa.Array:
    """Return the texts that an Arrow array of bytes holds."""
    column = table_building.text_from_bytes(raw, to)
    data = column.buffers()[2]
    if data is None or not (np.frombuffer(data, np.int8) < 0).any():
        return column
    other = pc.invert(pc.string_is_ascii(column))
    texts = [once_encoded(text).encode() for text in column.filter(other).to_pylist()]
    offsets = np.zeros(len(texts) + 1, np.int32 if to == pa.string() else np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    # Not pa.array(), which imports pandas to see whether it is given some of it.
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))]
    once = pa.Array.from_buffers(to, len(texts), buffers)
    return pc.replace_with_mask(column, other, once)


def name_column(raw: pa.Array) -> pa.DictionaryArray:
    """Return the dictionary array of few distinct texts in an Arrow array of bytes."""
    encoded = raw.dictionary_encode()
    names = text_column(encoded.dictionary, pa.string())
    if pc.count_distinct(names).as_py() < len(names):
        return names.take(encoded.indices).dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices, names)
