"""Commands ``mlmd-lineage bundle`` and ``verify``."""

from __future__ import annotations

from typing import Annotated

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import NodeArgument, QuestionOptions
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.snapshot.json_values import json_value

FOUND = 3
"""The exit code where something was changed or removed."""
KEY_HELP = (
    "Sign with this private key: a file in PEM, or a URI of securesystemslib's. "
    "MLMD_LINEAGE_KEY_PASSWORD holds the password of an encrypted file."
)
PUBLIC_KEY_HELP = "The public key in PEM that belongs to a URI of --key."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "bundle",
        cls=Command,
        epilog=examples(
            "bundle metadata.db artifact/46 model-7.bundle",
            "bundle metadata.db artifact/46 model-7.zip --key key.pem",
            "bundle metadata.db Model:churn model-7.zip --key key.pem --timestamp https://tsa.example",
        ),
    )(_bundle)
    app.command(
        "verify",
        cls=Command,
        epilog=examples("verify model-7.bundle", "verify model-7.zip --key public.pem"),
    )(_verify)


@with_groups
def _bundle(  # noqa: PLR0913 - the options of one command
    *,
    target: QuestionOptions,
    node: NodeArgument,
    bundle: Annotated[
        str,
        typer.Argument(
            metavar="BUNDLE", help="A new folder; a name that ends with .zip is a zip file."
        ),
    ],
    key: Annotated[str | None, typer.Option("--key", metavar="KEY", help=KEY_HELP)] = None,
    public_key: Annotated[
        str | None, typer.Option("--public-key", metavar="FILE", help=PUBLIC_KEY_HELP)
    ] = None,
    dossier: Annotated[
        bool,
        typer.Option("--dossier", help="Add the dossier of the model, and what came from it."),
    ] = False,
    timestamp: Annotated[
        str | None,
        typer.Option(
            "--timestamp",
            metavar="URL",
            help="Ask this time-stamp authority (RFC 3161); it is told a SHA-256 and no more.",
        ),
    ] = None,
) -> None:
    """Save what a node came from as a bundle, to be verified without the store.

    It holds all records, an archive that opens as a store, and the lineage in the formats of
    'export'.
    """
    from mlmd_lineage.audit.bundle import save_bundle
    from mlmd_lineage.lineage.graph import Trace

    store = target.open()
    with progress(f"Reading {store.location}"):
        of = store.dossier(node) if dossier else store.upstream(node)
    with progress(f"Writing {bundle}"):
        save_bundle(of, bundle, store=store, key=key, public_key=public_key, timestamp=timestamp)
    trace = of if isinstance(of, Trace) else of.trace
    output.write(
        f"Saved the {'dossier' if dossier else 'lineage'} of {', '.join(trace.starts)}, "
        f"{len(trace):,} nodes, in {bundle}, {'signed' if key else 'not signed'}."
    )


@with_groups
def _verify(
    *,
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="A folder or a zip file.")],
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="FILE", help="The signer's public key, in PEM."),
    ] = None,
    tsa_certificates: Annotated[
        str | None,
        typer.Option(
            "--tsa-certificates",
            metavar="FILE",
            help="The certificates, in PEM, that are trusted for the time stamp.",
        ),
    ] = None,
    format_: Annotated[
        DescriptionFormat, typer.Option("--format", "-f", help="The format of the answer.")
    ] = DescriptionFormat.table,
) -> None:
    """Name every file and record of a bundle that was changed, removed or added.

    The exit code is 3 where there is one. No store is read.
    """
    import dataclasses

    from mlmd_lineage.audit.bundle.verification import verify_bundle

    with progress(f"Verifying {bundle}"):
        report = verify_bundle(bundle, key=key, tsa_certificates=tsa_certificates)
    if format_ is DescriptionFormat.json:
        facts = {f.name: getattr(report, f.name) for f in dataclasses.fields(report)}
        output.write_json({"ok": report.ok, **json_value(facts)}, indent=1)
    else:
        for finding in report.findings:
            output.write(str(finding))
        if report.ok:
            signed = "It is not signed."
            if report.signed_by is not None:
                whose = (
                    "the key given"
                    if report.key_is_trusted
                    else "the key in it, which anyone may have put there"
                )
                signed = f"It is signed with {whose}, {report.signed_by}."
            stamped = ""
            if report.stamped_at is not None:
                trust = (
                    "" if report.authority_is_trusted else ", by an authority that was not verified"
                )
                stamped = f" It was stamped at {report.stamped_at:%Y-%m-%d %H:%M:%S} UTC{trust}."
            output.write(
                f"{bundle} is whole: {report.records:,} records of {report.source}, Merkle root "
                f"{report.merkle_root}. {signed}{stamped}"
            )
            for held in report.lineage:
                output.write(f"It holds {held}.")
    if not report.ok:
        raise typer.Exit(FOUND)
