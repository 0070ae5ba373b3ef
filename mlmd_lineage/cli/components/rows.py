"""Rows that describe components and flavors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlmd_lineage.stacks.flavors import Flavor
    from mlmd_lineage.stacks.registration_view import FoundComponent


def flavor_row(flavor: Flavor) -> dict[str, Any]:
    """Return a flavor's row, with whether what it needs is installed.

    Of a class that is not part of this package that is not known, as it is not loaded.
    """
    missing = flavor.missing()
    return {
        "flavor": flavor.name,
        "ready_to_use": None if missing is None else not missing,
        "origin": flavor.origin,
        "source": flavor.source,
    }


def row(found: FoundComponent) -> dict[str, Any]:
    """Return a component's row."""
    record = found.record
    return {"name": found.name, "flavor": record.flavor, "uuid": str(record.uuid)}
