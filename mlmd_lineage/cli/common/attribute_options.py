"""``--KEY=VALUE``: the attributes of a component or a secret on the command line."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mlmd_lineage.cli.common.command import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

ANYTHING = {"allow_extra_args": True, "ignore_unknown_options": True}
"""The settings of commands that take attributes."""

_KEY = re.compile(r"^[A-Za-z][A-Za-z0-9_-]*$")


def named(name: str | None, rest: list[str]) -> tuple[str | None, list[str]]:
    """Part an optional NAME from what follows it, as an attribute may have taken its place."""
    if name is not None and name.startswith("-"):
        return None, [name, *rest]
    return name, rest


def attributes(arguments: Iterable[str]) -> dict[str, str | None]:
    """Return the attributes that arguments give; None for one that stands there without a value.

    >>> attributes(["--host=db", "--port", "3306", "--ssl"])
    {'host': 'db', 'port': '3306', 'ssl': None}
    """
    found: dict[str, str | None] = {}
    open_key: str | None = None
    for argument in arguments:
        if argument.startswith("--"):
            key, equals, value = argument[2:].partition("=")
            if not _KEY.fullmatch(key):
                message = "An attribute is written --KEY=VALUE."
                raise typer.BadParameter(message)
            key = key.replace("-", "_")
            if key in found:
                message = f"--{key} is given twice."
                raise typer.BadParameter(message)
            found[key] = value if equals else None
            open_key = None if equals else key
        elif open_key is not None:
            found[open_key] = argument
            open_key = None
        else:
            # Not quoted: what stands in a wrong place may be a password.
            message = (
                "There is an argument too many; attributes are written --KEY=VALUE, and a value "
                "with spaces stands in quotes."
            )
            raise typer.BadParameter(message)
    return found


def with_values(
    given: dict[str, str | None], secret: Collection[str], flags: Collection[str]
) -> dict[str, str]:
    """Return the attributes with their values; a secret that has none is asked for.

    ``--KEY=@FILE`` takes the contents of a file for a secret.
    """
    return {key: _value(key, value, secret, flags) for key, value in given.items()}


def _value(key: str, value: str | None, secret: Collection[str], flags: Collection[str]) -> str:
    if value is None and key in secret:
        return _asked(key)
    if value is None and key in flags:
        return "true"
    if value is None:
        message = f"--{key} needs a value: --{key}=VALUE."
        raise typer.BadParameter(message)
    if key in secret and value.startswith("@") and Path(value[1:]).is_file():
        return Path(value[1:]).read_text(encoding="utf-8").rstrip("\n")
    return value


def _asked(key: str) -> str:
    if not sys.stdin.isatty():
        message = (
            f"--{key} has no value, and there is no terminal to ask for it; give --{key}=VALUE, "
            f"or --{key}=@FILE."
        )
        raise typer.BadParameter(message)
    answer: str = typer.prompt(printable(key), hide_input=True, err=True)
    return answer
