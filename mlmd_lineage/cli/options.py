"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from mlmd_lineage import errors
from mlmd_lineage.cli.output import short_types

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlmd_lineage.store import Store

StoreArgument: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="STORE", help="A path or a URL.", show_default=False),
]


def opened(target: str) -> Store:
    """Return the store that an argument means."""
    from mlmd_lineage.store import connect

    return connect(target)


def full_types(store: Store, names: Collection[str]) -> list[str]:
    """Return the names of types, which may be given as short as a tree shows them.

    >>> full_types(store, ["Trainer"])
    ['tfx.components.trainer.component.Trainer']

    Raises:
        AmbiguousNameError: More than one type has such a short name.
    """
    if not names:
        return []
    known = {str(name) for name in store.frames.types()["name"]}
    full = []
    for name in names:
        fits = sorted(n for n in known if short_types([n])[n] == name)
        if name in known or not fits:
            full.append(name)  # where no type is called so, the question itself says it
        elif len(fits) == 1:
            full += fits
        else:
            message = f"{name!r} may be {' or '.join(map(repr, fits))}; give one of them."
            raise errors.AmbiguousNameError(message)
    return full
