"""Decoder of MySQL's rows into Arrow columns, without a Python object for each value.

The rows of a prepared statement come in the binary protocol: numbers are little-endian, texts
have their length in front, NULLs are bits
(https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html). PyMySQL
connects, authenticates and encrypts; the rows are taken from its stream a few megabytes at a
time and decoded column by column. Meanwhile the server fills the socket's buffers.
"""

# ruff: noqa: SLF001 - see can_read() for the private parts of PyMySQL

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pymysql.constants import COMMAND, FIELD_TYPE
from pymysql.protocol import FieldDescriptorPacket

from mlmd_lineage.readers.mysql.packets import HEADER, row_packets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    from pymysql.connections import Connection

    from mlmd_lineage.readers.mysql.packets import Bytes, Places

    Mask = npt.NDArray[np.bool_]

_UNSIGNED = 32
_FIXED = {
    FIELD_TYPE.TINY: "i1",
    FIELD_TYPE.SHORT: "i2",
    FIELD_TYPE.INT24: "i4",
    FIELD_TYPE.LONG: "i4",
    FIELD_TYPE.LONGLONG: "i8",
    FIELD_TYPE.FLOAT: "f4",
    FIELD_TYPE.DOUBLE: "f8",
}


def can_read(connection: Connection[Any]) -> bool:
    """Tell whether this release of PyMySQL lets its stream be read."""
    return all(hasattr(connection, n) for n in ("_execute_command", "_read_packet", "_rfile"))


def blocks(
    connection: Connection[Any], statement: str
) -> Iterator[tuple[int, list[pa.Array | None]]]:
    """Run a SELECT and yield its rows in blocks: how many, and an Arrow array for each column.

    Texts are ``large_binary``, as the server sent them. A column that is all NULL is ``None``.
    The connection can't be used for anything else until the last block has come.

    Raises:
        pymysql.err.Error: The server refuses, or the connection is lost.
    """
    link: Any = connection  # what is private has no types
    number, fields = _executed(link, statement)
    formats = [_format(field.type_code, field.flags) for field in fields]
    size = getattr(link, "size", None)
    for data, starts in row_packets(link._rfile, *([] if size is None else [size.add])):
        yield len(starts), _columns(formats, data, starts)
    link._execute_command(COMMAND.COM_STMT_CLOSE, struct.pack("<I", number))


def _executed(link: Any, statement: str) -> tuple[int, list[Any]]:
    """Prepare and execute a statement; return its number and its columns."""
    link._execute_command(COMMAND.COM_STMT_PREPARE, statement)
    answer = link._read_packet().get_all_data()
    number, columns, _ = struct.unpack_from("<IHH", answer, 1)
    for _ in range(columns + 1):
        link._read_packet()
    link._execute_command(COMMAND.COM_STMT_EXECUTE, struct.pack("<IBI", number, 0, 1))
    count = link._read_packet().read_length_encoded_integer()
    fields = [link._read_packet(FieldDescriptorPacket) for _ in range(count)]
    link._read_packet()  # the end of the columns
    return number, fields


def _format(type_code: int, flags: int) -> np.dtype[Any] | None:
    """Return a column's numbers as numpy knows them, or None where it has texts."""
    kind = _FIXED.get(type_code)
    if kind is None:
        return None
    return np.dtype("<" + (kind.replace("i", "u") if flags & _UNSIGNED else kind))


def _columns(
    formats: Sequence[np.dtype[Any] | None], data: Bytes, starts: Places
) -> list[pa.Array | None]:
    first = starts + (HEADER + 1)
    bits = [data[first + number] for number in range((len(formats) + 9) // 8)]
    at = first + len(bits)
    columns: list[pa.Array | None] = []
    for number, dtype in enumerate(formats):
        byte, bit = divmod(number + 2, 8)
        there = (bits[byte] & np.uint8(1 << bit)) == 0
        count = int(np.count_nonzero(there))
        if not count:
            columns.append(None)
            continue
        mask = there if count < len(starts) else None
        if dtype is not None:
            columns.append(_numbers(data, at, dtype, mask))
            width = np.int64(dtype.itemsize)
            at = at + (width if mask is None else width * mask)
        else:
            begin, end = _text_bounds(data, at, mask)
            columns.append(_texts(data, begin, end, mask))
            at = end
    return columns


def _valid(mask: Mask | None) -> pa.Buffer | None:
    return None if mask is None else pa.py_buffer(np.packbits(mask, bitorder="little"))


def _numbers(data: Bytes, at: Places, dtype: np.dtype[Any], mask: Mask | None) -> pa.Array:
    if dtype.itemsize == 1:
        values = data[at].view(dtype)
    else:
        # numpy gathers opaque items faster than unaligned numbers.
        opaque: Any = np.ndarray((len(data) - 8,), f"V{dtype.itemsize}", data, strides=(1,))
        values = opaque[at].view(dtype)
    arrow = pa.from_numpy_dtype(dtype)
    return pa.Array.from_buffers(arrow, len(at), [_valid(mask), pa.py_buffer(values)])


def _text_bounds(data: Bytes, at: Places, mask: Mask | None) -> tuple[Places, Places]:
    """Return where texts start and end; a NULL is an empty one that takes no byte."""
    length = data[at].astype(np.int64)
    if mask is not None:
        length *= mask
    begin = at + (np.int64(1) if mask is None else mask)
    long = np.flatnonzero(length > 250)
    for mark, width in ((0xFC, 2), (0xFD, 3), (0xFE, 8)) if len(long) else ():
        rows = long[length[long] == mark]
        if len(rows):
            places = begin[rows]
            parts = (data[places + n].astype(np.int64) << (8 * n) for n in range(width))
            length[rows] = sum(parts)
            begin[rows] += width
            long = np.setdiff1d(long, rows, assume_unique=True)
    return begin, begin + length


def _texts(data: Bytes, begin: Places, end: Places, mask: Mask | None) -> pa.Array:
    # An array of what is wanted and what is between, of which every second item is taken.
    count = len(begin)
    bounds = np.empty(2 * count, np.int64)
    bounds[0::2] = begin
    bounds[1::2] = end
    both = [None, pa.py_buffer(bounds), pa.py_buffer(data)]
    mixed = pa.Array.from_buffers(pa.large_binary(), 2 * count - 1, both)
    # Not pa.array(), which imports pandas to see whether it is given some of it.
    even = [None, pa.py_buffer(np.arange(0, 2 * count, 2))]
    wanted = mixed.take(pa.Array.from_buffers(pa.int64(), count, even))
    _, offsets, values = wanted.buffers()
    return pa.Array.from_buffers(pa.large_binary(), count, [_valid(mask), offsets, values])
