"""Opens SQLite files for reading so that nothing in them or beside them changes.

The rules are SQLite's own: https://www.sqlite.org/fileformat2.html for the header,
https://www.sqlite.org/lockingv3.html for hot journals, https://www.sqlite.org/wal.html for
write-ahead logs, https://www.sqlite.org/uri.html for the options.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import quote

from mlmd_lineage import deadline, errors, termination
from mlmd_lineage.readers.sqlite import driver_errors

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MAGIC = b"SQLite format 3\x00"
HEADER_BYTES = 100
"""The length of a file's header."""
_WAL_FORMAT = 2
_ATTEMPTS = 5
"""The least number of attempts; further ones follow until the time is over."""
_PAUSE = 0.02
"""Seconds. Longer than the steps in which a file system counts time: 10 ms at most on Linux."""

_LARGEST_LOG = 1 << 30
_LARGEST_RATIO = 8
"""A journal or log may have so many bytes, and so many times those of the store."""
_COPIED_AT_ONCE = 1 << 20

_IN_USE = "mode=ro&readonly_shm=1"
_AT_REST = "mode=ro&immutable=1"


class _ChangedError(Exception):
    """The file changed while it was read without a lock; read it again."""


class _Look(NamedTuple):
    """What a file and its neighbours are like at one moment."""

    modified: int
    size: int
    inode: int
    wal: tuple[int, int] | None
    shm: bool
    journal: tuple[int, int] | None


def with_unchanged_file(path: Path, seconds: float, read: Callable[[str], T]) -> T:
    """Call ``read`` with the URI under which SQLite leaves the file and its neighbours as they are.

    - A file with a rollback journal, or a write-ahead log that is in use, is opened read-only,
      and its shared memory too.
    - A file in write-ahead mode that nobody has open is read as immutable, as even a read-only
      connection would leave ``-wal`` and ``-shm`` files behind; if someone comes to write
      meanwhile, it is read once more.
    - What a dead writer left half-done is rolled back, or forward, in a temporary copy.

    Args:
        path: The file.
        seconds: For how long to try again where it changes without a lock.
        read: Reads from a URI; it is called again where the file changed meanwhile.

    Raises:
        StoreNotFoundError, NotAMetadataStoreError, DamagedStoreError, StorePermissionError,
        LockedStoreError: As their names say.
    """
    # SQLite keeps its journals beside the file, not beside a link to it.
    real = Path(os.path.realpath(path))
    attempts = hot = 0
    end = time.monotonic() + seconds
    while attempts < _ATTEMPTS or time.monotonic() < end:
        deadline.check()
        if attempts:
            time.sleep(_PAUSE)
        attempts += 1
        try:
            # A writer that rolls back at this moment looks like one that died, once.
            return _attempt(real, path, read, recover=hot > 1)
        except driver_errors.HotJournalError:
            hot += 1
        except _ChangedError:
            hot = 0
        except errors.MLMDLineageError:
            raise
        except OSError as error:
            raise driver_errors.unreadable(error, path) from None
    message = f"{path} changed each time it was read, {attempts} times. Try again."
    raise errors.LockedStoreError(message)


def patiently(action: Callable[[], T], seconds: float) -> T:
    """Do what takes a lock, and do it again until nobody else holds one.

    SQLite's own waiting sleeps for longer and longer, so that a busy writer is always there first,
    and cannot be interrupted.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            return action()
        except Exception as error:
            if not driver_errors.is_busy(error) or time.monotonic() > end:
                raise
            deadline.check()
            time.sleep(0.002)


def _attempt(real: Path, path: Path, read: Callable[[str], T], *, recover: bool) -> T:
    write_ahead = checked_header(real, path)
    look = _look(real)
    log = look.wal is not None and look.wal[1] > 0
    if recover or (log and not look.shm):
        return _read_recovered_copy(real, path, look, read)
    if write_ahead and not (look.wal is not None and look.shm):
        return _read_at_rest(real, look, read)
    try:
        return read(_uri(real, _IN_USE))
    except errors.StorePermissionError:
        if not look.shm:
            raise
        # The last writer closed a write-ahead log just as it was being opened; unless it is so
        # again, as the log may be read and its index may not.
        raise driver_errors.HotJournalError from None


def checked_header(real: Path, path: Path) -> bool:
    """Check a file's first bytes; return whether it is in write-ahead mode."""
    for _ in range(3):
        header, size = _header(real, path)
        expected = _expected_size(header)
        look = _look(real)
        if size >= expected or look.journal is not None or look.wal is not None:
            return _WAL_FORMAT in header[18:20]
        # A writer may have been extending it.
        time.sleep(_PAUSE)
    message = (
        f"{path} is truncated: it has {size} bytes where its header says {expected}. Copy it again."
    )
    raise errors.DamagedStoreError(message)


def _expected_size(header: bytes) -> int:
    """Return the size of a file by its header; 0 where that does not tell."""
    if header[24:28] != header[92:96]:
        return 0  # an old SQLite wrote it, and did not keep the number of pages
    page = int.from_bytes(header[16:18], "big")
    return int.from_bytes(header[28:32], "big") * (65536 if page == 1 else page)


def is_whole(header: bytes, size: int) -> bool:
    """Tell whether a file is a whole one with a rollback journal, by its header and its size."""
    return (
        len(header) == HEADER_BYTES
        and header.startswith(MAGIC)
        and _WAL_FORMAT not in header[18:20]
        and size >= _expected_size(header)
    )


def is_alone(real: Path) -> bool:
    """Tell whether a file has no write-ahead log beside it, and no journal but a regular file."""
    for end in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.lstat(f"{real}{end}")
            return False
    try:
        return stat.S_ISREG(os.lstat(f"{real}-journal").st_mode)
    except FileNotFoundError:
        return True


def shared_uri(real: Path) -> str:
    """Return the URI under which a file that others may write to is read."""
    return _uri(real, _IN_USE)


def _header(real: Path, path: Path) -> tuple[bytes, int]:
    """Return a file's first bytes and its size."""
    try:
        # The check comes first, as opening a device or a pipe may have effects; it is repeated on
        # what was opened, and O_NONBLOCK keeps a pipe from waiting for its other end.
        _check_kind(real.stat().st_mode, path)
        descriptor = os.open(real, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:  # noqa: PTH123 - it is open already
            status = os.fstat(descriptor)
            _check_kind(status.st_mode, path)
            header = file.read(HEADER_BYTES)
    except OSError as error:
        if isinstance(error, errors.MLMDLineageError):
            raise
        raise driver_errors.unreadable(error, path) from None
    if not header:
        message = f"{path} is empty: 0 bytes. MLMD has not written to it yet, or a copy failed."
        raise errors.NotAMetadataStoreError(message)
    if not header.startswith(MAGIC):
        message = (
            f"{path} is not an SQLite database, or it is encrypted. Give the path of MLMD's own "
            "file."
        )
        raise errors.NotAMetadataStoreError(message)
    if len(header) < HEADER_BYTES:
        message = f"{path} is truncated: it has only {len(header)} bytes. Copy it again."
        raise errors.DamagedStoreError(message)
    return header, status.st_size


def _check_kind(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        message = f"{path} is a folder; give the SQLite file in it."
        raise errors.NotAMetadataStoreError(message)
    if not stat.S_ISREG(mode):
        message = f"{path} is a device, pipe or socket; give the path of MLMD's own file."
        raise errors.NotAMetadataStoreError(message)


def _uri(path: Path, options: str) -> str:
    name = quote(os.fsencode(path.as_posix()))
    return f"file://{'' if name.startswith('/') else '/'}{name}?{options}"


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _look(path: Path) -> _Look:
    def of(end: str) -> tuple[int, int] | None:
        beside = _beside(path, end)
        try:
            status = beside.lstat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            message = (
                f"{beside} is no regular file, and SQLite would read it as a part of {path.name}. "
                "Nothing was read. Remove it, or read a copy of the store."
            )
            raise errors.DamagedStoreError(message)
        return status.st_mtime_ns, status.st_size

    shm = of("-shm") is not None
    wal, journal = of("-wal"), of("-journal")
    status = path.stat()
    return _Look(status.st_mtime_ns, status.st_size, status.st_ino, wal, shm, journal)


def _settled(path: Path, look: _Look) -> None:
    """Wait until a change would show in the time at which the file was last modified."""
    age = time.time() - look.modified / 1e9
    if 0 <= age < _PAUSE:
        time.sleep(_PAUSE - age)
    if _look(path) != look:
        raise _ChangedError


def _read_at_rest(path: Path, look: _Look, read: Callable[[str], T]) -> T:
    """Read a file that nobody has open, without a lock."""
    _settled(path, look)
    try:
        answer = read(_uri(path, _AT_REST))
    except Exception:
        if _look(path) != look:
            raise _ChangedError from None
        raise
    if _look(path) != look:
        raise _ChangedError
    return answer


def _check_sizes(path: Path, look: _Look, folder: Path) -> None:
    """Check that the neighbours may belong to a file, and that there is space for a copy of all.

    Raises:
        DamagedStoreError: One of them is far too large.
        ReadError: There is not enough space.
    """
    largest = _LARGEST_LOG + _LARGEST_RATIO * look.size
    total = look.size
    for end, found in (("-journal", look.journal), ("-wal", look.wal)):
        size = 0 if found is None else found[1]
        total += size
        if size > largest:
            message = (
                f"{path}{end} has {size:,} bytes, which is not plausible beside a store of "
                f"{look.size:,}. It was not copied. Remove it if no writer's changes are in it."
            )
            raise errors.DamagedStoreError(message)
    free = shutil.disk_usage(folder).free
    if total > free:
        message = (
            f"{path} was left in the midst of a transaction, and is read from a copy of {total:,} "
            f"bytes, for which {folder.parent} has no space ({free:,} are free)."
        )
        raise errors.ReadError(message)


def _copy(source: Path, target: Path, size: int) -> None:
    """Copy a file, and no more of it than its size was."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with (
        contextlib.suppress(FileNotFoundError),
        open(os.open(source, flags), "rb") as file,  # noqa: PTH123 - flags that Path.open lacks
        target.open("wb") as copy,
    ):
        left = size
        while left > 0 and (part := file.read(min(left, _COPIED_AT_ONCE))):
            deadline.check()
            copy.write(part)
            left -= len(part)


def _read_recovered_copy(real: Path, path: Path, look: _Look, read: Callable[[str], T]) -> T:
    """Read a copy in which SQLite has rolled back, or forward, what a dead writer left."""
    _settled(real, look)
    with (
        termination.as_exception(),
        tempfile.TemporaryDirectory(prefix="mlmd-lineage-") as folder,
    ):
        copy = Path(folder) / "copy.db"
        _check_sizes(path, look, Path(folder))
        _copy(real, copy, look.size)
        for end, found in (("-journal", look.journal), ("-wal", look.wal)):
            if found is not None:
                _copy(_beside(real, end), _beside(copy, end), found[1])
        if _look(real) != look:
            raise _ChangedError
        try:
            with contextlib.closing(sqlite3.connect(copy)) as connection:
                connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchall()
                connection.execute("PRAGMA journal_mode=DELETE").fetchall()
        except sqlite3.Error as error:
            raise driver_errors.explained(error, path) from None
        return read(_uri(copy, "mode=ro"))
