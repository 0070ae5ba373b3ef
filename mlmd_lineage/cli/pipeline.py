"""Commands ``mlmd-lineage pipeline``: run a pipeline that is written in Python, or a step."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from mlmd_lineage.cli.common import completion, output
from mlmd_lineage.cli.common.command import Command, Commands, examples
from mlmd_lineage.cli.common.text import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.orchestration.tasks import StepOutcome
    from mlmd_lineage.post_execution.views import PipelineRunView

PipelineArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="PIPELINE",
        help="MODULE:NAME or FILE.py:NAME; the name can be left out where there is only one.",
        show_default=False,
    ),
]
CacheOption: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--cache/--no-cache",
        help="Reuse results, or do not, whatever the pipeline says; by default as it says.",
        show_default=False,
    ),
]
StackOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--stack",
        metavar="NAME",
        help="The stack to run it with; the active one where none is given.",
        autocompletion=completion.stacks,
    ),
]
StoreOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="STORE",
        help="Where to record it, rather than in the stack's metadata store; it is made where "
        "there is none.",
        autocompletion=completion.metadata_stores,
    ),
]


class RunFormat(str, enum.Enum):
    """How a run is shown."""

    table = "table"
    json = "json"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        cls=Commands,
        no_args_is_help=True,
        help="Run pipelines that are written in Python with @step and @pipeline.",
        epilog=examples("pipeline run churn.py:churn --param learning_rate=0.1"),
    )
    group.command(
        "run",
        cls=Command,
        epilog=examples(
            "pipeline run churn.py:churn",
            "pipeline run team.pipelines:churn --param learning_rate=0.1 --jobs 4",
            "pipeline run churn.py --no-cache --run-name churn-2026-11-28",
            "pipeline run churn.py --explain --store metadata.db",
        ),
    )(_run)
    group.command(
        "step",
        cls=Command,
        epilog=examples("pipeline step churn.py:churn train --run churn-7"),
    )(_step)
    app.add_typer(group, name="pipeline")


def _run(  # noqa: PLR0913 - each is an option
    pipeline: PipelineArgument,
    *,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            metavar="NAME=VALUE",
            help="A parameter of the pipeline. May be repeated.",
        ),
    ] = None,
    run_name: Annotated[
        str | None, typer.Option("--run-name", metavar="NAME", help="The run's name.")
    ] = None,
    cache: CacheOption = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            metavar="NUMBER",
            help="How many steps run at the same time; as the orchestrator says, else 1.",
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show for each step why it was reused or was not.")
    ] = False,
    stack: StackOption = None,
    store: StoreOption = None,
    format_: Annotated[
        RunFormat, typer.Option("--format", "-f", help="How the run is shown.")
    ] = RunFormat.table,
) -> None:
    """Run a pipeline with the active stack, and record it.

    A step that fails stops those that wait for it, and no others; the exit code is 1 then. Ctrl-C
    interrupts the steps that run, which is recorded.
    """
    from mlmd_lineage.pipelines.parameter_texts import parameters_of
    from mlmd_lineage.pipelines.pipeline_call import PipelineCall
    from mlmd_lineage.pipelines.references import load_pipeline
    from mlmd_lineage.pipelines.running import run_with_outcomes

    loaded = load_pipeline(pipeline)
    call = PipelineCall(loaded, loaded.bound(**parameters_of(loaded, param or ())))
    run, outcomes = run_with_outcomes(
        call,
        run_name=run_name,
        enable_cache=cache,
        jobs=jobs,
        explain=explain,
        stack=stack,
        store=store,
    )
    if format_ is RunFormat.json:
        _print_json(call.pipeline.name, run, outcomes)
    else:
        _print_lines(run, outcomes)
    if not all(each.succeeded for each in outcomes.values()):
        raise typer.Exit(1)


def _print_lines(run: PipelineRunView, outcomes: Mapping[str, StepOutcome]) -> None:
    output.write_line(f"{printable(run.name)}: {run.status}", "bold")
    width = max(len(name) for name in outcomes)
    for name, each in outcomes.items():
        said = f"  {printable(each.reason)}" if each.reason else ""
        output.write_line(f"  {printable(name):<{width}}  {each.status}{said}")
    for each in outcomes.values():
        if each.explanation:
            output.write_line("")
            output.write_line(printable_lines(each.explanation))


def _print_json(pipeline: str, run: PipelineRunView, outcomes: Mapping[str, StepOutcome]) -> None:
    import json

    steps = [
        {
            "step": name,
            "status": each.status,
            "seconds": round(each.seconds, 3),
            "reason": each.reason,
            "explanation": each.explanation,
        }
        for name, each in outcomes.items()
    ]
    held = {
        "pipeline": pipeline,
        "run": run.name,
        "node": run.node_key,
        "status": run.status,
        "steps": steps,
    }
    output.write(json.dumps(held, indent=2))


def _step(  # noqa: PLR0913 - each is an option
    pipeline: PipelineArgument,
    step: Annotated[str, typer.Argument(metavar="STEP", help="The step's name in the pipeline.")],
    *,
    run: Annotated[str, typer.Option("--run", metavar="NAME", help="The run that it belongs to.")],
    parameters: Annotated[
        str,
        typer.Option(
            "--parameters", metavar="JSON", help="The parameters of the pipeline, as an object."
        ),
    ] = "{}",
    cache: CacheOption = None,
    stack: StackOption = None,
    store: StoreOption = None,
) -> None:
    """Run one step of a run that was started elsewhere, and record it.

    Orchestrators call it on the machines where steps run. Those need the pipeline's module, and a
    stack whose stores are those of the run.
    """
    from mlmd_lineage.pipelines.remote_step import run_step

    outcome = run_step(
        pipeline, step, run=run, parameters=parameters, enable_cache=cache, stack=stack, store=store
    )
    said = f"  {printable(outcome.reason)}" if outcome.reason else ""
    output.write_line(f"{printable(outcome.step)}  {outcome.status}{said}")
    if not outcome.succeeded:
        raise typer.Exit(1)
