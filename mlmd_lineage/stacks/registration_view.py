"""A view of all registrations that apply to one folder, read once."""

from __future__ import annotations

import dataclasses
import os
import uuid as uuids
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.stacks import fields, rules
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.flavors import flavor_named, known
from mlmd_lineage.stacks.registration_file import ComponentRecord, StackRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlmd_lineage.stacks.component_kinds import ComponentKind, KindName
    from mlmd_lineage.stacks.flavors import Flavor
    from mlmd_lineage.stacks.layers import Layer
    from mlmd_lineage.stacks.registration_file import Registrations
    from mlmd_lineage.stores.component import Component

DEFAULT = "default"
STACK_VARIABLE = "MLMD_LINEAGE_STACK"


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


def _default_uuid(what: str) -> uuids.UUID:
    # The same on every machine: it is what the path of the default store is made from.
    return uuids.uuid5(uuids.NAMESPACE_URL, f"https://pypi.org/project/mlmd-lineage/#{what}")


class RegistrationView:
    """The registrations of all layers, the nearest first."""

    def __init__(self, read: Sequence[tuple[Layer, Registrations]]) -> None:
        """Take what was read."""
        self.read = list(read)

    # Components

    def components(self, kind: ComponentKind) -> dict[str, FoundComponent]:
        """Return the components of a kind by name: ``default`` first, then sorted."""
        record = ComponentRecord(flavor=kind.default, uuid=_default_uuid(kind.name))
        found = {DEFAULT: FoundComponent(kind, DEFAULT, record, None)}
        for layer, registrations in self.read:
            for name, entry in sorted(registrations.components(kind.plural).items()):
                found.setdefault(name, FoundComponent(kind, name, entry, layer))
        return {DEFAULT: found.pop(DEFAULT)} | dict(sorted(found.items()))

    def component(self, kind: ComponentKind, name: str) -> FoundComponent:
        """Return a component by its name.

        Raises:
            NotFoundError: There is none; the message suggests near names.
        """
        found = self.components(kind)
        if name not in found:
            near = errors.did_you_mean(name, found) or f" There are {', '.join(found)}."
            message = f"No {kind.words} {name!r} is registered.{near}"
            raise errors.NotFoundError(message)
        return found[name]

    def make(self, found: FoundComponent) -> Component:
        """Return the component itself.

        Raises:
            ConfigurationError: Its settings cannot be right, or its flavor cannot be loaded.
        """
        flavor = self.flavor(found.kind, found.record.flavor).load()
        given = found.record.fields
        fields.checked_fields(flavor, given)
        if found.layer is not None:
            given = fields.made(flavor, given, found.layer.base)
        component: Component = flavor(name=found.name, uuid=found.record.uuid, **given)
        return component

    # Flavors

    def flavors(self, kind: ComponentKind) -> dict[str, Flavor]:
        """Return the flavors of a kind by name."""
        registered = {
            name: (source, layer.base)
            for layer, registrations in reversed(self.read)
            for name, source in registrations.flavors.get(kind.name, {}).items()
        }
        return known(kind, registered)

    def flavor(self, kind: ComponentKind, name: str) -> Flavor:
        """Return a flavor by its name.

        Raises:
            ConfigurationError: There is none of this name.
        """
        return flavor_named(name, kind, self.flavors(kind))

    # Stacks

    def stacks(self) -> dict[str, FoundStack]:
        """Return the stacks by name: ``default`` first, then sorted."""
        record = StackRecord(
            uuid=_default_uuid("stack"),
            metadata_store=DEFAULT,
            artifact_store=DEFAULT,
            orchestrator=DEFAULT,
        )
        found = {DEFAULT: FoundStack(DEFAULT, record, None)}
        for layer, registrations in self.read:
            for name, entry in registrations.stacks.items():
                found.setdefault(name, FoundStack(name, entry, layer))
        return {DEFAULT: found.pop(DEFAULT)} | dict(sorted(found.items()))

    def stack(self, name: str) -> FoundStack:
        """Return a stack by its name.

        Raises:
            NotFoundError: There is none; the message suggests near names.
        """
        found = self.stacks()
        if name not in found:
            near = errors.did_you_mean(name, found) or f" There are {', '.join(found)}."
            message = f"No stack {name!r} is registered.{near}"
            raise errors.NotFoundError(message)
        return found[name]

    def active(self) -> FoundStack:
        """Return the active stack: of the environment, the project, the user, or ``default``.

        Raises:
            NotFoundError: It is no longer registered.
        """
        chosen = [os.environ.get(STACK_VARIABLE), *(r.active_stack for _, r in self.read), DEFAULT]
        return self.stack(next(name for name in chosen if name))

    def users(self, kind_name: KindName, name: str) -> Iterator[FoundStack]:
        """Yield the stacks that use a component."""
        for stack in self.stacks().values():
            if stack.layer is not None and stack.record.component(kind_name) == name:
                yield stack

    def parts(self, record: StackRecord) -> dict[str, Component]:
        """Return the components of a stack.

        Raises:
            NotFoundError: One of them is not registered.
            ConfigurationError: One of them cannot be made.
        """
        return {
            name: self.make(self.component(kind, record.component(name)))
            for name, kind in KINDS.items()
        }

    def check_stack(self, name: str, record: StackRecord) -> None:
        """Refuse a stack that breaks a rule.

        Raises:
            ConfigurationError: The message names the rule.
            NotFoundError: One of its components is not registered.
        """
        self.check_parts(self.parts(record))
        if record.decouple_stores:
            return
        others = {
            other.name: (other.record.metadata_store, other.record.artifact_store)
            for other in self.stacks().values()
            if not other.record.decouple_stores
        }
        rules.check_coupling(name, (record.metadata_store, record.artifact_store), others)

    def check_parts(self, parts: dict[str, Any]) -> None:
        """Refuse components that cannot work together.

        Raises:
            ConfigurationError: The message names the rule.
        """
        orchestrators = [*KINDS["orchestrator"].built_in.values(), type(parts["orchestrator"])]
        rules.check_combination(
            parts["metadata_store"], parts["artifact_store"], parts["orchestrator"], orchestrators
        )
