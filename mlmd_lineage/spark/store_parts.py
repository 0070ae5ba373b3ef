"""Finds the parts of a store that a question needs, from components that are computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from mlmd_lineage import errors
from mlmd_lineage.lineage import keys
from mlmd_lineage.spark.components import components, joined
from mlmd_lineage.spark.node_numbers import LARGEST_ID, number_of
from mlmd_lineage.spark.packed_rows import MARKS, pack
from mlmd_lineage.spark.parts import (
    EVENTS,
    MEMBERSHIPS,
    REFERENCES,
    edges,
    parts_of,
    with_single_nodes,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from pyspark.sql import DataFrame

    from mlmd_lineage.spark.node_numbers import PartNodes
    from mlmd_lineage.spark.spark_tables import SparkTables

LINEAGE_KINDS = ("artifact", "execution")
"""The kinds of the nodes that lineage consists of."""
_NAMED = 5


class StoreParts:
    """The parts of a store, each of which one task answers for.

    >>> StoreParts(store.tables, largest=1_000_000).of_runs()
    PartNodes(rows=DataFrame[node: bigint, part: bigint], are_few=True)
    """

    def __init__(self, tables: SparkTables, largest: int) -> None:
        """Take the tables, and how many nodes a component may have."""
        self._tables = tables
        self._largest = largest
        self._components: dict[tuple[str, ...], DataFrame] = {}

    def components(self, ties: tuple[str, ...]) -> DataFrame:
        """Return the components of the nodes that something ties to others, computed once.

        Columns: ``node`` and ``component``, both numbers of nodes.
        """
        if ties not in self._components:
            if ties == (EVENTS, REFERENCES):
                more = edges(self._tables, (REFERENCES,))
                self._components[ties] = joined(self.components((EVENTS,)), more)
            else:
                self._components[ties] = components(edges(self._tables, ties))
        return self._components[ties]

    def of_runs(self) -> PartNodes:
        """Return the parts of all executions and contexts, each with whole runs.

        Raises:
            ConfigurationError: A component is too large.
        """
        found = self.components((MEMBERSHIPS, REFERENCES))
        members = with_single_nodes(self._tables, found, ("execution", "context"))
        return parts_of(members, self._largest)

    def holding(self, named: list[str], ties: tuple[str, ...]) -> tuple[PartNodes, DataFrame]:
        """Return the parts of the components that hold some nodes, and these as packed marks.

        Args:
            named: The keys of the nodes.
            ties: What keeps nodes together.

        Raises:
            NotFoundError: The store holds no such node.
            ConfigurationError: A component is too large.
        """
        from pyspark.sql import functions as f

        numbers = {key: _number(key) for key in named}
        asked = f.broadcast(self._rows(node=numbers.values()))
        members = self.components(ties)
        found = {row.node: row.component for row in members.join(asked, "node").collect()}
        alone = [key for key, number in numbers.items() if number not in found]
        self._check_nodes(alone)
        wanted = f.broadcast(self._rows(component=found.values()))
        single = [numbers[key] for key in alone]
        members = members.join(wanted, "component").select("node", "component")
        if single:
            members = members.union(self._rows(node=single, component=single))
        parts = parts_of(members, self._largest)
        marks = parts.rows.join(asked, "node", "left_semi")
        return parts, pack(marks.withColumn("mark", f.lit(None)), MARKS)

    def _rows(self, **columns: Collection[int]) -> DataFrame:
        """Return distinct rows of integers."""
        rows = sorted(set(zip(*columns.values(), strict=True)))
        held = pa.table(
            [pa.array([row[at] for row in rows], pa.int64()) for at in range(len(columns))],
            names=list(columns),
        )
        return self._tables.session.createDataFrame(held)

    def _check_nodes(self, named: list[str]) -> None:
        """Refuse nodes that no row has, and no event names.

        Raises:
            NotFoundError: There are some.
        """
        missing = set(named)
        for kind in LINEAGE_KINDS:
            numbers = [keys.parse(key)[1] for key in named if key.startswith(kind)]
            if numbers:
                rows = self._tables[kind.capitalize()]
                there = rows.where(rows["id"].isin(numbers)).select("id").collect()
                missing -= {f"{kind}/{row.id}" for row in there}
        if missing:
            first = [key for key in dict.fromkeys(named) if key in missing]
            more = f" and {len(first) - _NAMED:,} more" if len(first) > _NAMED else ""
            message = f"There is no {', no '.join(first[:_NAMED])}{more} in {self._tables.source}."
            raise errors.NotFoundError(message)


def _number(key: str) -> int:
    kind, number = keys.parse(key)
    # No row has such an id.
    return number_of(kind, number) if abs(number) <= LARGEST_ID else -1
