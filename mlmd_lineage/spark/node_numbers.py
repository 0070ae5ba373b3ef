"""Numbers of nodes in Spark: an id and a kind in one integer.

>>> number_of("execution", 5)
21
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

KINDS = ("artifact", "execution", "context")
"""The kinds in the order of their numbers."""
FEW = 300_000
"""Up to how many rows each executor is given all of them, once for each table that is joined."""
LARGEST_ID = (1 << 61) - 1
"""The largest id that a number has place for."""


def number_of(kind: str, node: int) -> int:
    """Return the number of a node."""
    return (node << 2) + KINDS.index(kind)


def key_of(number: int) -> str:
    """Return the key of a node: ``"execution/5"``."""
    return f"{KINDS[number & 3]}/{number >> 2}"


def numbers(kind: str, column: Column) -> Column:
    """Return the numbers of the nodes of a kind whose ids a column holds."""
    from pyspark.sql import functions

    return functions.shiftleft(column, 2) + functions.lit(KINDS.index(kind))


@dataclasses.dataclass(frozen=True)
class PartNodes:
    """The part of each of some nodes.

    Attributes:
        rows: Columns ``node`` and ``part``.
        are_few: There are so few that each executor is given all of them, and of what belongs to
            them, so that no table is moved about for the sake of some of its rows.
    """

    rows: DataFrame
    are_few: bool

    def of_kind(self, kind: str, id_column: str) -> DataFrame:
        """Return the nodes of a kind, to be joined to tables, with their ids.

        Args:
            kind: The kind.
            id_column: How the column of ids is called.
        """
        from pyspark.sql import functions

        chosen = self.rows.where(f"node & 3 = {KINDS.index(kind)}")
        return self.to_join(chosen.select(functions.shiftright("node", 2).alias(id_column), "part"))

    def to_join(self, rows: DataFrame) -> DataFrame:
        """Return rows that belong to the nodes, to be joined to tables."""
        from pyspark.sql import functions

        return functions.broadcast(rows) if self.are_few else not_broadcast(rows)

    def others(self, rows: DataFrame) -> PartNodes:
        """Return other nodes, about as many."""
        return PartNodes(rows, self.are_few)


def not_broadcast(rows: DataFrame) -> DataFrame:
    """Return rows to be joined in such a way that no executor has to hold all of either side.

    Spark takes a table for as large as its files, and gives all of its rows to each executor where
    these are less than 10 MB: four million events of an archive are.
    """
    return rows.hint("merge")
