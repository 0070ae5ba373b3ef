"""The server's log: a line on stderr for each call, and for what becomes of the workers."""

from __future__ import annotations

import datetime as dt
import os
import sys


def write_line(text: str) -> None:
    """Write a line to the log, which is stderr, as one piece that no other process's can part."""
    now = dt.datetime.now(tz=dt.timezone.utc).isoformat(timespec="milliseconds")
    sys.stderr.write(f"{now.replace('+00:00', 'Z')} {text}\n")
    sys.stderr.flush()


def keep_to_ourselves() -> None:
    """Keep stderr for the log: MLMD's library writes whole statements there, with their values."""
    own = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = os.fdopen(own, "w", encoding="utf-8", errors="backslashreplace")
