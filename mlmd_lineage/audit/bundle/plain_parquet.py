"""Writes Parquet files whose bytes depend only on their rows.

Each release of a library writes the same rows as other bytes: it names itself in the footer, keeps
other statistics, and compresses in another way. So the files of a bundle are written here, in the
plainest form that the format has: one row group, data pages of version 1, values as they are
(``PLAIN``), without compression, statistics or dictionaries. Every reader of Parquet reads them.

The format: https://parquet.apache.org/docs/file-format/ and
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift; its headers are
in Thrift's compact protocol, https://github.com/apache/thrift/blob/master/doc/specs.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAGIC = b"PAR1"
CREATED_BY = "mlmd-lineage plain Parquet version 1"
"""What the footer says wrote it; another number where the same rows become other bytes."""

_PAGE_ROWS = 1 << 16
_PAGE_BYTES = 1 << 30  # a page's size is a number of 32 bits
_BOOLEAN, _INT64, _DOUBLE, _BYTE_ARRAY = 0, 2, 5, 6
_OPTIONAL, _UTF8, _PLAIN, _RLE, _UNCOMPRESSED, _DATA_PAGE = 1, 0, 0, 3, 0, 0


class _Chunk(NamedTuple):
    """A column in the file."""

    name: str
    type: int
    is_text: bool
    start: int
    size: int


def to_parquet(table: pa.Table) -> bytes:
    """Return a table as a Parquet file.

    >>> to_parquet(pa.table({"id": [1, 2]}))[:4]
    b'PAR1'

    Args:
        table: Its columns are whole numbers of 64 bits, doubles, booleans, texts or bytes; each may
            hold nulls. Of its metadata all but ``ARROW:schema`` is kept.

    Raises:
        TypeError: A column is of another type.
    """
    pieces: list[bytes] = [MAGIC]
    chunks, at = [], len(MAGIC)
    for field, column in zip(table.schema, table.columns, strict=True):
        kind, is_text = _type_of(field.type)
        pages = [piece for page in _pages(column, kind) for piece in page]
        size = sum(map(len, pages))
        chunks.append(_Chunk(field.name, kind, is_text, at, size))
        pieces += pages
        at += size
    footer = _footer(chunks, table.num_rows, table.schema.metadata or {})
    return b"".join([*pieces, footer, struct.pack("<I", len(footer)), MAGIC])


def _type_of(kind: pa.DataType) -> tuple[int, bool]:
    """Return the number of a type in Parquet, and whether it is a text."""
    if kind == pa.int64():
        return _INT64, False
    if kind == pa.float64():
        return _DOUBLE, False
    if kind == pa.bool_():
        return _BOOLEAN, False
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if is_text or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _BYTE_ARRAY, is_text
    message = f"a column of type {kind} is not written"
    raise TypeError(message)


def _pages(column: pa.ChunkedArray, kind: int) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield the pages of a column, each as its header, its definition levels and its values."""
    whole = column.cast(pa.large_binary()) if kind == _BYTE_ARRAY else column
    # Without rows there is a page as well: pyarrow 18 cannot read a file without a row group.
    firsts = range(0, max(len(whole), 1), _PAGE_ROWS)
    starts = [(at, min(_PAGE_ROWS, len(whole) - at)) for at in firsts]
    starts.reverse()
    while starts:
        start, rows = starts.pop()
        part = whole.slice(start, rows)
        if kind == _BYTE_ARRAY and rows > 1 and part.nbytes > _PAGE_BYTES:
            half = rows // 2
            starts += [(start + half, rows - half), (start, half)]
            continue
        valid = arrays.to_numpy(part.is_valid())
        levels = _levels(valid)
        content = _plain(part.drop_null() if part.null_count else part, kind)
        size = len(levels) + len(content)
        data_page = _struct([(1, _int(rows)), (2, _int(_PLAIN)), (3, _int(_RLE)), (4, _int(_RLE))])
        header = _struct([(1, _int(_DATA_PAGE)), (2, _int(size)), (3, _int(size)), (5, data_page)])
        yield header.content, levels, content


def _levels(valid: np.ndarray[Any, np.dtype[np.bool_]]) -> bytes:
    """Return which rows have a value, in Parquet's hybrid of run lengths and packed bits."""
    count = len(valid)
    if valid.all() or not valid.any():
        encoded = _varint(count << 1) + bytes([int(valid.all())])
    else:
        packed = np.packbits(valid, bitorder="little").tobytes()
        encoded = _varint(len(packed) << 1 | 1) + packed
    return struct.pack("<I", len(encoded)) + encoded


def _plain(values: pa.ChunkedArray, kind: int) -> bytes:
    """Return values, none of which is null, in Parquet's encoding ``PLAIN``."""
    if kind == _BYTE_ARRAY:
        return b"".join(_plain_bytes(chunk) for chunk in values.chunks)
    found = arrays.to_numpy(values)
    if kind == _BOOLEAN:
        return np.packbits(found.astype(bool), bitorder="little").tobytes()
    return found.astype("<i8" if kind == _INT64 else "<f8", copy=False).tobytes()


def _plain_bytes(chunk: pa.Array) -> bytes:
    """Return texts or bytes, each with its length in four bytes before it."""
    _, starts, data = chunk.buffers()
    if not len(chunk):
        return b""
    offsets = np.frombuffer(starts, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
    content = np.frombuffer(data or b"", np.uint8)[int(offsets[0]) : int(offsets[-1])]
    made = np.empty(len(content) + 4 * len(chunk), np.uint8)
    places = (offsets[:-1] - offsets[0] + 4 * np.arange(len(chunk)))[:, None] + np.arange(4)
    is_content = np.ones(len(made), bool)
    is_content[places] = False
    made[places] = np.diff(offsets).astype("<u4").view(np.uint8).reshape(-1, 4)
    made[is_content] = content
    return made.tobytes()


def _footer(chunks: Iterable[_Chunk], rows: int, metadata: Mapping[bytes, bytes]) -> bytes:
    """Return a file's metadata."""
    chunks = list(chunks)
    schema = [_struct([(4, _text("schema")), (5, _int(len(chunks)))])]
    columns = []
    for chunk in chunks:
        text = [(6, _int(_UTF8)), (10, _struct([(1, _struct([]))]))] if chunk.is_text else []
        schema.append(
            _struct([(1, _int(chunk.type)), (3, _int(_OPTIONAL)), (4, _text(chunk.name)), *text])
        )
        described = _struct(
            [
                (1, _int(chunk.type)),
                (2, _list([_int(_PLAIN), _int(_RLE)])),
                (3, _list([_text(chunk.name)])),
                (4, _int(_UNCOMPRESSED)),
                (5, _long(rows)),
                (6, _long(chunk.size)),
                (7, _long(chunk.size)),
                (9, _long(chunk.start)),
            ]
        )
        columns.append(_struct([(2, _long(chunk.start)), (3, described)]))
    size = _long(sum(chunk.size for chunk in chunks))
    group = _struct([(1, _list(columns)), (2, size), (3, _long(rows))])
    notes = [
        _struct([(1, _text(name.decode())), (2, _text(value.decode()))])
        for name, value in sorted(metadata.items())
        if name != b"ARROW:schema"
    ]
    found = [
        (1, _int(1)),
        (2, _list(schema)),
        (3, _long(rows)),
        (4, _list([group])),
        *([(5, _list(notes))] if notes else []),
        (6, _text(CREATED_BY)),
    ]
    return _struct(found).content


class _Value(NamedTuple):
    """A value in Thrift's compact protocol: the number of its type, and its bytes."""

    type: int
    content: bytes


_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
_SHORT = 15  # lists of as many values have a longer header


def _int(value: int) -> _Value:
    return _Value(_I32, _varint(value << 1))


def _long(value: int) -> _Value:
    return _Value(_I64, _varint(value << 1))


def _text(value: str) -> _Value:
    raw = value.encode()
    return _Value(_BINARY, _varint(len(raw)) + raw)


def _list(values: list[_Value]) -> _Value:
    """Return a list, which is not empty."""
    kind = values[0].type
    count = len(values)
    head = bytes([count << 4 | kind]) if count < _SHORT else bytes([0xF0 | kind]) + _varint(count)
    return _Value(_LIST, head + b"".join(value.content for value in values))


def _struct(fields: list[tuple[int, _Value]]) -> _Value:
    """Return a structure of fields, whose numbers ascend by less than 16."""
    made, last = [], 0
    for number, value in fields:
        made += [bytes([(number - last) << 4 | value.type]), value.content]
        last = number
    return _Value(_STRUCT, b"".join([*made, b"\0"]))


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
