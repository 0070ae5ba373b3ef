"""The check of filters before MLMD's own library sees them.

Some filters end the library's process, such as one that begins with thousands of ``NOT``, and some
never end; see ``docs/filters.md`` for the limits of a filter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import FilterError
from mlmd_lineage.filters.semantics import analyze
from mlmd_lineage.server.backend import parse_request
from mlmd_lineage.server.status import StatusCode, StatusError
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.snapshot.tables import NodeKind

_LISTED: dict[str, NodeKind] = {
    f"Get{kind.table}s{which}": kind.name
    for kind in KINDS.values()
    for which in ("", "ByType", "ByContext")
}
_SUBGRAPH = "GetLineageSubgraph"


def check_filters(method: str, request: bytes) -> None:
    """Check the filters of a request.

    Raises:
        StatusError: One of them is not valid or beyond the limits; the message says where.
    """
    if method != _SUBGRAPH and (method not in _LISTED or not request):
        return
    for kind, query in _filters(method, parse_request(method, request)):
        check_filter(kind, query)


def check_filter(kind: NodeKind, query: str) -> None:
    """Check a filter for one kind of node.

    Raises:
        StatusError: It is not valid or beyond the limits; the message says where.
    """
    try:
        analyze(query, kind)
    except FilterError as error:
        message = f"Invalid `filter_query`: {error}"
        raise StatusError(StatusCode.INVALID_ARGUMENT, message) from None


def _filters(method: str, request: Any) -> Iterator[tuple[NodeKind, str]]:
    if method != _SUBGRAPH:
        if request.options.filter_query:
            yield _LISTED[method], request.options.filter_query
        return
    options = request.lineage_subgraph_query_options
    for kind in ("artifact", "execution"):
        for end in ("starting", "ending"):
            query = getattr(options, f"{end}_{kind}s").filter_query
            if query:
                yield kind, query
