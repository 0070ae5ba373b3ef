"""Base of every command: errors in one sentence, no passwords, progress on a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from mlmd_lineage.cli.common.text import printable, without_passwords
from mlmd_lineage.errors import MLMDLineageError

if TYPE_CHECKING:
    from collections.abc import Iterator

STORE_NOTE = """STORE is the path of an SQLite file, the folder of a snapshot, the name of a
registered metadata store, or a URL:
  mysql://user@host:3306/database
  postgresql://user@host:5432/database
MLMD_LINEAGE_PASSWORD gives the password, which a URL may hold too."""

_CLOSED_PIPE = 141  # what a shell shows for a program that a closed pipe ended


class Commands(TyperGroup):
    """Group of commands, none of which ends in a traceback or shows a password."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the arguments."""
        with _clean_usage_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; what goes wrong becomes a message and an exit code."""
        try:
            with _clean_usage_errors():
                answer = super().invoke(ctx)
            sys.stdout.flush()
        except MLMDLineageError as error:
            _fail(str(error))
        except BrokenPipeError:
            # What is still in the buffer can be written to nobody.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(_CLOSED_PIPE) from None
        except Exception as error:
            if _is_from_typer(error) or os.environ.get("MLMD_LINEAGE_TRACEBACK"):
                raise
            _fail(
                f"This should not have happened: {type(error).__name__}: {error}. Please report "
                "it; with MLMD_LINEAGE_TRACEBACK=1 in the environment it shows where."
            )
        return answer


class Command(TyperCommand):
    """A command whose usage names its arguments as its help does."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


def _is_from_typer(error: Exception) -> bool:
    # Typer's errors, exits and aborts; its newer releases bring their own click.
    module = type(error).__module__
    return module.startswith(("typer", "click"))


@contextlib.contextmanager
def _clean_usage_errors() -> Iterator[None]:
    """Remove passwords from usage errors, which quote the arguments, and what pydantic adds."""
    try:
        yield
    except Exception as error:
        message = getattr(error, "message", None)
        if isinstance(message, str):
            error.__dict__["message"] = without_passwords(message.replace("Value error, ", ""))
        raise


def _fail(message: str) -> None:
    typer.echo(f"Error: {without_passwords(printable(message))}", err=True)
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


def examples(*commands: str, store_note: bool = False) -> str:
    r"""Return the end of a command's help: the note on stores, and examples of calls."""
    lines = "\n".join(f"  mlmd-lineage {command}" for command in commands)
    # \b tells click to leave the line breaks of a paragraph alone.
    note = f"\b\n{STORE_NOTE}\n\n" if store_note else ""
    return f"{note}\b\nExamples:\n{lines}"
