"""Arguments and options that several commands share."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from mlmd_lineage import errors
from mlmd_lineage.cli.common import completion
from mlmd_lineage.cli.common.command import LEFT_OUT

if TYPE_CHECKING:
    from mlmd_lineage.store import Store

STORE_HELP = (
    "A path, a URL, or the name of a registered metadata store; that of the active stack where "
    "none is given."
)
NODE_HELP = "artifact/5, execution/3, 5 (an artifact), a URI, a name, Type:name, or a run's name."
NodeArgument: TypeAlias = Annotated[str, typer.Argument(metavar="NODE", help=NODE_HELP)]
ReadArtifactsOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--read-artifacts",
        help="Read the artifacts that are a single number each, as ZenML and TFX keep metrics.",
    ),
]


@dataclasses.dataclass(frozen=True)
class StoreOptions:
    """The store that a command reads."""

    store: Annotated[
        str | None,
        typer.Argument(
            metavar="[STORE]",
            help=STORE_HELP,
            show_default=False,
            autocompletion=completion.metadata_stores,
        ),
    ] = None

    def open(self, *, create: bool = False) -> Store:
        """Return the store, made where it is not there if ``create`` says so.

        Raises:
            StoreNotFoundError: None was given, and the default one does not exist yet.
        """
        from mlmd_lineage.store import connect

        if self.store is not None and self.store != LEFT_OUT:
            return connect(self.store, create=create)
        store = connect(create=create)
        path = store.metadata_store.local_path
        if path is not None and not path.exists():
            message = (
                f"No STORE was given, and the metadata store of the active stack, "
                f"{store.location}, does not exist yet. Give a STORE: a path, a URL or a "
                "registered name ('mlmd-lineage demo' shows one at work). Or make one the "
                "default: 'mlmd-lineage metadata-store register NAME --flavor FLAVOR ...', then "
                "'mlmd-lineage stack register NAME -m NAME -a default -o default --set'."
            )
            raise errors.StoreNotFoundError(message)
        return store


def _positive(value: float | None) -> float | None:
    if value is not None and not value > 0:
        message = "It is a positive number of seconds."
        raise typer.BadParameter(message)
    return value


@dataclasses.dataclass(frozen=True)
class QuestionOptions(StoreOptions):
    """The store that a command asks, and how long the answer may take."""

    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            callback=_positive,
            help="Give up when the answer takes longer. Default: no limit.",
        ),
    ] = None
