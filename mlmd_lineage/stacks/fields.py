"""Conversions of a component's fields: registration file, command line, class."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

from mlmd_lineage import errors
from mlmd_lineage.config.pem import is_pem_text
from mlmd_lineage.config.secrets import secret_store
from mlmd_lineage.stores.component import (
    RESERVED,
    a,
    annotation_parts,
    holds_several,
    json_value,
    own_first,
    secret_fields,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mlmd_lineage.stores.component import Component


_SECRETS = (pydantic.SecretStr, pydantic.SecretBytes)


def flag_fields(flavor: type[Component]) -> frozenset[str]:
    """Return the names of the fields that are true or false."""
    return frozenset(
        name
        for name, field in flavor.model_fields.items()
        if any(part is bool for part in annotation_parts(field.annotation))
    )


def plain(value: Any) -> Any:
    """Return a field's value as JSON, a secret as ``********``."""
    if isinstance(value, (str, int, float, bool, dict, list)) or value is None:
        return value
    return secret_store.SHOWN if isinstance(value, _SECRETS) else str(value)


def checked_fields(flavor: type[Component], fields: Mapping[str, Any]) -> None:
    """Refuse names that are no fields of a flavor.

    Raises:
        ConfigurationError: It names the first that is none, and those that there are.
    """
    known = [name for name in own_first(flavor) if name not in RESERVED]
    for name in fields:
        if name not in known:
            near = errors.did_you_mean(name, known)
            what = a(f"{flavor.FLAVOR!r} {flavor.KIND}")
            message = f"{name!r} is no field of {what}; it has {', '.join(known)}.{near}"
            raise errors.ConfigurationError(message)


def made(flavor: type[Component], fields: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Return fields as the class takes them: JSON read, relative paths below ``base``.

    Raises:
        ConfigurationError: A field that takes several values is not JSON.
    """
    return {name: _made(flavor, name, value, base) for name, value in fields.items()}


def _made(flavor: type[Component], name: str, value: Any, base: Path) -> Any:
    if not isinstance(value, str) or secret_store.is_reference(value):
        return value
    if holds_several(flavor, name):
        return json_value(name, value)
    return _placed(flavor, name, value, base)


def placed(flavor: type[Component], fields: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Return fields with their relative paths below ``base``."""
    return {name: _placed(flavor, name, value, base) for name, value in fields.items()}


def _placed(flavor: type[Component], name: str, value: Any, base: Path) -> Any:
    if name not in flavor.PATHS or not isinstance(value, str) or not _is_path(value):
        return value
    return str(base / os.path.expanduser(value))  # noqa: PTH111 - an absolute path stays as it is


def settled(flavor: type[Component], fields: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Return fields as they are registered: paths that no longer depend on the current folder.

    Paths below ``base``, the project's folder, are kept relative to it, so that the project can be
    moved; all others are absolute.
    """
    return {name: _settled(flavor, name, value, base) for name, value in fields.items()}


def _settled(flavor: type[Component], name: str, value: Any, base: Path) -> Any:
    if name not in flavor.PATHS or not isinstance(value, str) or not _is_path(value):
        return value
    absolute = Path(os.path.expanduser(value)).absolute()  # noqa: PTH111
    absolute = Path(os.path.normpath(absolute))
    return absolute.relative_to(base).as_posix() if absolute.is_relative_to(base) else str(absolute)


def _is_path(value: str) -> bool:
    other = secret_store.is_reference(value) or is_pem_text(value) or "://" in value
    return bool(value) and not other and not value.lower().startswith("file:")


def without_secrets(flavor: type[Component], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are no secrets, and no references to any."""
    secret = secret_fields(flavor)
    return {
        name: value
        for name, value in fields.items()
        if name not in secret
        and not (
            isinstance(value, str) and (secret_store.is_reference(value) or is_pem_text(value))
        )
    }


def shown(hidden: Collection[str], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields for people: a secret is ``********``, with its reference where it has one.

    Args:
        hidden: The names of those that are secrets.
        fields: The fields.
    """
    return {name: _shown(value, hide=name in hidden) for name, value in fields.items()}


def _shown(value: Any, *, hide: bool) -> Any:
    if isinstance(value, str) and secret_store.is_reference(value):
        return f"{secret_store.SHOWN} ({value})"
    if hide and value is not None:
        return secret_store.SHOWN
    if isinstance(value, str) and is_pem_text(value):
        return secret_store.SHOWN
    return value
