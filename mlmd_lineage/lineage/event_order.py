"""The order of events in time: which outputs of an artifact count for which of its inputs.

An output counts for an input of the same artifact if it is not later than the input. If no
producer had published the artifact by then, all outputs up to the earliest producer's count. With
the outputs ordered by time, those that count for an input are therefore always the first ones. So
each output gets a rank (its position, from 0), and each input a limit (the number of outputs that
count for it): an output counts for an input exactly if its rank is less than the input's limit.

An event without a time sets no restriction: such an output counts for all inputs, and for such an
input all outputs count. An output and an input at the same time count as in this order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.lineage.bfs import NO_LIMIT
from mlmd_lineage.lineage.roles import LATER, PRODUCES, USES

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, np.dtype[Any]]

_FIRST, _LAST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


def orders(
    is_input: Array, artifacts: Array, roles: Array, times: Callable[[Array], Array]
) -> Array | None:
    """Return the rank of each output and the limit of each input, or None if no output has rivals.

    If no producer had published the artifact before an input, the input's limit is such that the
    earliest producer counts.

    Args:
        is_input: Whether each event is an input; the events are in the order of their ids.
        artifacts: Each event's artifact, as a number from 0.
        roles: Each event's role.
        times: Gives the times of some events in milliseconds, 0 where they have none.
    """
    outputs = np.flatnonzero(~is_input)
    counts = np.bincount(artifacts[outputs], minlength=int(artifacts.max(initial=0)) + 1)
    rows = np.flatnonzero((counts > 1)[artifacts])
    if not len(rows):
        return None
    inputs = is_input[rows]
    moments = times(rows).astype(np.int64)
    moments = np.where(moments != 0, moments, np.where(inputs, _LAST, _FIRST))
    # By artifact, then by time, outputs before inputs, then by the event's id.
    by_time = np.lexsort((rows, inputs, moments, artifacts[rows]))
    rows, is_output = rows[by_time], ~inputs[by_time]
    owners = artifacts[rows]
    begins = np.concatenate([[True], owners[1:] != owners[:-1]])
    group = np.cumsum(begins) - 1
    published = np.cumsum(is_output)
    published -= (published - is_output)[begins][group]
    ranks = published - 1
    producing = np.flatnonzero(is_output & (roles[rows] == PRODUCES))[::-1]
    earliest = np.zeros(int(group[-1]) + 1, np.int64)
    earliest[group[producing]] = ranks[producing]
    made = is_input.astype(np.int32)
    made[rows] = np.where(is_output, ranks, np.maximum(published, earliest[group] + 1))
    return made


def with_later(roles: Array, orders: Array, artifacts: Array) -> Array:
    """Return roles in which producers that wrote an artifact again after it was taken are later.

    Args:
        roles: The roles of the edges of a graph, or of a part of one.
        orders: Their ranks and limits.
        artifacts: The artifact of each, as a number from 0.
    """
    produced = np.where(roles == LATER, np.uint8(PRODUCES), roles)
    least = least_limits(orders, produced == USES, artifacts)
    late = (produced == PRODUCES) & (orders >= least[artifacts])
    return np.where(late, np.uint8(LATER), produced)


def least_limits(orders: Array, inputs: Array, artifacts: Array) -> Array:
    """Return for each artifact the least of the limits of some inputs."""
    least = np.full(int(artifacts.max(initial=0)) + 1, np.iinfo(np.int32).max, np.int32)
    np.minimum.at(least, artifacts[inputs], orders[inputs])
    return least


def passes(orders: Array, is_input: Array, artifacts: Array) -> Array | None:
    """Return how many edges of its artifact a walk may follow after each edge, from the first.

    Upstream, an artifact's outputs are ordered by rank, so that those that count for an input come
    first. Downstream, its inputs are ordered by limit, the greatest first, so that those for which
    an output counts come first.

    Args:
        orders: The rank of each output, and the limit of each input.
        is_input: Whether each edge is an input.
        artifacts: The artifact of each edge, as a number from 0.

    Returns:
        For each input the number of outputs, for each output that of inputs; or None where every
        output counts for every input.
    """
    least = least_limits(orders, is_input, artifacts)
    late = ~is_input & (orders >= least[artifacts])
    if not late.any():
        return None
    limited = np.zeros(len(least), bool)
    limited[artifacts[late]] = True
    rows = np.flatnonzero(limited[artifacts])
    outputs, inputs = rows[~is_input[rows]], rows[is_input[rows]]
    made = np.full(len(orders), NO_LIMIT, np.int32)
    base = int(orders.max()) + 2
    made[inputs] = _counts(artifacts, orders, base, outputs, inputs)
    made[outputs] = _counts(artifacts, base - 1 - orders, base, inputs, outputs)
    return made


def _counts(artifacts: Array, orders: Array, base: int, counted: Array, rows: Array) -> Array:
    """Return for each row how many of the counted ones of its artifact have a lesser order."""
    keys = artifacts[counted].astype(np.int64) * base
    keys += orders[counted]
    keys.sort()
    starts = artifacts[rows].astype(np.int64) * base
    return keys.searchsorted(starts + orders[rows]) - keys.searchsorted(starts)


def ambiguous_events(
    artifacts: Array, executions: Array, roles: Array, times: Array
) -> tuple[Array, Array]:
    """Return which inputs came before every producer, and which events lack a needed time.

    A time is needed where more than one execution produced an artifact.

    Args:
        artifacts: The artifact of each event, as a number from 0.
        executions: The execution of each event, as a number.
        roles: Each event's role.
        times: Each event's time in milliseconds, 0 where it has none.
    """
    count = int(artifacts.max(initial=0)) + 1
    produces = (roles == PRODUCES) | (roles == LATER)
    moments = np.where(times != 0, times.astype(np.int64), _FIRST)
    first = np.full(count, _LAST, np.int64)
    np.minimum.at(first, artifacts[produces], moments[produces])
    is_produced = first != _LAST
    early = (roles == USES) & (times != 0) & is_produced[artifacts] & (moments < first[artifacts])
    makers = np.unique(np.stack([artifacts[produces], executions[produces]]), axis=1)[0]
    several = np.bincount(makers, minlength=count) > 1
    untimed = (times == 0) & several[artifacts] & (produces | (roles == USES))
    return np.flatnonzero(early), np.flatnonzero(untimed)
