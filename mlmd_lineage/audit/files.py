"""Files that a user asked for: written whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mlmd_lineage import errors, termination

if TYPE_CHECKING:
    from collections.abc import Iterator

_READABLE = 0o666


def write_file(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text as UTF-8, so that a reader sees all of it or what was there before.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    target = Path(path)
    with _explained(target), termination.as_exception():
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            mask = os.umask(0)
            os.umask(mask)
            Path(temporary).chmod(_READABLE & ~mask)
            Path(temporary).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    return target


@contextlib.contextmanager
def _explained(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"{target} cannot be written: {reason}. Give a file in a folder that is there."
        raise errors.ConfigurationError(message) from None
