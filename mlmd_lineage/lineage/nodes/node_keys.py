"""Conversion of the positions of nodes in an index to node keys, and back."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from mlmd_lineage.lineage.index import Index

REMEMBERED = 1 << 19
"""How many nodes' keys, or neighbours, are kept for the next time: at most about 100 MB."""


def numbers(array: np.ndarray[Any, np.dtype[Any]]) -> memoryview[Any]:
    """Return an array for reading single numbers, which takes a third of the time."""
    return memoryview(array)  # type: ignore[arg-type]  # arrays are buffers


class NodeKeys:
    """Node keys for the numbers of an index's nodes, and back."""

    def __init__(self, index: Index) -> None:
        self.artifacts = index.artifacts
        self.nodes = index.nodes
        self._artifact_ids = numbers(index.artifact_ids)
        self._execution_ids = numbers(index.execution_ids)

    def key(self, at: int) -> str:
        """Return a node's key."""
        if at < self.artifacts:
            return f"artifact/{self._artifact_ids[at]}"
        return f"execution/{self._execution_ids[at - self.artifacts]}"

    def __iter__(self) -> Iterator[str]:
        for kind, ids in (("artifact", self._artifact_ids), ("execution", self._execution_ids)):
            for number in ids:
                yield f"{kind}/{number}"

    def position(self, key: object) -> int:
        """Return where the node with a key stands.

        Raises:
            KeyError: There is no such node.
            TypeError: The key cannot be one in a dict either.
        """
        if not isinstance(key, str):
            hash(key)
            raise KeyError(key)
        kind, _, text = key.partition("/")
        try:
            number = int(text)
        except ValueError:
            raise KeyError(key) from None
        first, ids = 0, self._artifact_ids
        if kind == "execution":
            first, ids = self.artifacts, self._execution_ids
        # Mostly ids have no gaps.
        at = number - ids[0] if ids else -1
        if not (0 <= at < len(ids) and ids[at] == number):
            at = bisect.bisect_left(ids, number)
        # int() takes more than digits: "artifact/+5" is no key.
        if at == len(ids) or f"{kind}/{ids[at]}" != key or kind not in {"artifact", "execution"}:
            raise KeyError(key)
        return first + at


class NodeNames(dict[int, str]):
    """The keys of nodes by their numbers, made when they are first asked for."""

    def __init__(self, keys: NodeKeys) -> None:
        super().__init__()
        self._keys = keys
        self.numbers: dict[str, int] = {}

    def __missing__(self, at: int) -> str:
        if len(self) >= REMEMBERED:
            self.clear()
            self.numbers.clear()
        key = self[at] = self._keys.key(at)
        self.numbers[key] = at
        return key

    def number(self, key: str) -> int:
        """Return the number of a node.

        Raises:
            KeyError: There is no such node.
        """
        found = self.numbers.get(key)
        return self._keys.position(key) if found is None else found
