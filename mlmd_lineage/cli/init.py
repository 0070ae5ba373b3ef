"""Command ``mlmd-lineage init``: makes a project of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlmd_lineage.cli.common.command import Command, examples
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.registration_tables import FormatOption, print_result

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init", cls=Command, epilog=examples("init"))(_init)


def _init(*, format_: FormatOption = DescriptionFormat.table) -> None:
    """Make a project of this folder, with registrations of its own.

    What is registered here or in a folder below goes to its .mlmd_lineage from then on, which can
    be shared with the rest of the project.
    """
    from mlmd_lineage.stacks.layers import create_project

    made = create_project(Path.cwd())
    message = f"This folder is a project: what is registered here goes to {made.name}."
    print_result(message, {"project": str(made)}, format_)
