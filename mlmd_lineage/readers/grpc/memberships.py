"""All attributions and associations of a store in few calls, through ``GetLineageSubgraph``.

That call walks from up to a hundred nodes over their events, and returns in which contexts all
the nodes are that it met, without the nodes themselves. Where the events are known, it begins with
one node of each group that they tie together. For what these calls did not meet, it begins with
nodes from all over the store; the rest is asked for a hundred nodes at a time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage import _proto
from mlmd_lineage.readers.grpc import connected_components
from mlmd_lineage.readers.grpc.calls import TARGET_BYTES, ServiceCall, request
from mlmd_lineage.readers.grpc.columnar_protobuf import Messages, parsed
from mlmd_lineage.readers.grpc.node_listing import Numbers
from mlmd_lineage.readers.grpc.status_errors import MissingMethodError
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mlmd_lineage.readers.grpc.calls import ServiceClient
    from mlmd_lineage.readers.grpc.status_errors import GRPCStatus
    from mlmd_lineage.snapshot.tables import NodeSchema

    Ids = np.ndarray[Any, np.dtype[np.int64]]

METHOD = "GetLineageSubgraph"
STARTS = 100
"""How many nodes the call begins with at most; MLMD drops more without a word."""
HOPS = 100
"""How many hops it goes at most, in the same way."""
MEMBERS = tuple(kind for kind in KINDS.values() if kind.membership)
_IN_FLIGHT = 2
_GROUPS_IN_FLIGHT = 8
_NODE_BYTES = 200
_FIRST = 10
_AHEAD = 10_000
_POOR = 3
"""A call that finds fewer nodes than this for each start node is not worth its cost."""
_CONTEXT_SECONDS = 0.002
_PAGE_SECONDS = 0.01


def _field(kind: NodeSchema) -> str:
    """Return what a message calls the memberships of a kind."""
    return f"{(kind.membership or '').lower()}s"


def pairs_in(graph: Any, kind: NodeSchema) -> tuple[Ids, Ids]:
    """Return the contexts and the nodes of all memberships in a ``Memberships`` message."""
    pairs = getattr(graph, _field(kind))
    # The node has the number 1 in a message, the context 2.
    fields = parsed(Messages.of(pairs), (1, 2))
    nodes, contexts = (fields[number].column(len(pairs))[0] for number in (1, 2))
    return contexts, nodes


def subgraph_call(  # noqa: PLR0913 - each stands alone
    kind: NodeSchema,
    starts: Sequence[int],
    hops: int,
    *,
    kinds: Iterable[NodeSchema],
    take: Callable[[Any], None],
    smaller: Callable[[], list[ServiceCall]] | None = None,
    refused: Callable[[GRPCStatus], Iterable[ServiceCall] | None] | None = None,
) -> ServiceCall:
    """Return the call for the memberships of some nodes, and of those near them.

    Args:
        kind: What they are.
        starts: Their ids, at most ``STARTS``.
        hops: How far to walk from them.
        kinds: Whose memberships to return.
        take: Takes the ``Memberships`` of the answer.
        smaller: As in ``ServiceCall``.
        refused: As in ``ServiceCall``; None: a service without filters lacks the method.
    """
    asked = request(f"{METHOD}Request")
    how = asked.lineage_subgraph_query_options
    nodes = getattr(how, f"starting_{kind.name}s")
    nodes.filter_query = f"id IN ({', '.join(map(str, starts))})"
    how.max_num_hops = hops
    how.direction = how.Direction.Value("BIDIRECTIONAL")
    asked.read_mask.paths.extend(_field(one) for one in kinds)
    response: Any = _proto.message("Subgraph", _proto.READING)

    def took(answer: bytes) -> None:
        # An answer of no bytes stands for NOT_FOUND: none of them has a row.
        take(response.FromString(answer).memberships)

    return ServiceCall(METHOD, asked, took, smaller, refused)


def artifacts_near(
    artifacts: Sequence[int], hops: int, take: Callable[[set[int]], None], *, up: bool
) -> ServiceCall:
    """Return the call for the artifacts that some others lead to.

    Args:
        artifacts: Where to begin, at most ``STARTS`` of them.
        hops: How many hops to go, from artifacts to artifacts.
        take: Takes the artifacts that were met.
        up: Whether to go against the direction of the data.
    """
    asked = request(f"{METHOD}Request")
    how = asked.lineage_subgraph_query_options
    how.starting_artifacts.filter_query = f"id IN ({', '.join(map(str, artifacts))})"
    how.max_num_hops = min(2 * hops, HOPS)
    how.direction = how.Direction.Value("UPSTREAM" if up else "DOWNSTREAM")
    asked.read_mask.paths.append("events")
    response: Any = _proto.message(f"{METHOD}Response")

    def took(answer: bytes) -> None:
        take({event.artifact_id for event in response.FromString(answer).lineage_subgraph.events})

    return ServiceCall(METHOD, asked, took)


class Neighbours:
    """Reads the memberships of all nodes of a store.

    Args:
        service: The service.
        ids: The ids of the nodes by the names of their kinds; some may have no node.
        kinds: Whose memberships are wanted.
        take: Takes a kind, contexts, and the node that is in each; each membership once.
        contexts: How many contexts there are.
    """

    def __init__(
        self,
        service: ServiceClient,
        ids: Mapping[str, Ids],
        kinds: Sequence[NodeSchema],
        take: Callable[[NodeSchema, Ids, Ids], None],
        contexts: int,
    ) -> None:
        self._service = service
        self._ids = ids
        self._kinds = kinds
        self._take = take
        self._contexts = contexts
        self.settled = {kind.name: Numbers() for kind in MEMBERS}
        """The nodes whose memberships are known."""
        self.bad: dict[str, list[int]] = {kind.name: [] for kind in MEMBERS}
        """The nodes on which the service fails."""
        self._starts, self._hops = _FIRST, _FIRST
        self._most_starts, self._most_hops = STARTS, HOPS
        self._node_bytes = _NODE_BYTES
        self._poor_seconds: float | None = None

    def is_there(self) -> bool:
        """Tell whether the service has the method, and filters, without which it is of no use."""
        try:
            self._service.run(
                [
                    subgraph_call(
                        MEMBERS[0],
                        [1],
                        0,
                        kinds=(),
                        take=lambda _: None,
                        refused=_unless_filters,
                    )
                ]
            )
        except MissingMethodError:
            return False
        return True

    def read_groups(self, artifacts: Ids, executions: Ids) -> None:
        """Read those of nodes that events tie together, group by group: none is met twice.

        Args:
            artifacts: The artifact of each event.
            executions: The execution of each event.
        """
        middle, sizes = connected_components.groups(artifacts, executions)
        self._service.run(self._group_calls(middle, sizes), in_flight=_GROUPS_IN_FLIGHT)
        self._starts, self._hops, self._poor_seconds = _FIRST, _FIRST, None

    def _group_calls(self, executions: Ids, sizes: Ids) -> Iterator[ServiceCall]:
        """Yield calls that begin with one execution of each group, the largest groups first."""
        at = 0
        while at < len(executions):
            nodes = np.cumsum(sizes[at : at + STARTS])
            if nodes[-1] < _POOR * STARTS:
                return
            most = TARGET_BYTES // self._node_bytes
            if self._most_hops < HOPS:
                return  # walks are too much for the service
            count = max(1, min(int(nodes.searchsorted(most, side="right")), self._most_starts))
            # What would be too large is left to shorter walks.
            if nodes[0] < 4 * most:
                yield self._call(MEMBERS[1], executions[at : at + count].tolist(), HOPS)
            at += count

    def read(self) -> bool:
        """Read them; return whether all were, or the rest is better read context by context."""
        self._service.run(self._calls(), in_flight=_IN_FLIGHT)
        return not any(map(self._unsettled, self._kinds))

    def _calls(self) -> Iterator[ServiceCall]:
        # Executions have more neighbours; from those of other kinds the same is reached.
        for kind in sorted(self._kinds, key=lambda kind: kind.name != "execution"):
            # Neighbours have neighbouring ids: those in another order lie far from each other.
            order = np.random.default_rng(0).permutation(self._ids[kind.name])
            settled, at = self.settled[kind.name], 0
            while at < len(order):
                # After some calls, most of those that follow have been met.
                size = _AHEAD
                fresh = np.flatnonzero(~settled.has(order[at : at + size]))
                while len(fresh) < self._starts and at + size < len(order):
                    size *= 4
                    fresh = np.flatnonzero(~settled.has(order[at : at + size]))
                near = order[at : at + size]
                if len(fresh) >= self._starts and self._is_slow(kind):
                    return
                chosen = fresh[: self._starts]
                at += int(chosen[-1]) + 1 if len(fresh) >= self._starts else len(near)
                if len(chosen):
                    yield self._call(kind, near[chosen].tolist(), self._hops)

    def _unsettled(self, kind: NodeSchema) -> int:
        ids = self._ids[kind.name]
        return len(ids) - int(self.settled[kind.name].has(ids).sum())

    def _is_slow(self, kind: NodeSchema) -> bool:
        """Tell whether the nodes that are left are sooner read context by context."""
        if self._poor_seconds is None:
            return False
        left = self._unsettled(kind)
        pages = left / STARTS
        by_context = 2 * self._contexts * _CONTEXT_SECONDS + pages * _PAGE_SECONDS
        slow = pages * self._poor_seconds > by_context
        self._poor_seconds = None
        return slow

    def _call(self, kind: NodeSchema, starts: Sequence[int], hops: int) -> ServiceCall:
        began = time.monotonic()

        def take(graph: Any) -> None:
            met = self._keep(graph)
            met += int(self.settled[kind.name].add(np.array(starts, np.int64)).sum())
            self._adapt(graph.ByteSize(), len(starts))
            if met < _POOR * len(starts):
                self._poor_seconds = time.monotonic() - began

        def smaller() -> list[ServiceCall]:
            # What was too much once is not tried again.
            half = len(starts) // 2
            if half:
                self._most_starts = min(self._most_starts, half)
                self._keep_to_limits()
                fewer = min(hops, self._most_hops)
                return [self._call(kind, part, fewer) for part in (starts[:half], starts[half:])]
            if not hops:
                return []
            self._most_hops = min(self._most_hops, hops // 4)
            if not self._most_hops:
                self._most_starts = STARTS
            self._keep_to_limits()
            return [self._call(kind, starts, self._most_hops)]

        def refused(_: GRPCStatus) -> None:
            self.bad[kind.name] += starts
            self.settled[kind.name].add(np.array(starts, np.int64))

        return subgraph_call(
            kind,
            starts,
            hops,
            kinds=self._kinds,
            take=take,
            smaller=smaller,
            refused=refused,
        )

    def _keep(self, graph: Any) -> int:
        """Pass on the memberships of nodes that were not met before; return how many these are."""
        met = answered = 0
        for kind in self._kinds:
            contexts, nodes = pairs_in(graph, kind)
            settled = self.settled[kind.name]
            new = ~settled.has(nodes)
            self._take(kind, contexts[new], nodes[new])
            # A node that was met comes with all of its contexts.
            met += int(settled.add(nodes).sum())
            answered += len(np.unique(nodes))
        if answered:
            self._node_bytes = max(1, graph.ByteSize() // answered)
        return met

    def _adapt(self, size: int, starts: int) -> None:
        """Make the next answers neither small nor large."""
        if size > 2 * TARGET_BYTES:
            if self._starts > 1:
                self._starts = max(1, min(self._starts, starts) // 2)
            else:
                self._hops = max(1, self._hops // 2)
        elif size < TARGET_BYTES // 2:
            if self._starts < self._most_starts:
                self._starts = 4 * self._starts
            else:
                self._hops = 4 * self._hops
        self._keep_to_limits()

    def _keep_to_limits(self) -> None:
        self._starts = min(self._starts, self._most_starts)
        self._hops = min(self._hops, self._most_hops)


def _unless_filters(status: GRPCStatus) -> None:
    if status.code == "INVALID_ARGUMENT":
        message = "the service has no filters"
        raise MissingMethodError(message)
