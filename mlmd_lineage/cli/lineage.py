"""Commands ``mlmd-lineage upstream``, ``downstream`` and ``between``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from mlmd_lineage.cli.common import lineage_tree, output
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.options import StoreArgument, open_store
from mlmd_lineage.cli.common.output import LineageFormat

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from mlmd_lineage.lineage.graph import Trace

_NAMED = 3  # nodes of a boundary that are named

_NODE_HELP = "artifact/5, execution/3, 5 (an artifact), a URI, a name, or Type:name."
NodeArgument: TypeAlias = Annotated[str, typer.Argument(metavar="NODE", help=_NODE_HELP)]
MaxHopsOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--max-hops",
        metavar="N",
        min=0,
        help="Follow at most N edges; from an artifact to what made it is one. Default: no limit.",
    ),
]
UntilOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="TYPE", help="Do not go past nodes of this type. May be repeated."),
]
TypesOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="TYPE", help="Enter only nodes of this type. May be repeated."),
]
ReuseOption: TypeAlias = Annotated[
    bool, typer.Option("--reuse", help="Follow also what cached executions claim.")
]
InternalOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--internal",
        help="Follow also internal and pending events, and outputs that never came to be.",
    ),
]
AsOfOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="Answer with what existed then, such as 2026-11-21T06:00; UTC unless it says.",
    ),
]
OnlyOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TYPE",
        help="List only the answer's nodes of this type (table and csv). May be repeated.",
    ),
]
EdgesOption: TypeAlias = Annotated[
    bool, typer.Option("--edges", help="Write the edges, not the nodes (table and csv).")
]
LimitOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        help="Show the N nodes nearest to the start in a table; 0 for all. Default: 200 on a "
        "terminal, else all.",
    ),
]
FormatOption: TypeAlias = Annotated[
    LineageFormat, typer.Option("--format", "-f", help="How to write the answer.")
]


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
                f"{name} metadata.db 46 --format dot | dot -Tsvg > {name}.svg",
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


def _upstream(  # noqa: PLR0913 - the options of one question
    store: StoreArgument,
    node: NodeArgument,
    *,
    max_hops: MaxHopsOption = None,
    until: UntilOption = None,
    types: TypesOption = None,
    reuse: ReuseOption = False,
    internal: InternalOption = False,
    as_of: AsOfOption = None,
    only: OnlyOption = None,
    edges: EdgesOption = False,
    limit: LimitOption = None,
    format_: FormatOption = LineageFormat.table,
) -> None:
    """Show what a node came from: the data, steps and models behind it."""
    bounds = {"max_hops": max_hops, "until": until, "types": types}
    question = {"reuse": reuse, "internal": internal, "as_of": as_of} | bounds
    options = OutputOptions(format_, limit, only or (), edges)
    _answer("upstream", store, (node,), question, options)


def _downstream(  # noqa: PLR0913 - the options of one question
    store: StoreArgument,
    node: NodeArgument,
    *,
    max_hops: MaxHopsOption = None,
    until: UntilOption = None,
    types: TypesOption = None,
    reuse: ReuseOption = False,
    internal: InternalOption = False,
    as_of: AsOfOption = None,
    only: OnlyOption = None,
    edges: EdgesOption = False,
    limit: LimitOption = None,
    format_: FormatOption = LineageFormat.table,
) -> None:
    """Show what came from a node: whatever was made with it."""
    bounds = {"max_hops": max_hops, "until": until, "types": types}
    question = {"reuse": reuse, "internal": internal, "as_of": as_of} | bounds
    _answer(
        "downstream", store, (node,), question, OutputOptions(format_, limit, only or (), edges)
    )


def _between(  # noqa: PLR0913 - the options of one question
    store: StoreArgument,
    source: Annotated[str, typer.Argument(metavar="A", help=_NODE_HELP)],
    target: Annotated[str, typer.Argument(metavar="B", help="Another node.")],
    *,
    reuse: ReuseOption = False,
    internal: InternalOption = False,
    as_of: AsOfOption = None,
    only: OnlyOption = None,
    edges: EdgesOption = False,
    limit: LimitOption = None,
    format_: FormatOption = LineageFormat.table,
) -> None:
    """Show all paths from A to B, in the direction of the data."""
    question = {"reuse": reuse, "internal": internal, "as_of": as_of}
    _answer(
        "between",
        store,
        (source, target),
        question,
        OutputOptions(format_, limit, only or (), edges),
    )


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """Options that say what of an answer is written, and in which format."""

    format: LineageFormat = LineageFormat.table
    limit: int | None = None
    only: Collection[str] = ()
    edges: bool = False

    def check(self) -> None:
        """Refuse options that do not apply to the format, rather than ignore them."""
        if self.format not in {LineageFormat.table, LineageFormat.csv}:
            for option, value in (("--only", self.only), ("--edges", self.edges)):
                if value:
                    message = f"{option} is for the formats table and csv, not {self.format.value}."
                    raise typer.BadParameter(message)
        if self.format is not LineageFormat.table and self.limit is not None:
            message = f"--limit is for the format table; {self.format.value} is always whole."
            raise typer.BadParameter(message)
        if self.only and self.edges:
            message = "--only is about nodes and --edges about edges; give one of them."
            raise typer.BadParameter(message)


def _answer(
    what: str, target: str, nodes: tuple[str, ...], question: dict[str, Any], options: OutputOptions
) -> None:
    from mlmd_lineage.snapshot.tables import KINDS
    from mlmd_lineage.snapshot.type_names import full_names

    options.check()
    store = open_store(target)
    with progress(f"Asking {store.location}"):
        keys = [store.find_node(node) for node in nodes]
        trace: Trace = getattr(store, what)(*keys, **question)
        only = full_names(trace.tables, options.only, KINDS["artifact"], KINDS["execution"])
        options = dataclasses.replace(options, only=only)
        trace.complete  # noqa: B018 - found while the progress is shown
    print_trace(trace, options)
    if what == "between" and not len(trace) and len(store.between(*reversed(keys), **question)):
        typer.echo(f"{keys[0]} came from {keys[1]}: give them in the other order.", err=True)


def print_trace(trace: Trace, options: OutputOptions) -> None:
    """Print an answer."""
    if options.format is LineageFormat.csv:
        output.print_csv(trace.edges if options.edges else node_rows(trace, options.only))
        if not trace.complete:
            typer.echo(summary(trace), err=True)
    elif options.format is LineageFormat.table:
        _print_table(trace, options)
    else:
        typer.echo(getattr(trace, f"to_{options.format.value}")().rstrip("\n"))


def _print_table(trace: Trace, options: OutputOptions) -> None:
    terminal = output.on_terminal()
    limit = options.limit
    if limit is None:
        limit = lineage_tree.SHOWN_NODES if terminal else 0
    rows = trace.edges if options.edges else node_rows(trace, options.only)
    hidden = max(len(rows) - limit, 0) if limit else 0
    part = rows.head(limit or len(rows))
    if not terminal:
        output.print_plain(part)
    elif options.edges or options.only:
        if len(rows):
            output.print_table(part.drop(columns=["artifact_id", "execution_id"], errors="ignore"))
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
            output.print_line(line, "dim" if trace.complete else "bold yellow")
        else:
            typer.echo(f"# {line}")


def node_rows(trace: Trace, only: Collection[str] = ()) -> pd.DataFrame:
    """Return the nodes as a frame, nearest to the start first, with their unusual roles.

    Args:
        trace: The answer.
        only: Only the nodes of these types.
    """
    nodes = trace.nodes.loc[lineage_tree.ordered_nodes(trace)]
    kept = ["hops", "type", "name", "uri", "state", "create_time_since_epoch"]
    frame = nodes[kept].copy()
    roles = lineage_tree.unusual_roles(trace)
    frame["role"] = [roles.get(str(key)) for key in frame.index]
    return frame[frame["type"].isin(list(only))] if only else frame


def summary(trace: Trace) -> str:
    """Return a line that says whether the answer is complete, or by what it is cut and where."""
    if not len(trace):
        return "There is no path from the first to the second."
    artifacts = sum(key.startswith("artifact") for key in trace)
    executions = len(trace) - artifacts
    counted = f"{_counted(artifacts, 'artifact')} and {_counted(executions, 'execution')}"
    if trace.complete:
        return f"Complete: {counted}."
    options = [f"--{name.replace('_', '-')}" for name in trace.truncated_by]
    boundary = trace.boundary
    named = ", ".join(boundary[:_NAMED])
    if len(boundary) > _NAMED:
        named += f" and {_counted(len(boundary) - _NAMED, 'more node')}"
    return f"Cut by {' and '.join(options)} at {named}: {counted}."


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
