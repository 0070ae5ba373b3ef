"""Commands ``mlmd-lineage pipelines``, ``runs``, ``steps``, ``parameters`` and ``metrics``."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.frames import TableOptions, print_frame
from mlmd_lineage.cli.common.option_groups import with_groups
from mlmd_lineage.cli.common.options import QuestionOptions, ReadArtifactsOption

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from mlmd_lineage.store import Store

_SHOWN = {
    "pipelines": ("name", "dialect", "runs", "last_run", "last_status"),
    "runs": ("display_name", "experiment", "name", "pipeline_name", "status", "steps", "started"),
    "steps": ("path", "run_name", "status", "original_execution_id", "started"),
    "parameters": ("run_name", "step", "name", "value"),
    "metrics": ("run_name", "step", "key", "name", "value"),
}
"""The columns of a terminal."""
_LEFT_OUT_IF_ALIKE = {"run_name", "pipeline_name"}
"""The columns of a terminal that are left out where all rows have the same value."""

PipelineOption: TypeAlias = Annotated[
    str | None, typer.Option("--pipeline", metavar="NAME", help="Only those of this pipeline.")
]
RunOption: TypeAlias = Annotated[
    str | None, typer.Option("--run", metavar="NAME", help="Only those of this run.")
]


class StatusChoice(str, enum.Enum):
    """Statuses of runs and steps, as ``dialects.records.Status`` has them."""

    completed = "completed"
    failed = "failed"
    running = "running"
    cached = "cached"
    canceled = "canceled"


StatusOption: TypeAlias = Annotated[
    list[StatusChoice] | None,
    typer.Option(
        "--status",
        case_sensitive=False,
        metavar="STATUS",
        help="Only those of this status: completed, failed, running, cached or canceled. "
        "May be repeated.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for function, calls in (
        (_pipelines, ("pipelines metadata.db", "pipelines metadata.db --format json")),
        (
            _runs,
            (
                "runs metadata.db",
                "runs metadata.db --pipeline churn --limit -20",
                "runs metadata.db --status failed --columns name,started",
            ),
        ),
        (
            _steps,
            (
                "steps metadata.db --run churn-2024-06-01",
                "steps metadata.db --status failed --status cached",
                "steps metadata.db --limit -20",
            ),
        ),
        (
            _parameters,
            ("parameters metadata.db --run churn-2024-06-01", "parameters metadata.db -f csv"),
        ),
        (
            _metrics,
            ("metrics metadata.db --pipeline churn", "metrics metadata.db --format csv > m.csv"),
        ),
    ):
        name = function.__name__.removeprefix("_")
        app.command(name, cls=Command, epilog=examples(*calls))(function)


@with_groups
def _pipelines(*, target: QuestionOptions, options: TableOptions) -> None:
    """List the pipelines, whatever platform wrote them."""
    store = target.open()
    with progress(f"Reading {store.location}"):
        frame = store.frames.pipelines()
    _print("pipelines", frame, options)


@with_groups
def _runs(
    *,
    target: QuestionOptions,
    pipeline: PipelineOption = None,
    status: StatusOption = None,
    options: TableOptions,
) -> None:
    """List the runs of pipelines, the oldest of each pipeline first."""
    store = target.open()
    with progress(f"Reading {store.location}"):
        keys = _keys(store, None, pipeline)
        frame = store.frames.runs()
    if pipeline is not None:
        frame = frame[frame["pipeline"] == keys["pipeline"]]
    _print("runs", _with_status(frame, status), options)


@with_groups
def _steps(
    *,
    target: QuestionOptions,
    run: RunOption = None,
    pipeline: PipelineOption = None,
    status: StatusOption = None,
    options: TableOptions,
) -> None:
    """List the steps of runs: what was executed, what was taken from a cache, what failed."""
    store = target.open()
    with progress(f"Reading {store.location}"):
        frame = _of(store.frames.steps(), _keys(store, run, pipeline))
    _print("steps", _with_status(frame, status), options)


@with_groups
def _parameters(
    *,
    target: QuestionOptions,
    run: RunOption = None,
    pipeline: PipelineOption = None,
    options: TableOptions,
) -> None:
    """List the parameters of all steps, one row a parameter."""
    store = target.open()
    with progress(f"Reading {store.location}"):
        frame = _of(store.frames.parameters(), _keys(store, run, pipeline))
    _print("parameters", frame.set_index("execution_id"), options)


@with_groups
def _metrics(
    *,
    target: QuestionOptions,
    run: RunOption = None,
    pipeline: PipelineOption = None,
    read_artifacts: ReadArtifactsOption = False,
    options: TableOptions,
) -> None:
    """List the scalar metrics of all steps, one row a metric."""
    store = target.open()
    with progress(f"Reading {store.location}"):
        found = store.frames.metrics(read_artifacts=read_artifacts)
        frame = _of(found, _keys(store, run, pipeline))
    _print("metrics", frame.set_index("execution_id"), options)


def _keys(store: Store, run: str | None, pipeline: str | None) -> dict[str, str]:
    """Return the keys of a run and of a pipeline, by the column that holds them."""
    keys = {}
    if run is not None:
        keys["run"] = store.get_run(run).node_key
    if pipeline is not None:
        keys["pipeline"] = store.get_pipeline(pipeline).node_key
    return keys


def _of(frame: pd.DataFrame, keys: dict[str, str]) -> pd.DataFrame:
    for column, key in keys.items():
        frame = frame[frame[column] == key]
    return frame


def _with_status(frame: pd.DataFrame, wanted: Collection[StatusChoice] | None) -> pd.DataFrame:
    return frame[frame["status"].isin([status.value for status in wanted])] if wanted else frame


def _print(what: str, frame: pd.DataFrame, options: TableOptions) -> None:
    shown = [
        name
        for name in _SHOWN[what]
        if name not in _LEFT_OUT_IF_ALIKE or len(frame) == 1 or len(set(frame[name])) > 1
    ]
    print_frame(frame, options, what, shown)
