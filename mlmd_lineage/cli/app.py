"""Application: the commands, in the order in which its help lists them."""

from __future__ import annotations

import functools
from typing import Annotated, Any

import typer

from mlmd_lineage import __version__
from mlmd_lineage.cli import (
    archive,
    compare,
    components,
    demo,
    describe,
    doctor,
    explore,
    init,
    kubeflow,
    lineage,
    node_tables,
    pipeline,
    run,
    runs,
    serve,
    show,
    spark,
    spool,
    stacks,
)
from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.command import WIDEST_HELP, Commands, examples
from mlmd_lineage.cli.configuration import config, secrets, trust
from mlmd_lineage.cli.evidence import audit, bundles, dossier, exports, ledger

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    # Plain help is the same on a terminal and in a pipe, and needs no rich to start.
    rich_markup_mode=None,
    # A pretty traceback shows local variables, which may be passwords.
    pretty_exceptions_enable=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": WIDEST_HELP,
        # ZenML, whose commands people know, writes --metadata_store.
        "token_normalize_func": lambda token: token.replace("_", "-"),
    },
    epilog=examples(
        "demo",
        "describe metadata.db",
        "artifacts metadata.db --type Model",
        "upstream metadata.db artifact/46",
        store_note=True,
    ),
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        output.write(f"mlmd-lineage {__version__}")
        raise typer.Exit


@app.callback()
def _lineage(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Open any ML Metadata (MLMD) store and see what came from what.

    Stores are only read: nothing in them is ever changed, but by init, which makes a new one, by
    run, pipeline, demo, doctor and spool send, which record runs, and by serve.
    """


for group in (
    demo,
    describe,
    lineage,
    show,
    explore,
    runs,
    compare,
    audit,
    dossier,
    node_tables,
    archive,
    spark,
    bundles,
    ledger,
    exports,
    kubeflow,
    init,
    run,
    doctor,
    spool,
    pipeline,
    serve,
    components,
    stacks,
    secrets,
    trust,
    config,
):
    group.register(app)


@functools.cache
def command_line() -> Any:
    """Return the application as a command of click's, made once: that takes 0.15 s."""
    return typer.main.get_command(app)
