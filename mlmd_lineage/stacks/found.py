"""Registered components and stacks, with their names and the layers that have them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

from mlmd_lineage import errors
from mlmd_lineage.stacks.flavors.available import ambiguous
from mlmd_lineage.stacks.names import split_layer

if TYPE_CHECKING:
    from mlmd_lineage.stacks.component_kinds import ComponentKind
    from mlmd_lineage.stacks.layers import Layer
    from mlmd_lineage.stacks.registration_file import ComponentRecord, StackRecord

DEFAULT = "default"
BUILT_IN = "built in"

FoundT = TypeVar("FoundT", "FoundComponent", "FoundStack")


@dataclasses.dataclass(frozen=True)
class FoundComponent:
    """A registered component, and the layer that has it; ``default`` is in none."""

    kind: ComponentKind
    name: str
    record: ComponentRecord
    layer: Layer | None


@dataclasses.dataclass(frozen=True)
class FoundStack:
    """A registered stack, and the layer that has it; ``default`` is in none."""

    name: str
    record: StackRecord
    layer: Layer | None


def by_name(found: list[FoundT]) -> dict[str, FoundT]:
    """Return what is found by the names that mean it: ``default`` first, then sorted."""
    taken = [each.name for each in found]
    named = {
        f"{each.layer.name}:{each.name}"
        if each.layer and taken.count(each.name) > 1
        else each.name: each
        for each in found
    }
    return {DEFAULT: named.pop(DEFAULT)} | dict(sorted(named.items(), key=_order))


def _order(item: tuple[str, Any]) -> tuple[str, str]:
    layer, name = split_layer(item[0])
    return name, layer or ""


def named(found: dict[str, FoundT], text: str, words: str, seen_from: Layer | None) -> FoundT:
    """Return the one that a name means; see ``RegistrationView.component()``.

    Raises:
        NotFoundError: There is none; the message suggests near names.
        AmbiguousNameError: The project and the user both have one.
    """
    wanted, name = split_layer(text)
    of_layers = {
        each.layer.name if each.layer else BUILT_IN: each
        for each in found.values()
        if each.name == name
    }
    order = [wanted] if wanted else ["project", "user", BUILT_IN]
    if seen_from is not None and seen_from.name == "user":
        order = [each for each in order if each != "project"]
    fitting = [of_layers[each] for each in order if each in of_layers]
    if len(fitting) > 1 and seen_from is None:
        what = f"{words} {name!r}"
        raise ambiguous(what, name)
    if not fitting:
        names = ", ".join(map(repr, found))
        all_of_them = f" There {'is' if len(found) == 1 else 'are'} {names}."
        near = errors.did_you_mean(text, found) or all_of_them
        message = f"No {words} {text!r} is registered.{near}"
        raise errors.NotFoundError(message)
    return fitting[0]
