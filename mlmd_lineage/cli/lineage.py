"""Commands ``mlmd-lineage upstream``, ``downstream`` and ``between``."""

from __future__ import annotations

import dataclasses
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlmd_lineage.cli.common import lineage_tree, output
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.frames import (
    COLUMNS_HELP,
    CSV_SAFE_HELP,
    chosen_columns,
    limited,
    print_on_terminal,
    write_plain,
)
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import NODE_HELP, NodeArgument, QuestionOptions
from mlmd_lineage.cli.common.output import LineageFormat
from mlmd_lineage.cli.common.pictures import PICTURES, drawing, format_of
from mlmd_lineage.config.atomic_files import write_whole
from mlmd_lineage.lineage.render import text_tree

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from mlmd_lineage.lineage.graph import Trace


@dataclasses.dataclass(frozen=True)
class BoundOptions:
    """Options that bound an answer."""

    max_hops: Annotated[
        int | None,
        typer.Option(
            "--max-hops",
            metavar="N",
            min=0,
            help="Follow at most N edges; from an artifact to its producer is one. "
            "Default: no limit.",
        ),
    ] = None
    until: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE", help="Do not go past nodes of this type. May be repeated."),
    ] = None
    types: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE", help="Enter only nodes of this type. May be repeated."),
    ] = None

    def arguments(self) -> dict[str, Any]:
        """Return them as the arguments of Python's methods."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class EdgeOptions:
    """Options that say which edges count."""

    reuse: Annotated[
        bool, typer.Option("--reuse", help="Follow also what cached executions claim.")
    ] = False
    later: Annotated[
        bool,
        typer.Option(
            "--later",
            help="Follow also executions that wrote an artifact again after it was used.",
        ),
    ] = False
    internal: Annotated[
        bool,
        typer.Option(
            "--internal",
            help="Follow also internal and pending events, and outputs that never came to be.",
        ),
    ] = False
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="TIME",
            help="Answer with what existed then, such as 2026-11-21T06:00; UTC without a zone.",
        ),
    ] = None

    def arguments(self) -> dict[str, Any]:
        """Return them as the arguments of Python's methods."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """Options that say what of an answer is written, and in which format."""

    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE",
            help="List only the answer's nodes of this type (table and csv). May be repeated.",
        ),
    ] = None
    edges: Annotated[
        bool, typer.Option("--edges", help="Write the edges, not the nodes (table and csv).")
    ] = False
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", metavar="NAMES", help=f"{COLUMNS_HELP} For table and csv."),
    ] = None
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Show the N nodes nearest to the start in a table; 0 for all. Default: 200 on a "
            "terminal, else all.",
        ),
    ] = None
    csv_safe: Annotated[bool, typer.Option("--csv-safe", help=CSV_SAFE_HELP)] = False
    no_fold: Annotated[
        bool,
        typer.Option("--no-fold", help="Draw every node of a large answer, not repeats as one."),
    ] = False
    file: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the answer to a file; its ending tells the format.",
        ),
    ] = None
    given_format: Annotated[
        LineageFormat | None,
        typer.Option("--format", "-f", help="The format of the answer.  [default: table]"),
    ] = None

    @property
    def format_(self) -> LineageFormat:
        """The format that was asked for, or that of the file's name."""
        if self.given_format is not None:
            return self.given_format
        return LineageFormat.table if self.file is None else format_of(self.file)

    def check(self) -> None:
        """Refuse options that do not apply to the format, rather than ignore them."""
        if self.no_fold and self.format_ not in PICTURES:
            named = ", ".join(kind.value for kind in PICTURES)
            message = f"--no-fold is for {named}, not {self.format_.value}."
            raise typer.BadParameter(message)
        if self.file is not None and self.format_ is LineageFormat.table:
            message = "A table is not written to a file; give --format csv, or redirect the output."
            raise typer.BadParameter(message)
        if self.format_ not in {LineageFormat.table, LineageFormat.csv}:
            given = {"--only": self.only, "--edges": self.edges, "--columns": self.columns}
            for option, value in given.items():
                if value:
                    message = (
                        f"{option} is for the formats table and csv, not {self.format_.value}."
                    )
                    raise typer.BadParameter(message)
        if self.format_ is not LineageFormat.table and self.limit:
            message = f"--limit is for the format table; {self.format_.value} is always whole."
            raise typer.BadParameter(message)
        if self.only and self.edges:
            message = "--only is about nodes and --edges about edges; give one of them."
            raise typer.BadParameter(message)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for name, function in (("upstream", _upstream), ("downstream", _downstream)):
        app.command(
            name,
            cls=Command,
            epilog=examples(
                f"{name} metadata.db artifact/46",
                f"{name} metadata.db Model:churn --max-hops 4",
                f"{name} metadata.db s3://bucket/train.csv --until Model",
                f"{name} metadata.db 46 --only Model",
                f"{name} metadata.db 46 -o {name}.svg",
                f"{name} metadata.db 46 --edges --format csv > edges.csv",
            ),
        )(function)
    app.command(
        "between",
        cls=Command,
        epilog=examples(
            "between metadata.db artifact/1 artifact/46",
            "between metadata.db s3://bucket/train.csv Model:churn --format mermaid",
        ),
    )(_between)


@with_groups
def _upstream(
    *,
    target: QuestionOptions,
    node: NodeArgument,
    bounds: BoundOptions,
    edge_options: EdgeOptions,
    options: OutputOptions,
) -> None:
    """Show what a node came from: the data, steps and models behind it."""
    question = bounds.arguments() | edge_options.arguments()
    _answer("upstream", target, (node,), question, options)


@with_groups
def _downstream(
    *,
    target: QuestionOptions,
    node: NodeArgument,
    bounds: BoundOptions,
    edge_options: EdgeOptions,
    options: OutputOptions,
) -> None:
    """Show what came from a node: whatever was made with it."""
    question = bounds.arguments() | edge_options.arguments()
    _answer("downstream", target, (node,), question, options)


@with_groups
def _between(
    *,
    target: QuestionOptions,
    source: Annotated[str, typer.Argument(metavar="A", help=NODE_HELP)],
    end: Annotated[str, typer.Argument(metavar="B", help="Another node.")],
    edge_options: EdgeOptions,
    options: OutputOptions,
) -> None:
    """Show all paths from A to B, in the direction of the data."""
    _answer("between", target, (source, end), edge_options.arguments(), options)


def _answer(
    what: str,
    target: QuestionOptions,
    nodes: tuple[str, ...],
    question: dict[str, Any],
    options: OutputOptions,
) -> None:
    from mlmd_lineage.snapshot.tables import KINDS
    from mlmd_lineage.snapshot.type_names import full_names

    options.check()
    store = target.open()
    with progress(f"Asking {store.location}"):
        keys = [store.find_node(node) for node in nodes]
        trace: Trace = getattr(store, what)(*keys, **question)
        only = full_names(trace.tables, options.only or (), KINDS["artifact"], KINDS["execution"])
        options = dataclasses.replace(options, only=only)
        trace.complete  # noqa: B018 - found while the progress is shown
    print_trace(trace, options)
    if what == "between" and not len(trace) and len(store.between(*reversed(keys), **question)):
        output.write(f"{keys[0]} came from {keys[1]}: give them in the other order.", error=True)


def print_trace(trace: Trace, options: OutputOptions) -> None:
    """Print an answer, or write it to a file."""
    if options.file is not None:
        write_whole(options.file, _as_bytes(trace, options))
        output.write(f"Wrote {options.file}. {summary(trace)}", error=True)
    elif options.format_ is LineageFormat.csv:
        output.write_csv(_rows(trace, options), safe=options.csv_safe)
        if not trace.complete:
            output.write(summary(trace), error=True)
    elif options.format_ is LineageFormat.table:
        _print_table(trace, options)
    elif options.format_ is LineageFormat.json:
        output.write_json_text(trace.to_json().rstrip("\n"))
    elif options.format_ is LineageFormat.png:
        if output.on_terminal():
            message = "A PNG image is no text; give -o FILE."
            raise typer.BadParameter(message)
        typer.echo(_as_bytes(trace, options), nl=False)
    else:
        output.write_data(_as_bytes(trace, options).decode())


def _as_bytes(trace: Trace, options: OutputOptions) -> bytes:
    """Return an answer in the format of a file."""
    if options.format_ is LineageFormat.csv:
        return output.csv_text(_rows(trace, options), safe=options.csv_safe).encode()
    return drawing(trace, options.format_, fold=not options.no_fold)


def _rows(trace: Trace, options: OutputOptions) -> pd.DataFrame:
    rows = trace.edges if options.edges else node_rows(trace, options.only or ())
    return chosen_columns(rows, options.columns)


def _print_table(trace: Trace, options: OutputOptions) -> None:
    terminal = output.on_terminal()
    limit = options.limit
    if limit is None:
        limit = text_tree.SHOWN_NODES if terminal else 0
    rows = _rows(trace, options)
    part = limited(rows, limit)
    hidden = len(rows) - len(part)
    if not terminal:
        write_plain(part)
    elif options.edges or options.only or options.columns:
        if len(rows):
            left_out = [] if options.columns else ["artifact_id", "execution_id"]
            part = part.drop(columns=left_out, errors="ignore")
            print_on_terminal(part, "edge" if options.edges else "node")
    else:
        lineage_tree.print_tree(trace, limit or None)
    notes = [summary(trace)]
    if hidden:
        what = "edges" if options.edges else "nodes"
        first = "first" if options.edges else "nearest"
        notes.append(
            f"Only the {first} {limit:,} {what} are shown, not {hidden:,} more; "
            "--limit 0 shows all."
        )
    for line in notes:
        if terminal:
            output.write_line(line, "dim" if trace.complete else "bold yellow")
        else:
            output.write(f"# {line}")


def node_rows(trace: Trace, only: Collection[str] = ()) -> pd.DataFrame:
    """Return the nodes as a frame, nearest to the start first, with their unusual roles.

    Args:
        trace: The answer.
        only: Only the nodes of these types.
    """
    nodes = trace.nodes.loc[text_tree.ordered_nodes(trace)]
    kept = ["hops", "type", "name", "uri", "state", "create_time_since_epoch"]
    frame = nodes[kept].copy()
    roles = text_tree.unusual_roles(trace)
    frame["role"] = [roles.get(str(key)) for key in frame.index]
    return frame[frame["type"].isin(list(only))] if only else frame


def summary(trace: Trace) -> str:
    """Return a line that says whether the answer is complete, or by what it is cut and where."""
    options = [f"--{name.replace('_', '-')}" for name in trace.truncated_by]
    return text_tree.summary(trace, options)
