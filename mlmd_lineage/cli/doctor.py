"""Command ``mlmd-lineage doctor``: says of runs whose process is gone that they failed."""

from __future__ import annotations

from typing import Annotated

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import QuestionOptions
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.prompts import confirm
from mlmd_lineage.cli.common.registration_tables import FormatOption, print_rows


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "doctor",
        cls=Command,
        epilog=examples("doctor metadata.db", "doctor metadata.db --yes", store_note=True),
    )(_doctor)


@with_groups
def _doctor(
    *,
    target: QuestionOptions,
    after: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="How long a process has given no sign of life. Default: four of its intervals "
            "and a minute; at once where it ran on this machine and is gone.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    format_: FormatOption = DescriptionFormat.table,
) -> None:
    """Find recorded runs and steps that never ended, and record that they failed.

    A process that was killed leaves RUNNING what it was recording. It is found by the signs of life
    that it no longer gives. Only what this library recorded is changed.
    """
    from mlmd_lineage import deadline
    from mlmd_lineage.recording.clock import iso
    from mlmd_lineage.recording.liveness import dead_runs

    store = target.open()
    with store.record_access() as access:
        found = dead_runs.find(access, after=after)
        rows = [
            {
                "node": node.key,
                "run": node.run,
                "step": node.step,
                "last_sign": iso(node.last_sign),
                "host": node.host or "",
            }
            for node in found
        ]
        if not found:
            if format_ is DescriptionFormat.json:
                output.write_json([])
            elif dead_runs.holds_recorded_runs(access):
                output.write("All recorded runs have ended, or give signs of life.")
            else:
                output.write(
                    f"{store.location} holds no run that this library recorded. Of those of other "
                    "platforms, 'mlmd-lineage audit' tells which have not ended."
                )
            return
        print_rows(rows, format_, "x")
        with deadline.ignored():  # it is the answer that --timeout limits, not who is asked
            confirm(f"Record that {_count(len(found))} failed?", yes=yes)
            dead_runs.mark_failed(access, found)
    output.write(f"Recorded that {_count(len(found))} failed.", error=True)


def _count(number: int) -> str:
    return "this one" if number == 1 else f"these {number}"
