"""Findings of a store: each task checks a part of it, which has all rows that a check compares.

No check looks further than at one node, what is tied to it and their types. So the parts are those
of nodes taken by their ids, however large the components are: artifacts with their events and
the executions of these, executions with their contexts, and contexts with those above them. What a
part borrows is found again where it belongs, and counts once.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pyarrow as pa

from mlmd_lineage.snapshot import findings, notes
from mlmd_lineage.snapshot.tables import ALL_TABLES, KINDS, Tables, empty
from mlmd_lineage.snapshot.text_states import STATE_PROPERTY
from mlmd_lineage.spark import answer_rows
from mlmd_lineage.spark.node_numbers import not_broadcast
from mlmd_lineage.spark.packed_rows import pack
from mlmd_lineage.spark.parts import answered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyspark.sql import DataFrame

    from mlmd_lineage.spark.spark_tables import SparkTables

COLUMNS = {"code": "string", "subject": "string", "detail": "string"}
"""The columns of findings: the fields of ``Finding``."""
_ROWS_TOGETHER = 200_000
_VIEWS: Mapping[str, tuple[str, ...]] = {
    "artifact": ("Artifact", "ArtifactProperty", "Event", "Attribution", "Execution", "Context"),
    "execution": ("Execution", "ExecutionProperty", "Association", "Context"),
    "context": ("Context", "ContextProperty", "ParentContext"),
}
"""The tables of a part, by the kind of its nodes. Those of artifacts have the states of executions
in the properties that they borrow."""


def rows(tables: SparkTables) -> DataFrame:
    """Return all findings on a store, in their order."""
    found = _whole(tables)
    for kind, names in _VIEWS.items():
        task = functools.partial(answer, names=names, types=tables.types)
        found = found.union(answered(_part_rows(tables, kind), task, COLUMNS))
    return found.distinct().orderBy(*COLUMNS)


def answer(
    held: dict[str, pa.Table], *, names: Sequence[str], types: Mapping[str, pa.Table]
) -> Iterator[pa.RecordBatch]:
    """Return the findings on a part."""
    wanted = {name: held[name] for name in names}
    if "Event" in wanted:
        wanted["ExecutionProperty"] = held["ExecutionProperty"]
    yield _batch(Tables({**types, **wanted}))


def _batch(tables: Tables) -> pa.RecordBatch:
    found = [
        {"code": str(one.code), "subject": one.subject, "detail": one.detail}
        for one in findings.findings_of(tables)
    ]
    return answer_rows.batch_of_rows(found, COLUMNS)


def _whole(tables: SparkTables) -> DataFrame:
    """Return what is found on types, and on paths of events that are not there."""
    events = not_broadcast(tables["Event"].selectExpr("id AS event_id"))
    paths = tables["EventPath"].join(events, "event_id", "left_anti")
    held = {name: empty(name) for name in ALL_TABLES}
    held |= {**tables.types, "EventPath": tables.collected("EventPath", paths)}
    for name, some in tables.noted.items():
        held[name] = notes.noted(held[name], some)
    made = pa.Table.from_batches([_batch(Tables(held))])
    return tables.session.createDataFrame(made, ", ".join(f"{n} {k}" for n, k in COLUMNS.items()))


def _part_rows(tables: SparkTables, kind: str) -> list[DataFrame]:
    """Return the packed rows of the parts of a kind of nodes."""
    from pyspark.sql import functions as f

    node = KINDS[kind]
    count = max(1, -(-tables[node.table].count() // _ROWS_TOGETHER))

    def placed(table: str, column: str) -> DataFrame:
        part = f.pmod(f.xxhash64(column), f.lit(count))
        return tables[table].withColumn("part", part)

    made = [
        pack(placed(node.table, "id"), node.table),
        pack(placed(node.properties, node.id_column), node.properties),
    ]
    borrowed: dict[str, list[DataFrame]] = {}
    if kind == "artifact":
        events = placed("Event", "artifact_id")
        made.append(pack(events, "Event"))
        borrowed["Execution"] = [events.select(f.col("execution_id").alias("id"), "part")]
    if node.membership is not None:
        members = placed(node.membership, node.id_column)
        made.append(pack(members, node.membership))
        borrowed["Context"] = [members.select(f.col("context_id").alias("id"), "part")]
    if kind == "context":
        pairs = placed("ParentContext", "context_id")
        made.append(pack(pairs, "ParentContext"))
        borrowed["Context"] = [pairs.select(f.col("parent_context_id").alias("id"), "part")]
        own = placed("Context", "id").select("id", "part")
        borrowed["Context"].append(own)
        made.pop(0)
    for table, wanted in borrowed.items():
        ids = wanted[0]
        for more in wanted[1:]:
            ids = ids.union(more)
        found = tables[table].join(not_broadcast(ids.distinct()), "id")
        made.append(pack(found, table))
        if table == "Execution":
            owners = found.select(f.col("id").alias("execution_id"), "part")
            states = tables["ExecutionProperty"].where(f.col("name") == STATE_PROPERTY)
            made.append(
                pack(states.join(not_broadcast(owners), "execution_id"), "ExecutionProperty")
            )
    return made
