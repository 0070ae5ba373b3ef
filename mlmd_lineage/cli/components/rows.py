"""Rows that describe components and flavors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.stacks.flavors import Flavor
    from mlmd_lineage.stacks.registration_view import FoundComponent, RegistrationView


def flavor_row(flavor: Flavor) -> dict[str, Any]:
    """Return a flavor's row, with whether what it needs is installed."""
    from mlmd_lineage.errors import ConfigurationError

    try:
        ready = not flavor.missing()
    except ConfigurationError:
        ready = False
    return {"flavor": flavor.name, "ready_to_use": ready, "source": flavor.source}


def row(found: FoundComponent) -> dict[str, Any]:
    """Return a component's row."""
    record = found.record
    return {"name": found.name, "flavor": record.flavor, "uuid": str(record.uuid)}


def location(view: RegistrationView, found: FoundComponent) -> str:
    """Return where a component is, or why it cannot be used."""
    from mlmd_lineage.errors import MLMDLineageError

    try:
        return view.make(found).location()
    except MLMDLineageError as error:
        return f"cannot be used: {error}"


def described_fields(view: RegistrationView, found: FoundComponent) -> Mapping[str, Any]:
    """Return the fields of a component for people, with their defaults where it can be made."""
    from mlmd_lineage.errors import MLMDLineageError
    from mlmd_lineage.stacks import fields

    given = found.record.fields
    try:
        flavor = view.flavor(found.kind, found.record.flavor).load()
    except MLMDLineageError as error:
        return {**fields.shown(None, given), "problem": str(error)}
    try:
        made = view.make(found)
    except MLMDLineageError as error:
        return {**dict(sorted(fields.shown(flavor, given).items())), "problem": str(error)}
    effective = {name: fields.plain(getattr(made, name)) for name in flavor.model_fields}
    set_ = {k: v for k, v in {**effective, **given}.items() if v is not None}
    return {k: v for k, v in sorted(fields.shown(flavor, set_).items()) if k not in fields.RESERVED}
