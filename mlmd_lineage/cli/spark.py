"""Commands ``mlmd-lineage spark``: questions about many nodes at once, on Apache Spark."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, Commands, examples, progress
from mlmd_lineage.cli.common.frames import TableOptions, print_frame
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.lineage import BoundOptions, EdgeOptions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from mlmd_lineage.spark import SparkStore

_SHOWN = ("start", "node", "type", "name", "uri", "hops", "boundary")
_REACHED = ("start", "node", "kind", "name", "uri", "run", "hops", "pushed", "direct")

NodesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NODE]...", help="Nodes, as 'upstream' and 'impact' take them; '-' reads lines."
    ),
]


@dataclasses.dataclass(frozen=True)
class SparkOptions:
    """The archive that is asked, and how large its components may be."""

    archive: Annotated[
        str,
        typer.Argument(
            metavar="ARCHIVE",
            help="The folder or URL of an archive, a folder of Parquet files for each table, or "
            "the URL of a database.",
        ),
    ]
    largest: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="How many nodes a component may have, as a task holds one in its memory. "
            "Default: 20 million.",
        ),
    ] = None
    jars: Annotated[
        list[str] | None,
        typer.Option(
            "--jar",
            metavar="FILE",
            help="The JDBC driver of a database. May be repeated; spark-submit has its own --jars.",
        ),
    ] = None

    def open(self) -> SparkStore:
        """Return the store on the Spark session of ``spark-submit``, or on one of this machine."""
        from mlmd_lineage import spark

        with progress("Starting Spark"):
            largest = self.largest or spark.LARGEST_PART
            return spark.connect(self.archive, jars=self.jars or (), largest=largest)


@dataclasses.dataclass(frozen=True)
class ResultOptions(TableOptions):
    """Where the rows go."""

    parquet: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Have Spark write all rows as Parquet files into a new folder, and print none.",
        ),
    ] = None

    def write(self, rows: DataFrame, what: str, shown: tuple[str, ...]) -> None:
        """Print rows, or have Spark write them."""
        from mlmd_lineage.spark import saving
        from mlmd_lineage.spark.session import explained

        if self.parquet is not None:
            with progress(f"Writing {self.parquet}"):
                saving.write(rows, self.parquet)
            output.write(f"Wrote {self.parquet}.")
            return
        with progress("Asking Spark"), explained("answer"):
            frame = rows.toArrow().to_pandas(integer_object_nulls=True)
        # What is not there is None, in texts too, of which pandas makes NaN.
        frame = frame.astype(object).where(frame.notna(), None)
        print_frame(frame.set_index(frame.columns[0]), self, what, shown=shown)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode=None)
    for name, function, calls in (
        (
            "impact",
            _impact,
            (
                "spark impact s3://bucket/archive artifact/1 artifact/7",
                "spark impact archive/ - --parquet reached < datasets.txt",
            ),
        ),
        ("upstream", _upstream, ("spark upstream archive/ artifact/46 --format csv",)),
        ("downstream", _downstream, ("spark downstream archive/ artifact/1 --until Model",)),
        ("components", _components, ("spark components archive/ --parquet components",)),
        ("snapshot", _snapshot, ("spark snapshot archive/ part/ artifact/46",)),
    ):
        group.command(name, cls=Command, epilog=examples(*calls))(function)
    app.add_typer(
        group, name="spark", help="Ask about many nodes at once, or huge stores, on Apache Spark."
    )


@with_groups
def _impact(
    *,
    target: SparkOptions,
    nodes: NodesArgument = None,
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
    options: ResultOptions,
) -> None:
    """Show every model and every deployment that each of some artifacts reached."""
    asked = _nodes(nodes)
    store = target.open()
    answers = store.impact(asked, models=models or None, deployments=deployments or None)
    answers = answers.kept()
    options.write(answers.reached, "models and deployments", _REACHED)
    for row in answers.summaries.where("NOT complete OR size(hints) > 0").collect():
        output.write(f"{row.start}: {row.text}", error=True)


@with_groups
def _upstream(
    *,
    target: SparkOptions,
    nodes: NodesArgument = None,
    bounds: BoundOptions,
    edges: EdgeOptions,
    options: ResultOptions,
) -> None:
    """List what each of some nodes came from."""
    _closure("upstream", target, nodes, {**bounds.arguments(), **edges.arguments()}, options)


@with_groups
def _downstream(
    *,
    target: SparkOptions,
    nodes: NodesArgument = None,
    bounds: BoundOptions,
    edges: EdgeOptions,
    options: ResultOptions,
) -> None:
    """List what came from each of some nodes."""
    _closure("downstream", target, nodes, {**bounds.arguments(), **edges.arguments()}, options)


def _closure(
    direction: str,
    target: SparkOptions,
    nodes: list[str] | None,
    arguments: dict[str, Any],
    options: ResultOptions,
) -> None:
    asked = _nodes(nodes)
    given = {name: value if value != [] else None for name, value in arguments.items()}
    rows = getattr(target.open(), direction)(asked, **given)
    options.write(rows.orderBy("start", "hops", "kind", "id"), "nodes", _SHOWN)


@with_groups
def _components(*, target: SparkOptions, options: ResultOptions) -> None:
    """List the components that events tie together, the largest first.

    With --parquet, the component of each artifact and execution is written.
    """
    found = target.open().components()
    if options.parquet is None:
        found = found.groupBy("component").count().withColumnRenamed("count", "nodes")
        found = found.orderBy("nodes", "component", ascending=[False, True])
    options.write(found, "components", ("component", "nodes"))


@with_groups
def _snapshot(
    *,
    target: SparkOptions,
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A folder that does not exist yet, or is empty."),
    ],
    nodes: NodesArgument = None,
    contexts: Annotated[
        bool,
        typer.Option(
            "--contexts/--lineage",
            help="Take what events and common contexts tie to the nodes, or only what events do.",
        ),
    ] = True,
) -> None:
    """Save what is tied to some nodes as an archive for one machine; without nodes, everything."""
    asked = _nodes(nodes) if nodes else None
    store = target.open()
    with progress(f"Writing {folder}"):
        store.save(folder, asked, contexts=contexts)
    output.write(f"Wrote {folder}.")


def _nodes(given: list[str] | None) -> list[str]:
    """Return the nodes that arguments name, and with ``-`` the lines of standard input."""
    found: list[str] = []
    for name in given or []:
        found += [line.strip() for line in sys.stdin] if name == "-" else [name]
    found = [name for name in found if name]
    if not found:
        message = "Name a node, such as artifact/5; '-' reads one from each line of the input."
        raise typer.BadParameter(message)
    return found
