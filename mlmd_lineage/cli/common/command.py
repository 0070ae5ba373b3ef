"""Base of every command: errors in one sentence, no passwords, progress on a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from mlmd_lineage.cli.common import output
from mlmd_lineage.cli.common.text import printable, printable_lines, without_passwords
from mlmd_lineage.config import user_code
from mlmd_lineage.errors import (
    IgnoredConfigurationWarning,
    MLMDLineageError,
    RecordingWarning,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STORE_NOTE = """STORE is the path of an SQLite file, the folder of a snapshot, a bundle, the name of
a registered metadata store, or a URL:
  mysql://user@host:3306/database
  postgresql://user@host:5432/database
  grpc://host:8080 or kubeflow://context/namespace
Where it is left out, it is the metadata store of the active stack.
MLMD_LINEAGE_PASSWORD gives the password, which a URL may hold too."""

LEFT_OUT = "\0"
"""The value of STORE where it was left out; no argument of a program can be that."""

WIDEST_HELP = 160
_NODE_KEY = re.compile(r"(?:artifact|execution|context)/[0-9]+")
_WRITERS = ("typer", "click", "rich", "mlmd_lineage.cli")
"""The modules that write to standard output, and to nothing else."""
_CLOSED_PIPE = 141  # what a shell shows for a program that a closed pipe ended


class Commands(TyperGroup):
    """Group of commands, none of which ends in a traceback or shows a password."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the arguments."""
        with _errors_in_a_sentence():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; what goes wrong becomes a message and an exit code."""
        with _errors_in_a_sentence():
            answer = super().invoke(ctx)
            sys.stdout.flush()
        return answer

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands, each with its whole first sentence."""
        listed = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, each.get_short_help_str(1_000)) for name, each in listed if each]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Command(TyperCommand):
    """A command, which may be called without STORE."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; one less than there are means that STORE was left out."""
        arguments = [p for p in self.params if p.param_type_name == "argument"]
        if len(arguments) > 1 and arguments[0].name == "store" and not ctx.resilient_parsing:
            values, _, _ = self.make_parser(ctx).parse_args(list(args))
            given = [p for p in arguments if isinstance(values.get(p.name), str)]
            # Where what follows may be left out too, only a node's key is surely no STORE.
            is_left_out = arguments[1].required or _NODE_KEY.fullmatch(str(values.get("store")))
            one_less = len(given) == len(arguments) - 1
            if one_less and is_left_out and not _is_a_store(values["store"]):
                args = [LEFT_OUT, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, for no longer than ``--timeout`` allows."""
        from mlmd_lineage import deadline, termination

        # What is temporary is removed when a command is told to end, too.
        with termination.as_exception(), deadline.within(ctx.params.get("timeout")):
            return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line, in which arguments are named as in the help."""
        pieces = [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]
        return [piece.replace("[[", "[").replace("]]", "]") for piece in pieces]


def _is_a_store(text: str) -> bool:
    """Return whether a text names a store: a file or URL of one, or a registered name."""
    from mlmd_lineage.stacks.component_kinds import KINDS
    from mlmd_lineage.stacks.names import is_qualified_name, split_layer
    from mlmd_lineage.stacks.registry import Registry

    if text.startswith(("mysql://", "postgresql://", "sqlite://", "grpc://", "kubeflow://")):
        return True
    path = Path(text)
    with contextlib.suppress(OSError, ValueError):
        if path.is_dir():
            return (path / "manifest.json").exists()
        if path.is_file():
            with path.open("rb") as file:
                return path.suffix == ".json" or file.read(16) == b"SQLite format 3\0"
    if not is_qualified_name(text):
        return False
    layer, name = split_layer(text)
    known = Registry().view().components(KINDS["metadata_store"]).values()
    return any(each.name == name and (layer is None or each.layer) for each in known)


def _is_from_typer(error: Exception) -> bool:
    # Typer's errors, exits and aborts; its newer releases bring their own click.
    module = type(error).__module__
    return module.startswith(("typer", "click"))


@contextlib.contextmanager
def _errors_in_a_sentence() -> Iterator[None]:
    try:
        with _clean_usage_errors(), _ignored_in_one_line():
            yield
    except MLMDLineageError as error:
        _fail(str(error))
    except BrokenPipeError:
        _discard_output()
        raise typer.Exit(_CLOSED_PIPE) from None
    except Exception as error:
        if _is_from_typer(error):
            raise
        if isinstance(error, OSError) and _is_from_output(error):
            _discard_output()
            _fail(f"The output cannot be written: {error.strerror}.")
        if os.environ.get("MLMD_LINEAGE_TRACEBACK"):
            raise
        if user_code.raised_at(error) is not None:
            _fail(f"Code of your own failed: {user_code.described(error)}.")
        _fail(
            f"This should not have happened: {type(error).__name__}: {error}. Please report "
            "it; with MLMD_LINEAGE_TRACEBACK=1 in the environment it shows where."
        )


def _is_from_output(error: OSError) -> bool:
    """Return whether an error comes from writing to standard output, not from another file."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    module = str(frame.f_globals.get("__name__"))
    return error.filename is None and module.startswith(_WRITERS)


def _discard_output() -> None:
    """Have what is still in the buffer of standard output written to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _clean_usage_errors() -> Iterator[None]:
    """Remove passwords from usage errors, which quote the arguments, and what pydantic adds."""
    try:
        yield
    except Exception as error:
        message = getattr(error, "message", None)
        if isinstance(message, str):
            clean = without_passwords(message.replace("Value error, ", ""))
            error.__dict__["message"] = printable_lines(clean)
        _suggest_format(error)
        raise


def _suggest_format(error: Exception) -> None:
    """Have the error of an unknown option such as --json suggest --format json."""
    name, context = getattr(error, "option_name", None), getattr(error, "ctx", None)
    if name is None or context is None:
        return
    for parameter in context.command.params:
        if "--format" in parameter.opts:
            shown, _ = parameter.get_help_record(context)  # --format <table|json>
            if name.removeprefix("--") in re.findall(r"\w+", shown.partition("--format")[2]):
                error.__dict__["possibilities"] = [f"--format {name.removeprefix('--')}"]


@contextlib.contextmanager
def _ignored_in_one_line() -> Iterator[None]:
    """Print the warnings that are for people as a line each, and each once."""
    with warnings.catch_warnings():
        usual = warnings.showwarning
        shown: set[str] = set()

        def show(
            message: Warning | str, category: type[Warning], *rest: Any, **options: Any
        ) -> None:
            if not issubclass(category, (IgnoredConfigurationWarning, RecordingWarning)):
                usual(message, category, *rest, **options)
            elif str(message) not in shown:
                shown.add(str(message))
                output.write(f"Warning: {without_passwords(printable(str(message)))}", error=True)

        warnings.showwarning = show
        yield


def _fail(message: str) -> NoReturn:
    output.write(f"Error: {without_passwords(printable(message))}", error=True)
    raise typer.Exit(1) from None


@contextlib.contextmanager
def progress(doing: str) -> Iterator[None]:
    """Show on a terminal that something is being done."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(f"{printable(without_passwords(doing))} ...")):
        yield


@contextlib.contextmanager
def progress_bar(
    doing: str, counted: str, *, bar: bool = True
) -> Iterator[Callable[[int, int], None] | None]:
    """Show on a terminal that something is being done, and how much of it is done.

    Args:
        doing: What is being done.
        counted: What is counted while the bar shows.
        bar: Whether it can be counted.
    """
    if not bar or not sys.stderr.isatty():
        with progress(doing):
            yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(printable(counted), total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def examples(*commands: str, store_note: bool = False) -> str:
    r"""Return the end of a command's help: the note on stores, and examples of calls."""
    lines = "\n".join(f"  mlmd-lineage {command}" for command in commands)
    # \b tells click to leave the line breaks of a paragraph alone.
    note = f"\b\n{STORE_NOTE}\n\n" if store_note else ""
    return f"{note}\b\nExamples:\n{lines}"
