"""Command ``mlmd-lineage audit``: what an auditor should know of a store."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Annotated

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples, progress_bar
from mlmd_lineage.cli.common.frames import CSV_SAFE_HELP, plain_lines, print_on_terminal
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import QuestionOptions
from mlmd_lineage.cli.common.text import printable_json

if TYPE_CHECKING:
    from mlmd_lineage.audit.checks.base import Severity
    from mlmd_lineage.audit.report import AuditReport

_FOUND = 3
"""The exit code of ``--fail-on`` where there are such findings."""


class AuditFormat(str, enum.Enum):
    """Formats of an audit."""

    table = "table"
    json = "json"
    csv = "csv"
    sarif = "sarif"
    junit = "junit"


class FailOn(str, enum.Enum):
    """What ``--fail-on`` takes."""

    error = "error"
    warning = "warning"
    note = "note"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "audit",
        cls=Command,
        epilog=examples(
            "audit metadata.db",
            "audit metadata.db artifact/43 --fail-on error",
            "audit metadata.db --check-bytes --resume bytes.jsonl",
            "audit metadata.db --format sarif -o audit.sarif",
        ),
    )(_audit)


@with_groups
def _audit(  # noqa: PLR0913 - the options of one question
    *,
    target: QuestionOptions,
    node: Annotated[
        str | None,
        typer.Argument(
            metavar="[NODE]", help="Audit only its lineage, up and down. Default: the whole store."
        ),
    ] = None,
    check: Annotated[
        list[str] | None,
        typer.Option("--check", metavar="NAME", help="Only this check. May be repeated."),
    ] = None,
    check_bytes: Annotated[
        bool,
        typer.Option(
            "--check-bytes", help="Look for the bytes of artifacts, and compare their digests."
        ),
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Keep what was found of bytes here, and go on from there."
        ),
    ] = None,
    root: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="The folder or bucket in which artifacts have to lie."),
    ] = None,
    settings: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Which checks are off, and why. Default: the project's audit.json."
        ),
    ] = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help=f"Exit with {_FOUND} if there is a finding as bad as that, or worse."),
    ] = None,
    csv_safe: Annotated[bool, typer.Option("--csv-safe", help=CSV_SAFE_HELP)] = False,
    format_: Annotated[
        AuditFormat, typer.Option("--format", "-f", help="The format of the report.")
    ] = AuditFormat.table,
    file: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the report to a file."),
    ] = None,
) -> None:
    """Show what an auditor should know of a store, or of one lineage: its findings."""
    from mlmd_lineage.audit.checks.base import Severity
    from mlmd_lineage.audit.files import write_file

    store = target.open()
    if root is not None:
        store.artifact_root = root
    doing = f"Auditing {store.location}"
    with progress_bar(doing, "Looking at bytes", bar=check_bytes) as told:
        report = store.audit_report(
            node,
            only=check or None,
            check_bytes=check_bytes,
            resume=resume,
            settings=settings,
            progress=told,
        )
    least = Severity(fail_on.value) if fail_on else Severity.WARNING
    if file is not None:
        write_file(file, _text(report, format_, least, csv_safe=csv_safe))
        output.write(f"{report.summary()} See {file}.")
    elif format_ is AuditFormat.table and output.on_terminal():
        _show(report)
    else:
        output.write_data(_text(report, format_, least, csv_safe=csv_safe))
        if format_ in {AuditFormat.table, AuditFormat.csv}:
            # These have no place for what limits them.
            output.write("\n".join([*report.notes(), report.summary()]), error=True)
    if fail_on and report.reaches(least):
        raise typer.Exit(_FOUND)


def _text(report: AuditReport, format_: AuditFormat, least: Severity, *, csv_safe: bool) -> str:
    """Return a report in a format, for programs."""
    if format_ is AuditFormat.junit:
        return report.to_junit(least)
    if format_ is AuditFormat.csv:
        return output.csv_text(report.frame.set_index("check"), safe=csv_safe)
    if format_ is AuditFormat.table:
        return "\n".join(plain_lines(report.frame.set_index("check"))) + "\n"
    found = report.to_sarif() if format_ is AuditFormat.sarif else report.to_dict()
    return printable_json(json.dumps(found, ensure_ascii=False, indent=1)) + "\n"


def _show(report: AuditReport) -> None:
    """Print a report on a terminal."""
    frame = report.frame.drop(columns="evidence").set_index("check")
    if len(frame):
        print_on_terminal(frame, "finding")
    for note in report.notes():
        output.write_line(note, "dim")
    output.write_line(report.summary(), "bold")
