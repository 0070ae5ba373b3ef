"""Command ``mlmd-lineage run``: runs any command as a recorded step."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlmd_lineage.cli.common import completion, output
from mlmd_lineage.cli.common.command import Command, examples
from mlmd_lineage.cli.common.options import STORE_HELP, StoreOptions

if TYPE_CHECKING:
    from mlmd_lineage.recording.commands.command import Port
    from mlmd_lineage.recording.step_recorder import StepRecorder


class OnUnreachableChoice(str, enum.Enum):
    """What to do if the store cannot be reached."""

    raise_ = "raise"
    spool = "spool"


class RunCommand(Command):
    """The command, whose options end where the words of the recorded command begin."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; a STORE in front, as other commands have it, is said to be one."""
        if args and not args[0].startswith("-") and "--pipeline" in " ".join(args):
            message = (
                f"Options come before the command, which begins with {args[0]!r} here. A store is "
                "given by --store."
            )
            ctx.fail(message)
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "run",
        cls=RunCommand,
        context_settings={"allow_interspersed_args": False},
        epilog=examples(
            "run --pipeline churn --step train --input data=train.csv "
            "--output model:Model=model.pkl -- python train.py",
            "run --store runs.db --pipeline churn --step train --param lr=0.01 "
            "--metrics metrics.json --cache -- python train.py --lr 0.01",
        ),
    )(_run)


def _run(  # noqa: PLR0913 - each stands alone
    words: Annotated[list[str], typer.Argument(metavar="COMMAND", help="The command, after --.")],
    *,
    pipeline: Annotated[str, typer.Option(metavar="NAME", help="The pipeline.")],
    step: Annotated[str, typer.Option(metavar="NAME", help="The step.")],
    store: Annotated[
        str | None,
        typer.Option(
            metavar="STORE",
            help=STORE_HELP,
            show_default=False,
            autocompletion=completion.metadata_stores,
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The run; by default a new one, named by the time."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Take part in the run, where there is one.")
    ] = False,
    input_: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="[KEY[:TYPE]=]PATH",
            help="What it reads: a file, a folder, a URL or artifact/5. May be repeated.",
        ),
    ] = None,
    output_: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            metavar="[KEY[:TYPE]=]PATH",
            help="What it writes: a file, a folder or a URL. May be repeated.",
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A parameter. May be repeated."),
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="JSON or YAML file of parameters. May be repeated."),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="JSON or YAML file of metrics that it writes. May be repeated."
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=TEXT", help="A tag of the run. May be repeated."),
    ] = None,
    type_: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="The execution type; by default the step."),
    ] = None,
    base_type: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="Train, Transform, Process, Evaluate or Deploy."),
    ] = None,
    cache: Annotated[
        bool,
        typer.Option("--cache", help="Do not run it if it has run with the same files and words."),
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say why results are reused, or are not.")
    ] = False,
    log: Annotated[
        bool, typer.Option("--log/--no-log", help="Record the end of its output.")
    ] = True,
    on_unreachable: Annotated[
        OnUnreachableChoice,
        typer.Option(help="Do not run, or keep what is recorded, if the store is out of reach."),
    ] = OnUnreachableChoice.raise_,
) -> None:
    """Run a command as a recorded step: its inputs, outputs, parameters and exit code.

    The inputs are in the store, with their SHA-256, before the command runs; how it ended and what
    it wrote are recorded in one transaction. The exit code is the command's. Signals are passed on
    to it, and recorded.
    """
    from mlmd_lineage.recording.commands import command as commands
    from mlmd_lineage.recording.commands.command_values import parameter_value, read_values
    from mlmd_lineage.recording.files.digests import DigestError

    parameters: dict[str, Any] = {}
    for file in params or ():
        parameters |= read_values(Path(file))
    parameters |= {name: parameter_value(value) for name, value in _pairs("--param", param)}
    given = commands.RecordedCommand(
        words=words,
        step=step,
        parameters=parameters,
        inputs=[_port(text) for text in input_ or ()],
        outputs=[_port(text) for text in output_ or ()],
        metrics=metrics or (),
        type=type_,
        base_type=base_type,
        may_reuse=cache,
        keeps_log=log,
    )
    opened = StoreOptions(store).open(create=store is None)
    recorder = opened.record(
        pipeline,
        run,
        tags=dict(_pairs("--tag", tag)),
        resume=resume,
        on_unreachable="spool" if on_unreachable is OnUnreachableChoice.spool else "raise",
        enable_cache=cache,
    )

    def told(step: StepRecorder) -> None:
        if explain and step.node_key is not None:
            output.write(str(opened.cache.explain(step.node_key)), error=True)

    try:
        code = commands.run_command(recorder, given, told)
    except DigestError as error:
        if not error.reason:
            raise
        message = f"{error.reason} The command was not run: its inputs are recorded first."
        raise DigestError(message) from None
    raise typer.Exit(code)


def _pairs(option: str, given: list[str] | None) -> list[tuple[str, str]]:
    found = []
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            message = f"{option} has the form NAME=VALUE, unlike {json.dumps(text)}."
            raise typer.BadParameter(message)
        found.append((name, value))
    return found


def _port(text: str) -> Port:
    from mlmd_lineage.recording.commands.command import Port
    from mlmd_lineage.recording.sources import Source, default_key

    before, equals, uri = text.partition("=")
    # A URL may hold an equals sign, and a key no slash.
    if not equals or "/" in before:
        return Port(default_key(Source(text)), text)
    key, _, type_name = before.partition(":")
    if not key or not uri:
        message = f"{json.dumps(text)} has to be KEY=PATH, KEY:TYPE=PATH or PATH."
        raise typer.BadParameter(message)
    return Port(key, uri, type_name or None)
