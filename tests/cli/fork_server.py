"""Runs commands in processes forked from one that has loaded everything already.

A start of Python for each command would take most of a test's time. Reads a JSON object a line
from stdin, the fields of ``terminal.Call``, and writes what each command left a line:
``{"code": 0, "shown": "what the terminal showed", "errors": "...", "unasked": []}``.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import pathlib
import pty
import signal
import struct
import sys
import tempfile
import termios
import time
from typing import Any

SECONDS = 600


def run(call: dict[str, Any]) -> dict[str, Any]:
    """Run one command as a person at a terminal does, or as a shell's pipe does."""
    terminal, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, call["columns"], 0, 0))
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = os.fork()
        if not process:
            os.close(terminal)
            try:
                _run_here(call, its, output.fileno(), errors.fileno())
            finally:
                os._exit(70)  # it has left already, unless this file is wrong
        os.close(its)
        shown, unasked = _type(terminal, call["answers"], process)
        os.close(terminal)
        _, status = os.waitpid(process, 0)
        for file in (output, errors):
            file.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "shown": (shown.replace(b"\r\n", b"\n") + output.read()).decode(),
            "errors": errors.read().decode(),
            "unasked": sorted(unasked),
        }


def _type(terminal: int, answers: dict[str, str], process: int) -> tuple[bytes, dict[str, str]]:
    """Return what a terminal showed, and the answers that nothing asked for."""
    shown, left = b"", dict(answers)
    with contextlib.suppress(OSError):  # Linux says so when the last writer is gone
        while part := os.read(terminal, 65_536):
            shown += part
            for asked in [asked for asked in left if asked.encode() in shown]:
                _wait_for_sleep(process)
                os.write(terminal, left.pop(asked).encode())
    return shown, left


def _wait_for_sleep(process: int) -> None:
    """Wait until a process that has asked waits for the answer, where the system can tell.

    Python's input() misses a Ctrl-C that comes between what it has asked and its reading.
    """
    state = pathlib.Path(f"/proc/{process}/stat")
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] not in "SZ":
        time.sleep(0.001)


def _run_here(call: dict[str, Any], terminal: int, output: int, errors: int) -> None:
    """Be the command: take its streams, environment and folder, run it and leave."""
    os.setsid()
    if call["interactive"]:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    else:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for stream, source in (
        *([(0, terminal)] if call["interactive"] else []),
        (1, output if call["piped"] else terminal),
        (2, terminal if call["interactive"] else errors),
    ):
        os.dup2(source, stream)
    for descriptor in (terminal, output, errors):
        os.close(descriptor)
    signal.alarm(SECONDS)  # a question that nobody expected is never answered
    os.environ.clear()
    os.environ.update(call["env"])
    os.chdir(call["folder"])
    sys.path[:0] = filter(None, call["env"].get("PYTHONPATH", "").split(os.pathsep))
    sys.stdin, sys.stdout, sys.stderr = (
        open(0, closefd=False),  # noqa: SIM115 - as long as the process
        open(1, "w", encoding="utf-8", closefd=False),  # noqa: SIM115
        open(2, "w", encoding="utf-8", closefd=False),  # noqa: SIM115
    )
    sys.argv = ["mlmd-lineage", *call["arguments"]]
    from mlmd_lineage.cli import main

    code: object = 0
    try:
        main()
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:  # noqa: BLE001 - as the interpreter would end
        sys.excepthook(*sys.exc_info())
        code = 1
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else bool(code))


_LOADED = (
    "adbc_driver_sqlite",
    "mlmd_lineage.cli.app",
    "mlmd_lineage.dialects.registry",
    "mlmd_lineage.filters.frames",
    "mlmd_lineage.lineage.traversal",
    "mlmd_lineage.post_execution.compare.lineage_diff",
    "mlmd_lineage.post_execution.description",
    "mlmd_lineage.post_execution.frames",
    "mlmd_lineage.readers.mysql.reader",
    "mlmd_lineage.readers.sqlite.reader",
    "mlmd_lineage.store",
    "mlmd_lineage.stacks.config_stack",
    "mlmd_lineage.stacks.stack_export",
    "mlmd_lineage.stacks.stack_registry",
    "mlmd_lineage.stacks.registry",
    "cryptography.fernet",
    "filelock",
    "pandas",
    "pyarrow",
    "rich.console",
    "rich.table",
    "rich.tree",
)

if __name__ == "__main__":
    for name in _LOADED:
        importlib.import_module(name)
    importlib.import_module("mlmd_lineage.cli.app").command_line()
    for line in sys.stdin:
        call = json.loads(line)
        if "KUBECONFIG" in call["env"]:
            importlib.import_module("kubernetes.client")  # which takes longer than all the others
        print(json.dumps(run(call)), flush=True)  # noqa: T201 - its answer
