"""A store, or the lineage of one of its nodes, as one HTML file with the explorer in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.explorer import addresses
from mlmd_lineage.explorer.methods import overview, pipeline, run
from mlmd_lineage.lineage.render import explorer_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.explorer.explored_store import ExploredStore

_PAGE = 200
"""How many rows of a table the front end asks for at once."""
_MOST_RUNS = 200
"""How many runs come along with their steps, the newest of each pipeline first."""


def store_page(store: ExploredStore, node: str | None, direction: str) -> tuple[str, bool]:
    """Return a page, and whether it has the front end in it.

    Args:
        store: The store.
        node: The node whose lineage it holds; None for all of the store, its pipelines and runs.
        direction: ``upstream``, ``downstream`` or ``both``.

    Raises:
        NotFoundError: The store holds no such node.
        AmbiguousNameError: A name fits several.
    """
    if node is None:
        graph = store.lineage(properties=True)
        page = explorer_page.page(graph, start="#/", answers=list(_answers(store)))
        return page or graph.to_html(), page is not None
    key = store.find_node(node)
    traces = []
    if direction != "downstream":
        traces.append(store.upstream(key))
    if direction != "upstream":
        traces.append(store.downstream(key))
    page = explorer_page.page(*traces, start=addresses.lineage_address(key, direction))
    return page or traces[0].to_html(), page is not None


def _answers(store: ExploredStore) -> Iterator[dict[str, Any]]:
    """Yield what the front end asks for in the views of a store's pipelines and runs."""
    found = overview.overview(store)
    yield {"method": "overview", "params": {}, "answer": found}
    left = _MOST_RUNS
    for each in found["pipelines"]:
        for name in dict.fromkeys((each["key"], each["name"])):
            params = {"name": name, "offset": 0, "limit": _PAGE}
            yield {
                "method": "pipeline",
                "params": params,
                "answer": pipeline.pipeline(store, each["key"], offset=0, limit=_PAGE),
            }
            answer = pipeline.metrics(store, each["key"])
            yield {"method": "metrics", "params": {"name": name}, "answer": answer}
        for last in each["last"][: max(left, 0)]:
            left -= 1
            answer = run.run(store, last["key"], pipeline=each["key"])
            yield {"method": "run", "params": {"name": last["key"]}, "answer": answer}
