"""Attributes of a component or a secret on the command line: ``--KEY=VALUE``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mlmd_lineage.cli.common.prompts import ask_secret

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

ACCEPT_ANY = {"allow_extra_args": True, "ignore_unknown_options": True}
"""The context settings of commands that take attributes."""

_KEY = re.compile(r"^[A-Za-z][A-Za-z0-9_-]*$")


def split_name(name: str | None, rest: list[str]) -> tuple[str | None, list[str]]:
    """Return an optional NAME and the attributes; the first may have been parsed as NAME."""
    if name is not None and name.startswith("-"):
        return None, [name, *rest]
    return name, rest


def parsed(arguments: Iterable[str]) -> dict[str, str | None]:
    """Return the attributes that arguments give; None for one without a value.

    >>> parsed(["--host=db", "--port", "3306", "--ssl"])
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
            # The argument is not quoted: it may be a password.
            message = (
                "There is one argument too many; attributes are written --KEY=VALUE, and a value "
                "with spaces has to be quoted."
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
        return ask_secret(key)
    if value is None and key in flags:
        return "true"
    if value is None:
        message = f"--{key} needs a value: --{key}=VALUE."
        raise typer.BadParameter(message)
    if key in secret and value.startswith("@") and Path(value[1:]).is_file():
        return Path(value[1:]).read_text(encoding="utf-8").rstrip("\n")
    return value
