"""The nodes at which an argument of a question left something out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlmd_lineage.lineage import index as indexes
from mlmd_lineage.lineage.bfs import CLOSED, STOP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.lineage.question import Question

    Array = np.ndarray[Any, np.dtype[Any]]


class Reached(NamedTuple):
    """What a walk reached."""

    nodes: Array
    """The positions of the nodes, in the order of their distance."""
    hops: Array
    """For each node how many edges away from the start it is."""
    starts: Sequence[int]
    """Where the walk began."""


def bounds(
    index: indexes.Index,
    reached: Reached,
    question: Question,
    type_flags: dict[int, int],
    *,
    up: bool,
) -> dict[str, Array]:
    """Return for each argument that left something out the nodes at which it did.

    Args:
        index: The graph in which the walk went.
        reached: What it reached.
        question: The arguments.
        type_flags: For each type's id STOP, CLOSED or 0.
        up: Whether it went against the direction of the data.
    """
    found, hops = reached.nodes, reached.hops
    edges = index.edges(up=up)
    at, owner = edges.of(found)
    followed = (question.roles >> edges.roles[at]) & 1 == 1
    outside = followed & ~indexes.among(edges.neighbours[at], np.sort(found))
    left, beyond = owner[outside], edges.neighbours[at[outside]]
    closed = np.isin(index.type_ids[beyond], _flagged(type_flags, CLOSED))
    stops = np.isin(index.type_ids[found[left]], _flagged(type_flags, STOP))
    stops &= ~np.isin(found[left], reached.starts)
    far = hops[left] >= question.hop_limit
    made = {}
    for name, reason in (
        ("max_hops", far & ~closed),
        ("until", stops & ~far & ~closed),
        ("types", closed),
    ):
        if reason.any():
            made[name] = np.unique(found[left[reason]])
    return made


def _flagged(flags: dict[int, int], flag: int) -> list[int]:
    return [type_id for type_id, value in flags.items() if value & flag]
