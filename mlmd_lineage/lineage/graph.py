"""The lineage graph, and the trace that answers a question about it.

They stand in one module because each is made of the other: a graph answers with traces, and a
trace is a graph.
"""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from mlmd_lineage import errors
from mlmd_lineage.lineage import (
    graph_tables,
    index_building,
    trace_bounds,
)
from mlmd_lineage.lineage.graph_base import GraphBase
from mlmd_lineage.lineage.question import Question, Time, milliseconds, not_yet
from mlmd_lineage.lineage.saved import saved_graph_tables, stored_index
from mlmd_lineage.readers.base import LineageHolder
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any, TypeAlias

    import pyarrow as pa

    from mlmd_lineage.lineage import index as indexes
    from mlmd_lineage.lineage import keys
    from mlmd_lineage.lineage.graph_tables import TableSource
    from mlmd_lineage.lineage.render.node_labels import NodeLabel
    from mlmd_lineage.readers.base import Reader

    Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


class LineageGraph(GraphBase):
    """What came from what: artifacts and executions as nodes, MLMD's events as edges.

    >>> graph = store.lineage()
    >>> trace = graph.upstream("artifact/46")
    >>> trace.nodes, trace.edges
    >>> trace.to_networkx()

    Edges run in the direction of the data: from an artifact to the execution that takes it, from
    an execution to the artifact that it makes. Nodes are named by their keys, ``"artifact/5"``
    and ``"execution/3"``; an int means an artifact. A graph does not change.
    """

    _held_bounds: Mapping[str, Mapping[str, Collection[str]]] = MappingProxyType({})

    @classmethod
    def of_store(cls, reader: Reader, *, properties: bool) -> LineageGraph:
        """Return the graph of a whole store; its index is read where the store holds it.

        Args:
            reader: What reads the store.
            properties: Read the properties of the nodes too.
        """
        saved = cls.of_saved(reader, properties=properties)
        if saved is not None:
            return saved
        made = cls(graph_tables.GraphTables.read(reader, properties=properties))
        made.use_bounds_of(reader)
        return made

    @classmethod
    def of_saved(cls, reader: Reader, *, properties: bool) -> LineageGraph | None:
        """Return the graph whose index a store holds, or None where it has to be built."""
        index = stored_index.read(reader)
        if index is None:
            return None
        made = cls(saved_graph_tables.SavedGraphTables(reader, properties=properties))
        made.__dict__["index"] = index
        return made

    def upstream(  # noqa: PLR0913 - each stands alone
        self,
        node: keys.Node,
        *,
        max_hops: int | None = None,
        until: str | Collection[str] | None = None,
        types: str | Collection[str] | None = None,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
    ) -> Trace:
        """Return what a node came from.

        >>> graph.upstream("artifact/46", until="Examples")

        Args:
            node: Where to begin: a node's key, an artifact's id, a view, a URI, a name, a type and
                a name, or a run or another context: then with all executions in it.
            max_hops: How many edges to follow at most; None for no limit. From an artifact to
                the execution that made it is one, as MLMD counts.
            until: Do not go past artifacts or executions of these types, which are named
                without their versions, in short (``Trainer``), or by their base types.
            types: Enter only nodes of these types. A kind (artifact, execution) of which no
                type is named is not restricted.
            reuse: Follow also what cached executions claim.
            internal: Follow also INTERNAL_INPUT, INTERNAL_OUTPUT and PENDING_OUTPUT events, and
                outputs that never came to be.
            later: Follow also executions that wrote an artifact again after it was taken: they
                did not make what was taken. With all three, the answer is what MLMD's own
                ``get_lineage_subgraph`` gives where that does not cut it.
            as_of: Answer with the nodes and events that existed then. Property values and
                states are today's: MLMD keeps no older ones.

        Raises:
            NotFoundError: The graph holds no such node, or the store no such type.
            ConfigurationError: An argument cannot be right.
        """
        question = Question.of(
            max_hops=max_hops,
            until=until,
            types=types,
            reuse=reuse,
            internal=internal,
            later=later,
            as_of=as_of,
        )
        return self.trace((node,), question, up=True)

    def downstream(  # noqa: PLR0913 - each stands alone
        self,
        node: keys.Node,
        *,
        max_hops: int | None = None,
        until: str | Collection[str] | None = None,
        types: str | Collection[str] | None = None,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
    ) -> Trace:
        """Return what came from a node; the arguments are those of ``upstream()``.

        >>> graph.downstream("artifact/1", until="Model")
        """
        question = Question.of(
            max_hops=max_hops,
            until=until,
            types=types,
            reuse=reuse,
            internal=internal,
            later=later,
            as_of=as_of,
        )
        return self.trace((node,), question, up=False)

    def between(  # noqa: PLR0913 - each stands alone
        self,
        source: keys.Node,
        target: keys.Node,
        *,
        reuse: bool = False,
        internal: bool = False,
        later: bool = False,
        as_of: Time | None = None,
    ) -> Trace:
        """Return all that lies on a way from one node to another, in the direction of the data.

        Where there is no way the trace is empty. The arguments are those of ``upstream()``.

        >>> graph.between("artifact/1", "artifact/46")
        """
        question = Question.of(
            max_hops=None,
            until=None,
            types=None,
            reuse=reuse,
            internal=internal,
            later=later,
            as_of=as_of,
        )
        return self.trace_between((source,), (target,), question)

    def as_of(self, time: Time) -> LineageGraph:
        """Return the graph of the nodes and events that existed at a moment.

        Nodes of stores that kept no times (schema 4) count from their first event.
        """
        made = LineageGraph(graph_tables.existing(self.tables, milliseconds(time)))
        made.use_labeler(self._labeler)
        made.use_explorer(self._explorer)
        made._held_bounds = {way: self.bounds_of(way) for way in ("upstream", "downstream")}
        return made

    def use_bounds_of(self, reader: Reader) -> None:
        """Take over what bounds the lineage that a store holds, as a bundle does."""
        if isinstance(reader, LineageHolder):
            self._held_bounds = reader.lineage_bounds()

    def bounds_of(self, direction: str) -> Mapping[str, Collection[str]]:
        """Return the nodes at which the store or the answer that it is cut lacks more.

        Args:
            direction: ``upstream`` or ``downstream``.

        Returns:
            For each argument that left something out, the nodes at which it did.
        """
        return self._held_bounds.get(direction, {})

    def trace(self, nodes: Collection[keys.Node], question: Question, *, up: bool) -> Trace:
        """Return the answer to a checked question; ``upstream()`` and ``downstream()`` ask it."""
        graph = self if question.as_of is None else self.as_of(question.as_of)
        starts = self._starts_in(graph, nodes, question)
        limits = question.until or question.types
        found, hops = graph.index.reach(
            starts,
            up=up,
            question=question,
            type_flags=question.type_flags(graph.tables) if limits else None,
        )
        return Trace(graph, found, hops, starts, question, up=up)

    def trace_between(
        self, sources: Collection[keys.Node], targets: Collection[keys.Node], question: Question
    ) -> Trace:
        """Return the answer to a checked question; ``between()`` asks it."""
        graph = self if question.as_of is None else self.as_of(question.as_of)
        index = graph.index
        starts = self._starts_in(graph, sources, question)
        ends = self._starts_in(graph, targets, question)
        above, _ = index.reach(ends, up=True, question=question)
        below, hops = index.reach(starts, up=False, question=question)
        both = np.isin(below, above, assume_unique=True)
        if index.orders is not None and not question.later:
            both &= index.on_a_way(below, both, question, starts, ends)
        return Trace(graph, below[both], hops[both], starts, question, up=False, ends=ends)

    def _starts_in(
        self, graph: LineageGraph, nodes: Collection[keys.Node], question: Question
    ) -> list[int]:
        """Return where nodes stand in the graph of a moment, each once."""
        try:
            found = [position for node in nodes for position in graph.positions(node)]
        except errors.NotFoundError as error:
            if graph is self or question.as_of is None:
                raise
            positions = [position for node in nodes for position in self.positions(node)]
            keys_found = [self.index.key(position) for position in positions]
            late = [key for key in keys_found if key not in graph]
            if not late:
                raise
            raise not_yet(late[0], question.as_of, self.tables.source) from error
        return list(dict.fromkeys(found))


class Trace(LineageGraph):
    """The answer to an upstream, downstream or between question: itself a lineage graph.

    >>> trace = store.upstream("artifact/46", max_hops=2)
    >>> trace.complete, trace.truncated_by, trace.boundary
    (False, ('max_hops',), ('artifact/44', 'artifact/45'))

    Whatever bounds it is named on it. ``as_of``, ``reuse``, ``internal`` and ``later`` say what is
    asked, and do not bound the answer.
    """

    def __init__(  # noqa: PLR0913 - made by LineageGraph only
        self,
        graph: LineageGraph,
        found: Array,
        hops: Array,
        starts: list[int],
        question: Question,
        *,
        up: bool,
        ends: list[int] | None = None,
    ) -> None:
        """Keep what was found; its tables and its index are cut out when they are asked for."""
        self.use_labeler(graph._labeler)  # noqa: SLF001 - another of this class
        self.use_explorer(graph._explorer)  # noqa: SLF001 - another of this class
        self._graph = graph
        self._whole = graph._origin  # noqa: SLF001 - another of this class
        self._found = found
        self._hops = hops
        self._starts = starts
        self._up = up
        self._ends = ends
        self.question = question

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self._found)

    def text(self, *, limit: int | None = 200) -> str:
        """Return it as a tree of lines, from the node that was asked about, as ``print()`` does.

        >>> print(store.upstream("artifact/4"))
        artifact/4 Model /srv/tfx/pipelines/penguin-train/Trainer/model/4 LIVE
          execution/4 Trainer COMPLETE
            artifact/1 Examples /srv/tfx/pipelines/penguin-train/CsvExampleGen/examples/1 LIVE
              execution/1 CsvExampleGen COMPLETE
        Complete: 2 artifacts and 2 executions.

        Args:
            limit: How many nodes are shown, the nearest to the start first; None for all.
        """
        from mlmd_lineage.lineage.render import text_tree

        return text_tree.text(self, limit)

    def __str__(self) -> str:
        return self.text()

    @property
    def as_trace(self) -> Trace:
        """The trace itself."""
        return self

    @functools.cached_property
    def _nodes(self) -> Array:
        return np.sort(self._found)

    @functools.cached_property
    def _part(self) -> tuple[indexes.Index, Array]:
        above = self._starts if self._up else self._ends
        below = None if self._up else self._starts
        return self._graph.index.part(self._nodes, self.question, above=above, below=below)

    @functools.cached_property
    def index(self) -> indexes.Index:
        """The nodes and edges as arrays."""
        return self._part[0]

    @functools.cached_property
    def tables(self) -> TableSource:  # type: ignore[override]  # cut out when asked for
        """The tables of its nodes and events."""
        index, rows = self._part
        whole = self._graph.tables
        if isinstance(whole, saved_graph_tables.SavedGraphTables):
            return whole.part(index.artifact_ids, index.execution_ids, rows)
        return graph_tables.PartTables(whole, index.artifact_ids, index.execution_ids, rows)

    def complete_tables(self, more: Mapping[str, pa.Table], load: graph_tables.Load) -> None:
        """Add tables of this trace's nodes and events that were fetched after its walk."""
        self.__dict__["tables"] = graph_tables.GraphTables(
            Tables(
                {name: self.tables[name] for name in graph_tables.NODE_TABLES} | dict(more),
                source=self.tables.source,
            ),
            load,
        )

    @functools.cached_property
    def node_labels(self) -> Mapping[str, NodeLabel]:
        """What the platforms call the nodes, by their keys; see ``labels``."""
        known = vars(self._graph).get("node_labels")
        if known is None:
            return super().node_labels
        return {key: known[key] for key in self if key in known}

    @property
    def starts(self) -> tuple[str, ...]:
        """The nodes that were asked about."""
        return tuple(self._graph.index.keys(np.array(self._starts)))

    @property
    def ends(self) -> tuple[str, ...]:
        """The nodes to which ``between()`` was asked; none for other questions."""
        return tuple(self._graph.index.keys(np.array(self._ends or [], int)))

    @property
    def end(self) -> str | None:
        """The node to which ``between()`` was asked, if it is one; None for other questions."""
        return self.ends[0] if len(self.ends) == 1 else None

    @property
    def direction(self) -> str:
        """Which question it answers: ``upstream``, ``downstream`` or ``between``."""
        if self._ends is not None:
            return "between"
        return "upstream" if self._up else "downstream"

    @functools.cached_property
    def hops(self) -> Array:
        """For each node, in the order of ``nodes``, how many edges away from the start it is."""
        return self._hops[np.argsort(self._found, kind="stable")]

    def as_of(self, time: Time) -> LineageGraph:
        """Return what of this trace existed at a moment, as ``LineageGraph.as_of`` does."""
        made = super().as_of(time)
        whole = self._graph.as_of(time)
        event_ids = arrays.to_numpy(whole.tables["Event"]["id"])[whole.index.event_rows]
        # What an event means may depend on others that are no part of this trace.
        made.__dict__["index"] = index_building.build(made.tables, (whole.index, event_ids))
        made._whole = whole._origin  # noqa: SLF001 - others of this class
        return made

    # What bounds it

    @property
    def complete(self) -> bool:
        """Whether nothing was left out because of ``max_hops``, ``until`` or ``types``.

        Neither by this question, nor by the one whose answer was asked: a trace that was cut, or a
        bundle of one.
        """
        return not self._bounds

    def bounds_of(self, direction: str) -> Mapping[str, Collection[str]]:
        """Return the nodes at which this answer, or what was asked, lacks more."""
        if direction != self.direction:
            return self._graph.bounds_of(direction)
        return {name: self._graph.index.keys(found) for name, found in self._bounds.items()}

    @property
    def truncated_by(self) -> tuple[str, ...]:
        """Which of ``max_hops``, ``until`` and ``types`` really left something out."""
        return tuple(name for name in ("max_hops", "until", "types") if name in self._bounds)

    @property
    def boundary(self) -> tuple[str, ...]:
        """The nodes of this trace at which more was left out, in order."""
        positions = list(self._bounds.values())
        if not positions:
            return ()
        return tuple(self._graph.index.keys(np.unique(np.concatenate(positions))))

    @functools.cached_property
    def _bounds(self) -> dict[str, Array]:
        """For each argument that left something out, the nodes at which it did."""
        question = self.question
        limited = question.until or question.types
        held = self._graph.bounds_of(self.direction)
        if self._ends is not None or (question.max_hops is None and not limited and not held):
            return {}
        reached = trace_bounds.Reached(self._found, self._hops, self._starts)
        flags = question.type_flags(self._graph.tables) if limited else {}
        index = self._graph.index
        found = trace_bounds.bounds(index, reached, question, flags, up=self._up)
        return trace_bounds.with_held(found, held, index, self._found)
