"""Names of types: full ones, short ones, and those of base types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.readers.base import Pageable
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.tables import KINDS
from mlmd_lineage.snapshot.values import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import TypeAlias

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.snapshot.tables import HasTables, NodeSchema

    HasNodes: TypeAlias = Callable[[NodeSchema, int], bool]

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


def types_called(names: Iterable[str], text: str) -> set[str]:
    """Return the full names that a text means: itself, or else all whose short name it is.

    >>> types_called(["system.Model", "mlmd.Model", "system.Dataset"], "Model")
    {'system.Model', 'mlmd.Model'}
    """
    known = set(names)
    return {text} if text in known else {name for name in known if name and _is(name, text)}


def full_names(
    tables: HasTables, names: Collection[str], *kinds: NodeSchema, has_nodes: HasNodes | None = None
) -> list[str]:
    """Return the full names of types that are called by these or by short ones.

    Of several types with one short name, it means the one that has nodes; of a component's types,
    which differ by the digests of its images, all.

    Args:
        tables: Those of the store that has the types.
        names: What they are called; a full name goes before a short one.
        kinds: The kinds that they may be of.
        has_nodes: Tells whether there is a node of a type; by default the tables do, if they are
            those of nodes too.

    Raises:
        NotFoundError: No type is called so; the message suggests near names.
        AmbiguousNameError: Several have such a short name.
    """
    if not names:
        return []
    numbers = {kind.type_kind: kind for kind in kinds}
    rows = rows_of(tables["Type"].select(["id", "name", "type_kind"]))
    by_name: dict[str, list[tuple[NodeSchema, int]]] = {}
    others = set()
    for number, name, kind in rows:
        if name and kind in numbers:
            by_name.setdefault(name, []).append((numbers[kind], number))
        elif name:
            others.add(name)
    test = has_nodes or (lambda kind, number: _has_nodes(tables, kind, number))
    return [full for name in names for full in _full_names(name, by_name, others, kinds, test)]


def types_named(
    tables: HasTables, names: Collection[str], *kinds: NodeSchema, has_nodes: HasNodes | None = None
) -> set[int]:
    """Return the ids of the types with some names, in any version, or with such a base type.

    The arguments and the errors are those of ``full_names()``.
    """
    wanted = set(full_names(tables, names, *kinds, has_nodes=has_nodes))
    numbers = {kind.type_kind for kind in kinds}
    types = tables["Type"].select(["id", "name", "type_kind"])
    found = {number for number, name, kind in rows_of(types) if name in wanted and kind in numbers}
    parents = rows_of(tables["ParentType"])
    return found | {child for child, parent in parents if parent in found}


def has_nodes_in(session: Session) -> HasNodes:
    """Return a test of whether the store that a session reads has nodes of a type."""

    def test(kind: NodeSchema, number: int) -> bool:
        where = {"type_id": [number]}
        if isinstance(session, Pageable):
            return bool(
                session.page(kind.table, "id", after=None, descending=False, limit=1, where=where)
            )
        return bool(session.fetch(kind.table, where))

    return test


def _is(full: str, text: str) -> bool:
    """Tell whether a text is the short name of a type, or the last parts of its path."""
    plain = _DIGEST.sub("", full)
    if text in {plain, short_type(full)}:
        return True
    return plain.endswith(f".{text}") and _CLASS_PATH.fullmatch(plain) is not None


def _has_nodes(tables: HasTables, kind: NodeSchema, number: int) -> bool:
    if kind.table not in tables:
        return True
    return bool((arrays.to_numpy(tables[kind.table]["type_id"]) == number).any())


def _full_names(
    name: str,
    known: Mapping[str, list[tuple[NodeSchema, int]]],
    others: Collection[str],
    kinds: Collection[NodeSchema],
    has_nodes: HasNodes,
) -> list[str]:
    fits = sorted(types_called(known, name))
    if len(fits) > 1:
        used = [full for full in fits if any(has_nodes(*one) for one in known[full])]
        fits = used or fits
    if fits and len({_DIGEST.sub("", full) for full in fits}) == 1:
        return fits
    if fits:
        message = f"{name!r} may be {' or '.join(map(repr, fits))}; give one of them."
        raise errors.AmbiguousNameError(message)
    of = " or ".join(kind.name for kind in KINDS.values() if kind in kinds)
    if types_called(others, name):
        message = f"{name!r} is a type, but no {of} type."
        raise errors.NotFoundError(message)
    near = errors.did_you_mean(name, {*known, *map(short_type, known)})
    message = f"The store has no {of} type {name!r}.{near}"
    raise errors.NotFoundError(message)
