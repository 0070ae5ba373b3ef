"""The rows of a MySQL statement as Arrow columns, without a Python object for each value.

The rows of a prepared statement come in the binary protocol: numbers are little-endian, texts
have their length in front, NULLs are bits
(https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_binary_resultset.html). PyMySQL
connects, authenticates and encrypts; the rows are taken from its stream a few megabytes at a
time and decoded column by column. Meanwhile the server fills the socket's buffers.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pymysql import err
from pymysql.constants import COMMAND, CR, FIELD_TYPE
from pymysql.protocol import FieldDescriptorPacket

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    from pymysql.connections import Connection

    Bytes = npt.NDArray[np.uint8]
    Places = npt.NDArray[np.int64]

_BLOCK = 4 << 20
# What stands in the place of a NULL is looked at before it is masked, even behind the last byte.
_SLACK = 64
_HEADER = 4
_CONTINUED = 0xFFFFFF
_ROW, _END, _ERROR = 0x00, 0xFE, 0xFF
_LONGEST_ERROR = 2048
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
_length_of = struct.Struct("<I").unpack_from


def can_read(connection: Connection[Any]) -> bool:
    """Tell whether this release of PyMySQL lets its stream be read."""
    return all(hasattr(connection, n) for n in ("_execute_command", "_read_packet", "_rfile"))


def blocks(connection: Connection[Any], statement: str) -> Iterator[tuple[int, list[Any]]]:
    """Run a SELECT and yield its rows in blocks: how many, and an Arrow array for each column.

    Texts are ``large_binary``, as the server sent them. A column that is all NULL is ``None``.
    The connection can't be used for anything else until the last block has come.

    Raises:
        pymysql.err.Error: The server refuses, or the connection is lost.
    """
    number = _prepare(connection, statement)
    connection._execute_command(  # noqa: SLF001 - see can_read()
        COMMAND.COM_STMT_EXECUTE, struct.pack("<IBI", number, 0, 1)
    )
    count = connection._read_packet().read_length_encoded_integer()  # noqa: SLF001
    fields = [connection._read_packet(FieldDescriptorPacket) for _ in range(count)]  # noqa: SLF001
    connection._read_packet()  # noqa: SLF001 - the end of the fields
    formats = [_format(field) for field in fields]
    for data, starts in _Packets(connection._rfile).blocks():  # noqa: SLF001
        yield len(starts), _columns(formats, data, starts)
    connection._execute_command(COMMAND.COM_STMT_CLOSE, struct.pack("<I", number))  # noqa: SLF001


def _prepare(connection: Any, statement: str) -> int:
    connection._execute_command(COMMAND.COM_STMT_PREPARE, statement)  # noqa: SLF001
    answer = connection._read_packet().get_all_data()  # noqa: SLF001
    number: int
    number, columns, _ = struct.unpack_from("<IHH", answer, 1)
    for _ in range(columns + 1):
        connection._read_packet()  # noqa: SLF001
    return number


def _format(field: Any) -> np.dtype[Any] | None:
    kind = _FIXED.get(field.type_code)
    if kind is None:
        return None
    return np.dtype("<" + (kind.replace("i", "u") if field.flags & _UNSIGNED else kind))


class _Packets:
    """Cuts a stream into its packets, one for each row."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._data: Bytes = np.empty(_BLOCK + _SLACK, np.uint8)
        # What the stream has read ahead; readinto1() would wait for more than that.
        ahead = stream.read1(_BLOCK)
        self._data[: len(ahead)] = np.frombuffer(ahead, np.uint8)
        self._filled = len(ahead)

    def blocks(self) -> Iterator[tuple[Bytes, Places]]:
        """Yield bytes, and where in them the packets of rows start; both are used again."""
        while True:
            starts, end = _starts(self._data, self._filled)
            if len(starts):
                yield self._data, starts
            if self._is_last(end):
                return
            rest = self._filled - end
            self._data[:rest] = self._data[end : self._filled].copy()
            self._filled = rest
            self._fill()

    def _fill(self) -> None:
        room = len(self._data) - _SLACK
        if self._filled == room:
            grown: Bytes = np.empty(2 * room + _SLACK, np.uint8)
            grown[:room] = self._data[:room]
            self._data, room = grown, 2 * room
        view = memoryview(self._data)
        while self._filled < room:
            received = self._stream.raw.readinto(view[self._filled : room])
            if not received:
                raise err.OperationalError(CR.CR_SERVER_LOST, "Lost connection during query")
            self._filled += received
            if self._may_end():
                return

    def _may_end(self) -> bool:
        """Tell whether the last bytes look like the end, behind which nothing would come."""
        tail = self._data[max(0, self._filled - _LONGEST_ERROR) : self._filled].tobytes()
        if tail[-9:-6] == b"\5\0\0" and tail[-5] == _END:
            return True
        at = tail.find(_ERROR, _HEADER)
        while at >= 0:
            start = at - _HEADER
            if _length_of(tail, start)[0] & _CONTINUED == len(tail) - at:
                return True
            at = tail.find(_ERROR, at + 1)
        return False

    def _is_last(self, at: int) -> bool:
        if self._filled - at <= _HEADER:
            return False
        kind = self._data[at + _HEADER]
        packet = self._data[at : self._filled].tobytes() if kind != _ROW else b""
        if not packet or len(packet) < _HEADER + (_length_of(packet)[0] & _CONTINUED):
            return False
        if kind == _ERROR:
            err.raise_mysql_exception(packet[_HEADER:])
        if kind != _END:
            raise err.InternalError(CR.CR_MALFORMED_PACKET, "Malformed packet")
        return True


def _starts(data: Bytes, filled: int) -> tuple[Places, int]:
    """Return where the packets of complete rows start, and where the last of them ends.

    All places that look like the start of a row are found at once. They are the right ones if
    the first is at 0 and each ends where the next one starts; else the packets are walked one
    by one.
    """
    if filled <= _HEADER + 1:
        return np.empty(0, np.int64), 0
    used = data[:filled]
    found = np.flatnonzero((used[2:-2] == 0) & (used[4:] == _ROW))
    ends = found + (used[found] + (used[found + 1].astype(np.int64) << 8) + _HEADER)
    for _ in range(3):
        inside = ends < filled - _HEADER
        follows = data[np.minimum(ends, filled) + 3] == data[found + 3] + np.uint8(1)
        is_end = np.zeros(filled + 1, np.bool_)
        is_end[ends[ends <= filled]] = True
        is_end[0] = True
        kept = is_end[found] & (follows | ~inside) & (ends <= filled)
        found, ends = found[kept], ends[kept]
        if len(found) and found[0] == 0 and (found[1:] == ends[:-1]).all():
            end = int(ends[-1])
            if not _holds_row(data, end, filled):
                return found, end
            break
    return _walked(data, filled)


def _holds_row(data: Bytes, at: int, filled: int) -> bool:
    if filled - at <= _HEADER or data[at + _HEADER] != _ROW:
        return False
    length: int = _length_of(data[at : at + _HEADER].tobytes())[0] & _CONTINUED
    return at + _HEADER + length <= filled


def _walked(data: Bytes, filled: int) -> tuple[Places, int]:
    """Return what ``_starts`` does, of any packets.

    A row of 16 MB or more comes in several packets: what was before is moved over the header of
    the one that follows.
    """
    view = memoryview(data)
    starts = []
    at = 0
    while filled - at > _HEADER and view[at + _HEADER] == _ROW:
        length = _length_of(view, at)[0] & _CONTINUED
        end = at + _HEADER + length
        headers = [end] if length == _CONTINUED else []
        while headers and headers[-1] == end and end + _HEADER <= filled:
            length = _length_of(view, end)[0] & _CONTINUED
            end += _HEADER + length
            if length == _CONTINUED:
                headers.append(end)
        if end > filled or (headers and headers[-1] == end):
            break
        start = at
        for header in headers:
            data[start + _HEADER : header + _HEADER] = data[start:header].copy()
            start += _HEADER
        starts.append(start)
        at = end
    return np.array(starts, np.int64), at


def _columns(formats: Sequence[np.dtype[Any] | None], data: Bytes, starts: Places) -> list[Any]:
    first = starts + (_HEADER + 1)
    bits = [data[first + number] for number in range((len(formats) + 9) // 8)]
    at = first + len(bits)
    columns: list[Any] = []
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


def _valid(mask: npt.NDArray[np.bool_] | None) -> Any:
    return None if mask is None else pa.py_buffer(np.packbits(mask, bitorder="little"))


def _numbers(
    data: Bytes, at: Places, dtype: np.dtype[Any], mask: npt.NDArray[np.bool_] | None
) -> Any:
    if dtype.itemsize == 1:
        values = data[at].view(dtype)
    else:
        # numpy gathers opaque items faster than unaligned numbers.
        opaque: Any = np.ndarray((len(data) - 8,), f"V{dtype.itemsize}", data, strides=(1,))
        values = opaque[at].view(dtype)
    arrow = pa.from_numpy_dtype(dtype)
    return pa.Array.from_buffers(arrow, len(at), [_valid(mask), pa.py_buffer(values)])


def _text_bounds(
    data: Bytes, at: Places, mask: npt.NDArray[np.bool_] | None
) -> tuple[Places, Places]:
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


def _texts(data: Bytes, begin: Places, end: Places, mask: npt.NDArray[np.bool_] | None) -> Any:
    # An array of what is wanted and what is between, of which every second item is taken.
    count = len(begin)
    bounds = np.empty(2 * count, np.int64)
    bounds[0::2] = begin
    bounds[1::2] = end
    both = [None, pa.py_buffer(bounds), pa.py_buffer(data)]
    mixed = pa.Array.from_buffers(pa.large_binary(), 2 * count - 1, both)
    wanted = mixed.take(pa.array(np.arange(0, 2 * count, 2)))
    _, offsets, values = wanted.buffers()
    return pa.Array.from_buffers(pa.large_binary(), count, [_valid(mask), offsets, values])
