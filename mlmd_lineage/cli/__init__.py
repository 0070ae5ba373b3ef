"""Command line ``mlmd-lineage``: one file per group of commands."""

from __future__ import annotations

import io
import sys

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Run the command line, and exit with its code: 0, 1 (error), 2 (usage) or 130 (Ctrl-C)."""
    try:
        from mlmd_lineage.cli.app import command_line

        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # Not every terminal can show every name that a store holds.
                stream.reconfigure(errors="backslashreplace")
        command_line()(prog_name="mlmd-lineage")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
