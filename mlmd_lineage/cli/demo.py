"""Command ``mlmd-lineage demo``: three questions to a TFX store that comes with the package."""

from __future__ import annotations

import contextlib
import shlex
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from mlmd_lineage.cli import lineage
from mlmd_lineage.cli.common import lineage_tree, output
from mlmd_lineage.cli.common.command import Command, examples
from mlmd_lineage.cli.common.options import StoreOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    import typer

    from mlmd_lineage.store import Store

_LISTED = 5
_MODELS = ("Model", "PushedModel")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo", cls=Command, epilog=examples("demo"))(_demo)


@contextlib.contextmanager
def demo_store() -> Iterator[str]:
    """Give the path of the demo store: penguin classifiers, trained with TFX 1.15."""
    with resources.as_file(resources.files("mlmd_lineage") / "data" / "tfx_local.db") as path:
        here = Path.cwd()
        yield str(path.relative_to(here) if path.is_relative_to(here) else path)


def _demo() -> None:
    """Show the lineage of a real model in a small TFX store.

    Each question comes with the command that asks it, and with the same in Python.
    """
    with demo_store() as path:
        store = StoreOptions(path).open()
        output.write_line("A TFX store comes with this package: models that classify penguins.")
        output.write_line(f"  $ DEMO={shlex.quote(path)}", "green")
        output.write_line(f"  >>> store = mlmd_lineage.connect({path!r})", "green")
        _what_it_holds(store)
        _where_a_model_came_from(store)
        _what_a_dataset_reached(store)


def _question(number: int, question: str, command: str, python: str) -> None:
    output.write_line("")
    output.write_line(f"{number}. {question}", "bold")
    output.write_line(f"  $ mlmd-lineage {command}", "green")
    output.write_line(f"  >>> {python}", "green")


def _what_it_holds(store: Store) -> None:
    from mlmd_lineage.snapshot.type_names import short_types

    in_python = "store.frames.artifacts(), store.frames.executions()"
    _question(1, "What does it hold?", "describe $DEMO", in_python)
    frames = store.snapshot().frames
    for plural, frame in (("artifacts", frames.artifacts()), ("executions", frames.executions())):
        short = short_types(frame["type"])
        counts = sorted((-n, name) for name, n in frame["type"].map(short).value_counts().items())
        listed = ", ".join(f"{-n} {name}" for n, name in counts[:_LISTED])
        output.write_line(f"{len(frame)} {plural}: {listed} and others")
    runs = frames.contexts(type="pipeline_run")
    pipelines = ", ".join(frames.contexts(type="pipeline")["name"])
    output.write_line(f"{len(runs)} runs of the pipelines {pipelines}")


def _where_a_model_came_from(store: Store) -> None:
    newest = f"artifact/{store.frames.artifacts(type='PushedModel').index[-1]}"
    _question(
        2,
        "What did the newest pushed model come from?",
        f"upstream $DEMO {newest}",
        f'store.upstream("{newest}")',
    )
    trace = store.upstream(newest)
    lineage_tree.print_tree(trace)
    output.write_line(lineage.summary(trace), "dim")


def _what_a_dataset_reached(store: Store) -> None:
    first = f"artifact/{store.frames.artifacts(type='Examples').index[0]}"
    _question(
        3,
        "Which models did the first dataset reach?",
        f"downstream $DEMO {first} --until Model --until PushedModel "
        "--only Model --only PushedModel",
        f'store.downstream("{first}", until=["Model", "PushedModel"])',
    )
    trace = store.downstream(first, until=_MODELS)
    labels = lineage_tree.Labels(trace)
    for node in lineage.node_rows(trace, _MODELS).index:
        output.write_line(labels.indented(lineage_tree.TreeLine(node)))
    output.write_line(lineage.summary(trace), "dim")
