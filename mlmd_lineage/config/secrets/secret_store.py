"""Registered secrets, and references to them: ``{{name.key}}``.

Values are kept in the operating system's keyring where there is one, else in an encrypted file.
``secrets.json`` in the configuration folder says which secrets there are, with which keys, for
which servers, and where each is kept; it holds no value.

A secret belongs to a layer: to the user, or to the project in one folder. A registered component
gets it only if it is of the same layer and names a server that the secret was registered for.
"""

from __future__ import annotations

import dataclasses
import os
import re
import secrets as random_secrets
from typing import TYPE_CHECKING, Protocol

from mlmd_lineage import errors
from mlmd_lineage.config.atomic_files import locked
from mlmd_lineage.config.origin import USER, Origin, current_origin
from mlmd_lineage.config.secrets.secret_index import (
    SecretEntry,
    index_path,
    read_index,
    write_index,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHOWN = "********"
BACKEND_VARIABLE = "MLMD_LINEAGE_SECRETS"
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$")
_REFERENCE = re.compile(r"^\{\{\s*([A-Za-z0-9][\w-]*)\.([A-Za-z0-9][\w-]*)\s*\}\}$", re.ASCII)


class SecretBackend(Protocol):
    """The place where values are kept."""

    def get(self, name: str, key: str) -> str | None:
        """Return a value, or None where it is not there."""

    def put(self, name: str, values: Mapping[str, str]) -> None:
        """Keep values, in place of those of the same name and key."""

    def drop(self, name: str, keys: list[str]) -> None:
        """Delete values; those that are not there are no error."""


# References


def is_reference(text: str) -> bool:
    """Return whether a text stands for a registered secret.

    >>> is_reference("{{prod.password}}")
    True
    """
    return _REFERENCE.fullmatch(text) is not None


def referenced_secret(text: str) -> str | None:
    """Return the name of the secret that a text refers to, or None where it is no reference."""
    match = _REFERENCE.fullmatch(text)
    return match[1] if match else None


def reference(name: str, key: str) -> str:
    """Return the text that stands for a registered secret."""
    return f"{{{{{name}.{key}}}}}"


def resolved(text: str, destination: str = "") -> str:
    """Return the value that a reference stands for.

    Args:
        text: The reference.
        destination: The server that the value is to be sent to; it counts where the settings are
            those of a registered component (``mlmd_lineage.config.origin``).

    Raises:
        ConfigurationError: No such secret is registered in the layer of the settings, it was not
            registered for the server, or its value is gone.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        message = "A reference to a registered secret is written {{name.key}}."
        raise errors.ConfigurationError(message)
    name, key = match.groups()
    origin = current_origin()
    entry = _entry_with(name, key, origin or USER)
    if origin is not None and not entry.is_for(destination):
        hosts = f"only for {', '.join(entry.hosts)}" if entry.hosts else "for no server yet"
        message = (
            f"The secret {name!r} was registered {hosts}, and these settings would send it to "
            f"{destination}. If that is right: mlmd-lineage secret allow {name} '{destination}'"
        )
        raise errors.ConfigurationError(message)
    return _value(entry, name, key)


def value_of(text: str, layer: Origin) -> str:
    """Return the value that a reference stands for in a layer, wherever it is then sent to.

    Raises:
        ConfigurationError: No such secret is registered in the layer, or its value is gone.
    """
    match = _REFERENCE.fullmatch(text)
    assert match is not None
    name, key = match.groups()
    return _value(_entry_with(name, key, layer), name, key)


def _entry_with(name: str, key: str, layer: Origin) -> SecretEntry:
    known = secrets(layer)
    if name not in known:
        message = (
            f"No secret {name!r} is registered {_for_layer(layer)} on this machine; register it "
            f"with 'mlmd-lineage secret register {name} --{key}'"
            f"{_elsewhere(name, layer)}.{errors.did_you_mean(name, known)}"
        )
        raise errors.ConfigurationError(message)
    entry = known[name]
    if key not in entry.keys:
        keys = ", ".join(entry.keys)
        message = f"The secret {name!r} has no key {key!r}; it has {keys}."
        raise errors.ConfigurationError(message)
    return entry


def _value(entry: SecretEntry, name: str, key: str) -> str:
    value = _backend(entry.backend).get(entry.stored_as, key)
    if value is None:
        message = (
            f"The value of {reference(name, key)} is no longer where it was kept "
            f"({entry.backend}); register the secret {name!r} again."
        )
        raise errors.ConfigurationError(message)
    return value


def _for_layer(layer: Origin) -> str:
    return f"for the project {layer.folder}" if layer.layer == "project" else "for the user"


def _elsewhere(name: str, layer: Origin) -> str:
    if layer.layer == "project" and name in secrets(USER):
        return " in that folder; the user's secret of this name is not given to a project"
    return ""


# The index of secrets


def secrets(layer: Origin = USER) -> dict[str, SecretEntry]:
    """Return the registered secrets of a layer by name, without values.

    Raises:
        ConfigurationError: ``secrets.json`` is damaged.
    """
    return dict(read_index().get(layer.folder, {}))


def all_secrets() -> Iterator[tuple[Origin, str, SecretEntry]]:
    """Yield the secrets of all layers, sorted: the user's first."""
    for folder, entries in sorted(read_index().items()):
        layer = Origin("project", folder) if folder else USER
        for name, entry in sorted(entries.items()):
            yield layer, name, entry


# Changes


def register(
    name: str,
    values: Mapping[str, str],
    *,
    layer: Origin = USER,
    hosts: tuple[str, ...] = (),
    replace: bool = False,
) -> str:
    """Register a secret and return where it is kept: ``keyring`` or ``file``.

    >>> register("prod", {"password": "..."}, hosts=("db.example:3306",))
    'keyring'

    Args:
        name: Its name.
        values: Its values by key.
        layer: The user, or the project that it belongs to.
        hosts: The servers that registered components may send it to.
        replace: Change the values of a secret that is registered; it keeps its other values.

    Raises:
        ConfigurationError: The name is taken or cannot be one, or there are no values.
    """
    for text in (name, *values):
        if not _NAME.fullmatch(text):
            message = f"{text!r} cannot name a secret or its key; use letters, digits, - and _."
            raise errors.ConfigurationError(message)
    if not values:
        message = "A secret needs a value; give --KEY=VALUE, or --KEY to be asked for it."
        raise errors.ConfigurationError(message)
    with locked(index_path()):
        index = read_index()
        entries = dict(index.get(layer.folder, {}))
        before = entries.get(name)
        if before is not None and not replace:
            message = (
                f"A secret {name!r} is registered already; delete it first, or give it another "
                "name."
            )
            raise errors.ConfigurationError(message)
        kept_in = before.backend if before is not None else _default_backend()
        backend = _backend(kept_in)
        if before is not None:
            kept = {key: backend.get(before.stored_as, key) for key in before.keys}
            values = {key: value for key, value in kept.items() if value is not None} | {**values}
            hosts = (*before.hosts, *hosts)
        stored_as = f"{name}~{random_secrets.token_hex(4)}"
        entries[name] = SecretEntry(
            kept_in, tuple(sorted(values)), stored_as, tuple(sorted(set(hosts)))
        )
        # Writing the index is the moment of the change: until then only the old values are used.
        try:
            backend.put(stored_as, values)
            write_index({"": {}, **index, layer.folder: entries})
        except BaseException:
            _drop_quietly(kept_in, stored_as, list(values))
            raise
        if before is not None:
            _drop_quietly(kept_in, before.stored_as, list(before.keys))
    return kept_in


def set_hosts(name: str, hosts: tuple[str, ...], *, layer: Origin = USER) -> None:
    """Say which servers registered components of the same layer may send a secret to.

    >>> set_hosts("prod", ("db.example:3306",))

    Raises:
        NotFoundError: There is none of this name in the layer.
    """
    with locked(index_path()):
        index = read_index()
        entry = _entry(index, name, layer)
        changed = dataclasses.replace(entry, hosts=tuple(sorted(set(hosts))))
        if changed != entry:
            write_index({"": {}, **index, layer.folder: {**index[layer.folder], name: changed}})


def delete(name: str, *, layer: Origin = USER) -> None:
    """Delete a secret.

    Raises:
        NotFoundError: There is none of this name in the layer.
    """
    with locked(index_path()):
        index = read_index()
        entry = _entry(index, name, layer)
        left = {other: kept for other, kept in index[layer.folder].items() if other != name}
        # A locked keyring refuses before anything has changed.
        values = {key: _backend(entry.backend).get(entry.stored_as, key) for key in entry.keys}
        write_index({"": {}, **index, layer.folder: left})
        if any(value is not None for value in values.values()):
            _backend(entry.backend).drop(entry.stored_as, list(entry.keys))


def _entry(index: Mapping[str, Mapping[str, SecretEntry]], name: str, layer: Origin) -> SecretEntry:
    known = index.get(layer.folder, {})
    if name not in known:
        near = errors.did_you_mean(name, known)
        message = f"No secret {name!r} is registered {_for_layer(layer)}.{near}"
        raise errors.NotFoundError(message)
    return known[name]


def _drop_quietly(backend: str, stored_as: str, keys: list[str]) -> None:
    """Delete values that no entry refers to; where that fails, they stay unreachable."""
    try:
        _backend(backend).drop(stored_as, keys)
    except errors.MLMDLineageError:
        return


def _default_backend() -> str:
    """Return where a new secret is kept."""
    wanted = os.environ.get(BACKEND_VARIABLE)
    if wanted:
        if wanted not in {"keyring", "file"}:
            message = f"{BACKEND_VARIABLE} is keyring or file."
            raise errors.ConfigurationError(message)
        return wanted
    from mlmd_lineage.config.secrets import keyring_backend

    return "keyring" if keyring_backend.usable() else "file"


def _backend(name: str) -> SecretBackend:
    if name == "keyring":
        from mlmd_lineage.config.secrets.keyring_backend import KeyringBackend

        return KeyringBackend()
    from mlmd_lineage.config.secrets.encrypted_file import FileBackend

    return FileBackend()
