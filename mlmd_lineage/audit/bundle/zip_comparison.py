"""Comparison of a zip file with the one that its members make, without either in memory."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any

from mlmd_lineage.audit.bundle import layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


def first_difference(path: Path, files: Mapping[str, tuple[int, Iterable[bytes]]]) -> int | None:
    """Return the first byte of a zip file that its members do not explain; None: there is none.

    So nothing hides between the members, before or behind them.

    Args:
        path: The zip file.
        files: The members: of each its size, and its bytes in pieces.
    """
    with path.open("rb") as file:
        target = _Comparison(file)
        told = {name: (size, target.content(pieces)) for name, (size, pieces) in files.items()}
        layout.write_zip(target, told)
        return target.result(path.stat().st_size)


class _Comparison(io.BytesIO):
    """A file that keeps nothing of what is written, and compares it with another one.

    Headers are written again once the size and the checksum of a member are known. So these are
    kept, and compared at the end.
    """

    def __init__(self, other: IO[bytes]) -> None:
        super().__init__()
        self._other = other
        self._at = self._end = 0
        self._first: int | None = None
        self._headers: dict[int, bytes] = {}
        self._is_content = False

    def content(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the content of a member; what is written between two of these is that."""
        for piece in pieces:
            self._is_content = True
            yield piece
            self._is_content = False

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        assert whence == io.SEEK_SET  # as zipfile does
        self._at = offset
        return offset

    def write(self, data: Any) -> int:
        raw = bytes(data)
        if self._is_content:
            self._compare(self._at, raw)
        else:
            self._headers[self._at] = raw
        self._at += len(raw)
        self._end = max(self._end, self._at)
        return len(raw)

    def _compare(self, offset: int, raw: bytes) -> None:
        self._other.seek(offset)
        there = self._other.read(len(raw))
        if there == raw or (self._first is not None and self._first <= offset):
            return
        pairs = enumerate(zip(raw, there, strict=False))
        at = next((n for n, (one, other) in pairs if one != other), len(there))
        self._first = offset + at

    def result(self, size: int) -> int | None:
        """Return the first byte that differs, where the other file has some size."""
        for offset, raw in sorted(self._headers.items()):
            self._compare(offset, raw)
        if self._first is None and size != self._end:
            return min(size, self._end)
        return self._first
