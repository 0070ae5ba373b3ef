"""The three kinds of nodes, and how MLMD spells each."""

from __future__ import annotations

from typing import NamedTuple

from mlmd_lineage.writing import schema


class NodeKind(NamedTuple):
    """How MLMD spells one kind of node."""

    name: str
    table: str
    number: int
    """The number of its types in ``Type.type_kind``."""
    attributes: tuple[str, ...]
    """The columns that an update sets, which are fields of the message too."""

    @property
    def properties(self) -> str:
        """The table of its properties."""
        return f"{self.table}Property"

    @property
    def id_column(self) -> str:
        """What other tables call its id."""
        return f"{self.name}_id"


TIMES = ("create_time_since_epoch", "last_update_time_since_epoch")
"""The columns of a node's times."""

ARTIFACT = NodeKind("artifact", "Artifact", schema.ARTIFACT, ("uri", "state", "external_id"))
EXECUTION = NodeKind(
    "execution", "Execution", schema.EXECUTION, ("last_known_state", "external_id")
)
CONTEXT = NodeKind("context", "Context", schema.CONTEXT, ("name", "external_id"))
