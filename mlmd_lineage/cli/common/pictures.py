"""Pictures of graphs as files: the format that a file's ending tells, and its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mlmd_lineage.cli.common.output import LineageFormat

if TYPE_CHECKING:
    from pathlib import Path

    from mlmd_lineage.lineage.graph import LineageGraph

PICTURES = (
    LineageFormat.svg,
    LineageFormat.png,
    LineageFormat.html,
    LineageFormat.dot,
    LineageFormat.mermaid,
)
_OTHER_ENDINGS = {"mmd": "mermaid", "htm": "html", "gv": "dot"}


def format_of(file: Path) -> LineageFormat:
    """Return the format that the ending of a file's name tells.

    Raises:
        typer.BadParameter: It tells none.
    """
    ending = file.suffix.lower().removeprefix(".")
    try:
        return LineageFormat(_OTHER_ENDINGS.get(ending, ending))
    except ValueError:
        known = ", ".join(f".{kind.value}" for kind in LineageFormat if kind.value != "table")
        message = f"The ending of {file.name!r} tells no format; give one of {known}."
        raise typer.BadParameter(message) from None


def picture_format(file: Path) -> LineageFormat:
    """Return the format that a picture's file tells.

    Raises:
        typer.BadParameter: It tells none, or no picture's.
    """
    found = format_of(file)
    if found not in PICTURES:
        known = ", ".join(f".{kind.value}" for kind in PICTURES)
        message = f"{file.name!r} is no picture; give one of {known}."
        raise typer.BadParameter(message)
    return found


def drawing(graph: LineageGraph, format_: LineageFormat, *, fold: bool = True) -> bytes:
    """Return a graph in the format of a file: a picture, JSON or GraphML."""
    drawn = {"fold": fold} if format_ in PICTURES else {}
    made: str | bytes = getattr(graph, f"to_{format_.value}")(**drawn)
    return made if isinstance(made, bytes) else (made.rstrip("\n") + "\n").encode()
