"""The answer to MLMD's ``GetLineageSubgraph``: what leads to some nodes, and what comes from them.

It is MLMD's own answer: every event of a hop's types is followed, whatever its role in lineage and
whenever it was. A hop leads from a node over an event to a node of the other kind. Each hop takes
a fixed number of questions to the store, however many nodes it reaches, and nothing but the
request limits the hops: MLMD's own library stops at 100 without saying so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import _proto
from mlmd_lineage.lineage.roles import leading_events
from mlmd_lineage.server import messages
from mlmd_lineage.server.list_options import filter_ids
from mlmd_lineage.server.status import StatusCode, StatusError
from mlmd_lineage.snapshot.enums import INPUT_EVENTS, OUTPUT_EVENTS
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlmd_lineage.readers.base import Session

_UPSTREAM, _DOWNSTREAM = 1, 2
_OTHER = {"artifact": "execution", "execution": "artifact"}
_NODES = ("artifacts", "executions", "contexts")
_TYPES = ("artifact_types", "execution_types", "context_types")
PARTS = (*_NODES, *_TYPES, "events", "attributions", "associations")
"""What of the graph a request may ask for; without a word on it, it gets all."""


def subgraph(session: Session, request: Any) -> Any:
    """Return the response to a request.

    As from MLMD's own library the nodes have no more than their ids, and the types are all there
    are: its clients ask for the rest.

    Raises:
        StatusError: The request cannot be right, or nothing is there to begin with.
    """
    options = request.lineage_subgraph_query_options
    walk = _Walk(session, options)
    walk.go()
    response: Any = _proto.message("GetLineageSubgraphResponse")()
    graph = response.lineage_subgraph
    graph.SetInParent()
    wanted = set(request.read_mask.paths) or set(PARTS)
    for name, reached in walk.reached.items():
        if f"{name}s" in wanted:
            for number in sorted(reached):
                getattr(graph, f"{name}s").add(id=number)
    if "events" in wanted:
        graph.events.extend(messages.events(session, [walk.events[n] for n in sorted(walk.events)]))
    _add_contexts(session, graph, walk, wanted)
    for kind in KINDS.values():
        if f"{kind.name}_types" in wanted:
            rows = session.fetch("Type", {"type_kind": [kind.type_kind]})
            getattr(graph, f"{kind.name}_types").extend(messages.types(session, rows))
    return response


class _Walk:
    """A walk through the events, hop by hop."""

    def __init__(self, session: Session, options: Any) -> None:
        self._session = session
        self._direction = options.direction
        self._hops = options.max_num_hops if options.HasField("max_num_hops") else None
        if self._hops is not None and self._hops < 0:
            message = f"max_num_hops cannot be negative: max_num_hops = {self._hops}"
            raise StatusError(StatusCode.INVALID_ARGUMENT, message)
        self.events: dict[int, tuple[Any, ...]] = {}
        self._kind, start = _start(session, options)
        self._ends = {
            kind: _ends(session, options, kind) if options.HasField(f"ending_{kind}s") else set()
            for kind in _OTHER
        }
        self._kept = {
            kind: getattr(options, f"ending_{kind}s").include_ending_nodes for kind in _OTHER
        }
        ends = self._ends[self._kind]
        self.reached: dict[str, set[int]] = {kind: set() for kind in _OTHER}
        self.reached[self._kind] = start if self._kept[self._kind] else start - ends
        self._frontier = start - ends

    def go(self) -> None:
        """Walk until nothing new is reached, or as far as was asked for."""
        hops = 0
        while self._frontier and (self._hops is None or hops < self._hops):
            self._hop()
            hops += 1

    def _hop(self) -> None:
        other = _OTHER[self._kind]
        where: dict[str, Collection[int]] = {KINDS[self._kind].id_column: sorted(self._frontier)}
        leading: Collection[int] = INPUT_EVENTS + OUTPUT_EVENTS
        if self._direction in {_UPSTREAM, _DOWNSTREAM}:
            leading = leading_events(self._kind, up=self._direction == _UPSTREAM)
        end = 1 if other == "artifact" else 2
        new: set[int] = set()
        for row in self._session.fetch("Event", where):
            node = row[end]
            if row[3] not in leading:
                continue
            if node in self._ends[other]:
                if self._kept[other]:
                    self.events[row[0]] = row
                    self.reached[other].add(node)
                continue
            self.events[row[0]] = row
            if node not in self.reached[other]:
                new.add(node)
        self.reached[other] |= new
        self._kind, self._frontier = other, new


def _start(session: Session, options: Any) -> tuple[str, set[int]]:
    which = options.WhichOneof("starting_nodes")
    if which is None:
        message = "Missing arguments for listing starting nodes."
        raise StatusError(StatusCode.INVALID_ARGUMENT, message)
    query = getattr(options, which).filter_query
    if not query:
        message = "Cannot list starting nodes if `filter_query` is unspecified."
        raise StatusError(StatusCode.INVALID_ARGUMENT, message)
    kind = which.removeprefix("starting_").removesuffix("s")
    start = set(filter_ids(session, KINDS[kind], query))
    if not start:
        message = "Cannot find qualified nodes to start the traversal."
        raise StatusError(StatusCode.NOT_FOUND, message)
    return kind, start


def _ends(session: Session, options: Any, kind: str) -> set[int]:
    query = getattr(options, f"ending_{kind}s").filter_query
    if query:
        return set(filter_ids(session, KINDS[kind], query))
    return {row[0] for row in session.fetch(KINDS[kind].table, {})}


def _add_contexts(session: Session, graph: Any, walk: _Walk, wanted: set[str]) -> None:
    """Add the contexts of the nodes, and what puts the nodes into them."""
    if not wanted & {"contexts", "attributions", "associations"}:
        return
    contexts: set[int] = set()
    for name, part in (("artifact", "attributions"), ("execution", "associations")):
        kind = KINDS[name]
        ids = walk.reached[name]
        if not ids or not wanted & {"contexts", part} or kind.membership is None:
            continue
        rows = session.fetch(kind.membership, {kind.id_column: sorted(ids)})
        contexts |= {row[1] for row in rows}
        if part in wanted:
            for _, context, node in sorted(rows):
                getattr(graph, part).add(**{"context_id": context, kind.id_column: node})
    if "contexts" in wanted:
        for number in sorted(contexts):
            graph.contexts.add(id=number)
