"""What types are called: by their names, by short ones, and by those of their base types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.snapshot.tables import KINDS
from mlmd_lineage.snapshot.values import rows_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mlmd_lineage.snapshot.tables import HasTables, NodeSchema

_CLASS_PATH = re.compile(r"(?:[^\W\d]\w*\.)+([^\W\d]\w*)")
_DIGEST = re.compile(r"@sha256[=:][0-9a-f]+$")


def short_type(name: str | None) -> str:
    """Return a type's name without the path to its class, and without the digest of an image.

    >>> short_type("tfx.components.trainer.component.Trainer")
    'Trainer'
    """
    if not name:
        return "no type"
    name = _DIGEST.sub("", name)
    path = _CLASS_PATH.fullmatch(name)
    return path[1] if path else name.removeprefix("components.") or name


def short_types(names: Iterable[str]) -> dict[str, str]:
    """Return a short name for each type's name, itself where the short one would be ambiguous.

    >>> short_types(["tfx.components.trainer.component.Trainer"])
    {'tfx.components.trainer.component.Trainer': 'Trainer'}
    """
    short = {name: name and short_type(name) for name in sorted(set(names))}
    meant: dict[str, int] = {}
    for name in short.values():
        meant[name] = meant.get(name, 0) + 1
    return {name: small if meant[small] == 1 else name for name, small in short.items()}


def full_names(tables: HasTables, names: Collection[str], *kinds: NodeSchema) -> list[str]:
    """Return the full names of types that are called by these or by short ones.

    Args:
        tables: Those of the store that has the types.
        names: What they are called; a full name goes before a short one.
        kinds: The kinds that they may be of.

    Raises:
        NotFoundError: No type is called so; the message suggests near names.
        AmbiguousNameError: Several have such a short name.
    """
    if not names:
        return []
    numbers = {kind.type_kind for kind in kinds}
    rows = rows_of(tables["Type"].select(["name", "type_kind"]))
    every = {(name, kind in numbers) for name, kind in rows if name}
    known = {name for name, fits in every if fits}
    others = {name for name, fits in every if not fits}
    return [_full_name(name, known, others, kinds) for name in names]


def types_named(tables: HasTables, names: Collection[str], *kinds: NodeSchema) -> set[int]:
    """Return the ids of the types with some names, in any version, or with such a base type.

    The arguments and the errors are those of ``full_names()``.
    """
    wanted = set(full_names(tables, names, *kinds))
    numbers = {kind.type_kind for kind in kinds}
    types = tables["Type"].select(["id", "name", "type_kind"])
    found = {number for number, name, kind in rows_of(types) if name in wanted and kind in numbers}
    parents = rows_of(tables["ParentType"])
    return found | {child for child, parent in parents if parent in found}


def _full_name(
    name: str, known: Collection[str], others: Collection[str], kinds: Collection[NodeSchema]
) -> str:
    if name in known:
        return name
    fits = sorted(full for full in known if short_type(full) == name)
    if len(fits) == 1:
        return fits[0]
    if fits:
        message = f"{name!r} may be {' or '.join(map(repr, fits))}; give one of them."
        raise errors.AmbiguousNameError(message)
    of = " or ".join(kind.name for kind in KINDS.values() if kind in kinds)
    if any(name in {full, short_type(full)} for full in others):
        message = f"{name!r} is a type, but no {of} type."
        raise errors.NotFoundError(message)
    near = errors.did_you_mean(name, {*known, *map(short_type, known)})
    message = f"The store has no {of} type {name!r}.{near}"
    raise errors.NotFoundError(message)
