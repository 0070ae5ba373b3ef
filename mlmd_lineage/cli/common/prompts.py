"""Questions on a terminal: a secret, a confirmation."""

from __future__ import annotations

import getpass
import sys

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.text import printable

INTERRUPTED = 130
"""The exit code after Ctrl-C, as a shell gives it."""


def ask_secret(name: str) -> str:
    """Ask for a secret, which is not shown while it is typed.

    Raises:
        BadParameter: There is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        message = (
            f"--{name} has no value, and there is no terminal to ask for it; give --{name}=VALUE, "
            f"or --{name}=@FILE."
        )
        raise typer.BadParameter(message)
    try:
        return getpass.getpass(f"{printable(name)}: ", stream=sys.stderr)
    except (KeyboardInterrupt, EOFError):
        raise _interrupted() from None


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation, unless ``--yes`` was given.

    Raises:
        BadParameter: There is no terminal to ask on.
        Exit: The answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        message = "There is no terminal to confirm on; give --yes."
        raise typer.BadParameter(message)
    try:
        output.write(f"{question} [y/N]: ", error=True, end="")
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        raise _interrupted() from None
    if not answer:
        raise _interrupted()
    if answer.strip().lower() not in {"y", "yes"}:
        output.write("Nothing was changed.", error=True)
        raise typer.Exit(1)


def _interrupted() -> typer.Exit:
    output.write("\nInterrupted.", error=True)
    return typer.Exit(INTERRUPTED)
