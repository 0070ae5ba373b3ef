"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from mlmd_lineage.cli.common import completion

if TYPE_CHECKING:
    from mlmd_lineage.store import Store

StoreArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="STORE",
        help="A path, a URL, or the name of a registered metadata store.",
        show_default=False,
        autocompletion=completion.metadata_stores,
    ),
]


def open_store(target: str, *, create: bool = False) -> Store:
    """Return the store that an argument means, made where it is not there if ``create`` says so."""
    from mlmd_lineage.store import connect

    return connect(target, create=create)
