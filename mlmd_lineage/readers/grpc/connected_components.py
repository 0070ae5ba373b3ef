"""Connected components of a store's nodes, which its events tie together."""

from __future__ import annotations

from typing import Any

import numpy as np

Ids = np.ndarray[Any, np.dtype[np.int64]]


def groups(artifacts: Ids, executions: Ids) -> tuple[Ids, Ids]:
    """Return an execution of each group, and how many nodes the group has; the largest first.

    >>> groups(np.array([1, 1, 2, 3]), np.array([1, 2, 2, 3]))
    (array([2, 3]), array([4, 2]))

    Args:
        artifacts: The artifact of each event.
        executions: The execution of each event.

    Returns:
        Of its executions the one in the middle by their ids: from there all are near.
    """
    artifact_ids, artifact_at = np.unique(artifacts, return_inverse=True)
    execution_ids, execution_at = np.unique(executions, return_inverse=True)
    ends = execution_at, artifact_at + len(execution_ids)
    label = _labels(*ends, len(execution_ids) + len(artifact_ids))
    sizes = np.bincount(label, minlength=1)
    # Executions come first, in the order of their ids: those of each group lie together here.
    of_each = label[: len(execution_ids)]
    order = np.argsort(of_each, kind="stable")
    found, first, count = np.unique(of_each[order], return_index=True, return_counts=True)
    middle = execution_ids[order[first + count // 2]]
    largest = np.argsort(-sizes[found], kind="stable")
    return middle[largest], sizes[found][largest]


def _labels(one: Ids, other: Ids, count: int) -> Ids:
    """Return for each node the least number of those that it is tied to.

    In each round every group takes the number of a neighbour that has a smaller one, and what
    points to it follows, so that there are few rounds however long the ways.
    """
    label = np.arange(count)
    while True:
        first, second = label[one], label[other]
        apart = first != second
        if not apart.any():
            return label
        one, other, first, second = one[apart], other[apart], first[apart], second[apart]
        label[np.maximum(first, second)] = np.minimum(first, second)
        while True:
            further = label[label]
            if (further == label).all():
                break
            label = further
