"""Secrets that are made for a component, and their changes together with its registration.

A password that is given when a component is registered becomes a secret of its own, and the
registration holds its reference. Each change makes a new secret; the old one is deleted once the
registration is written, the new one if that fails. So whatever goes wrong, the registration and
its secrets are as they were before or as they are after.
"""

from __future__ import annotations

import contextlib
import secrets as random_secrets
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.config.secrets import secret_store
from mlmd_lineage.stacks.component_kinds import KINDS
from mlmd_lineage.stacks.flavors import ambiguous
from mlmd_lineage.stacks.names import split_layer
from mlmd_lineage.stacks.registration_file import ComponentRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from mlmd_lineage.config.origin import Origin
    from mlmd_lineage.stacks.layers import Layer
    from mlmd_lineage.stacks.registration_view import FoundComponent, RegistrationView

_PREFIX = "component-"


def _own_prefix(record: ComponentRecord) -> str:
    """Return how the names of the secrets begin that were made for a component."""
    return f"{_PREFIX}{record.uuid}"


def is_made_for_component(secret: str) -> bool:
    """Return whether a secret was made for a component, and is not one registered by hand."""
    return secret.startswith(_PREFIX)


def references(record: ComponentRecord) -> dict[str, str]:
    """Return the names of the secrets that a component refers to, by field."""
    texts = {name: value for name, value in record.fields.items() if isinstance(value, str)}
    found = {name: secret_store.referenced_secret(text) for name, text in texts.items()}
    return {name: secret for name, secret in found.items() if secret is not None}


class SecretChanges:
    """The changes of secrets that belong to one change of registrations.

    As a context manager it completes them when the block ends, and undoes them when it fails.
    """

    def __init__(self, layer: Layer) -> None:
        self._origin: Origin = layer.origin
        self._made: list[str] = []
        self._left: list[str] = []
        self._hosts: dict[str, tuple[str, ...]] = {}
        """The servers that secrets were registered for before this change."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for name in self._left if kind is None else self._made:
            # What cannot be deleted is named by 'secret list', and belongs to nothing.
            with contextlib.suppress(errors.MLMDLineageError):
                secret_store.delete(name, layer=self._origin)
        if kind is not None:
            for name, hosts in self._hosts.items():
                with contextlib.suppress(errors.MLMDLineageError):
                    secret_store.set_hosts(name, hosts, layer=self._origin)

    def keep(
        self, record: ComponentRecord, values: Mapping[str, str], destination: str
    ) -> ComponentRecord:
        """Keep secret values apart, and return the record with references to them."""
        own = _own_prefix(record)
        still = {
            field: secret_store.value_of(str(record.fields[field]), self._origin)
            for field, secret in references(record).items()
            if secret.startswith(own) and field not in values
        }
        secret = f"{own}-{random_secrets.token_hex(4)}"
        everything = {**still, **values}
        secret_store.register(secret, everything, layer=self._origin, hosts=(destination,))
        self._made.append(secret)
        new = {field: secret_store.reference(secret, field) for field in everything}
        return ComponentRecord(flavor=record.flavor, uuid=record.uuid, **{**record.fields, **new})

    def allow(self, record: ComponentRecord, destination: str) -> None:
        """Let a component send the secrets that it refers to, to the server that it names now.

        Raises:
            ConfigurationError: A secret that it refers to is not registered in its layer.
        """
        known = secret_store.secrets(self._origin)
        for secret in sorted(set(references(record).values())):
            if secret in known and not known[secret].is_for(destination):
                self._hosts.setdefault(secret, known[secret].hosts)
                hosts = (*known[secret].hosts, destination)
                secret_store.set_hosts(secret, hosts, layer=self._origin)

    def leave(self, before: ComponentRecord, after: ComponentRecord | None) -> None:
        """Delete the secrets made for a component that it no longer refers to."""
        still = set() if after is None else set(references(after).values())
        known = secret_store.secrets(self._origin)
        own = _own_prefix(before)
        self._left += [name for name in known if name.startswith(own) and name not in still]


def secret_users(view: RegistrationView, secret: str, layer: Origin) -> Iterator[FoundComponent]:
    """Yield the components of a layer that refer to a secret."""
    for kind in KINDS.values():
        for found in view.components(kind).values():
            if found.layer is None or found.layer.origin != layer:
                continue
            if secret in references(found.record).values():
                yield found


def secret_layer(view: RegistrationView, name: str) -> tuple[str, Origin]:
    """Return the name and the layer of a secret that a person names.

    Args:
        view: The registrations of the layers to look in.
        name: The name, or one with its layer: ``user:prod``.

    Raises:
        NotFoundError: There is none of this name.
        AmbiguousNameError: The project and the user both have one.
    """
    wanted, bare = split_layer(name)
    origins = [layer.origin for layer, _ in view.read if wanted in {None, layer.name}]
    found = [origin for origin in origins if bare in secret_store.secrets(origin)]
    if len(found) > 1:
        what = f"secret {bare!r}"
        raise ambiguous(what, bare)
    if not found:
        known = [each for origin in origins for each in secret_store.secrets(origin)]
        message = f"No secret {name!r} is registered.{errors.did_you_mean(bare, known)}"
        raise errors.NotFoundError(message)
    return bare, found[0]


def delete_secret(view: RegistrationView, name: str) -> None:
    """Delete a secret.

    Raises:
        NotFoundError: There is none of this name.
        AmbiguousNameError: The project and the user both have one.
        ConfigurationError: A registered component refers to it.
    """
    bare, layer = secret_layer(view, name)
    users = [f"{found.kind.words} {found.name!r}" for found in secret_users(view, bare, layer)]
    if users:
        message = f"The secret {name!r} is used by the {', the '.join(users)}; change that first."
        raise errors.ConfigurationError(message)
    secret_store.delete(bare, layer=layer)
