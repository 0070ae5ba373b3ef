"""Pages of nodes by a request's ``ListOperationOptions``: order, page size, token, filter.

A page begins after the last node of the previous one, in the order of a column and then of the
id, so that no node is repeated or left out where the store grows between two pages.
"""

from __future__ import annotations

import base64
import dataclasses
import operator
from typing import TYPE_CHECKING, Any

from mlmd_lineage import _proto
from mlmd_lineage.errors import FilterError
from mlmd_lineage.filters.find import find_ids
from mlmd_lineage.readers.base import Pageable
from mlmd_lineage.server import response_size
from mlmd_lineage.server.status import StatusCode, StatusError
from mlmd_lineage.snapshot.tables import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.snapshot.tables import NodeSchema

_COLUMNS = {
    "CREATE_TIME": "create_time_since_epoch",
    "LAST_UPDATE_TIME": "last_update_time_since_epoch",
    "ID": "id",
}


def list_page(
    session: Session,
    kind: NodeSchema,
    options: Any = None,
    *,
    type_id: int | None = None,
    among: Collection[int] | None = None,
) -> tuple[Iterable[tuple[Any, ...]], str]:
    """Return the rows of one page, and the token of the next page: empty after the last one.

    Args:
        session: One read of the store.
        kind: The kind of the nodes.
        options: MLMD's ``ListOperationOptions``; without them all nodes, in the order of ids.
        type_id: Only nodes of this type.
        among: Only nodes with these ids.

    Raises:
        StatusError: The options are not valid.
    """
    where = {} if type_id is None else {"type_id": [type_id]}
    if options is not None and options.filter_query:
        found = set(filter_ids(session, kind, options.filter_query))
        among = found if among is None else found.intersection(among)
    if options is None:
        if among is None:
            return _all_rows(session, kind, where), ""
        parts = response_size.chunks(sorted(among))
        return (row for part in parts for row in _rows(session, kind, where, part)), ""
    position = _PagePosition.of(options)
    if among is not None and position.column == "id":
        ids = [i for i in sorted(among, reverse=position.descending) if position.includes(i, i)]
        rows: list[tuple[Any, ...]] = []
        while ids and len(rows) <= position.size:
            # A page's worth at a time: more is only needed where some are of another type.
            part, ids = ids[: position.size + 1], ids[position.size + 1 :]
            rows += position.ordered(kind, _rows(session, kind, where, part))
    elif among is not None:
        rows = position.ordered(kind, _rows(session, kind, where, sorted(among)))
    elif isinstance(session, Pageable):
        rows = session.page(
            kind.table,
            position.column,
            after=position.after,
            descending=position.descending,
            limit=position.size + 1,
            where=where,
        )
    else:
        rows = position.ordered(kind, session.fetch(kind.table, where))
    if len(rows) <= position.size:
        return rows, ""
    rows = rows[: position.size]
    return rows, _token(options, position.value(kind, rows[-1]), rows[-1][0])


def _all_rows(
    session: Session, kind: NodeSchema, where: Mapping[str, Collection[int]]
) -> Iterable[tuple[Any, ...]]:
    """Yield the rows in the order of their ids, some at a time where the store can."""
    if not isinstance(session, Pageable):
        yield from session.fetch(kind.table, where)
        return
    after: tuple[int, int] | None = None
    while True:
        rows = session.page(
            kind.table,
            "id",
            after=after,
            descending=False,
            limit=response_size.CHUNK,
            where=where,
        )
        yield from rows
        if len(rows) < response_size.CHUNK:
            return
        after = (rows[-1][0], rows[-1][0])


def filter_ids(session: Session, kind: NodeSchema, query: str) -> Collection[int]:
    """Return the ids of the nodes that a ``filter_query`` finds.

    Raises:
        StatusError: The query is not valid; the message says where.
    """
    try:
        return find_ids(session, kind.name, query)
    except FilterError as error:
        raise StatusError(StatusCode.INVALID_ARGUMENT, f"Invalid `filter_query`: {error}") from None


def _rows(
    session: Session, kind: NodeSchema, where: Mapping[str, Collection[int]], ids: Sequence[int]
) -> list[tuple[Any, ...]]:
    return session.fetch(kind.table, {**where, "id": ids}) if ids else []


@dataclasses.dataclass(frozen=True)
class _PagePosition:
    """The position of a page in a list: order, size, and the node before it."""

    column: str
    descending: bool
    size: int
    after: tuple[int, int] | None
    """The ordering value and the id of the last node of the previous page."""

    @classmethod
    def of(cls, options: Any) -> _PagePosition:
        size = options.max_result_size
        if size <= 0:
            message = (
                f"max_result_size field value is required to be greater than 0. Set value:{size}"
            )
            raise StatusError(StatusCode.INVALID_ARGUMENT, message)
        order = options.order_by_field
        field = order.DESCRIPTOR.fields_by_name["field"].enum_type.values_by_number[order.field]
        if field.name not in _COLUMNS:
            message = f"Unsupported field: {field.name} specified in ListOperationOptions"
            raise StatusError(StatusCode.INVALID_ARGUMENT, message)
        after = _after(options) if options.next_page_token else None
        return cls(_COLUMNS[field.name], not order.is_asc, size, after)

    def value(self, kind: NodeSchema, row: Sequence[Any]) -> int:
        """Return the value that a row is ordered by; old schemas have no times."""
        return row[SCHEMAS[kind.table].names.index(self.column)] or 0

    def includes(self, value: int, number: int) -> bool:
        """Tell whether a node comes after the previous page."""
        if self.after is None:
            return True
        key = (value, number)
        return key < self.after if self.descending else key > self.after

    def ordered(self, kind: NodeSchema, rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Return the rows that come after the previous page, in order."""
        keyed = [((self.value(kind, row), row[0]), row) for row in rows]
        keyed = [(key, row) for key, row in keyed if self.includes(*key)]
        keyed.sort(key=operator.itemgetter(0), reverse=self.descending)
        return [row for _, row in keyed]


def _token(options: Any, value: int, number: int) -> str:
    token: Any = _proto.message("ListOperationNextPageToken")()
    token.field_offset, token.id_offset = value, number
    token.set_options.CopyFrom(options)
    token.set_options.ClearField("next_page_token")
    return base64.urlsafe_b64encode(token.SerializeToString()).decode().rstrip("=")


def _after(options: Any) -> tuple[int, int]:
    from google.protobuf.message import DecodeError

    text = options.next_page_token
    token: Any = _proto.message("ListOperationNextPageToken")()
    try:
        token.ParseFromString(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
    except (ValueError, DecodeError, RuntimeError):
        message = "next_page_token was not issued by this server."
        raise StatusError(StatusCode.INVALID_ARGUMENT, message) from None
    if token.set_options.order_by_field != options.order_by_field:
        message = "order_by_field is not the one of the list that next_page_token continues."
        raise StatusError(StatusCode.INVALID_ARGUMENT, message)
    return token.field_offset, token.id_offset
