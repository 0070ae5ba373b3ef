"""Columnar protobuf decoder: many messages of one kind at once, column by column.

A message is a row of fields, each with a number and a value
(https://protobuf.dev/programming-guides/encoding/). Here the first fields of all messages are read
in one step, then all the second ones: a few operations on arrays for each field that a message
has, however many messages there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Numbers = np.ndarray[Any, np.dtype[np.int64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]
    Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_LONG = 200
"""From how many bytes on average texts are copied one by one: an index takes 16 for each byte."""


class MalformedError(ValueError):
    """The bytes are no messages."""


class Messages(NamedTuple):
    """Messages of one kind, as they lie one after the other in some bytes."""

    data: Bytes
    """All their bytes, and a few more."""
    starts: Numbers
    ends: Numbers

    @classmethod
    def of(cls, parts: Sequence[bytes]) -> Messages:
        """Return messages that come one by one."""
        ends = np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)))
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])[: len(parts)]
        data = np.frombuffer(b"".join([*parts, bytes(_LONGEST_VARINT)]), np.uint8)
        return cls(data, starts, ends)


class Fields(NamedTuple):
    """Fields of some messages: of each message in their order, and sorted by the messages."""

    data: Bytes
    rows: Numbers
    """The message that has the field."""
    values: Numbers
    """Its value, or where its bytes begin."""
    lengths: Numbers
    """How many bytes it has; 0 for a number."""

    @property
    def messages(self) -> Messages:
        """The messages that the fields hold."""
        return Messages(self.data, self.values, self.values + self.lengths)

    def column(self, count: int) -> tuple[Numbers, Flags]:
        """Return a number for each message, the last where it has several, and which have one."""
        found = np.zeros(count, np.int64)
        has = np.zeros(count, bool)
        found[self.rows] = self.values
        has[self.rows] = True
        return found, has

    def numbers(self, count: int) -> pa.Array:
        """Return a number for each message; null where it has none."""
        found, has = self.column(count)
        return arrays.from_numpy(found, ~has)

    def texts(self, count: int) -> pa.Array:
        """Return the bytes for each message; null where it has none."""
        starts, has = self.column(count)
        lengths = np.zeros(count, np.int64)
        lengths[self.rows] = self.lengths
        return binary(self.data, starts, lengths, has)


def binary(data: Bytes, starts: Numbers, lengths: Numbers, has: Flags) -> pa.Array:
    """Return slices of some bytes as an Arrow column; null where there is none."""
    offsets = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    if offsets[-1] > _LONG * len(starts):
        whole = data.data
        ends = starts + lengths
        pairs = zip(starts.tolist(), ends.tolist(), strict=True)
        held = pa.py_buffer(b"".join([whole[start:end] for start, end in pairs]))
    else:
        # For each byte of the column, where it lies in the data.
        places = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        held = pa.py_buffer(data[places])
    valid = None if has.all() else pa.py_buffer(np.packbits(has, bitorder="little"))
    buffers = [valid, pa.py_buffer(offsets), held]
    return pa.Array.from_buffers(pa.large_binary(), len(starts), buffers)


def parsed(messages: Messages, wanted: Iterable[int]) -> dict[int, Fields]:
    """Return the fields with some numbers.

    Raises:
        MalformedError: The bytes are no messages.
    """
    data, at, ends = messages.data, messages.starts, messages.ends
    rows = np.arange(len(at))
    found: dict[int, list[tuple[Numbers, ...]]] = {number: [] for number in wanted}
    while True:
        more = at < ends
        if not more.all():
            rows, at, ends = rows[more], at[more], ends[more]
        if not len(rows):
            break
        tags, at = _varints(data, at)
        kinds = tags & 7
        values, lengths, at = _values(data, kinds, at)
        if (at > ends).any() or (lengths < 0).any():
            message = "a field is longer than its message"
            raise MalformedError(message)
        numbers = tags >> 3
        for number, parts in found.items():
            has = numbers == number
            if has.any():
                parts.append((rows[has], values[has], lengths[has]))
    return {number: _joined(data, parts) for number, parts in found.items()}


def leading(messages: Messages, number: int) -> Numbers | None:
    """Return the number that each message begins with, or None where one begins otherwise."""
    # Every message has a byte, or there would be none of ours behind the last.
    if (messages.data[messages.starts] != number << 3 | _VARINT).any():
        return None
    return _varints(messages.data, messages.starts + 1)[0]


def _joined(data: Bytes, parts: list[tuple[Numbers, ...]]) -> Fields:
    empty = np.empty(0, np.int64)
    if len(parts) == 1:
        return Fields(data, *parts[0])
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] or [empty] * 3
    order = np.argsort(columns[0], kind="stable")
    return Fields(data, *(column[order] for column in columns))


def _values(data: Bytes, kinds: Numbers, at: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return values, lengths and where the next fields begin."""
    lengths = np.zeros(len(at), np.int64)
    if (kinds == kinds[0]).all() and kinds[0] in {_VARINT, _BYTES}:
        numbers, after = _varints(data, at)
        if kinds[0] == _VARINT:
            return numbers, lengths, after
        return after, numbers, after + numbers
    if not np.isin(kinds, (_VARINT, _FIXED64, _BYTES, _FIXED32)).all():
        message = "a field is of no known kind"
        raise MalformedError(message)
    values, following = np.zeros(len(at), np.int64), at.copy()
    is_varint, is_bytes = kinds == _VARINT, kinds == _BYTES
    coded = is_varint | is_bytes
    numbers, after = _varints(data, at[coded])
    held = is_bytes[coded]
    values[coded] = np.where(held, after, numbers)
    following[coded] = np.where(held, after + numbers, after)
    lengths[is_bytes] = numbers[held]
    fixed = kinds == _FIXED64
    if fixed.any():
        # The last bytes of the data are ours, so that eight can be read everywhere within it.
        places = np.minimum(at[fixed], len(data) - 8)
        octets = data[places[:, None] + np.arange(8)]
        values[fixed] = np.ascontiguousarray(octets).view("<i8")[:, 0]
        following[fixed] += 8
    following[kinds == _FIXED32] += 4
    return values, lengths, following


def _varints(data: Bytes, at: Numbers) -> tuple[Numbers, Numbers]:
    """Return the numbers that begin at some places, and where they end."""
    last = len(data) - 1
    octets = data[np.minimum(at, last)]
    values, after = (octets & 127).astype(np.int64), at + 1
    more = np.flatnonzero(octets & 128)
    shift = 7
    while len(more):
        if shift >= 7 * _LONGEST_VARINT:
            message = "a number has more than ten bytes"
            raise MalformedError(message)
        octets = data[np.minimum(after[more], last)]
        values[more] |= (octets & 127).astype(np.int64) << shift
        after[more] += 1
        more = more[octets & 128 != 0]
        shift += 7
    return values, after
