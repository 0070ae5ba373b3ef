"""The impact of many artifacts at once: the models and deployments that each of them reached."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from mlmd_lineage.post_execution.compare import impact
from mlmd_lineage.readers.table_rows import TablesReader
from mlmd_lineage.snapshot.tables import Tables
from mlmd_lineage.spark import answer_rows
from mlmd_lineage.spark.components import kept
from mlmd_lineage.spark.node_numbers import key_of
from mlmd_lineage.spark.packed_rows import MARKS, pack
from mlmd_lineage.spark.part_rows import contexts_of, events_of, node_rows, paths_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from pyspark.sql import DataFrame

    from mlmd_lineage.post_execution.models import RegisteredModels
    from mlmd_lineage.spark.node_numbers import PartNodes
    from mlmd_lineage.spark.spark_tables import SparkTables

COLUMNS = {
    "start": "string",
    "node": "string",
    "kind": "string",
    "type": "string",
    "name": "string",
    "uri": "string",
    "run": "string",
    "pipeline": "string",
    "hops": "bigint",
    "path": "array<string>",
    "pushed": "boolean",
    "direct": "boolean",
    "through_cache": "boolean",
    "reused_by": "array<string>",
}
"""The columns of what was reached: those of ``Impact.to_pandas()``, after the node asked about."""
SUMMARY_COLUMNS = {
    "start": "string",
    "models": "bigint",
    "deployments": "bigint",
    "complete": "boolean",
    "hints": "array<string>",
    "text": "string",
}
"""The columns of the answers as a whole, one row for each node asked about."""
EVERY_COLUMN = {**COLUMNS, **SUMMARY_COLUMNS}


class ImpactAnswers:
    """What each of some artifacts reached.

    >>> answers = store.impact(["artifact/1", "artifact/7"])
    >>> answers.reached.where("kind = 'deployment'").show()
    >>> answers.summaries.where("not complete").show()

    Attributes:
        rows: The rows of both, computed when they are asked for.
    """

    def __init__(self, rows: DataFrame) -> None:
        """Take the rows of an answer; ``SparkStore.impact()`` makes it."""
        self.rows = rows

    def kept(self) -> ImpactAnswers:
        """Return the same answers, computed now and kept by the executors."""
        return ImpactAnswers(kept(self.rows))

    @property
    def reached(self) -> DataFrame:
        """The models and deployments: ``start`` and the columns of ``Impact.to_pandas()``."""
        return self.rows.where("node IS NOT NULL").select(*COLUMNS)

    @property
    def summaries(self) -> DataFrame:
        """A row for each artifact that was asked about.

        Columns: ``start``, ``models`` and ``deployments`` (how many), ``complete``, ``hints`` (the
        steps that may have deployed a model, though none is recorded) and ``text``, the answer in
        sentences.
        """
        return self.rows.where("node IS NULL").select(*SUMMARY_COLUMNS)


def rows(tables: SparkTables, nodes: PartNodes) -> list[DataFrame]:
    """Return the rows that the answers of parts need.

    Args:
        tables: The tables.
        nodes: The nodes: components by events, and by groups of steps.
    """
    events = events_of(tables, nodes, "execution")
    return [
        *node_rows(tables, nodes, ("artifact", "execution")),
        pack(events, "Event"),
        paths_of(tables, events, nodes),
        *contexts_of(tables, nodes),
    ]


def answer(
    held: dict[str, pa.Table],
    *,
    types: Mapping[str, pa.Table],
    models: Sequence[str] | None,
    deployments: Sequence[str] | None,
    registry: RegisteredModels | None,
) -> Iterator[pa.RecordBatch]:
    """Answer for the artifacts and executions that are marked in a part."""
    starts = sorted(set(held.pop(MARKS)["node"].to_pylist()))
    reader = TablesReader(Tables({**types, **held}))
    found: list[dict[str, Any]] = []
    for number in starts:
        key = key_of(number)
        one = impact.impact(reader, key, models=models, deployments=deployments, registry=registry)
        found += [
            {
                **dataclasses.asdict(row),
                "start": key,
                "path": list(row.path),
                "reused_by": list(row.reused_by),
            }
            for row in one.reached
        ]
        found.append(
            {
                "start": key,
                "models": len(one.models),
                "deployments": len(one.deployments),
                "complete": one.complete,
                "hints": [f"{hint.node} {hint.step} of the run {hint.run}" for hint in one.hints],
                "text": one.text(),
            }
        )
    yield answer_rows.batch_of_rows(found, EVERY_COLUMN)


def task(**arguments: Any) -> functools.partial[Iterator[pa.RecordBatch]]:
    """Return what an executor runs for each part; the arguments are those of ``answer``."""
    return functools.partial(answer, **arguments)
