"""Commands ``mlmd-lineage artifacts``, ``executions``, ``contexts``, ``events`` and ``types``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.frames import (
    TableOptions,
    chosen_columns,
    limited,
    print_frame,
    write_count,
)
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import QuestionOptions
from mlmd_lineage.cli.common.output import Format
from mlmd_lineage.cli.common.text import printable
from mlmd_lineage.cli.common.values import terminal_value
from mlmd_lineage.snapshot.json_values import is_missing

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class NodeOptions:
    """Options that say which nodes are listed."""

    type_name: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="Only those of this type. May be repeated."),
    ] = None
    where: Annotated[
        str | None,
        typer.Option(
            "--where", metavar="FILTER", help="Only those that a filter of MLMD's language finds."
        ),
    ] = None
    properties: Annotated[bool, typer.Option("--properties", help="Show the properties too.")] = (
        False
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for function in (_artifacts, _executions, _contexts, _events, _types):
        name = function.__name__.removeprefix("_")
        calls = [f"{name} metadata.db", f"{name} metadata.db --limit -20"]
        calls += [f"{name} metadata.db {options}" for options in _EXAMPLES.get(name, ())]
        calls += [f"{name} metadata.db --format csv > {name}.csv"]
        app.command(name, cls=Command, epilog=examples(*calls))(function)


_EXAMPLES = {
    "artifacts": ["--type Model --properties", "--where \"state = LIVE AND uri LIKE 's3:%'\""],
    "executions": ["--type Trainer --properties", '--where "last_known_state = FAILED"'],
    "contexts": ["--type pipeline_run", '--where "executions_e.last_known_state = FAILED"'],
}


@with_groups
def _artifacts(*, target: QuestionOptions, nodes: NodeOptions, options: TableOptions) -> None:
    """List the artifacts: datasets, models, metrics."""
    _print_nodes("artifacts", target, nodes, options)


@with_groups
def _executions(*, target: QuestionOptions, nodes: NodeOptions, options: TableOptions) -> None:
    """List the executions: the steps that ran."""
    _print_nodes("executions", target, nodes, options)


@with_groups
def _contexts(*, target: QuestionOptions, nodes: NodeOptions, options: TableOptions) -> None:
    """List the contexts: pipelines, runs, experiments."""
    _print_nodes("contexts", target, nodes, options)


@with_groups
def _events(*, target: QuestionOptions, options: TableOptions) -> None:
    """List the events: which execution took or made which artifact."""
    store = target.open()
    with progress(f"Reading {store.location}"):
        frame = store.frames.events()
    print_frame(frame, options, "events")


@with_groups
def _types(*, target: QuestionOptions, options: TableOptions) -> None:
    """List the types, and the properties that each declares."""
    store = target.open()
    with progress(f"Reading {store.location}"):
        frame = store.frames.types()
    print_frame(frame, options, "types")


def _print_nodes(
    what: str, target: QuestionOptions, nodes: NodeOptions, options: TableOptions
) -> None:
    import pandas as pd

    store = target.open()
    on_terminal = options.format_ is Format.table and output.on_terminal()
    more: dict[str, Any] = {}
    if nodes.where is not None:
        more["where"] = nodes.where
        read = getattr(store, f"find_{what}")
    else:
        read = getattr(store.frames, what)
        if what == "artifacts" and on_terminal and not options.columns:
            more["runs"] = False  # no columns of producers on a terminal; they take longer
    with progress(f"Reading {store.location}"):
        frames = [
            read(type=name, properties=nodes.properties, **more)
            for name in nodes.type_name or (None,)
        ]
        frame = frames[0]
        if len(frames) > 1:
            frame = pd.concat(frames).sort_index()
            frame = frame[~frame.index.duplicated()]
    if on_terminal and nodes.properties:
        part = limited(chosen_columns(frame, options.columns), options.limit)
        _print_with_properties(what.removesuffix("s"), part)
        write_count(len(part), len(frame), what)
    else:
        print_frame(frame, options, what)


def _print_with_properties(kind: str, frame: pd.DataFrame) -> None:
    """Print a record for each node: its properties are too many for the width of a terminal."""
    from rich.text import Text

    terminal = output.console()
    records: list[dict[Any, Any]] = frame.to_dict("records")
    for number, row in zip(frame.index, records, strict=True):
        line = Text(f"{kind}/{number}", style="bold")
        for name in ("type", "name", "uri", "state"):
            if not is_missing(row.get(name)):
                shown = terminal_value(row[name])
                line.append(f"  {shown}", style=output.STATE_STYLES.get(shown))
        terminal.print(line, soft_wrap=True)
        for name, value in row.items():
            if "properties." in str(name) and not is_missing(value):
                shown = f"  {printable(str(name))} = {terminal_value(value)}"
                terminal.print(Text(shown), soft_wrap=True)
