"""Commands ``mlmd-lineage pipelines``, ``runs``, ``steps``, ``compare``, ``diff``, ``impact``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.options import StoreArgument, open_store
from mlmd_lineage.cli.common.output import Format

if TYPE_CHECKING:
    import pandas as pd

_DIFFERENT = 3
"""The exit code of ``--exit-code`` where there is a difference, or a deployment."""
_LONGEST = 40  # the characters of a value in a comparison on a terminal
_SHOWN = {
    "pipelines": ["name", "dialect", "runs", "last_run", "last_status"],
    "runs": ["name", "pipeline_name", "status", "steps", "started"],
    "steps": ["path", "run_name", "status", "original_execution_id", "started"],
}
"""The columns of a terminal."""
_SAME = {"run_name", "pipeline_name"}
"""The columns that are left out where all rows have the same value."""

_NODE_HELP = "artifact/5, execution/3, 5 (an artifact), a URI, a name, or Type:name."
FormatOption: TypeAlias = Annotated[
    Format, typer.Option("--format", "-f", help="How to write the answer.")
]
PipelineOption: TypeAlias = Annotated[
    str | None, typer.Option("--pipeline", metavar="NAME", help="Only those of this pipeline.")
]
LimitOption: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="N", help="Only the first N rows; with -N, only the last N."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for function, calls in (
        (_pipelines, ("pipelines metadata.db", "pipelines metadata.db --format json")),
        (_runs, ("runs metadata.db", "runs metadata.db --pipeline churn --limit -20")),
        (_steps, ("steps metadata.db --run churn-2024-06-01", "steps metadata.db --limit -20")),
        (
            _compare,
            (
                "compare metadata.db churn --last 20",
                "compare metadata.db churn --run churn-1 --run churn-7 --only-changes",
                "compare metadata.db churn --format csv > churn.csv",
            ),
        ),
        (
            _diff,
            (
                "diff metadata.db artifact/4 artifact/15",
                "diff metadata.db churn-1 churn-7",
                "diff metadata.db artifact/4 artifact/15 --format json",
            ),
        ),
        (
            _impact,
            (
                "impact metadata.db artifact/1",
                "impact metadata.db s3://bucket/bad.csv --exit-code",
                "impact metadata.db 1 --deployments my.Endpoint --format csv",
            ),
        ),
    ):
        name = function.__name__.removeprefix("_")
        app.command(name, cls=Command, epilog=examples(*calls))(function)


def _pipelines(
    store: StoreArgument, *, limit: LimitOption = None, format_: FormatOption = Format.table
) -> None:
    """List the pipelines, whatever platform wrote them."""
    source = open_store(store)
    with progress(f"Reading {source.location}"):
        frame = source.frames.pipelines()
    _print("pipelines", frame, limit, format_)


def _runs(
    store: StoreArgument,
    *,
    pipeline: PipelineOption = None,
    limit: LimitOption = None,
    format_: FormatOption = Format.table,
) -> None:
    """List the runs of pipelines, the oldest of each pipeline first."""
    source = open_store(store)
    with progress(f"Reading {source.location}"):
        key = None if pipeline is None else source.get_pipeline(pipeline).node_key
        frame = source.frames.runs()
    _print("runs", frame if key is None else frame[frame["pipeline"] == key], limit, format_)


def _steps(
    store: StoreArgument,
    *,
    run: Annotated[
        str | None, typer.Option("--run", metavar="NAME", help="Only those of this run.")
    ] = None,
    pipeline: PipelineOption = None,
    limit: LimitOption = None,
    format_: FormatOption = Format.table,
) -> None:
    """List the steps of runs: what was executed, what was taken from a cache, what failed."""
    source = open_store(store)
    with progress(f"Reading {source.location}"):
        keys = {
            "run": None if run is None else source.get_run(run).node_key,
            "pipeline": None if pipeline is None else source.get_pipeline(pipeline).node_key,
        }
        frame = source.frames.steps()
    for column, key in keys.items():
        if key is not None:
            frame = frame[frame[column] == key]
    _print("steps", frame, limit, format_)


def _print(what: str, frame: pd.DataFrame, limit: int | None, format_: Format) -> None:
    total = len(frame)
    if limit is not None:
        frame = frame.head(limit) if limit >= 0 else frame.tail(-limit)
    if format_ is Format.json:
        output.print_json_rows(frame)
    elif format_ is Format.csv:
        output.print_csv(frame)
    elif not output.on_terminal():
        output.print_plain(frame)
    else:
        if len(frame):
            shown = [
                name
                for name in _SHOWN[what]
                if len(frame) == 1 or name not in _SAME or len(set(frame[name])) > 1
            ]
            output.print_table(frame[shown])
        counted = f"{total:,} {what}" if total != 1 else f"1 {what[:-1]}"
        part = f"{len(frame):,} of {counted}." if len(frame) < total else f"{counted}."
        output.print_line(part, "dim")


def _compare(  # noqa: PLR0913 - the options of one question
    store: StoreArgument,
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="The name of a pipeline.")],
    *,
    last: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the newest N runs.")
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option("--run", metavar="NAME", help="Only this run. May be repeated."),
    ] = None,
    only_changes: Annotated[
        bool, typer.Option("--only-changes", help="Only what differs between the runs.")
    ] = False,
    format_: FormatOption = Format.table,
) -> None:
    """Show the runs of a pipeline beside each other: parameters, metrics, inputs."""
    source = open_store(store)
    with progress(f"Reading {source.location}"):
        compared = source.get_pipeline(pipeline).compare_runs(
            last=last, runs=run or None, only_changes=only_changes
        )
        frame = _with_seconds(compared.to_pandas())
    if format_ is Format.json:
        output.print_json_rows(frame)
    elif format_ is Format.csv:
        output.print_csv(frame)
    elif output.on_terminal():
        _print_comparison(frame)
    else:
        output.print_plain(frame)


def _with_seconds(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a comparison whose durations are numbers of seconds."""
    if "duration" not in frame:
        return frame
    return frame.assign(duration=frame["duration"].dt.total_seconds().astype("Float64"))


def _print_comparison(frame: pd.DataFrame) -> None:
    """Print one column a run: a terminal is not as wide as there are parameters."""
    from rich.table import Table
    from rich.text import Text

    from mlmd_lineage.lineage.render.labels import shortened

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("", overflow="fold")
    for name in frame.index:
        table.add_column(Text(str(name)), overflow="fold")
    for name in map(str, frame.columns):
        values = [shortened(output.shown_value(value), _LONGEST) for value in frame[name]]
        styled = [Text(value, style=output.STATE_STYLES.get(value.upper(), "")) for value in values]
        table.add_row(Text(name, style="bold"), *styled)
    output.console().print(table)
    output.print_line(f"{len(frame):,} runs." if len(frame) != 1 else "1 run.", "dim")


def _diff(
    store: StoreArgument,
    a: Annotated[str, typer.Argument(metavar="A", help=f"{_NODE_HELP} Or a run's name.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another of the same kind.")],
    *,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help=f"Leave with {_DIFFERENT} if they differ.")
    ] = False,
    format_: FormatOption = Format.table,
) -> None:
    """Show why two models, artifacts, steps or runs differ, and where they first diverge."""
    source = open_store(store)
    with progress(f"Asking {source.location}"):
        found = source.diff(a, b)
    if format_ is Format.json:
        typer.echo(found.to_json())
    elif format_ is Format.csv:
        output.print_csv(found.to_pandas().set_index("role"))
    else:
        typer.echo(found.text())
    if exit_code and not found.identical:
        raise typer.Exit(_DIFFERENT)


def _impact(  # noqa: PLR0913 - the options of one question
    store: StoreArgument,
    node: Annotated[str, typer.Argument(metavar="NODE", help=_NODE_HELP)],
    *,
    models: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE", help="What counts as a model. May be repeated."),
    ] = None,
    deployments: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE", help="What counts as a deployment: a type or a step. May be repeated."
        ),
    ] = None,
    exit_code: Annotated[
        bool,
        typer.Option("--exit-code", help=f"Leave with {_DIFFERENT} if it reached a deployment."),
    ] = False,
    format_: FormatOption = Format.table,
) -> None:
    """Show every model and deployment that an artifact reached: after a bad dataset, say."""
    source = open_store(store)
    with progress(f"Asking {source.location}"):
        found = source.impact(node, models=models or None, deployments=deployments or None)
    if format_ is Format.json:
        typer.echo(found.to_json())
    elif format_ is Format.csv:
        output.print_csv(found.to_pandas().set_index("node"))
        if not found.complete:
            typer.echo("The answer may not be complete; --format table says why.", err=True)
        if found.unknown:
            typer.echo(f"Not in the store: {', '.join(found.unknown)}.", err=True)
    else:
        typer.echo(found.text())
    if exit_code and len(found.deployments):
        raise typer.Exit(_DIFFERENT)
