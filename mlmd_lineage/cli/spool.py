"""Commands ``mlmd-lineage spool list`` and ``send``: runs that wait for their store."""

from __future__ import annotations

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, Commands, examples, progress
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import QuestionOptions
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.registration_tables import FormatOption, print_rows
from mlmd_lineage.cli.common.text import printable


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(cls=Commands, no_args_is_help=True)
    group.command("list", cls=Command, epilog=examples("spool list"))(_list)
    group.command(
        "send", cls=Command, epilog=examples("spool send mysql://mlmd@db.example/metadb")
    )(_send)
    app.add_typer(
        group,
        name="spool",
        help="List and send what was recorded while a store was out of reach.",
    )


def _list(*, format_: FormatOption = DescriptionFormat.table) -> None:
    """List what waits to be sent: for each process that recorded, its store and since when."""
    from mlmd_lineage.recording.clock import iso
    from mlmd_lineage.recording.spooling.spool import spooled

    rows = [
        {
            "store": run.location,
            "since": iso(run.since),
            "entries": str(len(run.entries)),
            "folder": str(run.folder),
        }
        for run in spooled()
        if run.entries
    ]
    if not rows and format_ is not DescriptionFormat.json:
        output.write("Nothing waits to be sent.")
        return
    print_rows(rows, format_, "x")


@with_groups
def _send(*, target: QuestionOptions) -> None:
    """Write what waits for a store to it, each entry once, and remove it here."""
    from mlmd_lineage.recording.spooling import spool_sending
    from mlmd_lineage.recording.spooling.spool import spooled

    store = target.open()
    waiting = [run for run in spooled(store.location) if run.entries]
    if not waiting:
        others = sorted({run.location for run in spooled() if run.entries})
        more = f" There is something for {', '.join(others)}." if others else ""
        output.write(printable(f"Nothing waits for {store.location}.{more}"))
        return
    count = 0
    with store.record_access() as access, progress(f"Sending to {store.location}"):
        for run in waiting:
            count += spool_sending.send(access, run)
    output.write(printable(f"Sent {count} entries to {store.location}."))
