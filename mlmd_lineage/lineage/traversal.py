"""Live answers to lineage questions, hop by hop, without reading the whole store.

Each hop asks for the events of all its nodes at once, then for the nodes at their other ends: a
fixed number of statements, whatever the store holds. What was fetched becomes a small graph,
which answers the question with the very code that answers it on a whole one.

An archive holds the index of its graph, in which a walk reads what it meets: it answers at once,
and the rows of the nodes are read when they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.lineage import keys
from mlmd_lineage.lineage.fetching import memberships
from mlmd_lineage.lineage.fetching.fetched_walk import FetchedWalk
from mlmd_lineage.lineage.graph import LineageGraph, Trace
from mlmd_lineage.readers.base import GraphProvider
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import KINDS, Tables

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from mlmd_lineage.lineage.question import Question
    from mlmd_lineage.readers.base import Reader, Session

_KEPT = "lineage graph"
"""Under which name a reader keeps the graph of its archive."""


def upstream(reader: Reader, nodes: Collection[str], question: Question) -> Trace:
    """Return what nodes came from, as ``LineageGraph.upstream`` does; they are given by keys."""
    return _answer(reader, nodes, question, up=True)


def downstream(reader: Reader, nodes: Collection[str], question: Question) -> Trace:
    """Return what came from nodes, as ``LineageGraph.downstream`` does."""
    return _answer(reader, nodes, question, up=False)


def between(
    reader: Reader, sources: Collection[str], targets: Collection[str], question: Question
) -> Trace:
    """Return all ways from some nodes to others, as ``LineageGraph.between`` does."""
    saved = _saved_graph(reader, question)
    if saved is not None:
        _check(saved, [*sources, *targets])
        return saved.trace_between(sources, targets, question)

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


def _answer(reader: Reader, nodes: Collection[str], question: Question, *, up: bool) -> Trace:
    saved = _saved_graph(reader, question)
    if saved is not None:
        _check(saved, nodes)
        return saved.trace(nodes, question, up=up)
    return reader.ask(lambda session: _trace(reader, session, nodes, question, up=up))


def _saved_graph(reader: Reader, question: Question) -> LineageGraph | None:
    """Return the graph whose index an archive on this machine holds, None where there is none.

    Questions about types and moments need rows of nodes, and what bounds an answer is found among
    all edges: a walk that fetches what it meets has both.
    """
    if question.until or question.types or question.as_of is not None:
        return None
    if question.max_hops is not None:
        return None
    if not isinstance(reader, GraphProvider) or reader.is_remote:
        return None
    if _KEPT not in reader.kept:
        reader.kept[_KEPT] = LineageGraph.of_saved(reader, properties=True)
    graph: LineageGraph | None = reader.kept[_KEPT]
    return graph


def _check(graph: LineageGraph, nodes: Collection[str]) -> None:
    """Refuse nodes that an archive does not hold, as a walk does.

    Raises:
        NotFoundError: It does not hold one.
    """
    for node in nodes:
        kind, number = keys.parse(node)
        if kind == "context":
            raise keys.no_lineage_of_contexts(number)
        if graph.index.position(kind, number) is None:
            other = {"artifact": "execution", "execution": "artifact"}[kind]
            is_there = graph.index.position(other, number) is not None
            raise keys.no_such_node(kind, number, graph.tables.source, is_there=is_there)


def _trace(
    reader: Reader, session: Session, nodes: Collection[str], question: Question, *, up: bool
) -> Trace:
    fetched = FetchedWalk(session, question)
    fetched.walk(nodes, up=up)
    graph = LineageGraph(fetched.tables())
    graph.use_bounds_of(reader)
    return _whole(reader, session, graph.trace(nodes, question, up=up))


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
        return reader.ask(lambda later: memberships.contexts_of(later, members))

    events = trace.tables["Event"]["id"].to_pylist()
    more = {"EventPath": fetch("EventPath", "event_id", events)}
    for kind, ids in members.items():
        name = KINDS[kind].properties
        more[name] = fetch(name, KINDS[kind].id_column, ids)
    trace.complete_tables(more, contexts)
    return trace
