"""Commands ``mlmd-lineage compare``, ``diff`` and ``impact``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.frames import CSV_SAFE_HELP, write_count, write_plain
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import (
    NODE_HELP,
    NodeArgument,
    QuestionOptions,
    ReadArtifactsOption,
)
from mlmd_lineage.cli.common.output import Format
from mlmd_lineage.cli.common.pictures import drawing, picture_format
from mlmd_lineage.cli.common.tables import TableColumn, fitting_widths, print_table
from mlmd_lineage.cli.common.values import terminal_value
from mlmd_lineage.config.atomic_files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

_DIFFERENT = 3
"""The exit code of ``--exit-code`` where there is a difference, or a deployment."""
_NARROWEST = 24  # columns of the terminal that a run has at least


@dataclasses.dataclass(frozen=True)
class AnswerOptions:
    """The format of an answer."""

    csv_safe: Annotated[bool, typer.Option("--csv-safe", help=CSV_SAFE_HELP)] = False
    format_: Annotated[Format, typer.Option("--format", "-f", help="The format of the answer.")] = (
        Format.table
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for function, calls in (
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


@with_groups
def _compare(  # noqa: PLR0913 - the options of one question
    *,
    target: QuestionOptions,
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="The name of a pipeline.")],
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
    read_artifacts: ReadArtifactsOption = False,
    options: AnswerOptions,
) -> None:
    """Show the runs of a pipeline beside each other: parameters, metrics, inputs."""
    store = target.open()
    with progress(f"Reading {store.location}"):
        compared = store.get_pipeline(pipeline).compare_runs(
            last=last, runs=run or None, only_changes=only_changes, read_artifacts=read_artifacts
        )
        frame = _with_seconds(compared.to_pandas())
    if options.format_ is Format.json:
        output.write_json_rows(output.records(frame))
    elif options.format_ is Format.csv:
        output.write_csv(frame, safe=options.csv_safe)
    elif output.on_terminal():
        _print_comparison(frame)
    else:
        write_plain(frame)
    if compared.unread:
        number, first = len(compared.unread), next(iter(compared.unread.values()))
        what = "1 artifact" if number == 1 else f"{number:,} artifacts"
        output.write(f"{what} could not be read. {first}", error=True)


def _with_seconds(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a comparison whose durations are numbers of seconds."""
    if "duration" not in frame:
        return frame
    return frame.assign(duration=frame["duration"].dt.total_seconds().astype("Float64"))


def _print_comparison(frame: pd.DataFrame) -> None:
    """Print a column for each run, as many beside each other as the terminal is wide."""
    names = TableColumn("", [str(name) for name in frame.columns], folds=True)
    runs = []
    for run, row in zip(frame.index, frame.itertuples(index=False), strict=True):
        cells = [terminal_value(value) for value in row]
        styles = [output.STATE_STYLES.get(cell.upper(), "") for cell in cells]
        runs.append(TableColumn(str(run), cells, folds=True, styles=styles))
    for number, part in enumerate(_fitting_parts(names, runs)):
        if number:
            output.write_line("")
        print_table([names, *part], of="")
    write_count(len(frame), len(frame), "runs")


def _fitting_parts(names: TableColumn, runs: list[TableColumn]) -> Iterator[list[TableColumn]]:
    """Yield the columns in parts that fit beside the names."""
    width = output.console().width
    part: list[TableColumn] = []
    for run in runs:
        if part and fitting_widths([names, *part, run], width, _NARROWEST) is None:
            yield part
            part = []
        part.append(run)
    if part:
        yield part


@with_groups
def _diff(
    *,
    target: QuestionOptions,
    a: Annotated[str, typer.Argument(metavar="A", help=NODE_HELP)],
    b: Annotated[str, typer.Argument(metavar="B", help="Another of the same kind.")],
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help=f"Exit with {_DIFFERENT} if they differ.")
    ] = False,
    options: AnswerOptions,
) -> None:
    """Show why two models, artifacts, steps or runs differ, and where they first diverge."""
    store = target.open()
    with progress(f"Asking {store.location}"):
        found = store.diff(a, b)
    if options.format_ is Format.json:
        output.write_json_text(found.to_json())
    elif options.format_ is Format.csv:
        output.write_csv(found.to_pandas().set_index("role"), safe=options.csv_safe)
    else:
        output.write(found.text())
    if exit_code and not found.identical:
        raise typer.Exit(_DIFFERENT)


@with_groups
def _impact(  # noqa: PLR0913 - the options of one question
    *,
    target: QuestionOptions,
    node: NodeArgument,
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
        typer.Option("--exit-code", help=f"Exit with {_DIFFERENT} if it reached a deployment."),
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Draw all that came from it to a file: .svg, .png, .html, .dot or .mmd.",
        ),
    ] = None,
    options: AnswerOptions,
) -> None:
    """Show every model and deployment that an artifact reached, such as a bad dataset."""
    drawn = None if picture is None else picture_format(picture)
    store = target.open()
    with progress(f"Asking {store.location}"):
        found = store.impact(node, models=models or None, deployments=deployments or None)
    if options.format_ is Format.json:
        output.write_json_text(found.to_json())
    elif options.format_ is Format.csv:
        output.write_csv(found.to_pandas().set_index("node"), safe=options.csv_safe)
        if not found.complete:
            output.write("The answer may not be complete; --format table says why.", error=True)
        if found.unknown:
            output.write(f"Not in the store: {', '.join(found.unknown)}.", error=True)
    else:
        output.write(found.text())
    if picture is not None and drawn is not None:
        write_whole(picture, drawing(found.trace, drawn))
        output.write(f"Wrote {picture}.", error=True)
    if exit_code and len(found.deployments):
        raise typer.Exit(_DIFFERENT)
