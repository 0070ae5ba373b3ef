"""Addresses of views, as the front end has them behind the ``#`` of a page's address."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from mlmd_lineage.explorer.explored_store import ExploredStore
    from mlmd_lineage.lineage.keys import Node


def lineage_address(key: str, direction: str = "upstream", hops: int | None = None) -> str:
    """Return the address of the lineage of a node.

    >>> lineage_address("artifact/46")
    '#/lineage/artifact:46?direction=upstream&hops=all'
    """
    name = quote(key.replace("/", ":", 1), safe=":")
    return f"#/lineage/{name}?direction={direction}&hops={'all' if hops is None else hops}"


def address_of(store: ExploredStore, node: Node | None, direction: str) -> str:
    """Return the address of what a person names: a node, a run, or nothing for the overview.

    Raises:
        NotFoundError: The store holds no such node.
        AmbiguousNameError: A name fits several.
    """
    if node is None:
        return ""
    key = getattr(node, "node_key", None) or store.find_node(str(node))
    if str(key).startswith("context/"):
        return f"#/run/{str(key).replace('/', ':', 1)}"
    return lineage_address(str(key), direction)
