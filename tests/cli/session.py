"""Runs many commands, each on a terminal of its own, in processes forked from one that is warm.

A start of Python for each command would take most of a test's time. Reads a JSON array of commands
from stdin, each ``{"arguments": [...], "answers": {"what is asked": "what is typed"}}``, and writes
one of what each left: ``{"code": 0, "shown": "..."}``.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import pty
import signal
import struct
import sys
import termios
from typing import Any

COLUMNS = 100
SECONDS = 60


def run(arguments: list[str], answers: dict[str, str]) -> dict[str, Any]:
    """Run one command as a person at a terminal does."""
    process, terminal = pty.fork()
    if not process:
        _be_the_command(arguments)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    shown, left = b"", dict(answers)
    with contextlib.suppress(OSError):  # Linux says so when the last writer is gone
        while part := os.read(terminal, 65_536):
            shown += part
            for asked in [asked for asked in left if asked.encode() in shown]:
                os.write(terminal, f"{left.pop(asked)}\n".encode())
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    text = shown.decode().replace("\r\n", "\n")
    return {"code": os.waitstatus_to_exitcode(status), "shown": text, "unasked": sorted(left)}


def _be_the_command(arguments: list[str]) -> None:
    from mlmd_lineage.cli import main

    signal.alarm(SECONDS)  # a question that nobody expected is never answered
    sys.stdin, sys.stdout, sys.stderr = (
        open(0, closefd=False),  # noqa: SIM115 - as long as the process
        open(1, "w", closefd=False),  # noqa: SIM115
        open(2, "w", closefd=False),  # noqa: SIM115
    )
    sys.argv = ["mlmd-lineage", *arguments]
    code: object = 0
    try:
        main()
    except SystemExit as leaving:
        code = leaving.code
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    for name in ("cli.app", "stacks.config", "stacks.exchange", "stacks.settings", "stacks.stacks"):
        importlib.import_module(f"mlmd_lineage.{name}")
    for name in ("rich.console", "rich.table", "filelock", "cryptography.fernet"):
        importlib.import_module(name)
    done = [run(each["arguments"], each.get("answers", {})) for each in json.load(sys.stdin)]
    json.dump(done, sys.stdout)
