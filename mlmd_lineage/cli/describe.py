"""Command ``mlmd-lineage describe``: what a store is, and what it holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import QuestionOptions
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.text import printable
from mlmd_lineage.snapshot.json_values import is_missing, json_value

if TYPE_CHECKING:
    import pandas as pd

    from mlmd_lineage.snapshot.finding_codes import FindingCode
    from mlmd_lineage.snapshot.findings import Finding
    from mlmd_lineage.snapshot.snapshot import Snapshot
    from mlmd_lineage.store import Store

_KINDS = ("artifacts", "executions", "contexts")
_DIGEST = re.compile(r"^[0-9a-f]{32,}$")
_NAMED = 3  # contexts of a type up to which they are named
_EXAMPLES = 3  # findings of a code that are quoted


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "describe",
        cls=Command,
        epilog=examples(
            "describe metadata.db",
            "describe mysql://reader@db.example/metadb",
            "describe archive/ --format json",
            store_note=True,
        ),
    )(_describe)


@with_groups
def _describe(
    *,
    target: QuestionOptions,
    format_: Annotated[
        DescriptionFormat, typer.Option("--format", "-f", help="The format.")
    ] = DescriptionFormat.table,
) -> None:
    """Show what a store is and holds, and what in it is not as it should be."""
    store = target.open()
    with progress(f"Reading {store.location}"):
        described = description(store, store.snapshot())
    if format_ is DescriptionFormat.json:
        output.write_json(described, indent=1)
    else:
        for line, style in description_lines(described):
            output.write_line(line, style)


def description(store: Store, snapshot: Snapshot) -> dict[str, Any]:
    """Return what a store is and holds, as JSON has it."""
    frames = {kind: getattr(snapshot.frames, kind)() for kind in _KINDS}
    events = snapshot.frames.events()
    findings: dict[FindingCode, list[Finding]] = {}
    for finding in snapshot.findings:
        findings.setdefault(finding.code, []).append(finding)
    return {
        "location": store.location,
        "flavor": store.metadata_store.FLAVOR,
        "schema_version": snapshot.schema_version,
        "platforms": dict(store.describe(snapshot).platforms),
        "counts": {kind: len(frame) for kind, frame in frames.items()} | {"events": len(events)},
        "first_time": _bound([*frames.values(), events], "min"),
        "last_time": _bound([*frames.values(), events], "max"),
        **{f"{kind[:-1]}_types": _by_type(frame) for kind, frame in frames.items()},
        "findings": [
            {
                "code": code.value,
                "meaning": code.meaning,
                "count": len(found),
                "examples": [f"{f.subject}: {f.detail}" for f in found[:_EXAMPLES]],
            }
            for code, found in sorted(findings.items())
        ],
    }


def _bound(frames: list[pd.DataFrame], bound: str) -> str | None:
    columns = ("create_time_since_epoch", "last_update_time_since_epoch", "time")
    found = [getattr(f[c].dropna(), bound)() for f in frames for c in columns if c in f]
    times = [time for time in found if not is_missing(time)]
    if not times:
        return None
    return str(json_value(min(times) if bound == "min" else max(times)))


def _by_type(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row for each type: the most frequent first, of contexts the rarest."""
    rows = []
    for name, group in frame.groupby("type", dropna=False, sort=True):
        row: dict[str, Any] = {"type": json_value(name), "count": len(group)}
        if "state" in group:
            states = group["state"].dropna().value_counts(sort=False).sort_index()
            row["states"] = {str(state): int(count) for state, count in states.items()}
            if row["states"] and len(group) > sum(row["states"].values()):
                row["states"]["no state"] = len(group) - sum(row["states"].values())
        elif len(group) <= _NAMED:
            row["names"] = [str(n) for n in group["name"].dropna() if not _DIGEST.match(str(n))]
        rows.append(row)
    # Rare types of contexts come first: a few pipelines tell more than their many runs.
    sign = -1 if "state" in frame else 1
    return sorted(rows, key=lambda row: (sign * row["count"], row["type"] or ""))


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
