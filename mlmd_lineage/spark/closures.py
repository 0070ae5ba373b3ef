"""Closures of many nodes at once: what they came from, or what came from them.

A task builds the lineage graph of its components, and walks it by the code of one machine.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import pandas as pd

from mlmd_lineage.lineage.graph import LineageGraph
from mlmd_lineage.lineage.graph_tables import NODE_TABLES, GraphTables
from mlmd_lineage.lineage.question import Question
from mlmd_lineage.snapshot.tables import PROPERTY_TABLES, Tables
from mlmd_lineage.spark import answer_rows
from mlmd_lineage.spark.node_numbers import key_of
from mlmd_lineage.spark.packed_rows import MARKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from mlmd_lineage.lineage.graph import Trace
    from mlmd_lineage.readers.base import Reader
    from mlmd_lineage.snapshot.tables import HasTables
    from mlmd_lineage.snapshot.type_names import HasNodes

COLUMNS = {
    "start": "string",
    "node": "string",
    "kind": "string",
    "id": "bigint",
    "type": "string",
    "name": "string",
    "uri": "string",
    "state": "string",
    "external_id": "string",
    "create_time_since_epoch": "timestamp",
    "last_update_time_since_epoch": "timestamp",
    "missing": "boolean",
    "original_id": "bigint",
    "imported_from": "string",
    "hops": "bigint",
    "boundary": "boolean",
    "truncated_by": "array<string>",
}
"""The columns of an answer: those of ``Trace.nodes``, and of the trace as a whole."""


@dataclasses.dataclass(frozen=True)
class ResolvedQuestion(Question):
    """A question whose names of types were looked up where all of the store is known."""

    flags: tuple[tuple[int, int], ...] = ()

    @classmethod
    def resolved(cls, question: Question, reader: Reader) -> ResolvedQuestion:
        """Return a question that names no types but by their ids.

        Raises:
            NotFoundError: The store has no such type.
            AmbiguousNameError: Several types have such a short name.
        """
        from mlmd_lineage.snapshot.type_names import has_nodes_in

        flags: dict[int, int] = {}
        if question.until or question.types:
            types = reader.read(("Type", "TypeProperty", "ParentType"))
            flags = reader.ask(lambda session: question.type_flags(types, has_nodes_in(session)))
        return cls(**dataclasses.asdict(question), flags=tuple(sorted(flags.items())))

    def type_flags(self, tables: HasTables, has_nodes: HasNodes | None = None) -> dict[int, int]:
        """Return what was looked up."""
        del tables, has_nodes
        return dict(self.flags)


def graph_of(held: Mapping[str, pa.Table], types: Mapping[str, pa.Table]) -> LineageGraph:
    """Return the lineage graph of a part's rows."""
    names = [name for name in (*NODE_TABLES, *PROPERTY_TABLES) if name in held]
    tables = {**types, **{name: held[name] for name in names}}
    return LineageGraph(GraphTables(Tables(tables), is_whole=False))


def answer(
    held: dict[str, pa.Table],
    *,
    types: Mapping[str, pa.Table],
    question: Question,
    up: bool,
    together: bool,
) -> Iterator[pa.RecordBatch]:
    """Answer for the nodes that are marked in a part.

    Args:
        held: The rows of the part.
        types: The tables of types.
        question: What is asked.
        up: Whether it is asked upstream.
        together: Give one answer for all nodes of the part.
    """
    graph = graph_of(held, types)
    starts = list(map(key_of, sorted(set(held[MARKS]["node"].to_pylist()))))
    if question.as_of is not None:
        there = graph.as_of(question.as_of)
        starts = [key for key in starts if key in there]
    for asked in [starts] if together and starts else [[key] for key in starts]:
        trace = graph.trace(asked, question, up=up)
        yield answer_rows.batch(_rows(trace, None if together else asked[0]), COLUMNS)


def _rows(trace: Trace, start: str | None) -> pd.DataFrame:
    rows = trace.nodes.reset_index()
    boundary = set(trace.boundary)
    return rows.assign(
        start=start,
        boundary=[node in boundary for node in rows["node"]],
        truncated_by=pd.Series([list(trace.truncated_by)] * len(rows), dtype=object),
    )


def task(
    types: Mapping[str, pa.Table], question: Question, *, up: bool, together: bool
) -> functools.partial[Iterator[pa.RecordBatch]]:
    """Return what an executor runs for each part; see ``answer``."""
    return functools.partial(answer, types=types, question=question, up=up, together=together)
