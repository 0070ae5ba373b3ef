"""Commands ``mlmd-lineage ledger add``, ``check`` and ``list``, and ``changes``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, Commands, examples, progress
from mlmd_lineage.cli.common.frames import TableOptions, print_frame
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import QuestionOptions
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.evidence.bundles import FOUND, KEY_HELP, PUBLIC_KEY_HELP
from mlmd_lineage.snapshot.json_values import json_value

if TYPE_CHECKING:
    from mlmd_lineage.audit.ledger.entries import LedgerReport

_FEW_ADDITIONS = 20
_LONGEST = 200

LedgerArgument = Annotated[str, typer.Argument(metavar="LEDGER", help="The folder of the ledger.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode=None)
    group.command(
        "add",
        cls=Command,
        epilog=examples(
            "ledger add metadata.db ledger/ --key key.pem",
            "ledger add metadata.db ledger/ --key key.pem --snapshot",
        ),
    )(_add)
    group.command(
        "check",
        cls=Command,
        epilog=examples("ledger check metadata.db ledger/ --key public.pem"),
    )(_check)
    group.command("list", cls=Command, epilog=examples("ledger list ledger/"))(_list)
    app.add_typer(
        group, name="ledger", help="Record what a store holds, and see whether it was rewritten."
    )
    app.command(
        "changes",
        cls=Command,
        epilog=examples(
            "changes metadata.db archive/",
            "changes metadata.db before.db --format csv > changes.csv",
        ),
    )(_changes)


@with_groups
def _add(
    *,
    target: QuestionOptions,
    ledger: LedgerArgument,
    key: Annotated[str | None, typer.Option("--key", metavar="KEY", help=KEY_HELP)] = None,
    public_key: Annotated[
        str | None, typer.Option("--public-key", metavar="FILE", help=PUBLIC_KEY_HELP)
    ] = None,
    snapshot: Annotated[
        bool,
        typer.Option(
            "--snapshot", help="Keep all records, so that 'ledger check' knows the old values."
        ),
    ] = False,
) -> None:
    """Append an entry with the Merkle root of all records, and show what changed since the last.

    The exit code is 3 where something was changed or removed; the entry is added all the same.
    """
    from mlmd_lineage.audit.ledger.ledger import Ledger

    store = target.open()
    with progress(f"Reading {store.location}"):
        report = Ledger(ledger).add(store, key=key, public_key=public_key, snapshot=snapshot)
    if report.entry is None:
        output.write(f"Began the ledger {ledger} with its first entry.")
    else:
        _write(report)
        output.write(f"Added entry {report.entry.number + 1} to {ledger}.")
    if report.evidence:
        raise typer.Exit(FOUND)


@with_groups
def _check(
    *,
    target: QuestionOptions,
    ledger: LedgerArgument,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="FILE", help="The signer's public key, in PEM."),
    ] = None,
    format_: Annotated[
        DescriptionFormat, typer.Option("--format", "-f", help="The format of the answer.")
    ] = DescriptionFormat.table,
) -> None:
    """Show what was added, finished, changed and removed since the last entry of a ledger.

    The exit code is 3 where something was changed or removed, or the ledger itself was.
    """
    from mlmd_lineage.audit.ledger.ledger import Ledger

    store = target.open()
    with progress(f"Reading {store.location}"):
        report = Ledger(ledger).check(store, key=key)
    if format_ is DescriptionFormat.json:
        facts = {
            "ok": report.ok,
            "problems": report.problems,
            "counts": report.counts,
            "has_snapshot": report.has_snapshot,
            "changes": [dataclasses.asdict(change) for change in report.changes],
        }
        output.write_json(json_value(facts), indent=1)
    else:
        _write(report)
    if not report.ok:
        raise typer.Exit(FOUND)


def _write(report: LedgerReport) -> None:
    """Write what changed, evidence first; of many additions only how many."""
    for problem in report.problems:
        output.write(f"The ledger: {problem}.")
    order = ("changed", "removed", "finished", "added")
    for kind in order:
        found = [change for change in report.changes if change.kind == kind]
        shown = found if kind != "added" or len(found) <= _FEW_ADDITIONS else []
        for change in shown:
            text = str(change)
            output.write(f"{kind}: {text if len(text) <= _LONGEST else text[:_LONGEST] + '…'}")
    counts = ", ".join(f"{count:,} {kind}" for kind, count in report.counts.items())
    since = "" if report.entry is None else f" since entry {report.entry.number}"
    output.write(f"Records{since}: {counts}.")
    if report.evidence and not report.has_snapshot:
        output.write(
            "Old values are known where the entry keeps them: see 'ledger add --snapshot'."
        )


@with_groups
def _list(
    *,
    ledger: LedgerArgument,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="FILE", help="The signer's public key, in PEM."),
    ] = None,
) -> None:
    """List the entries of a ledger, and verify their chain."""
    from mlmd_lineage.audit.ledger.ledger import Ledger

    for entry in Ledger(ledger).entries(key):
        content = entry.content
        records = sum(tree["records"] for tree in content["trees"].values())
        changed = ", ".join(f"{count:,} {kind}" for kind, count in content["changes"].items())
        signed = f", signed by {entry.signed_by}" if entry.signed_by else ""
        output.write(
            f"{entry.number} {content['taken_at']} {records:,} records, root {content['root']} "
            f"({changed}){signed}; entry {entry.digest}"
        )


@with_groups
def _changes(
    *,
    target: QuestionOptions,
    since: Annotated[
        str, typer.Argument(metavar="SINCE", help="The store before: a snapshot, or another store.")
    ],
    options: TableOptions,
) -> None:
    """Show what was added, finished, changed and removed since a snapshot, value by value.

    The exit code is 3 where something was changed or removed.
    """
    store = target.open()
    with progress(f"Reading {store.location}"):
        frame = store.changes(since)
    print_frame(frame, options, "changes")
    if frame["kind"].isin(["changed", "removed"]).any():
        raise typer.Exit(FOUND)
