"""Arrow files of record batches, none of which is decoded before it is known how large it is.

A record batch may be compressed to a hundred thousandth of its size, and Arrow takes the memory of
all of it at once. What it takes stands before it: the file's footer says where the batches are,
each of them where its buffers are, and each buffer begins with the size that it has decompressed.
The format: https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format; its messages are
FlatBuffers (https://flatbuffers.dev/internals/).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NoReturn

import pyarrow as pa

from mlmd_lineage import errors

if TYPE_CHECKING:
    from mlmd_lineage.readers.archive_blocks import BlockFile
    from mlmd_lineage.readers.archive_files import Place

_MAGIC = b"ARROW1"
_MOST_FOOTER_BYTES = 64 << 20
_MOST_MESSAGE_BYTES = 1 << 20
_FEW_BYTES = 64 << 20
_MOST_RATIO = 256
"""How many times as many bytes may be in memory: LZ4 makes none smaller than a 255th."""
_NO_CONTINUATION = 4
_BATCHES_OF_FOOTER, _HEADER_OF_MESSAGE, _BUFFERS_OF_BATCH, _COMPRESSION_OF_BATCH = 3, 2, 2, 3


class ArrowFile:
    """An Arrow file of an archive.

    Args:
        where: How messages call it.
        file: The file.

    Raises:
        pa.ArrowException, OSError, struct.error: It is damaged.
    """

    def __init__(self, where: Place, file: BlockFile) -> None:
        self._where = where
        self._file = file
        # Arrow's threads would each have to wait for Python to read a file of ours.
        self._reader = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(use_threads=False))
        self._batches: list[tuple[int, int, int]] | None = None
        """Where each batch begins, how long its message is, and how long its body."""

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        return self._reader.schema

    def batch(self, number: int) -> pa.RecordBatch:
        """Return a record batch.

        Raises:
            DamagedStoreError: It would take far more memory than it has bytes.
        """
        if 0 <= number < len(self._listed()):
            self._check(self._decoded_bytes(number), self._listed()[number][2])
        return self._reader.get_batch(number)

    def all(self) -> pa.Table:
        """Return all record batches, for which the file is read at once.

        Raises:
            DamagedStoreError: They would take far more memory than the file has bytes.
        """
        self._file.prefetch([(0, self._file.size())])
        total = sum(map(self._decoded_bytes, range(len(self._listed()))))
        self._check(total, self._file.size())
        self._file.seek(0)
        return pa.ipc.open_file(pa.py_buffer(self._file.read())).read_all()

    def _check(self, decoded: int, encoded: int) -> None:
        if decoded > _FEW_BYTES + _MOST_RATIO * encoded:
            message = (
                f"{self._where} would take {decoded:,} bytes of memory for {encoded:,} on the "
                "disk, which is not plausible. Restore the archive from a copy."
            )
            raise errors.DamagedStoreError(message)

    def _listed(self) -> list[tuple[int, int, int]]:
        if self._batches is None:
            size = self._file.size()
            tail = self._read(size - len(_MAGIC) - 4, len(_MAGIC) + 4)
            (length,) = struct.unpack_from("<i", tail)
            if not 0 <= length <= _MOST_FOOTER_BYTES:
                _refuse("its footer has no plausible length")
            footer = _FlatBufferTable.root(self._read(size - len(tail) - length, length))
            self._batches = [
                struct.unpack_from("<qi4xq", footer.data, at)
                for at in footer.structs(_BATCHES_OF_FOOTER, 24)
            ]
        return self._batches

    def _decoded_bytes(self, number: int) -> int:
        """Return how many bytes a record batch takes in memory."""
        start, length, body = self._listed()[number]
        if not 0 <= length <= _MOST_MESSAGE_BYTES or body < 0:
            _refuse("a message has no plausible length")
        message = self._read(start, length)
        # Since Arrow 0.15 there are four bytes of continuation before the length.
        before = 8 if message[:_NO_CONTINUATION] == b"\xff" * 4 else _NO_CONTINUATION
        batch = _FlatBufferTable.root(message[before:]).table(_HEADER_OF_MESSAGE)
        if batch is None or batch.table(_COMPRESSION_OF_BATCH) is None:
            return body
        total = 0
        for at in batch.structs(_BUFFERS_OF_BATCH, 16):
            offset, size = struct.unpack_from("<qq", batch.data, at)
            if size:
                (decoded,) = struct.unpack("<q", self._read(start + length + offset, 8))
                total += size if decoded == -1 else max(decoded, 0)
        return total

    def _read(self, start: int, length: int) -> bytes:
        """Return some bytes of the file."""
        if start < 0:
            _refuse("an offset lies before its beginning")
        self._file.seek(start)
        return self._file.read(length)


class _FlatBufferTable:
    """A table of a FlatBuffer."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self._at = at
        (back,) = struct.unpack_from("<i", data, at)
        self._fields = at - back
        (self._size,) = struct.unpack_from("<H", data, self._fields)

    @classmethod
    def root(cls, data: bytes) -> _FlatBufferTable:
        """Return the table that a FlatBuffer holds."""
        return cls(data, struct.unpack_from("<I", data)[0])

    def table(self, field: int) -> _FlatBufferTable | None:
        """Return the table that a field refers to, None where there is none."""
        at = self._referred(field)
        return None if at is None else _FlatBufferTable(self.data, at)

    def structs(self, field: int, size: int) -> range:
        """Return where the structs of a vector begin, each of a size."""
        at = self._referred(field)
        if at is None:
            return range(0)
        (count,) = struct.unpack_from("<I", self.data, at)
        if at + 4 + count * size > len(self.data):
            _refuse("a vector ends beyond its message")
        return range(at + 4, at + 4 + count * size, size)

    def _referred(self, field: int) -> int | None:
        """Return where that stands which a field refers to."""
        entry = 4 + 2 * field
        if entry + 2 > self._size:
            return None
        (offset,) = struct.unpack_from("<H", self.data, self._fields + entry)
        if not offset:
            return None
        at = self._at + offset
        (distance,) = struct.unpack_from("<I", self.data, at)
        found: int = at + distance
        return found


def _refuse(what: str) -> NoReturn:
    raise pa.ArrowInvalid(what)
