"""Descriptions of registered components, for which no class of somebody else's is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.stacks import fields
from mlmd_lineage.stacks.names import split_layer
from mlmd_lineage.stores.component import RESERVED, pem_fields, secret_fields

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlmd_lineage.stacks.registration_view import FoundComponent, RegistrationView


def location(view: RegistrationView, found: FoundComponent) -> str:
    """Return where a component is, for people, without any secret.

    Of a flavor that is not part of this package, these are its fields.
    """
    try:
        if view.entry_of(found).is_ours:
            return view.made_without_secrets(found).location()
    except errors.MLMDLineageError as error:
        return f"cannot be used: {error}"
    given = fields.shown(_hidden(view, found), found.record.fields)
    return ", ".join(f"{name}={value}" for name, value in sorted(given.items()))


def described_fields(view: RegistrationView, found: FoundComponent) -> dict[str, Any]:
    """Return the fields of a component for people; those that are secret as ``********``.

    Of a flavor that is part of this package, the defaults too. What keeps the component from
    being used stands under ``problem``.
    """
    given: dict[str, Any] = dict(found.record.fields)
    problem: dict[str, str] = {}
    hidden = _hidden(view, found)
    try:
        entry = view.entry_of(found)
        if entry.is_ours:
            flavor = entry.load()
            made = view.made_without_secrets(found)
            effective = {name: fields.plain(getattr(made, name)) for name in flavor.model_fields}
            given = {**effective, **given}
        view.require_trust(found.layer)
    except errors.MLMDLineageError as error:
        problem = {"problem": str(error)}
    set_ = {
        name: value
        for name, value in sorted(given.items())
        if value is not None and value != {} and name not in RESERVED
    }
    return {**fields.shown(hidden, set_), **problem}


def _hidden(view: RegistrationView, found: FoundComponent) -> Collection[str]:
    """Return the fields that are not shown: where nothing is known of a flavor, all of them."""
    try:
        entry = view.entry_of(found)
        if entry.is_ours:
            return secret_fields(entry.load()) | (pem_fields(entry.load()) & _texts(found))
    except errors.MLMDLineageError:
        return frozenset(found.record.fields)
    name = split_layer(found.record.flavor)[1]
    shown = view.shown_fields(found.layer, found.kind, name)
    return frozenset(found.record.fields) - frozenset(shown)


def _texts(found: FoundComponent) -> frozenset[str]:
    """Return the fields whose value is no path but a text over several lines, such as PEM."""
    given = found.record.fields.items()
    return frozenset(name for name, value in given if isinstance(value, str) and "\n" in value)
