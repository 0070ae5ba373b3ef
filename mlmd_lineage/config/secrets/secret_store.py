"""Registered secrets, and references to them: ``{{name.key}}``.

Values are kept in the operating system's keyring where there is one, else in an encrypted file.
``secrets.json`` in the configuration folder says which secrets there are, with which keys, and
where each is kept; it holds no value.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, Protocol

from mlmd_lineage import errors
from mlmd_lineage.config.atomic_files import locked, read_if_there, write_whole
from mlmd_lineage.config.folders import config_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN = "********"
BACKEND_VARIABLE = "MLMD_LINEAGE_SECRETS"
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$")
_REFERENCE = re.compile(r"^\{\{\s*([A-Za-z0-9][\w-]*)\.([A-Za-z0-9][\w-]*)\s*\}\}$", re.ASCII)


class Backend(Protocol):
    """What keeps the values."""

    def get(self, name: str, key: str) -> str | None:
        """Return a value, or None where it is not there."""

    def put(self, name: str, values: Mapping[str, str]) -> None:
        """Keep values, in place of those of the same name and key."""

    def drop(self, name: str, keys: list[str]) -> None:
        """Forget values; those that are not there are no error."""


def is_reference(text: str) -> bool:
    """Return whether a text stands for a registered secret.

    >>> is_reference("{{prod.password}}")
    True
    """
    return _REFERENCE.fullmatch(text) is not None


def secret_in(text: str) -> str | None:
    """Return the name of the secret that a text refers to, or None where it is no reference."""
    match = _REFERENCE.fullmatch(text)
    return match[1] if match else None


def reference(name: str, key: str) -> str:
    """Return the text that stands for a registered secret."""
    return f"{{{{{name}.{key}}}}}"


def resolved(text: str) -> str:
    """Return the value that a reference stands for.

    Raises:
        ConfigurationError: No such secret is registered, or its value is gone.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        message = "A reference to a registered secret is written {{name.key}}."
        raise errors.ConfigurationError(message)
    name, key = match.groups()
    known = secrets()
    if name not in known:
        near = errors.did_you_mean(name, known)
        message = (
            f"No secret {name!r} is registered on this machine; register it with 'mlmd-lineage "
            f"secret register {name} --{key}'.{near}"
        )
        raise errors.ConfigurationError(message)
    if key not in known[name]["keys"]:
        keys = ", ".join(known[name]["keys"])
        message = f"The secret {name!r} has no key {key!r}; it has {keys}."
        raise errors.ConfigurationError(message)
    value = _backend(known[name]["backend"]).get(name, key)
    if value is None:
        message = (
            f"The value of {text} is no longer where it was kept ({known[name]['backend']}); "
            f"register the secret {name!r} again."
        )
        raise errors.ConfigurationError(message)
    return value


def secrets() -> dict[str, dict[str, Any]]:
    """Return the registered secrets by name: their ``keys`` and their ``backend``, no value.

    Raises:
        ConfigurationError: ``secrets.json`` is damaged.
    """
    path = config_folder() / "secrets.json"
    data = read_if_there(path)
    if data is None:
        return {}
    try:
        index: dict[str, dict[str, Any]] = json.loads(data)["secrets"]
        for entry in index.values():
            _ = list(entry["keys"]), entry["backend"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        line = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        message = f"{path} is damaged{line}; mend it or move it away. It is left as it is."
        raise errors.ConfigurationError(message) from None
    return index


def register(name: str, values: Mapping[str, str], *, replace: bool = False) -> str:
    """Register a secret and return where it is kept: ``keyring`` or ``file``.

    >>> register("prod", {"password": "..."})
    'keyring'

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
    path = config_folder() / "secrets.json"
    with locked(path):
        index = secrets()
        if name in index and not replace:
            message = (
                f"A secret {name!r} is registered already; delete it first, or give it another "
                "name."
            )
            raise errors.ConfigurationError(message)
        kept_in = index[name]["backend"] if name in index else _chosen()
        keys = sorted({*index.get(name, {}).get("keys", ()), *values})
        _backend(kept_in).put(name, values)
        _write(index | {name: {"backend": kept_in, "keys": keys}})
    return str(kept_in)


def delete(name: str) -> None:
    """Forget a secret.

    Raises:
        NotFoundError: There is none of this name.
    """
    with locked(config_folder() / "secrets.json"):
        index = secrets()
        if name not in index:
            near = errors.did_you_mean(name, index)
            message = f"No secret {name!r} is registered.{near}"
            raise errors.NotFoundError(message)
        entry = index.pop(name)
        _backend(entry["backend"]).drop(name, entry["keys"])
        _write(index)


def _write(index: dict[str, dict[str, Any]]) -> None:
    text = json.dumps({"secrets": index}, indent=1, sort_keys=True)
    write_whole(config_folder() / "secrets.json", f"{text}\n".encode(), mode=0o600)


def _chosen() -> str:
    """Return where a new secret is kept."""
    wanted = os.environ.get(BACKEND_VARIABLE)
    if wanted:
        if wanted not in {"keyring", "file"}:
            message = f"{BACKEND_VARIABLE} is keyring or file."
            raise errors.ConfigurationError(message)
        return wanted
    from mlmd_lineage.config.secrets import keyring_backend

    return "keyring" if keyring_backend.usable() else "file"


def _backend(name: str) -> Backend:
    if name == "keyring":
        from mlmd_lineage.config.secrets.keyring_backend import KeyringBackend

        return KeyringBackend()
    from mlmd_lineage.config.secrets.encrypted_file import FileBackend

    return FileBackend()
