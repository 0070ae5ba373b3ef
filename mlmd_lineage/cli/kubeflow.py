"""Commands ``mlmd-lineage kubeflow``: before Kubeflow Pipelines leaves MLMD."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Annotated

import typer

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import Command, Commands, examples, progress
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import QuestionOptions
from mlmd_lineage.cli.common.text import printable_lines

if TYPE_CHECKING:
    from mlmd_lineage.kubeflow.check import KubeflowCheck
    from mlmd_lineage.store import Store

LOSES = 3
"""The exit code where something is lost."""
_RUNS_HELP = (
    "The URL of the database in which Kubeflow Pipelines keeps its runs: "
    "mysql://user@host:3306/mlpipeline."
)


class CheckFormat(str, enum.Enum):
    """Formats of the check: the report, or its rows."""

    report = "report"
    table = "table"
    runs = "runs"
    json = "json"
    csv = "csv"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        cls=Commands, no_args_is_help=True, rich_markup_mode=None, help=_group.__doc__
    )
    group.command(
        "check",
        cls=Command,
        epilog=examples(
            "kubeflow check grpc://localhost:8080",
            "kubeflow check grpc://localhost:8080 --runs-db mysql://root@127.0.0.1/mlpipeline",
            "kubeflow check metadata.db --format csv > losses.csv",
        ),
    )(_check)
    group.command(
        "save",
        cls=Command,
        epilog=examples(
            "kubeflow save grpc://localhost:8080 history/ "
            "--runs-db mysql://root@127.0.0.1/mlpipeline",
            "runs history/",
        ),
    )(_save)
    app.add_typer(group, name="kubeflow")


def _group() -> None:
    """Keep the history of Kubeflow Pipelines before version 3.0 leaves MLMD."""


@dataclasses.dataclass(frozen=True)
class KubeflowOptions(QuestionOptions):
    """The store that is checked, and the database of runs beside it."""

    runs_db: Annotated[str | None, typer.Option("--runs-db", metavar="URL", help=_RUNS_HELP)] = None

    def with_runs(self) -> Store:
        """Return the store, with the database of runs where one was given."""
        store = self.open()
        if self.runs_db is None:
            return store
        from mlmd_lineage.store import connect

        return connect(store.metadata_store, runs=self.runs_db)


@with_groups
def _check(
    *,
    target: KubeflowOptions,
    format_: Annotated[
        CheckFormat, typer.Option("--format", "-f", help="The report, its rows, or its runs.")
    ] = CheckFormat.report,
) -> None:
    """Show what 3.0 of Kubeflow Pipelines will not hold of a store's history.

    The exit code is 0 where nothing is lost, 3 where something is lost, changed or refused.
    """
    store = target.with_runs()
    with progress(f"Reading {store.location}"):
        check = store.kubeflow_check()
    _print(check, format_)
    if not check.is_lossless:
        raise typer.Exit(LOSES)


def _print(check: KubeflowCheck, format_: CheckFormat) -> None:
    from mlmd_lineage.cli.common.frames import write_plain

    if format_ is CheckFormat.report:
        output.write(printable_lines(check.text().rstrip("\n")))
    elif format_ is CheckFormat.json:
        output.write_json(check.to_dict(), indent=1)
    elif format_ is CheckFormat.csv:
        output.write_csv(check.to_pandas(), safe=True)
    elif format_ is CheckFormat.runs:
        write_plain(check.runs_to_pandas())
    else:
        write_plain(check.to_pandas())


@with_groups
def _save(
    *,
    target: KubeflowOptions,
    folder: Annotated[
        str,
        typer.Argument(metavar="DIR", help="A folder that does not exist yet, or is empty."),
    ],
) -> None:
    """Save a store, the names of its runs and the check's report in one folder.

    MLMD's tables and those of the database of runs are each read in one transaction. Give the
    folder as STORE afterwards: it answers every question that the store does.
    """
    if "://" in folder:
        message = "DIR is a folder of this machine, not a URL."
        raise typer.BadParameter(message)
    store = target.with_runs()
    with progress(f"Reading {store.location}"):
        check = store.kubeflow_save(folder)
    held = ", ".join(f"{count:,} {what}" for what, count in check.counts.items())
    output.write(f"Saved {held} in {folder}; the check's report is {folder}/kubeflow/check.txt.")
    if check.runs_source is None:
        output.write(
            "Without --runs-db the runs have no names in it: they are called by their UUIDs."
        )
