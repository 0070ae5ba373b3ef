"""Command ``mlmd-lineage export``: a lineage in the formats of other tools."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlmd_lineage import errors
from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import NodeArgument, QuestionOptions

if TYPE_CHECKING:
    from mlmd_lineage.lineage.graph import Trace


class ExportFormat(str, enum.Enum):
    """Formats of other tools."""

    prov = "prov"
    prov_n = "prov-n"
    openlineage = "openlineage"
    ml_bom = "ml-bom"
    ro_crate = "ro-crate"
    spdx = "spdx"
    graphml = "graphml"
    dot = "dot"


class BomVersion(str, enum.Enum):
    """Versions of CycloneDX."""

    v1_6 = "1.6"
    v1_7 = "1.7"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "export",
        cls=Command,
        epilog=examples(
            "export metadata.db artifact/46 --to prov > lineage.json",
            "export metadata.db artifact/46 --to ml-bom --spec-version 1.7 --output model.cdx.json",
            "export metadata.db artifact/46 --to openlineage --url http://localhost:5000/api/v1/lineage",
        ),
    )(_export)


@with_groups
def _export(  # noqa: PLR0913 - the options of one command
    *,
    target: QuestionOptions,
    node: NodeArgument,
    to: Annotated[ExportFormat, typer.Option("--to", help="The format.")],
    downstream: Annotated[
        bool, typer.Option("--downstream", help="What came from the node, not what it came from.")
    ] = False,
    path: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to a new file."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Send OpenLineage's events to this endpoint."),
    ] = None,
    spec_version: Annotated[
        BomVersion, typer.Option("--spec-version", help="The version of CycloneDX, for ml-bom.")
    ] = BomVersion.v1_6,
) -> None:
    """Write what a node came from in a format of other tools.

    docs/exports.md says what each format holds, and what it cannot hold.
    """
    from mlmd_lineage.audit.exports import open_lineage
    from mlmd_lineage.audit.exports.graph_content import source_name

    if url is not None and to is not ExportFormat.openlineage:
        message = "Only --to openlineage can be sent."
        raise typer.BadParameter(message, param_hint="--url")
    store = target.open()
    with progress(f"Reading {store.location}"):
        trace = store.downstream(node) if downstream else store.upstream(node)
    source = source_name(store.location)
    if url is not None:
        with progress("Sending"):
            sent = open_lineage.send(open_lineage.to_openlineage(trace, source), url)
        output.write(f"Sent {sent:,} events.")
        return
    text = _text(trace, source, to, spec_version.value)
    if path is None:
        output.write_data(text)
        return
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}."
        raise errors.ConfigurationError(message) from None
    output.write(f"Wrote {path}.", error=True)


def _text(trace: Trace, source: str, to: ExportFormat, version: str) -> str:
    from mlmd_lineage.audit import exports
    from mlmd_lineage.audit.exports import ml_bom, open_lineage, prov, ro_crate, spdx

    if to is ExportFormat.graphml:
        return trace.to_graphml()
    if to is ExportFormat.dot:
        return trace.to_dot()
    if to is ExportFormat.prov_n:
        return prov.to_provn(prov.to_prov(trace, source))
    if to is ExportFormat.openlineage:
        return "".join(open_lineage.event_lines(open_lineage.to_openlineage(trace, source)))
    if to is ExportFormat.ml_bom:
        return exports.json_bytes(ml_bom.to_ml_bom(trace, source, version=version)).decode()
    made = {
        ExportFormat.prov: prov.to_prov,
        ExportFormat.ro_crate: ro_crate.to_ro_crate,
        ExportFormat.spdx: spdx.to_spdx,
    }
    return exports.json_bytes(made[to](trace, source)).decode()
