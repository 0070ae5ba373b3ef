"""Command ``mlmd-lineage snapshot``: saves a store as Parquet files."""

from __future__ import annotations

from typing import Annotated

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import QuestionOptions


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "snapshot",
        cls=Command,
        epilog=examples(
            "snapshot metadata.db archive/",
            "snapshot mysql://reader@db.example/metadb archive/",
            "upstream archive/ artifact/46",
        ),
    )(_snapshot)


@with_groups
def _snapshot(
    *,
    target: QuestionOptions,
    folder: Annotated[
        str,
        typer.Argument(metavar="DIR", help="A folder that does not exist yet, or is empty."),
    ],
) -> None:
    """Save all of a store as Parquet files.

    The folder answers every question that the store does, where there is neither the database
    nor ml-metadata: give it as STORE.
    """
    if "://" in folder:
        message = "DIR is a folder of this machine, not a URL."
        raise typer.BadParameter(message)
    store = target.open()
    with progress(f"Reading {store.location}"):
        snapshot = store.snapshot()
    with progress(f"Writing {folder}"):
        snapshot.save(folder)
    output.write(
        f"Saved {len(snapshot.artifacts):,} artifacts, {len(snapshot.executions):,} executions, "
        f"{len(snapshot.contexts):,} contexts and {len(snapshot.events):,} events in "
        f"{folder}."
    )
