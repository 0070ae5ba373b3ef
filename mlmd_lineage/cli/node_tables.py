"""Commands ``mlmd-lineage artifacts``, ``executions``, ``contexts``, ``events`` and ``types``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.options import StoreArgument, open_store
from mlmd_lineage.cli.common.output import Format
from mlmd_lineage.cli.common.text import printable

if TYPE_CHECKING:
    import pandas as pd

    from mlmd_lineage.store import Store

TypeOption: TypeAlias = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="Only those of this type.")
]
WhereOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--where", metavar="FILTER", help="Only those that a filter of MLMD's language finds."
    ),
]
PropertiesOption: TypeAlias = Annotated[
    bool, typer.Option("--properties", help="Show the properties too.")
]
LimitOption: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="N", help="Only the first N rows; with -N, only the last N."),
]
FormatOption: TypeAlias = Annotated[
    Format, typer.Option("--format", "-f", help="How to write the rows.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for name, function in (
        ("artifacts", _artifacts),
        ("executions", _executions),
        ("contexts", _contexts),
        ("events", _events),
        ("types", _types),
    ):
        calls = [f"{name} metadata.db", f"{name} metadata.db --limit -20"]
        if name in _EXAMPLES:
            calls += [f"{name} metadata.db {options}" for options in _EXAMPLES[name]]
        calls += [f"{name} metadata.db --format csv > {name}.csv"]
        app.command(name, cls=Command, epilog=examples(*calls))(function)


_EXAMPLES = {
    "artifacts": ["--type Model --properties", "--where \"state = LIVE AND uri LIKE 's3:%'\""],
    "executions": ["--type Trainer --properties", '--where "last_known_state = FAILED"'],
    "contexts": ["--type pipeline_run", '--where "executions_e.last_known_state = FAILED"'],
}


def _artifacts(  # noqa: PLR0913 - the options of a command
    store: StoreArgument,
    *,
    type_name: TypeOption = None,
    where: WhereOption = None,
    properties: PropertiesOption = False,
    limit: LimitOption = None,
    format_: FormatOption = Format.table,
) -> None:
    """List the artifacts: datasets, models, metrics."""
    options = _OutputOptions(limit, format_, properties=properties)
    _nodes("artifacts", open_store(store), type_name, where, options)


def _executions(  # noqa: PLR0913 - the options of a command
    store: StoreArgument,
    *,
    type_name: TypeOption = None,
    where: WhereOption = None,
    properties: PropertiesOption = False,
    limit: LimitOption = None,
    format_: FormatOption = Format.table,
) -> None:
    """List the executions: the steps that ran."""
    options = _OutputOptions(limit, format_, properties=properties)
    _nodes("executions", open_store(store), type_name, where, options)


def _contexts(  # noqa: PLR0913 - the options of a command
    store: StoreArgument,
    *,
    type_name: TypeOption = None,
    where: WhereOption = None,
    properties: PropertiesOption = False,
    limit: LimitOption = None,
    format_: FormatOption = Format.table,
) -> None:
    """List the contexts: pipelines, runs, experiments."""
    options = _OutputOptions(limit, format_, properties=properties)
    _nodes("contexts", open_store(store), type_name, where, options)


def _events(
    store: StoreArgument,
    *,
    limit: LimitOption = None,
    format_: FormatOption = Format.table,
) -> None:
    """List the events: which execution took or made which artifact."""
    source = open_store(store)
    with progress(f"Reading {source.location}"):
        frame = source.frames.events()
    _print("events", frame, _OutputOptions(limit, format_))


def _types(
    store: StoreArgument,
    *,
    limit: LimitOption = None,
    format_: FormatOption = Format.table,
) -> None:
    """List the types, and the properties that each declares."""
    source = open_store(store)
    with progress(f"Reading {source.location}"):
        frame = source.frames.types()
    _print("types", frame, _OutputOptions(limit, format_))


class _OutputOptions(NamedTuple):
    """Options that say what of a frame is printed, and in which format."""

    limit: int | None
    format: Format
    properties: bool = False


def _nodes(
    what: str, store: Store, type_name: str | None, where: str | None, options: _OutputOptions
) -> None:
    with progress(f"Reading {store.location}"):
        more: dict[str, Any] = {}
        if where is not None:
            more["where"] = where
            read = getattr(store, f"find_{what}")
        else:
            read = getattr(store.frames, what)
            if what == "artifacts" and options.format is Format.table and output.on_terminal():
                more["runs"] = (
                    False  # a terminal is too narrow for the producers, and they take longer
                )
        frame = read(type=type_name, properties=options.properties, **more)
    _print(what, frame, options)


def _print(what: str, frame: pd.DataFrame, options: _OutputOptions) -> None:
    limit = options.limit
    total = len(frame)
    if limit is not None:
        frame = frame.head(limit) if limit >= 0 else frame.tail(-limit)
    if options.format is Format.json:
        output.print_json_rows(frame)
    elif options.format is Format.csv:
        output.print_csv(frame)
    elif not output.on_terminal():
        output.print_plain(frame)
    else:
        if options.properties:
            _print_blocks(what[:-1], frame)
        elif len(frame):
            output.print_table(frame)
        counted = f"{total:,} {what}" if total != 1 else f"1 {what[:-1]}"
        part = f"{len(frame):,} of {counted}." if len(frame) < total else f"{counted}."
        output.print_line(part, "dim")


def _print_blocks(kind: str, frame: pd.DataFrame) -> None:
    """Print one block a node: its properties are too many for the width of a terminal."""
    from rich.text import Text

    terminal = output.console()
    records: list[dict[Any, Any]] = frame.to_dict("records")
    for number, row in zip(frame.index, records, strict=True):
        line = Text()
        line.append(f"{kind}/{number}", style="bold")
        for name in ("type", "name", "uri", "state"):
            if not output.is_missing(row.get(name)):
                shown = output.shown_value(row[name])
                line.append(f"  {shown}", style=output.STATE_STYLES.get(shown))
        terminal.print(line, soft_wrap=True)
        for name, value in row.items():
            if "properties." in name and not output.is_missing(value):
                shown = f"  {printable(name)} = {output.shown_value(value)}"
                terminal.print(Text(shown), soft_wrap=True)
