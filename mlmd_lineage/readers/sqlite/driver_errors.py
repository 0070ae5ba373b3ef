"""Errors of SQLite, its drivers and the operating system, explained for a store."""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.stores.local_paths import first_steps

if TYPE_CHECKING:
    from pathlib import Path

_DAMAGED = ("malformed", "disk i/o", "corrupt", "unsupported file format")


class HotJournalError(Exception):
    """A writer died in mid-transaction, and its journal waits to be rolled back."""


def is_busy(error: Exception) -> bool:
    """Tell whether it is another's lock that SQLite met, which may be gone at the next attempt.

    One of the words for it, "locking protocol", stands for a race for a write-ahead log that just
    appears or goes (https://www.sqlite.org/rescode.html#protocol).
    """
    text = str(error).lower()
    return any(word in text for word in ("locked", "busy", "locking protocol"))


def explained(error: Exception, path: Path) -> Exception:
    """Return the error of ours that an SQLite driver's error means."""
    text = str(error).lower()
    if "attempt to write a readonly database" in text:
        return HotJournalError()
    if is_busy(error):
        return errors.LockedStoreError(
            f"{path} stayed locked by another process. Try again when it has written, or give "
            "the store a longer busy_timeout."
        )
    if "not a database" in text:
        return errors.NotAMetadataStoreError(
            f"{path} is not an SQLite database, or it is encrypted. Nothing was changed."
        )
    # Both drivers take a message that quotes a damaged name for UTF-8; Python 3.10 then has none,
    # and only its class, that of SQLITE_CORRUPT.
    unsaid = isinstance(error, UnicodeDecodeError) or type(error) is sqlite3.DatabaseError
    if unsaid or any(word in text for word in _DAMAGED):
        return errors.DamagedStoreError(
            f"{path} is damaged, or its disk fails: SQLite finds malformed pages. Nothing was "
            "changed. Restore a backup, or salvage a copy with 'sqlite3 COPY .recover'."
        )
    if "unable to open" in text or "failed to open" in text:
        return errors.StorePermissionError(
            f"{path} cannot be opened. Check the permissions of the file and of its folder."
        )
    what = (str(error).splitlines() or [type(error).__name__])[0]
    return errors.ReadError(f"Reading {path} failed: {what}")


def unreadable(error: OSError, path: Path) -> errors.StoreError:
    """Return the error of ours that the operating system's error means."""
    if isinstance(error, PermissionError):
        message = f"{path} may not be read by this user. Change its permissions, or copy it."
        return errors.StorePermissionError(message)
    what = f"{path} cannot be read: {error.strerror or error}."
    if error.errno in {errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}:
        return errors.StoreNotFoundError(what)
    if not isinstance(error, FileNotFoundError):
        return errors.ReadError(what)
    if path.is_symlink():
        message = f"{path} is a link to {os.readlink(path)}, where there is no file."  # noqa: PTH115
        return errors.StoreNotFoundError(message)
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        near = f" The folder {path.parent} is not there either."
    else:
        near = errors.did_you_mean(path.name, names)
    return errors.StoreNotFoundError(f"There is no file {path}.{first_steps(path) or near}")
