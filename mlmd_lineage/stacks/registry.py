"""The registry of components: registering, changing and deleting them."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid as uuids
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.config.pem import is_pem_text
from mlmd_lineage.config.secrets import secret_store
from mlmd_lineage.stacks import fields as fields_
from mlmd_lineage.stacks import flavor_registry
from mlmd_lineage.stacks.component_secrets import (
    SecretChanges,
    is_made_for_component,
    references,
)
from mlmd_lineage.stacks.layers import layers
from mlmd_lineage.stacks.names import checked_name
from mlmd_lineage.stacks.registration_file import ComponentRecord
from mlmd_lineage.stacks.registration_view import DEFAULT, FoundComponent, RegistrationView
from mlmd_lineage.stores.component import a, secret_fields

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from mlmd_lineage.stacks.component_kinds import ComponentKind
    from mlmd_lineage.stacks.layers import Layer
    from mlmd_lineage.stacks.registration_file import Registrations
    from mlmd_lineage.stores.component import Component


class Registry:
    """The registrations that can be seen from a folder, and where new ones go.

    >>> registry = Registry()
    >>> registry.register(KINDS["metadata_store"], "prod", "mysql", {"host": "db.example", ...})

    Args:
        start: The folder to look from; the current one unless you say otherwise.
        user: Put what is new into the user's configuration folder, also inside a project.
    """

    def __init__(self, start: Path | None = None, *, user: bool = False) -> None:
        self.layers = layers(start)
        self.target = self.layers[-1] if user else self.layers[0]

    def view(self) -> RegistrationView:
        """Return what is registered now.

        Raises:
            ConfigurationError: A file is damaged.
        """
        return RegistrationView([(layer, layer.read()) for layer in self.layers])

    @contextlib.contextmanager
    def changing(
        self, layer: Layer | None = None
    ) -> Iterator[tuple[RegistrationView, Registrations]]:
        """Give a view, and one layer's registrations to change; they are written at the end."""
        layer = layer or self.target
        with layer.changing() as registrations:
            read = [
                (other, registrations if other == layer else other.read()) for other in self.layers
            ]
            yield RegistrationView(read), registrations

    # Flavors

    def register_flavor(self, kind: ComponentKind, source: str, folder: Path) -> str:
        """Register a class as a flavor and return the flavor's name.

        Args:
            kind: What it is a flavor of.
            source: ``module.Class``, or ``path/to/file.py:Class``.
            folder: Where a relative path or module begins.

        Raises:
            ConfigurationError: The class makes no flavor, or its name is taken.
        """
        with self.changing() as (view, registrations):
            return flavor_registry.add(view, registrations, self.target, kind, source, folder)

    def unregister_flavor(self, kind: ComponentKind, name: str) -> None:
        """Delete a flavor's registration; its class is not loaded, and its file stays.

        Raises:
            NotFoundError: No flavor of this name is registered.
            ConfigurationError: It is not registered but built in, or a component uses it.
        """
        bare, layer = flavor_registry.registered(self.view(), kind, name)
        with self.changing(layer) as (view, registrations):
            flavor_registry.remove(view, registrations, layer, kind, bare)

    # Components

    def register(
        self, kind: ComponentKind, name: str, flavor: str, fields: Mapping[str, Any]
    ) -> FoundComponent:
        """Register a component.

        A password that is given as it is becomes a secret, and the file holds its reference.

        Raises:
            ConfigurationError: The name is taken, the flavor unknown, or a field cannot be right.
        """
        checked_name(name)
        with SecretChanges(self.target) as secrets, self.changing() as (view, registrations):
            refuse_taken(view, kind, name)
            flavor = flavor_registry.name_seen_from(view, kind, flavor, self.target)
            record = ComponentRecord(flavor=flavor, uuid=uuids.uuid4())
            found = FoundComponent(kind, name, record, self.target)
            record = filled(view, found, fields, secrets)
            registrations.components(kind.plural)[name] = record
            flavor_registry.note_shown_fields(view, registrations, found)
        return FoundComponent(kind, name, record, self.target)

    def update(
        self,
        kind: ComponentKind,
        name: str,
        fields: Mapping[str, Any],
        remove: Collection[str] = (),
    ) -> FoundComponent:
        """Change fields of a component, or take them away.

        Raises:
            NotFoundError: There is none of this name, or it has no such field.
            ConfigurationError: A field cannot be right, or a stack that uses it would break a rule.
        """
        found = self._changeable(kind, name)
        layer = layer_of(found)
        with SecretChanges(layer) as secrets, self.changing(layer) as (view, registrations):
            record = _own(registrations, found)
            kept = record.fields
            for field in remove:
                if field not in kept:
                    near = (
                        errors.did_you_mean(field, kept) or f" It has {', '.join(kept) or 'none'}."
                    )
                    message = f"The {kind.words} {name!r} has no attribute {field!r}.{near}"
                    raise errors.NotFoundError(message)
                del kept[field]
            bare = ComponentRecord(flavor=record.flavor, uuid=record.uuid, **kept)
            bare_found = dataclasses.replace(found, record=bare)
            changed = filled(view, bare_found, fields, secrets)
            secrets.leave(record, changed)
            registrations.components(kind.plural)[found.name] = changed
            flavor_registry.note_shown_fields(view, registrations, found)
            after = dataclasses.replace(found, record=changed)
            for stack in view.users(after):
                if view.is_trusted(stack.layer):
                    view.check_stack(stack)
        return after

    def rename(self, kind: ComponentKind, name: str, new: str) -> None:
        """Give a component another name, also in the stacks that use it.

        Raises:
            NotFoundError: There is none of this name.
            ConfigurationError: The new name is taken, or a stack elsewhere uses the old one.
        """
        checked_name(new)
        found = self._changeable(kind, name)
        layer = layer_of(found)
        with self.changing(layer) as (view, registrations):
            refuse_taken(view, kind, new)
            record = _own(registrations, found)
            for stack in view.users(dataclasses.replace(found, record=record)):
                if stack.layer != layer:
                    message = (
                        f"The stack {stack.name!r} of the {stack.layer and stack.layer.name} uses "
                        f"the {kind.words} {name!r}; change it first."
                    )
                    raise errors.ConfigurationError(message)
                changed = stack.record.model_copy(update={kind.name: new})
                registrations.stacks[stack.name] = changed
            own = registrations.components(kind.plural)
            own[new] = record
            del own[found.name]

    def copy(self, kind: ComponentKind, name: str, new: str) -> FoundComponent:
        """Register a copy of a component under another name, with a uuid of its own.

        Raises:
            NotFoundError: There is none of this name.
            ConfigurationError: The new name is taken.
            UntrustedProjectError: It is of a project that is not trusted.
        """
        checked_name(new)
        with SecretChanges(self.target) as secrets, self.changing() as (view, registrations):
            found = view.component(kind, name)
            refuse_taken(view, kind, new)
            view.require_trust(found.layer)
            fields = found.record.fields
            flavor = view.flavor_of(found)
            if found.layer is not None:
                placed = fields_.placed(flavor, fields, found.layer.base)
                fields = fields_.settled(flavor, placed, self.target.base)
            # Its own secrets; those registered by hand stay shared within a layer.
            values = _values_to_copy(found, self.target)
            bare = {key: value for key, value in fields.items() if key not in values}
            named = flavor_registry.name_seen_from(view, kind, found.record.flavor, self.target)
            record = ComponentRecord(flavor=named, uuid=uuids.uuid4(), **bare)
            if values:
                record = secrets.keep(record, values, flavor.destination(fields))
            registrations.components(kind.plural)[new] = record
            copied = FoundComponent(kind, new, record, self.target)
            flavor_registry.note_shown_fields(view, registrations, copied)
        return copied

    def delete(self, kind: ComponentKind, name: str) -> None:
        """Delete a component's registration, and the secrets made for it; its data stays.

        Raises:
            NotFoundError: There is none of this name.
            ConfigurationError: A stack uses it.
        """
        found = self._changeable(kind, name)
        layer = layer_of(found)
        with SecretChanges(layer) as secrets, self.changing(layer) as (view, registrations):
            record = _own(registrations, found)
            users = [stack.name for stack in view.users(found)]
            if users:
                message = (
                    f"The {kind.words} {name!r} is used by the stack"
                    f"{'s' if len(users) > 1 else ''} {', '.join(users)}; give the stack another, "
                    "or delete it first."
                )
                raise errors.ConfigurationError(message)
            del registrations.components(kind.plural)[found.name]
            secrets.leave(record, None)

    def _changeable(self, kind: ComponentKind, name: str) -> FoundComponent:
        found = self.view().component(kind, name)
        if found.layer is None:
            message = (
                f"The {kind.words} {name!r} is built in and cannot be changed; copy it: "
                f"mlmd-lineage {kind.command} copy {name} NEW_NAME."
            )
            raise errors.ConfigurationError(message)
        return found


def layer_of(found: FoundComponent) -> Layer:
    """Return the layer of a component that is registered in one."""
    assert found.layer is not None
    return found.layer


def _own(registrations: Registrations, found: FoundComponent) -> ComponentRecord:
    record = registrations.components(found.kind.plural).get(found.name)
    if record is None:  # another process was faster
        message = f"No {found.kind.words} {found.name!r} is registered any more."
        raise errors.NotFoundError(message)
    return record


def refuse_taken(view: RegistrationView, kind: ComponentKind, name: str) -> None:
    """Refuse the name of another component, in any layer.

    Raises:
        ConfigurationError: It is one.
    """
    if name == DEFAULT or any(found.name == name for found in view.components(kind).values()):
        message = (
            f"{a(kind.words).capitalize()} {name!r} is registered already; choose another "
            "name, or update it."
        )
        raise errors.ConfigurationError(message)


def filled(
    view: RegistrationView,
    found: FoundComponent,
    fields: Mapping[str, Any],
    secrets: SecretChanges,
) -> ComponentRecord:
    """Return a component's record with more fields, checked, its secrets kept apart."""
    record = found.record
    layer = layer_of(found)
    flavor = view.flavor_of(found)
    fields_.checked_fields(flavor, fields)
    kept = {**record.fields, **fields_.settled(flavor, fields, layer.base)}
    destination = flavor.destination(fields_.made(flavor, kept, layer.base))
    # The user's own command names both the secrets and the server.
    full = ComponentRecord(flavor=record.flavor, uuid=record.uuid, **kept)
    secrets.allow(full, destination)
    made = view.make(dataclasses.replace(found, record=full))
    hidden = {key: str(kept[key]) for key in fields if _is_plain_secret(flavor, key, kept[key])}
    # Numbers as numbers, so that the file reads as it means.
    kept |= {key: getattr(made, key) for key in fields if _is_plain_number(made, key, kept[key])}
    full = ComponentRecord(flavor=record.flavor, uuid=record.uuid, **kept)
    return secrets.keep(full, hidden, destination) if hidden else full


def _values_to_copy(found: FoundComponent, target: Layer) -> dict[str, str]:
    """Return the secret values that a copy needs of its own."""
    return {
        field: secret_store.value_of(str(found.record.fields[field]), layer_of(found).origin)
        for field, secret in references(found.record).items()
        if is_made_for_component(secret) or found.layer != target
    }


def _is_plain_number(made: Component, field: str, given: object) -> bool:
    number = isinstance(getattr(made, field), (bool, int, float))
    return number and not (isinstance(given, str) and secret_store.is_reference(given))


def _is_plain_secret(flavor: type[Component], field: str, value: object) -> bool:
    if not isinstance(value, str) or not value or secret_store.is_reference(value):
        return False
    return field in secret_fields(flavor) or is_pem_text(value)
