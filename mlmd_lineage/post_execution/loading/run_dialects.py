"""Finds the dialects of runs by their first executions, without loading their steps.

That takes the contexts of executions and few of their properties.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.dialects.facts import ExecutionFacts
from mlmd_lineage.post_execution.loading.row_values import without_gc
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.imported import ORIGINAL, SOURCE
from mlmd_lineage.snapshot.selections import of_names
from mlmd_lineage.snapshot.values import rows_of, values_by_owner

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mlmd_lineage.dialects.base import Dialect
    from mlmd_lineage.post_execution.loading.run_index import RunIndex

MEMBERSHIP_TABLES = (
    "Type",
    "ParentType",
    "Execution",
    "Context",
    "ExecutionProperty",
    "ContextProperty",
    "Association",
    "ParentContext",
)
"""The tables that tell which runs there are, and who wrote them."""


def membership_properties(dialects: Sequence[Dialect]) -> tuple[str, ...] | None:
    """Return which properties of executions tell that; None where a dialect may need any."""
    names = dict.fromkeys((ORIGINAL, SOURCE))
    for dialect in dialects:
        if dialect.membership_properties is None:
            return None
        names |= dict.fromkeys(dialect.membership_properties)
    return tuple(names)


def readers(index: RunIndex, names: Collection[str]) -> dict[int, int]:
    """Return the numbers of the dialects that read the first executions of runs, by these.

    Args:
        index: The runs.
        names: What ``membership_properties`` returns.
    """
    image = index.store_image
    runs = index.membership.runs.values()
    first = np.array([entry.executions[0] for entry in runs if entry.executions], np.int64)
    properties = of_names(image.tables["ExecutionProperty"], names)
    chosen = np.isin(arrays.to_numpy(properties["execution_id"]), first)
    values = values_by_owner(properties.filter(arrays.from_numpy(chosen)))
    table = image.tables["Execution"].select(["id", "type_id"])
    executions = table.filter(arrays.from_numpy(np.isin(arrays.to_numpy(table["id"]), first)))
    found = {}
    sets = image.context_sets.numbers_of(arrays.to_numpy(executions["id"])).tolist()
    none: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    with without_gc():
        for (number, type_id), contexts in zip(rows_of(executions), sets, strict=True):
            declared, custom = values.get(number) or none
            kind, base = image.type_of(type_id)
            of_set = image.contexts_of_set(contexts)
            execution = ExecutionFacts(
                number, kind, base, None, None, 0, 0, declared, custom, of_set, ()
            )
            found[number] = index.dialect_of(execution, contexts)
    return found
