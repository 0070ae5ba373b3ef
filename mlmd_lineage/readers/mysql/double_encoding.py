"""Text that MLMD stored twice encoded in MySQL, read as the text that it was.

MLMD's client leaves MySQL's default character set, latin1, as it is and sends UTF-8. The server
takes each byte for a letter, so that in a Unicode column ``ü`` stands as ``Ã¼``.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlmd_lineage.snapshot import table_building

if TYPE_CHECKING:
    from collections.abc import Collection

# MySQL's latin1 is Windows' code page 1252 in which the five bytes without a letter are letters
# too: https://dev.mysql.com/doc/refman/8.0/en/charset-we-sets.html
_LETTERS = "".join(
    chr(byte) if byte in {0x81, 0x8D, 0x8F, 0x90, 0x9D} else bytes([byte]).decode("cp1252")
    for byte in range(256)
)
_BYTES = codecs.charmap_build(_LETTERS)


def once_encoded(text: str) -> str:
    """Return the text that a stored text was when MLMD sent it.

    >>> once_encoded("ZÃ¼rich"), once_encoded("Zürich")
    ('Zürich', 'Zürich')
    """
    if text.isascii():
        return text
    try:
        return codecs.charmap_encode(text, "strict", _BYTES)[0].decode()
    except UnicodeError:
        return text


def twice_encoded(text: str) -> str:
    """Return what a text is in the database when MLMD has sent it; ``once_encoded`` undoes it.

    >>> twice_encoded("Zürich")
    'ZÃ¼rich'
    """
    if text.isascii():
        return text
    return codecs.charmap_decode(text.encode(errors="replace"), "strict", _LETTERS)[0]


def spellings(texts: Collection[int | str]) -> list[int | str]:
    """Return all ways in which texts may stand in the database; numbers stay as they are."""
    found = dict.fromkeys(texts)
    for text in texts:
        if isinstance(text, str) and not text.isascii():
            found[twice_encoded(text)] = None
    return list(found)


def readable(value: Any) -> Any:
    """Return the text that a driver's bytes are; what is not bytes is handed back as it is."""
    return once_encoded(table_building.readable_text(value)) if isinstance(value, bytes) else value


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
