"""Checks of a Parquet file's footer that have to come before its columns are asked for.

``RowGroupMetaData.column()`` of pyarrow 26 ends the process where a column's statistics of sizes
contradict the file's schema, as C++ raises an error that nothing catches. Reading row groups makes
the same checks, and raises it as an error of Python's.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow.parquet as pq


def check_columns(file: pq.ParquetFile, size: int) -> None:
    """Check what a footer says of each column of each row group; nothing else is read.

    Args:
        file: The file.
        size: How many bytes it has.

    Raises:
        pa.ArrowException, OSError: It contradicts itself.
    """
    import pyarrow.parquet as pq

    unread = _UnreadFile(size)
    # With pre_buffer, Arrow looks at all columns of all row groups before it reads.
    again = pq.ParquetFile(unread, metadata=file.metadata, pre_buffer=True)
    try:
        again.reader.read_row_groups(
            list(range(file.metadata.num_row_groups)),
            column_indices=list(range(file.metadata.num_columns)),
            use_threads=False,
        )
    except Exception:
        if not unread.was_asked:
            raise


class _UnreadFile(io.RawIOBase):
    """A file of some size that raises an error when its bytes are asked for."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._at = 0
        self.was_asked = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def size(self) -> int:
        return self._size

    def read(self, _size: int = -1, /) -> bytes:
        self.was_asked = True
        message = "this file is not read"
        raise OSError(message)
