"""Commands as a person at a terminal runs them, and the examples in ``docs/cli.md``.

The convention of the examples: in a block marked ``console``, a line that begins with ``$ `` is a
command line, and what follows up to the next one is what it prints on a terminal that is 100
columns wide, without colours; what it prints on stderr comes last. A line ``...`` stands for any
lines. They run one after the other in a folder where ``metadata.db`` is the demo store.

``python tests/cli/terminal.py`` writes what the commands print now into ``docs/cli.md``. Read it
before you commit it.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from mlmd_lineage import cli

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "cli.md"
DEMO_STORE = ROOT / "mlmd_lineage" / "data" / "tfx_local.db"

_BLOCK = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which ``mlmd-lineage`` is this checkout's."""
    program = folder / "mlmd-lineage"
    if not program.exists():
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mlmd_lineage "$@"\n')
        program.chmod(0o755)
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    kept = {k: v for k, v in os.environ.items() if k not in {"FORCE_COLOR", "COLUMNS", "LINES"}}
    return {
        **kept,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "TERM": "xterm-256color",
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
        # Registrations of its own, and its secrets in a file whatever this machine has.
        "MLMD_LINEAGE_CONFIG": str(folder / "config"),
        "MLMD_LINEAGE_SECRETS": "file",
        **(more or {}),
    }


@dataclasses.dataclass(frozen=True)
class Result:
    """What a command left that ran in this process."""

    exit_code: int
    stdout: str
    stderr: str
    output: str
    """Both, in the order in which they were written."""


class _Stream(io.StringIO):
    """A stream that is written to another one too, and says that it is a terminal."""

    def __init__(self, both: io.StringIO, *, terminal: bool) -> None:
        super().__init__()
        self._both = both
        self._terminal = terminal

    def write(self, text: str) -> int:
        self._both.write(text)
        return super().write(text)

    def isatty(self) -> bool:
        return self._terminal


def invoke(*arguments: str, columns: int | None = None) -> Result:
    """Run a command in this process, with a terminal for its output if that has columns."""
    both = io.StringIO()
    stdout, stderr = _Stream(both, terminal=columns is not None), _Stream(both, terminal=False)
    code: object = 0
    surroundings = {"COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1"} if columns else {}
    with (
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        mock.patch.object(sys, "argv", ["mlmd-lineage", *arguments]),
        mock.patch.dict(os.environ, surroundings),
    ):
        try:
            cli.main()
        except SystemExit as leaving:
            code = leaving.code
    assert isinstance(code, int)
    return Result(code, stdout.getvalue(), stderr.getvalue(), both.getvalue())


@dataclasses.dataclass(frozen=True)
class Call:
    """A command of ours, and the surroundings in which it runs."""

    arguments: list[str]
    folder: str
    env: dict[str, str]
    answers: dict[str, str] = dataclasses.field(default_factory=dict)
    """What is typed, by the words that ask for it."""
    interactive: bool = False
    """Whether it can ask; then its errors are on the terminal too."""
    piped: bool = False
    """Whether its output goes to another program."""
    columns: int = 100


class ForkServer:
    """The process that commands are forked from, started for the first of them."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, call: Call) -> dict[str, Any]:
        """Run a command, and return what it left."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("fork_server.py"))],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            atexit.register(self._stop, self._process)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(dataclasses.asdict(call)) + "\n")
        self._process.stdin.flush()
        left: dict[str, Any] = json.loads(self._process.stdout.readline())
        return left

    @staticmethod
    def _stop(process: subprocess.Popen[str]) -> None:
        process.communicate("")


FORK_SERVER = ForkServer()


def on_terminal(
    command: str, folder: Path, env: Mapping[str, str], *, columns: int = 100
) -> tuple[int, str]:
    """Run a command line with a terminal for its output; return its exit code and what it said.

    What is not ours in a pipe is bash's. Errors are not on the terminal, and come last.
    """
    ours, _, others = command.partition(" | ")
    words = shlex.split(ours)
    assert words[0] == "mlmd-lineage", command
    call = Call(words[1:], str(folder), dict(env), piped=bool(others), columns=columns)
    left = FORK_SERVER.run(call)
    shown, code = left["shown"], left["code"]
    if others:
        done = subprocess.run(
            ["bash", "-c", others],  # noqa: S607 - the bash that there is
            cwd=folder,
            env=dict(env),
            input=shown,
            capture_output=True,
            text=True,
            check=False,
        )
        shown, code = done.stdout + done.stderr, done.returncode
    return code, shown + left["errors"]


def uncoloured(text: str) -> str:
    """Return what a terminal showed without its control sequences."""
    return _CONTROL.sub("", text)


@contextlib.contextmanager
def example_folder() -> Iterator[Path]:
    """Give a folder in which the examples run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copyfile(DEMO_STORE, folder / "metadata.db")
        yield folder


def examples(text: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a guide, each with what it says that they print."""
    for block in _BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            yield command, printed


def fits(printed: str, expected: str) -> bool:
    """Return whether a command printed what is expected of it."""
    pattern = re.escape(expected).replace(re.escape("...\n"), "(?:.*\n)*?")
    return re.fullmatch(pattern, printed) is not None


def rewritten(text: str) -> str:
    """Return a guide with what its commands print now, where they print something else."""
    with example_folder() as folder:
        env = environment(folder)

        def block(match: re.Match[str]) -> str:
            said = ""
            for command, expected in examples(f"```console\n{match[1]}```\n"):
                _, printed = on_terminal(command, folder, env)
                printed = "".join(f"{line.rstrip()}\n" for line in uncoloured(printed).splitlines())
                said += f"$ {command}\n{expected if fits(printed, expected) else printed}"
            return said

        return _BLOCK.sub(block, text)


if __name__ == "__main__":
    GUIDE.write_text(rewritten(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
