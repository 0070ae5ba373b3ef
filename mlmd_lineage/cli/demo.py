"""Command ``mlmd-lineage demo``: three runs of a small pipeline, and a store that TFX wrote."""

from __future__ import annotations

import contextlib
import shlex
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlmd_lineage.cli import explore as explore_command
from mlmd_lineage.cli import lineage
from mlmd_lineage.cli.common import lineage_tree, output
from mlmd_lineage.cli.common.command import Command, examples, progress
from mlmd_lineage.cli.common.options import StoreOptions
from mlmd_lineage.cli.common.text import printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mlmd_lineage.orchestration.tasks import StepOutcome
    from mlmd_lineage.post_execution.views import PipelineRunView
    from mlmd_lineage.store import Store

_RATES = (0.01, 0.1, 1.0)
_SHOWN = {
    "parameters.train.learning_rate": "learning_rate",
    "metrics.evaluate.accuracy": "accuracy",
    "metrics.evaluate.log_loss": "log_loss",
}
"""The columns of the comparison, and what they are called here."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo", cls=Command, epilog=examples("demo", "demo --explore"))(_demo)


@contextlib.contextmanager
def demo_store() -> Iterator[str]:
    """Give the path of the demo store: penguin classifiers, trained with TFX 1.15."""
    with resources.as_file(resources.files("mlmd_lineage") / "data" / "tfx_local.db") as path:
        here = Path.cwd()
        yield str(path.relative_to(here) if path.is_relative_to(here) else path)


def _demo(
    *,
    explore: Annotated[
        bool,
        typer.Option("--explore", help="Show at the end in the browser what was recorded."),
    ] = False,
) -> None:
    """Train a small model three times, and ask what was recorded.

    It is recorded in the stack 'default', which needs no set-up. At the end the same question goes
    to a small TFX store. Each question comes with the command that asks it, and with the Python.
    """
    from mlmd_lineage.pipelines.running import store_and_stack

    store, _ = store_and_stack(None, "default")
    runs = _train(store)
    _what_was_reused(store, runs)
    best = _compare(store, runs)
    _upstream_of_best(store, best)
    with demo_store() as path:
        _upstream_in_tfx(path)
    if explore:
        output.write_line("")
        explore_command.serve(store)


def _question(number: int, question: str, *calls: str) -> None:
    """Print a question, with the commands and the Python that ask it."""
    output.write_line(f"{number}. {question}", "bold")
    for call in calls:
        output.write_line(f"  {call}", "green")


def _train(store: Store) -> list[PipelineRunView]:
    """Run the pipeline with each learning rate, and print which steps ran."""
    from mlmd_lineage import demo_pipeline, errors
    from mlmd_lineage.pipelines.running import run_with_outcomes

    calls = (
        ("$ mlmd-lineage pipeline run mlmd_lineage.demo_pipeline --param learning_rate=0.01"),
        ">>> from mlmd_lineage.demo_pipeline import churn",
        ">>> churn(learning_rate=0.01).run()",
    )
    _question(1, "Train a model three times, each with another learning rate.", *calls)
    try:
        before = len(store.get_pipeline(demo_pipeline.churn.name).runs)
    except errors.NotFoundError:
        before = 0
    runs = []
    for number, rate in enumerate(_RATES, before + 1):
        with progress("Training"):
            run, outcomes = run_with_outcomes(
                demo_pipeline.churn(learning_rate=rate),
                run_name=f"demo-{number}",
                stack="default",
                store=store,
                progress=False,
            )
        output.write_line(f"{run.name}, learning rate {rate}: {_steps(outcomes)}")
        runs.append(run)
    return runs


def _steps(outcomes: Mapping[str, StepOutcome]) -> str:
    return ", ".join(f"{name} {outcome.status}" for name, outcome in outcomes.items())


def _what_was_reused(store: Store, runs: Sequence[PipelineRunView]) -> None:
    """Explain two steps of the second run."""
    output.write_line("")
    name = runs[1].name
    _question(
        2,
        "What was reused, and why?",
        "$ mlmd-lineage pipeline run mlmd_lineage.demo_pipeline --explain",
        f'>>> print(store.cache.explain(store.get_run("{name}").get_step("train")))',
    )
    for step in ("split", "train"):
        explained = store.cache.explain(runs[1].get_step(step))
        output.write_line(printable_lines(explained.text()))


def _compare(store: Store, runs: Sequence[PipelineRunView]) -> PipelineRunView:
    """Print the runs beside each other, and return the one with the smallest loss."""
    import pandas as pd

    output.write_line("")
    pipeline = runs[0].pipeline.name
    _question(
        3,
        "Which run is the best?",
        f"$ mlmd-lineage compare {pipeline} --last 3 --only-changes",
        f'>>> store.get_pipeline("{pipeline}").compare_runs(last=3).to_pandas()',
    )
    compared = store.get_pipeline(pipeline).compare_runs(runs=[run.name for run in runs])
    frame = compared.to_pandas().rename(columns=_SHOWN)[list(_SHOWN.values())]
    numbers = pd.DataFrame(frame.astype("float64"))
    output.write_line(numbers.round(3).rename_axis(None).to_string())
    best = str(numbers["log_loss"].idxmin())
    output.write_line(f"{best} has the smallest loss.")
    return next(run for run in runs if run.name == best)


def _upstream_of_best(store: Store, run: PipelineRunView) -> None:
    output.write_line("")
    model = run.get_step("train").output.node_key
    question = "What did the best model come from?"
    calls = (f"$ mlmd-lineage upstream {model}", f'>>> print(store.upstream("{model}"))')
    _question(4, question, *calls)
    _print_upstream(store, model)


def _upstream_in_tfx(path: str) -> None:
    output.write_line("")
    store = StoreOptions(path).open()
    newest = f"artifact/{store.frames.artifacts(type='PushedModel').index[-1]}"
    _question(
        5,
        "The same of a store that TFX wrote: what did the newest pushed model come from?",
        f"$ mlmd-lineage upstream {shlex.quote(path)} {newest}",
        f'>>> print(mlmd_lineage.connect({path!r}).upstream("{newest}"))',
    )
    _print_upstream(store, newest)


def _print_upstream(store: Store, node: str) -> None:
    trace = store.upstream(node)
    lineage_tree.print_tree(trace)
    output.write_line(lineage.summary(trace), "dim")
