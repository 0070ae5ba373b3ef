"""Command ``mlmd-lineage describe``: what a store is, and what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples, progress, progress_bar
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import QuestionOptions
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.text import printable
from mlmd_lineage.snapshot.json_values import json_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlmd_lineage.post_execution.description import TypeCount
    from mlmd_lineage.snapshot.finding_codes import FindingCode
    from mlmd_lineage.snapshot.findings import Finding
    from mlmd_lineage.snapshot.snapshot import Snapshot
    from mlmd_lineage.store import Store

_KINDS = ("artifacts", "executions", "contexts")
_EXAMPLES = 3  # findings of a code that are quoted


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "describe",
        cls=Command,
        epilog=examples(
            "describe metadata.db",
            "describe mysql://reader@db.example/metadb",
            "describe metadata.db --findings",
            "describe archive/ --format json",
            store_note=True,
        ),
    )(_describe)


@with_groups
def _describe(
    *,
    target: QuestionOptions,
    findings: Annotated[
        bool,
        typer.Option("--findings", help="Also look for what is not as it should be: read all."),
    ] = False,
    format_: Annotated[
        DescriptionFormat, typer.Option("--format", "-f", help="The format.")
    ] = DescriptionFormat.table,
) -> None:
    """Show what a store is and holds, and on demand what in it is not as it should be."""
    from mlmd_lineage.snapshot.findings import findings_of

    store = target.open()
    snapshot = None
    with progress(f"Reading {store.location}"):
        if findings:
            snapshot = store.snapshot()
        described = description(store, snapshot)
    if snapshot is not None:
        with progress_bar("Looking for findings", "Looking for findings") as told:
            described["findings"] = finding_rows(findings_of(snapshot, told))
    if format_ is DescriptionFormat.json:
        output.write_json(described, indent=1)
    else:
        for line, style in description_lines(described):
            output.write_line(line, style)


def description(store: Store, snapshot: Snapshot | None = None) -> dict[str, Any]:
    """Return what a store is and holds, as JSON has it; ``findings`` says that none are known."""
    described = store.describe(snapshot)
    return {
        "location": store.location,
        "flavor": store.metadata_store.FLAVOR,
        "schema_version": described.schema_version,
        "platforms": dict(described.platforms),
        "counts": dict(described.counts),
        "first_time": json_value(described.first_time),
        "last_time": json_value(described.last_time),
        **{
            f"{kind[:-1]}_types": [_row(row, kind) for row in described.types[kind]]
            for kind in _KINDS
        },
        "findings": None,
    }


def finding_rows(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings by their codes, each with its meaning, their number and some examples."""
    by_code: dict[FindingCode, list[Finding]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding)
    return [
        {
            "code": code.value,
            "meaning": code.meaning,
            "count": len(found),
            "examples": [f"{f.subject}: {f.detail}" for f in found[:_EXAMPLES]],
        }
        for code, found in sorted(by_code.items())
    ]


def _row(counted: TypeCount, kind: str) -> dict[str, Any]:
    row: dict[str, Any] = {"type": counted.type, "count": counted.count}
    if kind != "contexts":
        row["states"] = dict(counted.states)
    elif counted.names is not None:
        row["names"] = list(counted.names)
    return row


def description_lines(described: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the lines for people, each with its style."""
    counts = described["counts"]
    lines = [
        (printable(described["location"]), "bold"),
        (f"  {described['flavor']}, MLMD schema version {described['schema_version']}", ""),
        ("  " + ", ".join(f"{n:,} {_noun(what, n)}" for what, n in counts.items()), ""),
    ]
    if described["platforms"]:
        written = (
            f"{name} ({n:,} {_noun('runs', n)})" for name, n in described["platforms"].items()
        )
        lines.append((f"  written by {printable(', '.join(written))}", ""))
    if described["first_time"]:
        first, last = (
            described[bound][:19].replace("T", " ") for bound in ("first_time", "last_time")
        )
        lines.append((f"  {first} to {last} UTC", ""))
    for kind in _KINDS:
        lines += _type_lines(kind, described[f"{kind[:-1]}_types"])
    if described["findings"] is None:
        return [*lines, ("", ""), ("Findings were not looked for: --findings does.", "dim")]
    lines += [("", ""), ("Findings", "bold")]
    if not described["findings"]:
        lines.append(("  none: the store is as MLMD means it to be", "dim"))
    for finding in described["findings"]:
        lines.append((f"  {finding['count']:,} {finding['code']}: {finding['meaning']}", "yellow"))
        lines += [(f"    {printable(example)}", "") for example in finding["examples"]]
        more = finding["count"] - len(finding["examples"])
        if more:
            lines.append((f"    and {more:,} more", "dim"))
    return lines


def _noun(plural: str, number: int) -> str:
    return plural[:-1] if number == 1 else plural


def _type_lines(kind: str, rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    from mlmd_lineage.snapshot.type_names import short_types

    if not rows:
        return []
    short = short_types(row["type"] or "" for row in rows)
    names = [printable(short[row["type"] or ""]) or "(of no type)" for row in rows]
    width = max(map(len, names))
    digits = max(len(f"{row['count']:,}") for row in rows)
    lines = [("", ""), (kind.title(), "bold")]
    for name, row in zip(names, rows, strict=True):
        detail = ", ".join(map(printable, row.get("names", ())))
        states = row.get("states", {})
        if list(states.values()) == [row["count"]]:
            detail = next(iter(states))
        elif states:
            detail = ", ".join(f"{count:,} {state}" for state, count in states.items())
        lines.append((f"  {name:<{width}}  {row['count']:>{digits},}  {detail}".rstrip(), ""))
    return lines
