"""Commands ``mlmd-lineage snapshot`` and ``generations``: a store as Parquet files, over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.frames import TableOptions, print_frame
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
            "snapshot metadata.db archive/ --update",
            "snapshot archive/ as-it-was/ --as-of 2026-11-21",
            "upstream archive/ artifact/46",
        ),
    )(_snapshot)
    app.command(
        "generations",
        cls=Command,
        epilog=examples("generations archive/", "generations s3://bucket/archive --format json"),
    )(_generations)


@with_groups
def _snapshot(
    *,
    target: QuestionOptions,
    folder: Annotated[
        str,
        typer.Argument(metavar="DIR", help="A folder that does not exist yet, or is empty."),
    ],
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            help="DIR may be an archive: what changed is added as its newest generation.",
        ),
    ] = False,
    other_source: Annotated[
        bool,
        typer.Option(
            "--other-source", help="With --update: DIR may be an archive of another store."
        ),
    ] = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="TIME",
            help="STORE is an archive: save the newest generation of then or before.",
        ),
    ] = None,
) -> None:
    """Save all of a store as Parquet files.

    The folder answers every question that the store does, where there is neither the database
    nor ml-metadata: give it as STORE.
    """
    if "://" in folder:
        message = "DIR is a folder of this machine, not a URL."
        raise typer.BadParameter(message)
    from mlmd_lineage.store import connect

    store = target.open()
    if as_of is not None:
        store = connect(store.metadata_store, as_of=as_of)
    with progress(f"Reading {store.location}"):
        snapshot = store.snapshot()
    with progress(f"Writing {folder}"):
        snapshot.save(folder, update=update, other_source=other_source)
    newest = connect(Path(folder)).generations()[-1]
    if newest.taken_at != snapshot.taken_at:
        output.write(f"Nothing changed since generation {newest.number} of {folder}.")
        return
    generation = f" as generation {newest.number}" if update else ""
    output.write(
        f"Saved {len(snapshot.artifacts):,} artifacts, {len(snapshot.executions):,} executions, "
        f"{len(snapshot.contexts):,} contexts and {len(snapshot.events):,} events in "
        f"{folder}{generation}."
    )


@with_groups
def _generations(*, target: QuestionOptions, options: TableOptions) -> None:
    """List the generations of an archive, oldest first.

    'snapshot --update' adds them, and 'snapshot --as-of' takes one out.
    """
    import pandas as pd

    found = target.open().generations()
    numbers = [generation.number for generation in found]
    times = pd.DatetimeIndex([generation.taken_at for generation in found], tz="UTC")
    print_frame(pd.DataFrame({"generation": numbers, "taken_at": times}), options, "generations")
