"""Checks of artifacts, executions and contexts, by MLMD's rules.

``docs/writing.md`` lists the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import PutRefusedError
from mlmd_lineage.writing import values
from mlmd_lineage.writing.node_kinds import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlmd_lineage.writing.node_kinds import NodeKind

_TYPE_NAMES = {
    values.INT: "INT",
    values.DOUBLE: "DOUBLE",
    values.STRING: "STRING",
    values.STRUCT: "STRUCT",
    values.PROTO: "PROTO",
    values.BOOLEAN: "BOOLEAN",
}


def no_type(kind: NodeKind) -> PutRefusedError:
    """Return the error of a node that has no type."""
    what = "A context" if kind is CONTEXT else f"An {kind.name}"
    message = f"{what} has no type_id. Put its type first, and set type_id to the type's id."
    return PutRefusedError(message)


def no_name() -> PutRefusedError:
    """Return the error of a context that has no name."""
    return PutRefusedError("A context needs a name, and one that is put has none. Give it one.")


def check_named(context: Any) -> None:
    """Check that a context has what one must have that may be there already.

    Raises:
        PutRefusedError: It has no type or no name.
    """
    if not context.HasField("type_id"):
        raise no_type(CONTEXT)
    if not context.HasField("name"):
        raise no_name()


def check_properties(
    declared: Mapping[str, int], node: Any, is_masked: Callable[[str], bool] | None = None
) -> None:
    """Check that a type declares the properties of a node.

    Args:
        declared: The properties that the type declares, with their property types.
        node: MLMD's message.
        is_masked: Tells which properties count; None where all do.

    Raises:
        PutRefusedError: A property is not declared, or is of another kind.
    """
    properties = node.properties
    for name in properties:
        if is_masked is None or is_masked(name):
            field = properties[name].WhichOneof("value")
            if values.TYPE_OF[field] != declared.get(name):
                raise undeclared(declared, node.type_id, name, field)


def undeclared(
    declared: Mapping[str, int], type_id: int, name: str, field: str | None
) -> PutRefusedError:
    """Return the error of a property that its type does not declare so."""
    wanted = declared.get(name)
    if wanted is None:
        message = (
            f"The type with id {type_id} declares no property {name!r}. Put it as a custom "
            "property, or add it to the type with can_add_fields."
        )
        return PutRefusedError(message)
    message = (
        f"Found unmatched property type: {name} is a {field or 'nothing'} where its type declares "
        f"{_TYPE_NAMES.get(wanted, wanted)}."
    )
    return PutRefusedError(message)
