"""The fields that a filter may use, each with its table, its row and its type.

The fields are those that MLMD documents for ``filter_query``, and some similar ones.
A type is ``int``, ``double``, ``text``, ``bool`` or one of the enums in ``ENUMS``.
"""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING

from mlmd_lineage.snapshot.enums import ArtifactState, EventType, ExecutionState, names_of
from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.snapshot.tables import NodeKind, NodeSchema

ENUMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Artifact.State": names_of(ArtifactState),
        "Execution.State": names_of(ExecutionState),
        "Event.Type": names_of(EventType),
    }
)
"""The names of each enum's values, in the order of their numbers."""

_STATES = {"artifact": "Artifact.State", "execution": "Execution.State"}


def _attributes(kind: NodeSchema) -> dict[str, str]:
    found = {"id": "int", "type_id": "int", "type": "text"}
    for field in SCHEMAS[kind.table]:
        if field.name not in found:
            number = field.name.endswith("_since_epoch")
            found[field.name] = "int" if number else "text"
    return found | ({kind.state: _STATES[kind.name]} if kind.state else {})


ATTRIBUTES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {kind.name: MappingProxyType(_attributes(kind)) for kind in KINDS.values()}
)
"""For each kind of node its attributes and their types."""

VALUES: Mapping[str, str] = MappingProxyType(
    {
        "int_value": "int",
        "double_value": "double",
        "string_value": "text",
        "bool_value": "bool",
    }
)
"""The values that a property may have, and their types."""

PROPERTIES: Mapping[str, bool] = MappingProxyType({"properties": False, "custom_properties": True})
"""The two groups of properties, and whether they are custom."""


@dataclasses.dataclass(frozen=True, slots=True)
class Relation:
    """A table of pairs that leads from a node to its neighbours."""

    table: str
    owner: str
    """The column that names the node."""
    other: str
    """The column that names the neighbour."""
    kind: NodeKind | None
    """The neighbour's kind; None where the pair itself is meant."""
    attributes: Mapping[str, str]


def _relation(table: str, owner: str, other: str, kind: NodeKind) -> Relation:
    return Relation(table, owner, other, kind, ATTRIBUTES[kind])


def _events(owner: str, other: str) -> Relation:
    attributes = {"type": "Event.Type", "milliseconds_since_epoch": "int", other: "int"}
    return Relation("Event", owner, other, None, attributes)


RELATIONS: Mapping[str, Mapping[str, Relation]] = MappingProxyType(
    {
        "artifact": {
            "contexts_": _relation("Attribution", "artifact_id", "context_id", "context"),
            "events_": _events("artifact_id", "execution_id"),
        },
        "execution": {
            "contexts_": _relation("Association", "execution_id", "context_id", "context"),
            "events_": _events("execution_id", "artifact_id"),
        },
        "context": {
            "parent_contexts_": _relation(
                "ParentContext", "context_id", "parent_context_id", "context"
            ),
            "child_contexts_": _relation(
                "ParentContext", "parent_context_id", "context_id", "context"
            ),
            "artifacts_": _relation("Attribution", "context_id", "artifact_id", "artifact"),
            "executions_": _relation("Association", "context_id", "execution_id", "execution"),
        },
    }
)
"""For each kind of node its neighbours, by how their names begin."""

FUNCTIONS: Mapping[str, str] = MappingProxyType({"LOWER": "text", "UPPER": "text", "LENGTH": "int"})
"""The functions, each of one text, and the types of what they give."""
