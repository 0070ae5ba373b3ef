"""Mappings that cannot be changed, and say so as networkx does."""

from __future__ import annotations

import copy as copying
from collections.abc import Mapping
from typing import Any, NoReturn

import networkx as nx


def refuse(*_: object, **__: object) -> NoReturn:
    """Say that a view cannot be changed.

    Raises:
        NetworkXError: Always.
    """
    message = (
        "Frozen graph can't be modified: it is a view of a lineage graph. "
        "Ask for to_networkx(copy=True), or take its copy()."
    )
    raise nx.NetworkXError(message)


class Frozen(Mapping[Any, Any]):
    """A mapping that only reads; copies and pickles of it are dicts."""

    __slots__ = ()

    def copy(self) -> dict[Any, Any]:
        """Return a dict with the same values."""
        return dict(self.items())

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[Any, Any]:
        return copying.deepcopy(dict(self.items()), memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self.items()),)

    def __repr__(self) -> str:
        return repr(dict(self.items()))

    __setitem__ = __delitem__ = refuse
    update = pop = popitem = clear = setdefault = refuse
