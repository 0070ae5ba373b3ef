"""Command ``mlmd-lineage init``: creates an empty store, or makes a project of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlmd_lineage.cli.common import completion
from mlmd_lineage.cli.common.command import Command, examples
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.registration_tables import FormatOption, print_result
from mlmd_lineage.cli.common.text import printable


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "init",
        cls=Command,
        epilog=examples(
            "init",
            "init metadata.db",
            "init mysql://mlmd@db.example/metadb",
            "init postgresql://mlmd@db.example/metadb",
        ),
    )(_init)


def _init(
    store: Annotated[
        str | None,
        typer.Argument(
            metavar="[STORE]",
            help="The store to create: a path, a URL, or the name of a registered metadata store.",
            show_default=False,
            autocompletion=completion.metadata_stores,
        ),
    ] = None,
    *,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Create an empty metadata store, or make a project of this folder.

    With STORE, MLMD's tables are made where there are none: in an SQLite file, which is made too,
    or in a database that is there. ml-metadata 1.11 to 1.21 opens it as its own. A store that is
    there already stays as it is, and is never migrated.

    Without STORE, what is registered here or in a folder below goes to this folder's .mlmd_lineage
    from then on, which can be shared with the rest of the project.
    """
    if store is None:
        _init_project(format_)
    else:
        _init_store(store, format_)


def _init_project(format_: DescriptionFormat) -> None:
    from mlmd_lineage.stacks.layers import create_project

    made = create_project(Path.cwd())
    message = f"This folder is a project: what is registered here goes to {made.name}."
    print_result(message, {"project": str(made)}, format_)


def _init_store(store: str, format_: DescriptionFormat) -> None:
    from mlmd_lineage.stacks.target_resolution import opened
    from mlmd_lineage.writing.registry import writer_for

    found = opened(store, create=True)
    with writer_for(found) as writer:
        made = writer.create()
    what = "Made an empty store" if made else "There is a store already, left as it is"
    location = found.location()
    message = f"{what}: {printable(location)}."
    print_result(message, {"store": location, "created": made}, format_)
