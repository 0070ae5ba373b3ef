"""Command line ``mlmd-lineage``: one file per group of commands."""

from __future__ import annotations

import io
import os
import sys

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Run the command line, and exit with its code: 0, 1 (error), 2 (usage) or 130 (Ctrl-C)."""
    _have_streams()
    try:
        from mlmd_lineage.cli.app import command_line

        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # Not every terminal can show every name that a store holds.
                stream.reconfigure(errors="backslashreplace")
        command_line()(prog_name="mlmd-lineage")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _have_streams() -> None:
    """Have the three standard streams, also where whoever starts the program closed some.

    Otherwise a file that is opened later would take the number of one, and what is written to
    that stream.
    """
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(descriptor)
    for name in closed:
        mode = "r" if name == "stdin" else "w"
        setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 - as long as the process
    if "stdout" in closed:
        sys.stderr.write("Error: The output cannot be written: standard output is closed.\n")
        sys.exit(1)
