"""Several stores as one, and generated ones of deep and of wide shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from mlmd_lineage.readers.parquet import as_schema
from mlmd_lineage.snapshot.tables import ALL_TABLES, PROPERTY_TABLES, Tables
from mlmd_lineage.testing import InMemoryStore

if TYPE_CHECKING:
    from collections.abc import Sequence

APART = 100_000
"""What the ids of a store are shifted by against those of the store before."""
_REFERENCES = ("cached_execution_id", "parent_dag_id")


def merged(stores: Sequence[Tables]) -> Tables:
    """Return the tables of a store that holds those of several."""
    made = {}
    for name in ALL_TABLES:
        parts = [_shifted(name, store[name], at * APART) for at, store in enumerate(stores)]
        made[name] = as_schema(name, pa.concat_tables(parts))
    return Tables(made, source="merged")


def _shifted(name: str, table: pa.Table, offset: int) -> pa.Table:
    table = table.replace_schema_metadata()
    for at, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(at, field.name, table[field.name].cast(pa.string()))
        elif field.name == "id" or (field.name.endswith("_id") and pa.types.is_integer(field.type)):
            table = table.set_column(at, field.name, pc.add(table[field.name], offset))
    if name in PROPERTY_TABLES and offset:
        rows = pc.is_in(table["name"], value_set=pa.array(_REFERENCES))
        numbers = pc.if_else(rows, pc.add(table["int_value"], offset), table["int_value"])
        place = table.column_names.index("int_value")
        return table.set_column(place, "int_value", numbers)
    return table


def chain(length: int) -> InMemoryStore:
    """Return a store in which each artifact was made from the one before."""
    store = InMemoryStore()
    before = store.put_artifact("Dataset", uri="s3://chain/0")
    for number in range(1, length):
        after = store.put_artifact("Dataset", uri=f"s3://chain/{number}")
        store.put_execution("Step", inputs={"in": before}, outputs={"out": after})
        before = after
    return store


def star(points: int) -> InMemoryStore:
    """Return a store in which one data set went into many models, each in a run of its own."""
    store = InMemoryStore()
    data = store.put_artifact("Dataset", uri="s3://star/data")
    pipeline = store.put_context("pipeline", "star")
    for number in range(points):
        run = store.put_context("pipeline_run", f"star-{number}", parents=[pipeline])
        model = store.put_artifact("Model", uri=f"s3://star/model/{number}")
        contexts = [pipeline, run]
        store.put_execution(
            "Trainer", contexts=contexts, inputs={"data": data}, outputs={"model": model}
        )
        if number % 10 == 0:
            pushed = store.put_artifact("PushedModel", uri=f"s3://star/pushed/{number}")
            store.put_execution(
                "Pusher", contexts=contexts, inputs={"model": model}, outputs={"pushed": pushed}
            )
    return store
