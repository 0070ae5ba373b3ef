"""The registry of components and flavors: registering, changing and deleting them."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid as uuids
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.config.pem import is_pem_text
from mlmd_lineage.config.secrets import secret_store
from mlmd_lineage.stacks import class_loading
from mlmd_lineage.stacks import fields as fields_
from mlmd_lineage.stacks.layers import layers
from mlmd_lineage.stacks.names import checked_name
from mlmd_lineage.stacks.registration_file import ComponentRecord
from mlmd_lineage.stacks.registration_view import DEFAULT, FoundComponent, RegistrationView
from mlmd_lineage.stores.component import a

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
        """Give a view, and of one layer what can be changed; it is written at the end."""
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
        loaded = class_loading.flavor_class(source, kind, folder)
        with self.changing() as (view, registrations):
            taken = view.flavors(kind).get(loaded.FLAVOR)
            if taken is not None:
                message = (
                    f"There is a flavor {loaded.FLAVOR!r} of {kind.words}s already "
                    f"({taken.origin}: {taken.source}); give {source} another FLAVOR."
                )
                raise errors.ConfigurationError(message)
            kept = class_loading.portable_source(source, loaded, folder, self.target.base)
            registrations.flavors.setdefault(kind.name, {})[loaded.FLAVOR] = kept
        return loaded.FLAVOR

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
        with self.changing() as (view, registrations):
            self._refuse_taken(view, kind, name)
            record = ComponentRecord(flavor=flavor, uuid=uuids.uuid4())
            record = filled(view, FoundComponent(kind, name, record, self.target), fields)
            registrations.components(kind.plural)[name] = record
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
        layer = self._layer_of(kind, name)
        with self.changing(layer) as (view, registrations):
            record = self._own(registrations, kind, name)
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
            changed = filled(view, FoundComponent(kind, name, bare, layer), fields)
            registrations.components(kind.plural)[name] = changed
            for stack in view.users(kind.name, name):
                view.check_stack(stack.name, stack.record)
        return FoundComponent(kind, name, changed, layer)

    def rename(self, kind: ComponentKind, name: str, new: str) -> None:
        """Give a component another name, also in the stacks that use it.

        Raises:
            NotFoundError: There is none of this name.
            ConfigurationError: The new name is taken, or a stack elsewhere uses the old one.
        """
        checked_name(new)
        layer = self._layer_of(kind, name)
        with self.changing(layer) as (view, registrations):
            self._refuse_taken(view, kind, new)
            for stack in view.users(kind.name, name):
                if stack.layer != layer:
                    message = (
                        f"The stack {stack.name!r} of the {stack.layer and stack.layer.name} uses "
                        f"the {kind.words} {name!r}; change it first."
                    )
                    raise errors.ConfigurationError(message)
                setattr(registrations.stacks[stack.name], kind.name, new)
            own = registrations.components(kind.plural)
            own[new] = self._own(registrations, kind, name)
            del own[name]

    def copy(self, kind: ComponentKind, name: str, new: str) -> FoundComponent:
        """Register a copy of a component under another name, with a uuid of its own.

        Raises:
            NotFoundError: There is none of this name.
            ConfigurationError: The new name is taken.
        """
        checked_name(new)
        with self.changing() as (view, registrations):
            found = view.component(kind, name)
            self._refuse_taken(view, kind, new)
            fields = found.record.fields
            if found.layer is not None:
                flavor = view.flavor(kind, found.record.flavor).load()
                fields = fields_.settled(
                    flavor, fields_.placed(flavor, fields, found.layer.base), self.target.base
                )
            record = ComponentRecord(flavor=found.record.flavor, uuid=uuids.uuid4(), **fields)
            own = _secret_name(found.record)
            shared = {k: v for k, v in fields.items() if secret_store.secret_in(str(v)) == own}
            if shared:
                values = {key: secret_store.resolved(str(value)) for key, value in shared.items()}
                record = _kept_apart(record, values)
            registrations.components(kind.plural)[new] = record
        return FoundComponent(kind, new, record, self.target)

    def delete(self, kind: ComponentKind, name: str) -> None:
        """Forget a component, and the secrets that were made for it; what it describes stays.

        Raises:
            NotFoundError: There is none of this name.
            ConfigurationError: A stack uses it.
        """
        layer = self._layer_of(kind, name)
        with self.changing(layer) as (view, registrations):
            users = [stack.name for stack in view.users(kind.name, name)]
            if users:
                message = (
                    f"The {kind.words} {name!r} is used by the stack"
                    f"{'s' if len(users) > 1 else ''} {', '.join(users)}; give the stack another, "
                    "or delete it first."
                )
                raise errors.ConfigurationError(message)
            record = self._own(registrations, kind, name)
            del registrations.components(kind.plural)[name]
            own = _secret_name(record)
            if own in secret_store.secrets():
                secret_store.delete(own)

    def _layer_of(self, kind: ComponentKind, name: str) -> Layer:
        layer = self.view().component(kind, name).layer
        if layer is None:
            message = (
                f"The {kind.words} {name!r} is built in and cannot be changed; copy it: "
                f"mlmd-lineage {kind.command} copy {name} NEW_NAME."
            )
            raise errors.ConfigurationError(message)
        return layer

    def _own(self, registrations: Registrations, kind: ComponentKind, name: str) -> ComponentRecord:
        record = registrations.components(kind.plural).get(name)
        if record is None:  # another process was faster
            message = f"No {kind.words} {name!r} is registered any more."
            raise errors.NotFoundError(message)
        return record

    def _refuse_taken(self, view: RegistrationView, kind: ComponentKind, name: str) -> None:
        if name == DEFAULT or name in view.components(kind):
            message = (
                f"{a(kind.words).capitalize()} {name!r} is registered already; choose another "
                "name, or update it."
            )
            raise errors.ConfigurationError(message)


def filled(
    view: RegistrationView, found: FoundComponent, fields: Mapping[str, Any]
) -> ComponentRecord:
    """Return a component's record with more fields, checked, its secrets kept elsewhere."""
    record = found.record
    assert found.layer is not None
    flavor = view.flavor(found.kind, record.flavor).load()
    fields_.checked_fields(flavor, fields)
    kept = {**record.fields, **fields_.settled(flavor, fields, found.layer.base)}
    full = ComponentRecord(flavor=record.flavor, uuid=record.uuid, **kept)
    made = view.make(dataclasses.replace(found, record=full))
    hidden = {key: str(kept[key]) for key in fields if _is_plain_secret(flavor, key, kept[key])}
    # Numbers as numbers, so that the file reads as it means.
    kept |= {key: getattr(made, key) for key in fields if _is_plain_number(made, key, kept[key])}
    full = ComponentRecord(flavor=record.flavor, uuid=record.uuid, **kept)
    return _kept_apart(full, hidden) if hidden else full


def _secret_name(record: ComponentRecord) -> str:
    """Return the name of the secret that is made for a component, whatever it is called."""
    return f"component-{record.uuid}"


def _is_plain_number(made: Component, field: str, given: object) -> bool:
    number = isinstance(getattr(made, field), (bool, int, float))
    return number and not (isinstance(given, str) and secret_store.is_reference(given))


def _kept_apart(record: ComponentRecord, values: Mapping[str, str]) -> ComponentRecord:
    """Make a secret of values, and return the record with references to it."""
    secret = _secret_name(record)
    secret_store.register(secret, values, replace=True)
    references = {key: secret_store.reference(secret, key) for key in values}
    fields = record.fields | references
    return ComponentRecord(flavor=record.flavor, uuid=record.uuid, **fields)


def _is_plain_secret(flavor: type[Component], field: str, value: object) -> bool:
    if not isinstance(value, str) or not value or secret_store.is_reference(value):
        return False
    return field in fields_.secret_fields(flavor) or is_pem_text(value)


def secret_users(view: RegistrationView, secret: str) -> Iterator[FoundComponent]:
    """Yield the components that refer to a secret."""
    from mlmd_lineage.stacks.component_kinds import KINDS

    for kind in KINDS.values():
        for found in view.components(kind).values():
            texts = [value for value in found.record.fields.values() if isinstance(value, str)]
            if any(secret_store.secret_in(text) == secret for text in texts):
                yield found


def delete_secret(registry: Registry, name: str) -> None:
    """Forget a secret.

    Raises:
        NotFoundError: There is none of this name.
        ConfigurationError: A registered component refers to it.
    """
    users = [f"{found.kind.words} {found.name!r}" for found in secret_users(registry.view(), name)]
    if users:
        message = f"The secret {name!r} is used by the {', the '.join(users)}; change that first."
        raise errors.ConfigurationError(message)
    secret_store.delete(name)
