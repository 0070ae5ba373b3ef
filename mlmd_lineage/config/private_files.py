"""Short-lived files that only their owner can read, in memory where the system has such a place.

Drivers take TLS material as files only. Each process has a folder of its own; a file in it is
removed with the object that stands for it, and the folder when the process ends. What a process
left behind that was killed is removed by the next one.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import stat
import sys
import tempfile
import weakref
from pathlib import Path

from mlmd_lineage.config.atomic_files import explained
from mlmd_lineage.config.folders import private_folder

_PREFIX = "mlmd-lineage-"
_LOCK = "lock"
_OWNER_ONLY = 0o600
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the folders made in it are the owner's alone


def _base() -> Path:
    """Return the folder for the folders of all processes: in memory where there is one."""
    if sys.platform == "linux":
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        folders = [Path(runtime)] if runtime else []
        for folder in (*folders, _SHARED_MEMORY):
            if _safe(folder):
                return folder
    return private_folder("tls")


def _safe(folder: Path) -> bool:
    """Return whether no other user can rename what this user makes in a folder."""
    try:
        info = folder.stat()
    except OSError:
        return False
    sticky = bool(info.st_mode & stat.S_ISVTX)
    own = info.st_uid == os.geteuid() and not info.st_mode & 0o022
    return stat.S_ISDIR(info.st_mode) and (own or sticky) and os.access(folder, os.W_OK | os.X_OK)


@functools.cache
def _folder_of_process(pid: int) -> Path:
    """Make the folder of this process; it is locked for as long as the process lives."""
    base = _base()
    with explained(base):
        _remove_abandoned(base)
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{_user()}-", dir=base))
        if sys.platform != "win32":
            import fcntl

            descriptor = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, _OWNER_ONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    weakref.finalize(_folder_of_process, _remove, folder, pid)
    return folder


def _user() -> str:
    return "user" if sys.platform == "win32" else str(os.geteuid())


def _remove_abandoned(base: Path) -> None:
    """Remove the folders of processes of this user that no longer run."""
    if sys.platform == "win32":
        return
    import fcntl

    for folder in base.glob(f"{_PREFIX}{_user()}-*"):
        if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
            continue
        try:
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # it is being made, or being removed
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # its process runs
            pass
        finally:
            os.close(descriptor)


def _remove(path: Path, pid: int) -> None:
    # A forked process must not remove what the one before it still uses.
    if os.getpid() != pid:
        return
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def write_private(name: str, data: bytes, owner: object) -> Path:
    """Write a file that is removed with an object, at the latest when the process ends.

    >>> write_private("ca.pem", data, owner)
    PosixPath('/run/user/1000/mlmd-lineage-1000-q7w1/ca.pem')

    Args:
        name: The file's name.
        data: Its contents.
        owner: The object with which it goes.

    Raises:
        StorePermissionError: It cannot be written.
    """
    pid = os.getpid()
    path = _folder_of_process(pid) / name
    with explained(path):
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, _OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    weakref.finalize(owner, _remove, path, pid)
    return path
