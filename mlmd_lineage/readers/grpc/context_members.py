"""Members of contexts, asked for context by context and not node by node.

MLMD's service has no call that returns attributions or associations alone. A context's members
come in pages that hold the nodes themselves, so no further call is needed to fetch the nodes.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from mlmd_lineage import _proto
from mlmd_lineage.readers.grpc import rows
from mlmd_lineage.readers.grpc.calls import PAGE, Chunks, ServiceCall, request
from mlmd_lineage.readers.grpc.memberships import STARTS, pairs_in, subgraph_call
from mlmd_lineage.readers.grpc.node_listing import options, plural
from mlmd_lineage.readers.grpc.status_errors import MissingMethodError
from mlmd_lineage.snapshot import notes
from mlmd_lineage.snapshot.finding_codes import FindingCode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from mlmd_lineage.readers.grpc.calls import ServiceClient
    from mlmd_lineage.readers.grpc.status_errors import GRPCStatus
    from mlmd_lineage.snapshot.tables import NodeSchema

    TakeMembers = Callable[[int, Sequence[bytes]], None]

_FEW_PAGES = 50
"""After so many pages a filtered list is quicker: each page of the other looks up all members."""


class _ReadPosition(NamedTuple):
    """How far the members of a context have been read."""

    context: int
    after: int = 0
    """The last of them."""
    pages: int = 0
    size: int = PAGE
    token: bytes = b""
    filtered: bool = False


class Members:
    """The nodes of one kind that are in some contexts."""

    def __init__(self, service: ServiceClient, kind: NodeSchema, take: TakeMembers) -> None:
        self._service = service
        self._kind = kind
        self._take = take
        self._filters = True
        self._stuck: list[tuple[_ReadPosition, GRPCStatus]] = []

    def fetch(self, contexts: Iterable[int]) -> None:
        """Fetch the members of some contexts."""
        self._service.run(self._call(_ReadPosition(context)) for context in contexts)

    @property
    def is_stuck(self) -> bool:
        """Whether there are contexts with a member on which the service fails."""
        return bool(self._stuck)

    def pass_over(self, bad: Mapping[int, Collection[int]]) -> list[notes.Note]:
        """Go on in the contexts in which there was a member on which the service fails.

        Args:
            bad: All such nodes, by their contexts.

        Returns:
            Notes on contexts of which members are missing all the same.
        """
        unread = []
        while self._stuck:
            places, self._stuck = self._stuck, []
            onward = []
            for place, status in places:
                beyond = [number for number in bad.get(place.context, ()) if number > place.after]
                if beyond:
                    onward.append(_ReadPosition(place.context, min(beyond), place.pages))
                else:
                    detail = (
                        f"its {self._kind.name}s after {self._kind.name}/{place.after} cannot be "
                        f"listed: the service fails ({status.code}: {status.details})"
                    )
                    unread.append(
                        notes.Note(FindingCode.UNREADABLE_NODE, f"context/{place.context}", detail)
                    )
            self._service.run(map(self._call, onward))
        return unread

    def _call(self, place: _ReadPosition) -> ServiceCall:
        if place.filtered and self._filters:
            where = f"contexts_a.id = {place.context}"
            method = f"Get{plural(self._kind)}"
            how = options(place.size, after=place.after, where=where)
            asked = request(f"{method}Request", options=how)
        else:
            method = f"Get{plural(self._kind)}ByContext"
            how = options(place.size, after=None if place.token else place.after or None)
            if place.token:
                how.next_page_token = place.token.decode("ascii")
            asked = request(f"{method}Request", context_id=place.context, options=how)

        def take(answer: bytes) -> list[ServiceCall]:
            nodes, token = rows.parts_in(answer)
            self._take(place.context, nodes)
            if not token:
                return []
            pages = place.pages + 1
            filtered = self._filters and place.size == PAGE and pages >= _FEW_PAGES
            last = int(rows.ids_of(nodes[-1:])[0])
            after = place._replace(after=last, pages=pages, token=token, filtered=filtered)
            return [self._call(after)]

        def smaller() -> list[ServiceCall]:
            if place.filtered or place.size == 1:
                return []
            # A page that begins with the first node needs no token of ours.
            return [self._call(place._replace(size=max(1, place.size // 10), token=b""))]

        def refused(status: GRPCStatus) -> list[ServiceCall]:
            if place.filtered and self._filters:
                self._filters = False
            if place.filtered:
                return [self._call(place._replace(filtered=False))]
            self._stuck.append((place, status))
            return []

        return ServiceCall(method, asked, take, smaller, refused, optional=place.filtered)


def contexts_of_each(
    service: ServiceClient,
    kind: NodeSchema,
    nodes: Collection[int],
    refused: Callable[[int, GRPCStatus], None] | None = None,
) -> Iterator[tuple[int, int]]:
    """Yield ``(context, node)`` for the contexts of some nodes, by a call for each of these.

    Args:
        service: The service.
        kind: What the nodes are.
        nodes: Their ids.
        refused: Takes a node for which the call fails, and the failure.
    """
    method = f"GetContextsBy{kind.table}"
    response: Any = _proto.message(f"{method}Response")
    found: list[tuple[int, int]] = []

    def call(node: int) -> ServiceCall:
        def take(answer: bytes) -> None:
            found.extend((context.id, node) for context in response.FromString(answer).contexts)

        asked = request(f"{method}Request", **{f"{kind.name}_id": node})
        failed = None if refused is None else functools.partial(refused, node)
        return ServiceCall(method, asked, take, refused=failed)

    service.run(map(call, nodes))
    yield from sorted(found)


def memberships_of(
    service: ServiceClient, kind: NodeSchema, nodes: Collection[int]
) -> list[tuple[int, int]]:
    """Return ``(context, node)`` for the contexts of some nodes, in order.

    MLMD has no index that leads from a node to its contexts, so a call for a hundred nodes takes
    the server hardly more than one for one does. Services without that call are asked for each.
    """
    try:
        return sorted(_by_subgraph(service, kind, sorted(nodes)))
    except MissingMethodError:
        return sorted(contexts_of_each(service, kind, nodes))


def _by_subgraph(
    service: ServiceClient, kind: NodeSchema, nodes: Sequence[int]
) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()

    def take(graph: Any) -> None:
        contexts, members = pairs_in(graph, kind)
        found.update(zip(contexts.tolist(), members.tolist(), strict=True))

    parts = (nodes[at : at + STARTS] for at in range(0, len(nodes), STARTS))
    service.run(subgraph_call(kind, part, 0, kinds=[kind], take=take) for part in parts)
    return found


def parents(
    service: ServiceClient,
    contexts: Sequence[int],
    refused: Callable[[int, GRPCStatus], None] | None = None,
) -> list[tuple[int, int]]:
    """Return ``(context, parent)`` for some contexts, in order.

    Args:
        service: The service.
        contexts: Their ids.
        refused: Takes a context for which the call fails, and the failure.
    """
    return sorted(_relatives(service, contexts, "Parent", "parent_contexts", refused))


def children(service: ServiceClient, contexts: Sequence[int]) -> list[tuple[int, int]]:
    """Return ``(child, context)`` for some contexts, in order."""
    found = _relatives(service, contexts, "Children", "children_contexts")
    return sorted((child, context) for context, child in found)


def _relatives(
    service: ServiceClient,
    contexts: Sequence[int],
    side: str,
    field: str,
    refused: Callable[[int, GRPCStatus], None] | None = None,
) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    method = f"Get{side}ContextsByContexts"
    response: Any = _proto.message(f"{method}Response")

    def take(answer: bytes) -> None:
        for context, held in response.FromString(answer).contexts.items():
            found.update((context, other.id) for other in getattr(held, field))

    try:
        service.run(Chunks(method, "context_ids", contexts, take, refused))
    except MissingMethodError:
        return _relatives_of_each(service, contexts, f"Get{side}ContextsByContext", refused)
    return found


def _relatives_of_each(
    service: ServiceClient,
    contexts: Sequence[int],
    method: str,
    refused: Callable[[int, GRPCStatus], None] | None,
) -> set[tuple[int, int]]:
    found: set[tuple[int, int]] = set()
    response: Any = _proto.message(f"{method}Response")

    def call(context: int) -> ServiceCall:
        def take(answer: bytes) -> None:
            found.update((context, other.id) for other in response.FromString(answer).contexts)

        failed = None if refused is None else functools.partial(refused, context)
        return ServiceCall(
            method, request(f"{method}Request", context_id=context), take, refused=failed
        )

    try:
        service.run(map(call, contexts))
    except MissingMethodError:
        return set()  # MLMD before 0.25 has no contexts in contexts
    return found
