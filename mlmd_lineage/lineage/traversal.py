"""Live answers to lineage questions, hop by hop, without reading the whole store.

Each hop asks for the events of all its nodes at once, then for the nodes at their other ends: a
fixed number of statements, whatever the store holds. What was fetched becomes a small graph,
which answers the question with the very code that answers it on a whole one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.lineage.fetching.fetched_walk import FetchedWalk
from mlmd_lineage.lineage.graph import LineageGraph, Trace
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import KINDS, Tables

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from mlmd_lineage.lineage.question import Question
    from mlmd_lineage.readers.base import Reader, Session

    Row = tuple[Any, ...]


def upstream(reader: Reader, nodes: Collection[str], question: Question) -> Trace:
    """Return what nodes came from, as ``LineageGraph.upstream`` does; they are given by keys."""
    return reader.ask(lambda session: _trace(reader, session, nodes, question, up=True))


def downstream(reader: Reader, nodes: Collection[str], question: Question) -> Trace:
    """Return what came from nodes, as ``LineageGraph.downstream`` does."""
    return reader.ask(lambda session: _trace(reader, session, nodes, question, up=False))


def between(
    reader: Reader, sources: Collection[str], targets: Collection[str], question: Question
) -> Trace:
    """Return all ways from some nodes to others, as ``LineageGraph.between`` does."""

    def answer(session: Session) -> Trace:
        # All ways lie above the targets.
        fetched = FetchedWalk(session, question)
        for source in sources:
            fetched.check(source)
        fetched.walk(targets, up=True)
        graph = LineageGraph(fetched.tables())
        return _whole(reader, session, graph.trace_between(sources, targets, question))

    return reader.ask(answer)


def trace_within(
    session: Session, kind: str, ids: Collection[int], question: Question, *, up: bool
) -> Trace:
    """Return the answer for several nodes of one kind, within an open read.

    It has no properties, paths and contexts: whoever asks so fetches what is needed.

    Raises:
        NotFoundError: The store holds no such node.
    """
    fetched = FetchedWalk(session, question)
    fetched.walk_all(kind, ids, up=up)
    nodes = [f"{kind}/{number}" for number in sorted(ids)]
    return LineageGraph(fetched.tables()).trace(nodes, question, up=up)


def _trace(
    reader: Reader, session: Session, nodes: Collection[str], question: Question, *, up: bool
) -> Trace:
    fetched = FetchedWalk(session, question)
    fetched.walk(nodes, up=up)
    return _whole(reader, session, LineageGraph(fetched.tables()).trace(nodes, question, up=up))


def _whole(reader: Reader, session: Session, trace: Trace) -> Trace:
    """Fetch the paths and the properties of a trace's events and nodes in the same transaction.

    Contexts are fetched when they are asked for: MLMD has no index by which to find them from
    their members, so that costs a scan.
    """
    index = trace.index
    members = {"artifact": index.artifact_ids.tolist(), "execution": index.execution_ids.tolist()}

    def fetch(table: str, column: str, values: list[int]) -> pa.Table:
        return table_from_rows(table, session.fetch(table, {column: values}))

    def contexts(_: Collection[str]) -> Tables:
        return reader.ask(lambda later: _contexts(later, members))

    events = trace.tables["Event"]["id"].to_pylist()
    more = {"EventPath": fetch("EventPath", "event_id", events)}
    for kind, ids in members.items():
        name = KINDS[kind].properties
        more[name] = fetch(name, KINDS[kind].id_column, ids)
    trace.complete_tables(more, contexts)
    return trace


def _contexts(session: Session, members: dict[str, list[int]]) -> Tables:
    tables: dict[str, Any] = {}
    wanted: set[int] = set()
    for kind, ids in members.items():
        name = KINDS[kind].membership or ""
        rows = sorted(session.fetch(name, {KINDS[kind].id_column: ids}))
        wanted |= {row[1] for row in rows}
        tables[name] = table_from_rows(name, rows)
    pairs: set[Row] = set()
    new = wanted
    while new:
        found = set(session.fetch("ParentContext", {"context_id": sorted(new)}))
        pairs |= found
        new = {parent for _, parent in found} - wanted
        wanted |= new
    tables["ParentContext"] = table_from_rows("ParentContext", sorted(pairs))
    rows = session.fetch("Context", {"id": sorted(wanted)})
    tables["Context"] = table_from_rows("Context", rows)
    return Tables(tables)
