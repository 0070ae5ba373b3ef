"""Command ``mlmd-lineage trust``: projects whose configuration may be used."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlmd_lineage.cli.common import output, prompts
from mlmd_lineage.cli.common.command import Command, examples
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.registration_tables import FormatOption, print_result, print_rows
from mlmd_lineage.cli.common.text import printable

if TYPE_CHECKING:
    from mlmd_lineage.stacks.trust_report import ProjectContents


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "trust",
        cls=Command,
        epilog=examples("trust", "trust churn/ --yes", "trust --list", "trust churn/ --revoke"),
    )(_trust)


def _trust(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]",
            help="The project's folder; the one of the current folder where none is given.",
            show_default=False,
        ),
    ] = None,
    *,
    list_: Annotated[bool, typer.Option("--list", help="List the trusted projects.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Trust the project no longer.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Let a project's configuration be used on this machine, after showing what it does.

    A project's .mlmd_lineage/registrations.json names servers to connect to and Python classes to
    run. Until it is trusted it is only listed. Trust is for the contents as they are: when they
    change, it is asked for again.
    """
    from mlmd_lineage.stacks import trust_report

    if list_:
        if folder is not None or revoke:
            message = "--list goes with no FOLDER and with no --revoke."
            raise typer.BadParameter(message)
        rows = trust_report.listed()
        if not rows and format_ is DescriptionFormat.table:
            output.write("No projects are trusted.")
            return
        print_rows(rows, format_, mark="")
        return
    if revoke:
        done = trust_report.revoke(folder)
        print_result(f"The project {done} is no longer trusted.", {"revoked": str(done)}, format_)
        return
    contents = trust_report.read(folder)
    if format_ is not DescriptionFormat.json:
        _show(contents)
    prompts.confirm(f"Trust the project {contents.folder} as it is now?", yes=yes)
    contents.trust()
    message = f"The project {contents.folder} is trusted as it is now."
    print_result(message, _record(contents), format_)


def _show(contents: ProjectContents) -> None:
    output.write(printable(f"The project {contents.folder}: {contents.state}."))
    for line in contents.lines():
        output.write(f"  {printable(line)}")


def _record(contents: ProjectContents) -> dict[str, Any]:
    return {"trusted": str(contents.folder), "files": dict(contents.files)}
