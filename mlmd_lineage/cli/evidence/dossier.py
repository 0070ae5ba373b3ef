"""Command ``mlmd-lineage dossier``: a model's whole provenance as one document."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import NODE_HELP, QuestionOptions


class DossierFormat(str, enum.Enum):
    """Formats of a dossier."""

    html = "html"
    markdown = "markdown"
    json = "json"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "dossier",
        cls=Command,
        epilog=examples(
            "dossier metadata.db artifact/35 -o model-35.html",
            "dossier metadata.db artifact/35 --compare artifact/4 -o models.html",
            "dossier metadata.db artifact/35 --format markdown",
        ),
    )(_dossier)


@with_groups
def _dossier(
    *,
    target: QuestionOptions,
    model: Annotated[str, typer.Argument(metavar="MODEL", help=NODE_HELP)],
    compare: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Another model, to stand beside it.")
    ] = None,
    format_: Annotated[
        DossierFormat, typer.Option("--format", "-f", help="The format, where no FILE says it.")
    ] = DossierFormat.markdown,
    file: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write it to a file; its name says how: .html, .md, .json, .bundle or .zip.",
        ),
    ] = None,
) -> None:
    """Gather a model's whole provenance as one document."""
    store = target.open()
    with progress(f"Asking {store.location}"):
        made = store.dossier(model, compare=compare)
        if file is not None:
            made.save(file)
    if file is not None:
        counted = ", ".join(
            f"{len(rows):,} {noun}{'' if len(rows) == 1 else 's'}"
            for noun, rows in (("step", made.data["steps"]), ("data set", made.data["data_sets"]))
        )
        unknown = len(made.data["unknown"])
        output.write(f"{made.node}: {counted}, {unknown:,} things not known. See {file}.")
    else:
        output.write_data(getattr(made, f"to_{format_.value}")())
