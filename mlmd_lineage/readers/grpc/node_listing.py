"""Listing of all nodes of a service, which has no list that comes in one piece.

MLMD numbers the nodes of a kind one after the other. So all of them are found by asking for all
ids up to the greatest, many at once; and where many ids in a row are not in use, the next one that
is comes from a list of length one that begins there.
"""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage import errors
from mlmd_lineage.readers.grpc import rows as grpc_rows
from mlmd_lineage.readers.grpc.calls import PAGE, Chunks, ServiceCall, request
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from mlmd_lineage.readers.grpc.calls import ServiceClient
    from mlmd_lineage.readers.grpc.status_errors import GRPCStatus
    from mlmd_lineage.snapshot.tables import NodeSchema

    Ids = np.ndarray[Any, np.dtype[np.int64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]
    TakeParts = Callable[[Sequence[bytes]], None]

_FIRST_BATCH = 1000
_LAST_BATCH = 64_000
_SPARSE = 20
"""If less than one id in this many is in use, the next id in use is looked up by a list."""
_GREATEST = (1 << 63) - 1
_TOO_MANY = 100
_BLOCK_BITS = 16
_LOW = (1 << _BLOCK_BITS) - 1


class Numbers:
    """A set of ids in one byte for each, as most of those in a row are in it."""

    def __init__(self) -> None:
        self._blocks: dict[int, Flags] = {}

    def add(self, numbers: Ids) -> Flags:
        """Add ids; tell which of them are new, the first of each."""
        new = np.zeros(len(numbers), bool)
        distinct, first = np.unique(numbers, return_index=True)
        high = distinct >> _BLOCK_BITS
        for block in np.unique(high).tolist():
            rows = np.flatnonzero(high == block)
            held = self._blocks.setdefault(block, np.zeros(1 << _BLOCK_BITS, bool))
            low = distinct[rows] & _LOW
            new[first[rows]] = ~held[low]
            held[low] = True
        return new

    def has(self, numbers: Ids) -> Flags:
        """Tell which of some ids are in it."""
        found = np.zeros(len(numbers), bool)
        high = numbers >> _BLOCK_BITS
        for block in np.unique(high).tolist():
            if block in self._blocks:
                rows = np.flatnonzero(high == block)
                found[rows] = self._blocks[block][numbers[rows] & _LOW]
        return found

    def held(self) -> Ids:
        """Return the ids, in order."""
        parts = [np.empty(0, np.int64)]
        for high, block in sorted(self._blocks.items()):
            parts.append(np.flatnonzero(block) + (high << _BLOCK_BITS))
        return np.concatenate(parts)

    def lacking(self, first: int, last: int) -> Iterator[int]:
        """Yield the ids of a range that are not in it."""
        for start in range(first, last + 1, 1 << _BLOCK_BITS):
            numbers = np.arange(start, min(start + _LOW, last) + 1)
            yield from numbers[~self.has(numbers)].tolist()


def plural(kind: NodeSchema) -> str:
    """Return how the names of methods call several nodes of a kind."""
    return f"{kind.table}s"


def options(size: int, *, after: int | None = None, ascending: bool = True, where: str = "") -> Any:
    """Return the options of a list in the order of ids.

    Args:
        size: How many nodes a page holds.
        after: Begin behind this id: it takes a token as MLMD makes them, an encoded
            ``ListOperationNextPageToken``.
        ascending: Whether the least id comes first.
        where: A filter.
    """
    made = request("ListOperationOptions", max_result_size=size)
    made.order_by_field.field = made.OrderByField.Field.Value("ID")
    made.order_by_field.is_asc = ascending
    if where:
        made.filter_query = where
    if after is not None:
        token = request("ListOperationNextPageToken", id_offset=after, field_offset=after)
        token.set_options.CopyFrom(made)
        made.next_page_token = base64.urlsafe_b64encode(token.SerializeToString()).decode()
    return made


class Listing:
    """The nodes of one service, and which of them it fails on."""

    def __init__(self, service: ServiceClient) -> None:
        self._service = service
        self.bad: dict[str, dict[int, GRPCStatus]] = {name: {} for name in KINDS}
        """The nodes on which the service fails, by kind and id."""
        self._good = 0

    def by_id(self, kind: NodeSchema, ids: Iterable[int], take: TakeParts) -> None:
        """Fetch the nodes with some ids; those on which the service fails are noted as bad."""

        def took(answer: bytes) -> None:
            nodes, _ = grpc_rows.parts_in(answer)
            self._good += len(nodes)
            take(nodes)

        def refused(number: int, status: GRPCStatus) -> None:
            bad = self.bad[kind.name]
            bad[number] = status
            if len(bad) > _TOO_MANY + self._good // 10:
                message = (
                    f"{self._service.address.location} fails on {len(bad)} of {self._good} nodes "
                    f"({status.code}: {status.details}). Its own log says more."
                )
                raise errors.ReadError(message)

        method = f"Get{plural(kind)}ByID"
        field = f"{kind.name}_ids"
        self._service.run(Chunks(method, field, ids, took, refused))

    def sweep(self, kind: NodeSchema, last: int, have: Numbers, take: TakeParts) -> None:
        """Fetch all nodes up to an id but those that one has."""
        position, batch = 1, _FIRST_BATCH
        found = 0

        def count(nodes: Sequence[bytes]) -> None:
            nonlocal found
            found += len(nodes)
            take(nodes)

        while position <= last:
            ids = list(itertools.islice(have.lacking(position, last), batch))
            if not ids:
                return
            found = 0
            bad = len(self.bad[kind.name])
            self.by_id(kind, ids, count)
            position = ids[-1] + 1
            found += len(self.bad[kind.name]) - bad
            if found * _SPARSE >= len(ids):
                batch = min(2 * batch, _LAST_BATCH)
            elif position <= last:
                batch = _FIRST_BATCH
                position = self._next_id(kind, position - 1) or position

    def last_id(self, kind: NodeSchema) -> int:
        """Return the greatest id of a kind's nodes, or 0 where there are none."""
        found, status = self._page(kind, options(1, ascending=False))
        if status is None:
            return max(found, default=0)
        # The service fails on the last node: above which id is there nothing, not even a failure?
        below, above = 0, _GREATEST
        if (
            self._next_id(kind, above - 1) is not None
            or self._page(kind, options(1, after=above))[1]
        ):
            message = (
                f"{self._service.address.location} fails on its newest {kind.name} "
                f"({status.code}: {status.details}), so that those before it cannot be listed. "
                "Its own log says more."
            )
            raise errors.ReadError(message)
        while above - below > 1:
            middle = (below + above) // 2
            found, failure = self._page(kind, options(1, after=middle))
            if found or failure:
                below = middle
            else:
                above = middle
        return above

    def _next_id(self, kind: NodeSchema, after: int) -> int | None:
        """Return the first id in use after another; None where it cannot be had."""
        found, _ = self._page(kind, options(1, after=after))
        number = found[0] if found else 0
        return number if number > after else None

    def _page(self, kind: NodeSchema, how: Any) -> tuple[list[int], GRPCStatus | None]:
        """Return the ids in a page of a list, or how that failed."""
        failed: list[GRPCStatus] = []
        pages: list[list[int]] = []
        self._service.run(
            [
                ServiceCall(
                    f"Get{plural(kind)}",
                    request(f"Get{plural(kind)}Request", options=how),
                    lambda answer: pages.append(_ids_in(answer)),
                    refused=failed.append,
                )
            ]
        )
        return (pages[0], None) if pages else ([], failed[0])

    def of_types(
        self, kind: NodeSchema, types: Collection[tuple[str, str | None]], take: TakeParts
    ) -> None:
        """Fetch all nodes of some types, each given by its name and version."""
        method = f"Get{plural(kind)}ByType"

        def call(name: str, version: str | None, how: Any) -> ServiceCall:
            asked = request(f"{method}Request", type_name=name, options=how)
            if version is not None:
                asked.type_version = version

            def took(answer: bytes) -> list[ServiceCall]:
                nodes, token = grpc_rows.parts_in(answer)
                take(nodes)
                return [call(name, version, _next(how, token))] if token else []

            return ServiceCall(method, asked, took)

        self._service.run(call(name, version, options(PAGE)) for name, version in types)


def _ids_in(answer: bytes) -> list[int]:
    found: list[int] = grpc_rows.ids_of(grpc_rows.parts_in(answer)[0]).tolist()
    return found


def _next(how: Any, token: bytes) -> Any:
    """Return the options of the next page."""
    made = type(how)()
    made.CopyFrom(how)
    made.next_page_token = token.decode("ascii")
    return made
