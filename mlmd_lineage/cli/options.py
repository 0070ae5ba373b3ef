"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from mlmd_lineage import errors
from mlmd_lineage.cli import completion
from mlmd_lineage.cli.output import short_types

if TYPE_CHECKING:
    from collections.abc import Collection

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


def opened(target: str) -> Store:
    """Return the store that an argument means."""
    from mlmd_lineage.store import connect

    return connect(target)


def full_types(store: Store, names: Collection[str], kind: str = "") -> list[str]:
    """Return the names of types, which may be given as short as a tree shows them.

    >>> full_types(store, ["Trainer"])
    ['tfx.components.trainer.component.Trainer']

    Args:
        store: The store that has the types.
        names: Their names.
        kind: Only types of this kind, such as ``artifact``; else artifacts' and executions'.

    Raises:
        NotFoundError: No type is called so.
        AmbiguousNameError: More than one type has such a short name.
    """
    if not names:
        return []
    types = store.frames.types()
    kinds = {f"{kind.upper()}_TYPE"} if kind else {"ARTIFACT_TYPE", "EXECUTION_TYPE"}
    known = {str(name) for name in types["name"][types["kind"].isin(kinds)]}
    return [_full_type(name, known, set(types["name"]) - known, kind) for name in names]


def _full_type(name: str, known: set[str], others: set[str], kind: str) -> str:
    fits = sorted(n for n in known if n == name or short_types([n])[n] == name)
    if name in fits:
        return name
    if len(fits) == 1:
        return fits[0]
    if fits:
        message = f"{name!r} may be {' or '.join(map(repr, fits))}; give one of them."
        raise errors.AmbiguousNameError(message)
    if any(name in {n, short_types([n])[n]} for n in others):
        message = f"{name!r} is a type, but not of {f'{kind}s' if kind else 'nodes of lineage'}."
        raise errors.NotFoundError(message)
    near = errors.did_you_mean(name, known | set(short_types(known).values()))
    message = f"The store has no {kind or 'artifact or execution'} type {name!r}.{near}"
    raise errors.NotFoundError(message)
