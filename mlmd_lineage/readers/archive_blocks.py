"""Files of an archive read in blocks, each of which is compared with its checksum."""

from __future__ import annotations

import hashlib
import io
import os
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from mlmd_lineage import deadline, errors
from mlmd_lineage.snapshot.archive_layout import BLOCK_BYTES, DIGEST_BYTES

if TYPE_CHECKING:
    from collections.abc import Hashable

    from mlmd_lineage.readers.archive_files import ArchiveFiles

Held = TypeVar("Held")

_MOST_TOGETHER = 64
"""How many blocks are read at once."""


class BoundedCache(OrderedDict["Hashable", tuple[Held, int]]):
    """Keeps what was used last, up to a number of bytes."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self._most = most_bytes
        self._bytes = 0

    def keep(self, key: Hashable, held: Held, size: int) -> Held:
        """Keep something of a size, and let go of what was not used for the longest time."""
        self._bytes += size - self.pop(key, (held, 0))[1]
        self[key] = held, size
        while self._bytes > self._most and len(self) > 1:
            self._bytes -= self.popitem(last=False)[1][1]
        return held

    def used(self, key: Hashable) -> Held | None:
        """Return what is kept with a key, or None."""
        if key not in self:
            return None
        self.move_to_end(key)
        return self[key][0]


class BlockFile(io.RawIOBase):
    """A file of an archive, of which only the blocks are read that are asked for.

    Args:
        files: The files of the archive.
        name: Its name.
        size: How many bytes it has, by the manifest.
        digests: The SHA-256 of each of its blocks.
        cache: Keeps blocks.
    """

    def __init__(
        self,
        files: ArchiveFiles,
        name: str,
        size: int,
        digests: bytes,
        cache: BoundedCache[bytes],
    ) -> None:
        super().__init__()
        self._files = files
        self._name = name
        self._size = size
        self._digests = digests
        self._cache = cache
        self._at = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that any part of it can be read."""
        return True

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def size(self) -> int:
        """Return how many bytes it has."""
        return self._size

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes.

        Raises:
            DamagedStoreError: They are not what the archive's checksums say.
        """
        end = self._size if size is None or size < 0 else min(self._at + size, self._size)
        start, self._at = self._at, max(end, self._at)
        if end <= start:
            return b""
        first, last = start // BLOCK_BYTES, (end - 1) // BLOCK_BYTES
        content = b"".join(self._blocks(first, last))
        return content[start - first * BLOCK_BYTES : end - first * BLOCK_BYTES]

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Read the next bytes into a buffer."""
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def prefetch(self, ranges: list[tuple[int, int]]) -> None:
        """Read parts that will be asked for at once, where each would take a round trip.

        Args:
            ranges: Where each part begins and ends.
        """
        if not self._files.is_remote:
            return
        wanted: set[int] = set()
        for start, end in ranges:
            wanted.update(
                range(start // BLOCK_BYTES, (min(end, self._size) - 1) // BLOCK_BYTES + 1)
            )
        new = sorted(n for n in wanted if self._cache.used((self._name, n)) is None)
        runs: list[list[int]] = []
        for number in new:
            if runs and runs[-1][1] == number and number - runs[-1][0] < _MOST_TOGETHER:
                runs[-1][1] = number + 1
            else:
                runs.append([number, number + 1])
        deadline.check()
        places = [(first, *self._place(first, end)) for first, end in runs]
        parts = self._files.read_ranges(self._name, [place[1:] for place in places])
        for (first, _, length), content in zip(places, parts, strict=True):
            self._confirmed(first, -(-length // BLOCK_BYTES) + first, content)

    def _place(self, first: int, end: int) -> tuple[int, int]:
        """Return where some blocks begin, and how long they are."""
        start = first * BLOCK_BYTES
        return start, min(end * BLOCK_BYTES, self._size) - start

    def _blocks(self, first: int, last: int) -> list[bytes]:
        """Return blocks, reading together those that are not kept."""
        found = {n: self._cache.used((self._name, n)) for n in range(first, last + 1)}
        number = first
        while number <= last:
            if found[number] is not None:
                number += 1
                continue
            end = number
            while end <= last and found[end] is None and end - number < _MOST_TOGETHER:
                end += 1
            found.update(self._read(number, end))
            number = end
        return [block for block in found.values() if block is not None]

    def _read(self, first: int, end: int) -> dict[int, bytes]:
        """Read blocks together."""
        deadline.check()
        return self._confirmed(
            first, end, self._files.read_range(self._name, *self._place(first, end))
        )

    def _confirmed(self, first: int, end: int, content: bytes) -> dict[int, bytes]:
        """Keep blocks that their checksums confirm, and return them."""
        made = {}
        for number in range(first, end):
            at = (number - first) * BLOCK_BYTES
            block = content[at : at + BLOCK_BYTES]
            digest = self._digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]
            if hashlib.sha256(block).digest() != digest:
                message = (
                    f"{self._files.path / self._name} is not the file that its archive describes: "
                    "it was changed or damaged. Restore the archive from a copy."
                )
                raise errors.DamagedStoreError(message)
            made[number] = self._cache.keep((self._name, number), block, len(block))
        return made
