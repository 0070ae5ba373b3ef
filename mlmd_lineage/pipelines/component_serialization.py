"""Serializes a stack's components for other processes, with their secrets.

A component that is pickled leaves its secrets behind. A process that was started here needs them,
and gets them over a pipe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlmd_lineage.stores.component import Component


def serialized(component: Component) -> tuple[type[Component], dict[str, Any]]:
    """Return the class and the fields of a component, secrets among them."""
    kind = type(component)
    return kind, {name: getattr(component, name) for name in kind.model_fields}


def deserialized(parts: tuple[type[Component], dict[str, Any]]) -> Any:
    """Return a component, given its class and its fields."""
    kind, fields = parts
    return kind(**fields)
