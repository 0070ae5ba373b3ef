"""States of executions that TFX kept as text, before MLMD 0.22 gave executions a state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.arrays import pc
from mlmd_lineage.snapshot.enums import ExecutionState

if TYPE_CHECKING:
    from mlmd_lineage.snapshot.tables import HasTables

STATE_PROPERTY = "state"
TEXT_STATES = {
    "new": ExecutionState.NEW,
    "running": ExecutionState.RUNNING,
    "complete": ExecutionState.COMPLETE,
    "failed": ExecutionState.FAILED,
    "cached": ExecutionState.CACHED,
}
"""What the texts in the property ``state`` mean, by MLMD's numbers."""


def execution_states_of(tables: HasTables) -> pa.ChunkedArray:
    """Return each execution's state, from the text that TFX kept where MLMD has none."""
    states = tables["Execution"]["last_known_state"]
    if not states.null_count or "ExecutionProperty" not in tables:
        return states
    return with_text_states(tables["Execution"], tables["ExecutionProperty"])


def with_text_states(executions: pa.Table, properties: pa.Table) -> pa.ChunkedArray:
    """Return each execution's state, or else the one in its property ``state``."""
    named = pc.and_(
        pc.equal(arrays.decoded(properties["name"]), arrays.scalar(STATE_PROPERTY, pa.string())),
        pc.invert(properties["is_custom_property"]),
    )
    texts = properties.filter(named).select(["execution_id", "string_value"])
    by_id = dict(zip(*(column.to_pylist() for column in texts.columns), strict=True))
    states = {number: TEXT_STATES[text] for number, text in by_id.items() if text in TEXT_STATES}
    column = executions["last_known_state"]
    if not states:
        return column
    ids = executions["id"].cast(pa.int64()).combine_chunks()
    found = pc.index_in(ids, value_set=arrays.from_values(states, pa.int64()))
    merged = arrays.from_values(list(states.values()), column.type).take(found)
    return pc.coalesce(column.combine_chunks(), merged)
