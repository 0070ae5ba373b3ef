"""Digests of local files, kept from one process to the next.

A file counts as unchanged if its device, inode, size and times are what they were. The times of a
file that was changed just before its digest was taken prove nothing, as a second change in the
same moment leaves them as they are: such a digest is not kept (as git treats its index,
https://git-scm.com/docs/racy-git).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mlmd_lineage.config.folders import CONFIG_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

_SETTLED = 2.0
"""Seconds after which a further change shows in a file's times, on any filesystem."""
_SMALL = 1 << 16
"""Bytes of a file that is read as quickly as it is looked up."""
_MOST_ROWS = 200_000

_TABLE = (
    "CREATE TABLE IF NOT EXISTS digest (path TEXT PRIMARY KEY, device INTEGER, inode INTEGER, "
    "size INTEGER, modified INTEGER, changed INTEGER, sha256 TEXT) WITHOUT ROWID"
)


def identity(status: os.stat_result) -> tuple[int, ...]:
    """Return what tells whether a file is still the same."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def known(path: str, status: os.stat_result) -> str | None:
    """Return the digest that a file had when it was as it is; None where it is not known."""
    if status.st_size < _SMALL:
        return None
    real = os.path.realpath(path)
    with contextlib.suppress(sqlite3.Error, OSError), _open() as connection:
        statement = (
            "SELECT sha256 FROM digest WHERE path = ? AND device = ? AND inode = ? AND size = ? "
            "AND modified = ? AND changed = ?"
        )
        for (found,) in connection.execute(statement, (real, *_stored(status))):
            return str(found)
    return None


def keep(path: str, status: os.stat_result, sha256: str) -> None:
    """Keep a file's digest, unless it was changed just now; where that fails, nothing is kept."""
    age = time.time() - max(status.st_mtime, status.st_ctime)
    if status.st_size < _SMALL or age < _SETTLED:
        return
    real = os.path.realpath(path)
    with contextlib.suppress(sqlite3.Error, OSError), _open() as connection:
        connection.execute(
            "REPLACE INTO digest VALUES (?, ?, ?, ?, ?, ?, ?)", (real, *_stored(status), sha256)
        )
        [(rows,)] = connection.execute("SELECT COUNT(*) FROM digest")
        if rows > _MOST_ROWS:
            connection.execute("DELETE FROM digest")


def _stored(status: os.stat_result) -> tuple[int, ...]:
    # SQLite's integers have 64 bits with a sign; an inode may have 64 without one.
    return tuple((value + (1 << 63)) % (1 << 64) - (1 << 63) for value in identity(status))


def cache_folder() -> Path:
    """Return the folder of what this library keeps to save work, which need not exist."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named).expanduser().absolute() / "cache"
    import platformdirs

    return platformdirs.user_cache_path("mlmd_lineage", appauthor=False)


@contextlib.contextmanager
def _open() -> Iterator[sqlite3.Connection]:
    folder = cache_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = sqlite3.connect(folder / "digests.db", timeout=1.0, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute(_TABLE)
        yield connection
    finally:
        connection.close()
