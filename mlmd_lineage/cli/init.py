"""Command ``mlmd-lineage init``: creates an empty store."""

from __future__ import annotations

from typing import Annotated

import typer

from mlmd_lineage.cli.common import completion
from mlmd_lineage.cli.common.command import Command, examples
from mlmd_lineage.cli.common.text import printable


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "init",
        cls=Command,
        epilog=examples(
            "init metadata.db",
            "init mysql://mlmd@db.example/metadb",
            "init postgresql://mlmd@db.example/metadb",
        ),
    )(_init)


def _init(
    store: Annotated[
        str,
        typer.Argument(
            metavar="STORE",
            help="A path, a URL, or the name of a registered metadata store.",
            show_default=False,
            autocompletion=completion.metadata_stores,
        ),
    ],
) -> None:
    """Make MLMD's tables where there are none.

    In an SQLite file, which is made too, or in a database that is there. ml-metadata 1.11 to 1.21
    opens it as its own. A store that is there already stays as it is, and is never migrated.
    """
    from mlmd_lineage.stacks.target_resolution import opened
    from mlmd_lineage.writing.registry import writer_for

    found = opened(store, create=True)
    with writer_for(found) as writer:
        made = writer.create()
    what = "Made an empty store" if made else "There is a store already, left as it is"
    typer.echo(f"{what}: {printable(found.location())}.")
