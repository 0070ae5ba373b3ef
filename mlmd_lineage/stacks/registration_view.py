"""A view of all registrations that apply to one folder, read once."""

from __future__ import annotations

import os
import uuid as uuids
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.config import user_code
from mlmd_lineage.config.origin import made_from
from mlmd_lineage.stacks import fields, rules
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.flavors.available import Flavors, common_flavors
from mlmd_lineage.stacks.found import (
    BUILT_IN,
    DEFAULT,
    FoundComponent,
    FoundStack,
    by_name,
    named,
)
from mlmd_lineage.stacks.registration_file import ComponentRecord, StackRecord, TrustState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mlmd_lineage.stacks.component_kinds import ComponentKind
    from mlmd_lineage.stacks.flavors.available import Flavor
    from mlmd_lineage.stacks.layers import Layer
    from mlmd_lineage.stacks.registration_file import Registrations
    from mlmd_lineage.stores.component import Component

STACK_VARIABLE = "MLMD_LINEAGE_STACK"


def _default_uuid(what: str) -> uuids.UUID:
    # The same on every machine, as the path of the default store is made from it.
    return uuids.uuid5(uuids.NAMESPACE_URL, f"https://pypi.org/project/mlmd-lineage/#{what}")


class RegistrationView:
    """The registrations of all layers, the nearest first.

    Args:
        read: The layers and what they register.
    """

    def __init__(self, read: Sequence[tuple[Layer, Registrations]]) -> None:
        self.read = list(read)
        self._common: dict[str, Mapping[str, Flavor]] = {}

    # Layers

    def layer_label(self, layer: Layer | None) -> str:
        """Return where something is registered, for people.

        >>> view.layer_label(found.layer)
        'project (not trusted)'
        """
        if layer is None:
            return BUILT_IN
        state = self._registrations(layer).trust
        return layer.name if state is TrustState.TRUSTED else f"{layer.name} ({state.value})"

    def is_trusted(self, layer: Layer | None) -> bool:
        """Return whether what a layer registers may be used."""
        return layer is None or self._registrations(layer).trust is TrustState.TRUSTED

    def require_trust(self, layer: Layer | None) -> None:
        """Refuse to use what a project registers that is not trusted.

        Raises:
            UntrustedProjectError: It is not.
        """
        if layer is not None:
            layer.require_trust(self._registrations(layer))

    def _registrations(self, layer: Layer) -> Registrations:
        return next(registrations for other, registrations in self.read if other == layer)

    # Components

    def components(self, kind: ComponentKind) -> dict[str, FoundComponent]:
        """Return the components of a kind by the names that mean them: ``default``, then sorted.

        Where the project and the user both have a name, it is ``project:NAME`` and ``user:NAME``.
        """
        record = ComponentRecord(flavor=kind.default, uuid=_default_uuid(kind.name))
        found = [
            FoundComponent(kind, name, entry, layer)
            for layer, registrations in self.read
            for name, entry in registrations.components(kind.plural).items()
            if name != DEFAULT
        ]
        return by_name([FoundComponent(kind, DEFAULT, record, None), *found])

    def typed_name(self, found: FoundComponent) -> str:
        """Return the name that means a component, its layer before it where that is needed."""
        named = self.components(found.kind).items()
        return next(name for name, other in named if other == found)

    def component(
        self, kind: ComponentKind, name: str, seen_from: Layer | None = None
    ) -> FoundComponent:
        """Return a component by its name.

        Args:
            kind: The kind.
            name: The name, or one with its layer: ``user:prod``.
            seen_from: The layer whose registrations name it: a project's are looked up in the
                project and then with the user, the user's with the user alone. None for a name
                that a person gives.

        Raises:
            NotFoundError: There is none; the message suggests near names.
            AmbiguousNameError: The project and the user both have one.
        """
        return named(self.components(kind), name, kind.words, seen_from)

    def make(self, found: FoundComponent) -> Component:
        """Return the component itself.

        Raises:
            ConfigurationError: Its settings cannot be right, or its flavor cannot be loaded.
            UntrustedProjectError: A project registers it that is not trusted.
        """
        self.require_trust(found.layer)
        flavor = self.flavor_of(found)
        given = found.record.fields
        fields.checked_fields(flavor, given)
        if found.layer is not None:
            given = fields.made(flavor, given, found.layer.base)
        return self._made(found, flavor, given)

    def made_without_secrets(self, found: FoundComponent) -> Component:
        """Return a component without its secrets, to be described; no secret is looked up.

        Raises:
            ConfigurationError: Its settings cannot be right, or its class is not of this package.
        """
        entry = self.entry_of(found)
        if not entry.is_ours:
            message = f"The flavor {entry.name!r} is not loaded to be described."
            raise errors.ConfigurationError(message)
        flavor = entry.load()
        given = fields.without_secrets(flavor, found.record.fields)
        fields.checked_fields(flavor, given)
        if found.layer is not None:
            given = fields.made(flavor, given, found.layer.base)
        return self._made(found, flavor, given)

    def _made(
        self, found: FoundComponent, flavor: type[Component], given: Mapping[str, Any]
    ) -> Component:
        origin = found.layer.origin if found.layer is not None else None
        try:
            with made_from(origin):
                return flavor(name=found.name, uuid=found.record.uuid, **given)
        except errors.MLMDLineageError:
            raise
        except Exception as error:
            message = (
                f"The flavor {found.record.flavor!r} failed to make the {found.kind.words} "
                f"{found.name!r}: {user_code.described(error)}"
            )
            raise errors.ConfigurationError(message) from error

    # Flavors

    def _flavors(self, kind: ComponentKind) -> Flavors:
        if kind.name not in self._common:  # packages are looked through once, as that takes a while
            self._common[kind.name] = common_flavors(kind)
        return Flavors(kind, self.read, self._common[kind.name])

    def flavors(self, kind: ComponentKind) -> dict[str, Flavor]:
        """Return the flavors of a kind by the names that mean them; no class is loaded."""
        return self._flavors(kind).listed()

    def flavor(self, kind: ComponentKind, name: str) -> Flavor:
        """Return a flavor by the name that a person gives.

        Raises:
            ConfigurationError: There is none of this name.
            AmbiguousNameError: The project and the user both register it.
        """
        return self._flavors(kind).named(name)

    def entry_of(self, found: FoundComponent) -> Flavor:
        """Return the flavor of a component, not loaded.

        Raises:
            ConfigurationError: There is none of this name.
        """
        return self._flavors(found.kind).named(found.record.flavor, found.layer)

    def shown_fields(self, layer: Layer | None, kind: ComponentKind, flavor: str) -> Sequence[str]:
        """Return the fields of a flavor that a layer's registrations say are no secrets."""
        if layer is None:
            return ()
        return self._registrations(layer).shown_fields.get(kind.name, {}).get(flavor, ())

    def flavor_of(self, found: FoundComponent) -> type[Component]:
        """Return the class of a component.

        Raises:
            ConfigurationError: It cannot be loaded.
            UntrustedProjectError: A project registers it that is not trusted.
        """
        return self.entry_of(found).load()

    # Stacks

    def stacks(self) -> dict[str, FoundStack]:
        """Return the stacks by the names that mean them: ``default`` first, then sorted."""
        record = StackRecord(
            uuid=_default_uuid("stack"),
            metadata_store=DEFAULT,
            artifact_store=DEFAULT,
            orchestrator=DEFAULT,
        )
        found = [
            FoundStack(name, entry, layer)
            for layer, registrations in self.read
            for name, entry in registrations.stacks.items()
            if name != DEFAULT
        ]
        return by_name([FoundStack(DEFAULT, record, None), *found])

    def stack(self, name: str, seen_from: Layer | None = None) -> FoundStack:
        """Return a stack by its name; the arguments are those of ``component()``.

        Raises:
            NotFoundError: There is none; the message suggests near names.
            AmbiguousNameError: The project and the user both have one.
        """
        return named(self.stacks(), name, "stack", seen_from)

    def active(self) -> FoundStack:
        """Return the active stack: of the environment, the project, the user, or ``default``.

        Raises:
            NotFoundError: It is no longer registered.
            AmbiguousNameError: The variable gives a name that the project and the user both have.
        """
        return self._active()[0]

    def active_to_use(self) -> FoundStack:
        """Return the active stack.

        Raises:
            NotFoundError: It is no longer registered.
            UntrustedProjectError: A project chooses or registers it that is not trusted.
        """
        stack, chooser = self._active()
        self.require_trust(chooser)
        self.require_trust(stack.layer)
        return stack

    def _active(self) -> tuple[FoundStack, Layer | None]:
        """Return the active stack, and the layer that chooses it."""
        named = os.environ.get(STACK_VARIABLE)
        if named:
            return self.stack(named), None
        for layer, registrations in self.read:
            if registrations.active_stack:
                return self.stack(registrations.active_stack, layer), layer
        return self.stack(DEFAULT), None

    def part(self, stack: FoundStack, kind: ComponentKind) -> FoundComponent:
        """Return a component of a stack.

        Raises:
            NotFoundError: It is not registered.
        """
        return self.component(kind, stack.record.component(kind.name), stack.layer)

    def parts(self, stack: FoundStack) -> dict[str, Component]:
        """Return the components of a stack.

        Raises:
            NotFoundError: One of them is not registered.
            ConfigurationError: One of them cannot be made.
            UntrustedProjectError: A project registers it that is not trusted.
        """
        self.require_trust(stack.layer)
        return {name: self.make(self.part(stack, kind)) for name, kind in KINDS.items()}

    def users(self, found: FoundComponent) -> Iterator[FoundStack]:
        """Yield the registered stacks that use a component."""
        for stack in self.stacks().values():
            if stack.layer is not None and self._uses(stack, found):
                yield stack

    def _uses(self, stack: FoundStack, found: FoundComponent) -> bool:
        try:
            part = self.part(stack, found.kind)
        except errors.NotFoundError:
            return False
        return (part.layer, part.name) == (found.layer, found.name)

    def check_stack(self, stack: FoundStack) -> None:
        """Refuse a stack that breaks a rule.

        Raises:
            ConfigurationError: The message names the rule.
            NotFoundError: One of its components is not registered.
        """
        self.check_parts(self.parts(stack))
        if stack.record.decouple_stores:
            return
        others = {
            name: self._pair(other)
            for name, other in self.stacks().items()
            # Neither the built-in stack nor a project that is not trusted restricts others.
            if other.layer is not None
            and self.is_trusted(other.layer)
            and not other.record.decouple_stores
            and (other.layer, other.name) != (stack.layer, stack.name)
        }
        rules.check_coupling(self._pair(stack), others)

    def _pair(self, stack: FoundStack) -> tuple[str, str]:
        """Return the metadata store and the artifact store of a stack, as they are called."""
        found = (KINDS["metadata_store"], KINDS["artifact_store"])
        metadata_store, artifact_store = (self._called(stack, kind) for kind in found)
        return metadata_store, artifact_store

    def _called(self, stack: FoundStack, kind: ComponentKind) -> str:
        try:
            part = self.part(stack, kind)
        except errors.NotFoundError:
            return stack.record.component(kind.name)
        return self.typed_name(part)

    def check_parts(self, parts: dict[str, Any]) -> None:
        """Refuse components that cannot work together.

        Raises:
            ConfigurationError: The message names the rule.
        """
        orchestrators = [*KINDS["orchestrator"].built_in.values(), type(parts["orchestrator"])]
        rules.check_combination(
            parts["metadata_store"], parts["artifact_store"], parts["orchestrator"], orchestrators
        )
