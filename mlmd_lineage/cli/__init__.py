"""The command line, ``mlmd-lineage``: one file per command group."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line, and leave with its exit code: 0, 1 (error) or 2 (usage)."""
    try:
        from mlmd_lineage.cli.app import app

        for stream in (sys.stdout, sys.stderr):
            # Not every terminal can show every name that a store holds.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        app(prog_name="mlmd-lineage")
    except KeyboardInterrupt:
        sys.exit(130)
