"""Packets of MySQL's protocol: where the rows are in its stream.

A packet is a length of three bytes, a number of one byte, and its content
(https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html). That of a
row in the binary protocol begins with a zero.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
from pymysql import err
from pymysql.constants import CR

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]
    Places = npt.NDArray[np.int64]

HEADER = 4
_BLOCK = 2 << 20
_SLACK = 64
_CONTINUED = 0xFFFFFF
_ROW, _END, _ERROR = 0x00, 0xFE, 0xFF
_LONGEST_ERROR = 2048
_length_of = struct.Struct("<I").unpack_from


def row_packets(
    stream: io.BufferedReader, count: Callable[[int], object] = lambda _: None
) -> Iterator[tuple[Bytes, Places]]:
    """Yield bytes of a stream, and where in them the packets of complete rows start.

    The bytes are used again for the next ones. They may be looked at up to 64 bytes behind the
    last row, as what stands in the place of a NULL is, before it is masked.

    Args:
        stream: What the server sends.
        count: Called with how many bytes were received.

    Raises:
        pymysql.err.Error: The server sent an error, or the connection is lost.
    """
    return _Packets(stream, count).blocks()


class _Packets:
    """Cuts a stream into its packets, one for each row."""

    def __init__(self, stream: io.BufferedReader, count: Callable[[int], object]) -> None:
        self._stream = stream
        self._count = count
        self._data: Bytes = np.empty(_BLOCK + _SLACK, np.uint8)
        # What the stream has read ahead; readinto1() would wait for more than that.
        ahead = stream.read1(_BLOCK)
        self._data[: len(ahead)] = np.frombuffer(ahead, np.uint8)
        self._filled = len(ahead)

    def blocks(self) -> Iterator[tuple[Bytes, Places]]:
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
        view = self._data.data
        while self._filled < room:
            received = self._stream.raw.readinto(view[self._filled : room])
            if not received:
                raise err.OperationalError(CR.CR_SERVER_LOST, "Lost connection during query")
            self._count(received)
            self._filled += received
            if self._may_end():
                return

    def _may_end(self) -> bool:
        """Tell whether the last bytes look like the end, behind which nothing would come."""
        tail = self._data[max(0, self._filled - _LONGEST_ERROR) : self._filled].tobytes()
        if tail[-9:-6] == b"\5\0\0" and tail[-5] == _END:
            return True
        at = tail.find(_ERROR, HEADER)
        while at >= 0:
            start = at - HEADER
            if _length_of(tail, start)[0] & _CONTINUED == len(tail) - at:
                return True
            at = tail.find(_ERROR, at + 1)
        return False

    def _is_last(self, at: int) -> bool:
        if self._filled - at <= HEADER:
            return False
        kind = self._data[at + HEADER]
        packet = self._data[at : self._filled].tobytes() if kind != _ROW else b""
        if not packet or len(packet) < HEADER + (_length_of(packet)[0] & _CONTINUED):
            return False
        if kind == _ERROR:
            err.raise_mysql_exception(packet[HEADER:])
        if kind != _END:
            raise err.InternalError(CR.CR_MALFORMED_PACKET, "Malformed packet")
        return True


def _starts(data: Bytes, filled: int) -> tuple[Places, int]:
    """Return where the packets of complete rows start, and where the last of them ends.

    All places that look like the start of a row are found at once. They are the right ones if
    the first is at 0 and each ends where the next one starts; else the packets are walked one
    by one.
    """
    if filled <= HEADER + 1:
        return np.empty(0, np.int64), 0
    used = data[:filled]
    even = _evenly(used)
    if even is not None:
        return even
    zero = used == 0
    maybe = zero[2:-2] & zero[4:]
    # Most rows are shorter than 256 bytes, and there are far fewer places that look like theirs.
    for places in (maybe & zero[1:-3], maybe):
        chain = _chained(data, filled, np.flatnonzero(places))
        if chain is not None:
            return chain
    return _walked(data, filled)


def _chained(data: Bytes, filled: int, found: Places) -> tuple[Places, int] | None:
    """Return what ``_starts`` does if it can be made of these places."""
    ends = found + (data[found] + (data[found + 1].astype(np.int64) << 8) + HEADER)
    for _ in range(3):
        follows = data[np.minimum(ends, filled) + 3] == data[found + 3] + np.uint8(1)
        is_end = np.zeros(filled + 1, np.bool_)
        is_end[ends[ends <= filled]] = True
        is_end[0] = True
        # Of what follows the last row there may be only a part.
        kept = is_end[found] & (follows | (ends >= filled - HEADER)) & (ends <= filled)
        found, ends = found[kept], ends[kept]
        if not len(found) or found[0] != 0:
            return None
        if (found[1:] == ends[:-1]).all():
            end = int(ends[-1])
            return None if _holds_row(data, end, filled) else (found, end)
    return None


def _evenly(used: Bytes) -> tuple[Places, int] | None:
    """Return what ``_starts`` does if all rows are as long as the first, as numbers often are."""
    length = int(_length_of(used[:HEADER].tobytes())[0] & _CONTINUED) + HEADER
    rows = len(used) // length
    if rows < 2 or length > 0xFFFF:
        return None
    packets = used[: rows * length].reshape(rows, length)
    if (packets[:, [0, 1, 2, HEADER]] != packets[0, [0, 1, 2, HEADER]]).any():
        return None
    if packets[0, HEADER] != _ROW:
        return None
    return np.arange(0, rows * length, length), rows * length


def _holds_row(data: Bytes, at: int, filled: int) -> bool:
    if filled - at <= HEADER or data[at + HEADER] != _ROW:
        return False
    length: int = _length_of(data[at : at + HEADER].tobytes())[0] & _CONTINUED
    return at + HEADER + length <= filled


def _walked(data: Bytes, filled: int) -> tuple[Places, int]:
    """Return what ``_starts`` does, of any packets.

    A row of 16 MB or more comes in several packets: what was before is moved over the header of
    the one that follows.
    """
    view = data.data
    starts = []
    at = 0
    while filled - at > HEADER and view[at + HEADER] == _ROW:
        length = _length_of(view, at)[0] & _CONTINUED
        end = at + HEADER + length
        headers = [end] if length == _CONTINUED else []
        while headers and headers[-1] == end and end + HEADER <= filled:
            length = _length_of(view, end)[0] & _CONTINUED
            end += HEADER + length
            if length == _CONTINUED:
                headers.append(end)
        if end > filled or (headers and headers[-1] == end):
            break
        start = at
        for header in headers:
            data[start + HEADER : header + HEADER] = data[start:header].copy()
            start += HEADER
        starts.append(start)
        at = end
    return np.array(starts, np.int64), at
