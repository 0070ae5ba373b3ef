"""The server's log on stderr: a line for each call, and for each start and end of a worker."""

from __future__ import annotations

import datetime as dt
import os
import sys


def write_line(text: str) -> None:
    """Write a line to stderr in one piece, so that lines of other processes do not mix with it."""
    now = dt.datetime.now(tz=dt.timezone.utc).isoformat(timespec="milliseconds")
    sys.stderr.write(f"{now.replace('+00:00', 'Z')} {text}\n")
    sys.stderr.flush()


def discard_library_output() -> None:
    """Keep stderr for the log alone: MLMD's library writes whole statements with values there."""
    stderr = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    sys.stderr = os.fdopen(stderr, "w", encoding="utf-8", errors="backslashreplace")
