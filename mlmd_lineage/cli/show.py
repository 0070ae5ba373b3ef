"""Command ``mlmd-lineage show``: everything that a store holds of one node."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlmd_lineage import errors
from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import NODE_HELP, QuestionOptions
from mlmd_lineage.cli.common.output import DescriptionFormat
from mlmd_lineage.cli.common.tables import TableColumn, print_table
from mlmd_lineage.cli.common.text import printable
from mlmd_lineage.cli.common.values import terminal_value
from mlmd_lineage.snapshot.json_values import is_missing, json_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from mlmd_lineage import PipelineRunView, StepView
    from mlmd_lineage.store import Store

_SHOWN = 50  # rows of a section that a terminal shows
_CONTEXT = re.compile(r"\s*context/(\d{1,19})\s*")
_FIELDS = ("type", "type_version", "name", "uri", "state", "external_id")
_TIMES = {"create_time_since_epoch": "created", "last_update_time_since_epoch": "updated"}
_FIELD = ("name", "value")
_HEADINGS = {name: f"{name} (UTC)" for name in ("created", "updated", "time")}
_FOLDED = {"value", "name", "type", "path", "step", "run", "pipeline"}
_STEP = ("step", "execution", "status", "run", "pipeline")
_PROPERTIES = ("properties.", "custom_properties.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "show",
        cls=Command,
        epilog=examples(
            "show metadata.db artifact/46",
            "show metadata.db Model:churn",
            "show metadata.db context/7 --format json",
        ),
    )(_show)


@with_groups
def _show(
    *,
    target: QuestionOptions,
    node: Annotated[
        str, typer.Argument(metavar="NODE", help=f"{NODE_HELP} Or a context: context/7.")
    ],
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="The first N events, contexts and so on; 0 for all. Default: 50 on a terminal, "
            "else all.",
        ),
    ] = None,
    format_: Annotated[
        DescriptionFormat, typer.Option("--format", "-f", help="The format.")
    ] = DescriptionFormat.table,
) -> None:
    """Show everything of one node: its properties, events, contexts, run and step."""
    store = target.open()
    with progress(f"Asking {store.location}"):
        sections = _sections(store, node)
    if format_ is DescriptionFormat.json:
        output.write_json({s.name: s.as_json() for s in sections}, indent=1)
        return
    if limit is None:
        limit = _SHOWN if output.on_terminal() else 0
    for number, section in enumerate(each for each in sections if each.rows):
        if number:
            output.write_line("")
        section.print(limit)


@dataclasses.dataclass
class Section:
    """A part of what is shown: a table with a title, or the fields of one thing."""

    name: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    title: str = ""

    def as_json(self) -> Any:
        """Return it as JSON: an object for fields and properties, else a list of objects."""
        if self.columns == _FIELD:
            return {name: json_value(value) for name, value in self.rows}
        return [
            {c: json_value(v) for c, v in zip(self.columns, row, strict=True)} for row in self.rows
        ]

    def print(self, limit: int) -> None:
        """Print its first rows."""
        rows = self.rows if self.columns == _FIELD else self.rows[: limit or None]
        cells = [list(map(terminal_value, row)) for row in rows]
        if self.columns == _FIELD:
            cells = [[_HEADINGS.get(name, name), value] for name, value in cells]
        if "type" in self.columns and output.on_terminal():
            _shorten_types(cells, self.columns.index("type"))
        if self.title:
            output.write_line(self.title, "bold")
        if output.on_terminal():
            columns = list(zip(*cells, strict=True))
            print_table(
                [
                    TableColumn(_HEADINGS.get(name, name), values, folds=name in _FOLDED)
                    for name, values in zip(self.columns, columns, strict=True)
                ],
                headings=self.columns != _FIELD,
            )
        else:
            output.write("\n".join("\t".join(row) for row in cells))
        if len(rows) < len(self.rows):
            output.write_line(
                f"and {len(self.rows) - len(rows):,} more; --limit 0 shows all", "dim"
            )


def _shorten_types(rows: list[list[str]], column: int) -> None:
    from mlmd_lineage.snapshot.type_names import short_types

    short = short_types(row[column] for row in rows)
    for row in rows:
        row[column] = short[row[column]]


def _sections(store: Store, text: str) -> list[Section]:
    context = _CONTEXT.fullmatch(text)
    if context is not None:
        return list(_of_context(store, int(context[1])))
    key = store.find_node(text)
    kind, _, number = key.partition("/")
    if kind == "context":  # the name of a run
        return list(_of_context(store, int(number)))
    return list(_of_node(store, kind, int(number)))


def _of_node(store: Store, kind: str, number: int) -> Iterator[Section]:
    found = getattr(store, f"find_{kind}s")(f"id = {number}", properties=True)
    key = f"{kind}/{number}"
    if not len(found):
        message = f"There is no {key}."
        raise errors.NotFoundError(message)
    yield _fields(key, found)
    contexts = store.find_contexts(f"{kind}s_a.id = {number}")
    edges = _edges(store, key)
    others = "execution" if kind == "artifact" else "artifact"
    if kind == "execution":
        executions = [number]
    else:
        executions = [int(e["execution_id"]) for e in edges if e["type"] == "OUTPUT"]
    runs = _runs(store, contexts)
    steps = [(r, s) for r in runs for s in r.steps if s.id in executions]
    yield Section(
        "steps",
        _STEP,
        [_step_row(run, step) for run, step in steps],
        "Step" if kind == "execution" else "Made by",
    )
    yield _properties(found)
    yield Section(
        "events",
        (others, "type", "role", "path", "time"),
        [
            (f"{others}/{e[f'{others}_id']}", e["type"], e["role"], e["path"], e["time"])
            for e in edges
        ],
        "Events",
    )
    yield _contexts("contexts", contexts, "Contexts")


def _of_context(store: Store, number: int) -> Iterator[Section]:
    found = store.find_contexts(f"id = {number}", properties=True)
    if not len(found):
        message = f"There is no context/{number}."
        raise errors.NotFoundError(message)
    yield _fields(f"context/{number}", found)
    runs = [run for run in _runs(store, found) if run.node_key == f"context/{number}"]
    yield Section(
        "steps",
        _STEP[:3],
        [_step_row(run, step)[:3] for run in runs for step in run.steps],
        "Steps",
    )
    yield _properties(found)
    parents = store.find_contexts(f"child_contexts_c.id = {number}")
    children = store.find_contexts(f"parent_contexts_p.id = {number}")
    yield _contexts("parents", parents, "Parents")
    yield _contexts("children", children, "Children")
    for kind in ("artifact", "execution"):
        nodes = getattr(store, f"find_{kind}s")(f"contexts_c.id = {number}")
        yield Section(
            f"{kind}s",
            (kind, "type", "name", "state"),
            [
                (f"{kind}/{i}", *row)
                for i, row in zip(nodes.index, _rows(nodes, "type", "name", "state"), strict=True)
            ],
            f"{kind.title()}s",
        )


def _fields(key: str, found: pd.DataFrame) -> Section:
    row = found.iloc[0]
    fields = [(name, row[name]) for name in _FIELDS if name in found]
    fields += [(shown, row[name]) for name, shown in _TIMES.items() if name in found]
    return Section(
        "node",
        _FIELD,
        [("node", key), *((name, value) for name, value in fields if not is_missing(value))],
    )


def _properties(found: pd.DataFrame) -> Section:
    row = found.iloc[0]
    return Section(
        "properties",
        _FIELD,
        [
            (printable(str(name)), row[name])
            for name in found.columns
            if str(name).startswith(_PROPERTIES) and not is_missing(row[name])
        ],
        "Properties",
    )


def _contexts(name: str, found: pd.DataFrame, title: str) -> Section:
    rows = _rows(found, "type", "name")
    keys = [f"context/{number}" for number in found.index]
    return Section(
        name,
        ("context", "type", "name"),
        [(key, *row) for key, row in zip(keys, rows, strict=True)],
        title,
    )


def _rows(frame: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return list(frame[list(columns)].itertuples(index=False, name=None))


def _edges(store: Store, key: str) -> list[dict[Any, Any]]:
    """Return the events of a node, in the order of their ids."""
    found: dict[Any, dict[Any, Any]] = {}
    for question in (store.upstream, store.downstream):
        trace = question(key, max_hops=1, reuse=True, internal=True, later=True)
        found |= {edge["event"]: edge for edge in trace.edges.reset_index().to_dict("records")}
    return [found[event] for event in sorted(found)]


def _runs(store: Store, contexts: pd.DataFrame) -> list[PipelineRunView]:
    """Return the runs among some contexts and their parents."""
    numbers = dict.fromkeys(contexts.index)
    for number in contexts.index:
        # Of an execution of CMF, the run is the parent of its context.
        numbers |= dict.fromkeys(store.find_contexts(f"child_contexts_c.id = {number}").index)
    runs = []
    for number in numbers:
        try:
            runs.append(store.get_run(f"context/{number}"))
        except (errors.NotFoundError, errors.AmbiguousNameError):
            continue  # it is no run, but a pipeline, an experiment, a cache
    return runs


def _step_row(run: PipelineRunView, step: StepView) -> tuple[Any, ...]:
    return step.path, step.node_key, step.status, run.name, run.pipeline_name
