"""Atomic writes of small files, under a lock."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING

from mlmd_lineage import errors, termination
from mlmd_lineage.config import folders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_SECONDS = 60.0
_READABLE = 0o644


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep every other process from changing a file; the lock is a file beside it.

    The operating system drops the lock of a process that dies, so none is ever left behind.

    Raises:
        LockedStoreError: Another process held it for half a minute.
        StorePermissionError: The folder cannot be written to, or the lock is a link.
    """
    import filelock

    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock_path = path.with_name(f".{path.name}.lock")
    refuse_link(lock_path)
    lock = filelock.FileLock(lock_path, timeout=LOCK_SECONDS)
    try:
        with explained(path):
            lock.acquire()
    except filelock.Timeout:
        message = (
            f"Another process has kept {path} locked for {LOCK_SECONDS:g} seconds; let it end, "
            "and try again."
        )
        raise errors.LockedStoreError(message) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Replace an error of the operating system by one that names the file and what to do."""
    try:
        yield
    except (TimeoutError, errors.MLMDLineageError):
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"{path} cannot be read or written: {reason}."
        if path.absolute().is_relative_to(folders.config_folder()):
            message += f" {folders.CONFIG_VARIABLE} may name another configuration folder."
        raise errors.StorePermissionError(message) from None


def refuse_link(path: Path) -> None:
    """Refuse a symbolic link: writing through it would change a file somewhere else.

    Raises:
        StorePermissionError: The path is one.
    """
    if path.is_symlink():
        message = f"{path} is a link, which is not followed here; replace it by a file."
        raise errors.StorePermissionError(message)


def _refuse_special(path: Path) -> None:
    """Refuse what is there and is no file, such as a pipe or a device: it would be replaced."""
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "no regular file"
        message = f"{path} is {kind}, and is not replaced; name a file."
        raise errors.StorePermissionError(message)


def write_whole(path: Path, data: bytes, *, mode: int = _READABLE) -> None:
    """Write a file so that every reader sees it as it was before or as it is after, never half.

    Raises:
        StorePermissionError: It cannot be written, or is a link, a folder, a pipe or a device.
    """
    with explained(path), termination.as_exception():
        path.parent.mkdir(parents=True, exist_ok=True)
        refuse_link(path)
        _refuse_special(path)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.chmod(temporary, mode)  # noqa: PTH101 - a text, as mkstemp gives it
            os.replace(temporary, path)  # noqa: PTH105
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
            raise


def read_if_there(path: Path) -> bytes | None:
    """Return the contents of a file, or None where there is none.

    Raises:
        StorePermissionError: It is there and cannot be read.
    """
    with explained(path):
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
