"""Reading files that only the user or the superuser can have written.

A file of another user could name programs to run and servers to send passwords to, so it is not
used as configuration. The open file is checked, not its path, so that the file cannot be exchanged
between the check and the reading.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.config.atomic_files import explained

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 16 * 1024 * 1024
"""The size of a configuration file above which it is refused."""
_SUPERUSER = 0


class ForeignOwnerError(errors.StorePermissionError):
    """A file or folder belongs to another user."""


def owned(info: os.stat_result) -> bool:
    """Return whether a file belongs to the user or the superuser; on Windows it always does."""
    if sys.platform == "win32":
        return True
    return info.st_uid in {os.geteuid(), _SUPERUSER}


def read_owned(path: Path, *, any_owner: bool = False) -> bytes | None:
    """Return the contents of a regular file of the user's, or None where there is none.

    Args:
        path: The file.
        any_owner: Read it whoever owns it, as its folder was named by the user.

    Raises:
        ForeignOwnerError: It belongs to another user.
        StorePermissionError: It is a link, no regular file, too large, or cannot be read.
    """
    flags = os.O_RDONLY
    if sys.platform != "win32":
        # Without O_NONBLOCK, opening a named pipe waits for its writer.
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with explained(path):
        if path.is_symlink():
            raise _refused(path, "is a link, and links are not followed here")
        try:
            descriptor = os.open(path, flags)
        except (FileNotFoundError, NotADirectoryError):
            return None
        with os.fdopen(descriptor, "rb") as file:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                raise _refused(path, "is not a regular file")
            if not any_owner and not owned(info):
                message = (
                    f"{path} belongs to another user (uid {info.st_uid}), so it is not used; "
                    "change its owner if it is yours."
                )
                raise ForeignOwnerError(message)
            data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise _refused(path, f"has more than {MAX_BYTES:,} bytes")
    return data


def _refused(path: Path, why: str) -> errors.StorePermissionError:
    return errors.StorePermissionError(f"{path} {why}; replace it by a file of its own.")
