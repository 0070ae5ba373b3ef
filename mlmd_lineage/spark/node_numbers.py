"""Numbers of nodes in Spark: an id and a kind in one integer.

>>> number_of("execution", 5)
21
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

KINDS = ("artifact", "execution", "context")
"""The kinds in the order of their numbers."""
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


def of_kind(nodes: DataFrame, kind: str, id_column: str) -> DataFrame:
    """Return the nodes of a kind with their ids in place of their numbers.

    Args:
        nodes: Columns ``node`` and ``part``.
        kind: The kind.
        id_column: How the column of ids is called.
    """
    from pyspark.sql import functions

    chosen = nodes.where(f"node & 3 = {KINDS.index(kind)}")
    return chosen.select(functions.shiftright("node", 2).alias(id_column), "part")
