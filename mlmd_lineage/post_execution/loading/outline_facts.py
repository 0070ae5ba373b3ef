"""Executions as dialects are shown them for outlines: with few properties, and no artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.dialects.facts import EventFacts, ExecutionFacts
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.enums import INPUT_EVENTS, EventType
from mlmd_lineage.snapshot.imported import original_of
from mlmd_lineage.snapshot.selections import of_names
from mlmd_lineage.snapshot.text_states import execution_states_of
from mlmd_lineage.snapshot.values import rows_of, value_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mlmd_lineage.post_execution.loading.store_image import StoreImage
    from mlmd_lineage.snapshot.tables import Tables

    Array = np.ndarray[Any, np.dtype[Any]]
    Values = dict[str, Any]

_INPUT, _OUTPUT = int(EventType.INPUT), int(EventType.OUTPUT)


def outline_facts(
    tables: Tables,
    image: StoreImage,
    names: Collection[str],
    wanted: Collection[int] | None = None,
) -> Iterator[tuple[ExecutionFacts, int]]:
    """Yield executions in the order of their ids, with what outlines look at.

    With each comes the number of its set of contexts in the image.

    Of an execution's events there are at most two: one that stands for all outputs, with the time
    of the last, and where the execution has no time itself, one with the time of the first.

    Args:
        tables: ``Execution``, ``ExecutionProperty`` and ``Event``.
        image: An image of these tables, with contexts and types.
        names: The properties to show: names, or ``NAME*`` for all that begin so.
        wanted: The ids of the executions; None for all.
    """
    columns = ("id", "type_id", "name", "create_time_since_epoch", "last_update_time_since_epoch")
    executions = tables["Execution"].select(columns)
    executions = executions.append_column("state", execution_states_of(tables))
    ids = arrays.to_numpy(executions["id"])
    if wanted is not None or (np.diff(ids) < 0).any():
        order = np.argsort(ids, kind="stable")
        if wanted is not None:
            order = order[np.isin(ids[order], np.fromiter(wanted, np.int64, len(wanted)))]
        executions, ids = executions.take(arrays.from_numpy(order)), ids[order]
    values = _values(tables, names)
    first, last, wrote = (column.tolist() for column in _event_times(tables, ids))
    none: tuple[Values, Values] = ({}, {})
    types = {number: image.type_of(number) for number in executions["type_id"].unique().to_pylist()}
    writing = image.writing_types
    sets = image.context_sets.numbers_of(ids).tolist()
    of_set = image.contexts_of_set
    for at, row in enumerate(rows_of(executions)):
        number, type_id, name, created, updated, state = row
        type_name, base_type = types[type_id]
        declared, custom = values.get(number, none)
        original = original_of(custom) if custom else None
        if original is not None:
            name = original.name
            created, updated = original.created or created, original.updated or updated
        events: tuple[EventFacts, ...] = ()
        if wrote[at]:
            events = (EventFacts(0, 0, _OUTPUT, last[at], "", (), None),)
        if not created and first[at]:
            events += (EventFacts(0, 0, _INPUT, first[at], "", (), None),)
        # In the order of the fields: names would take half as long again.
        execution = ExecutionFacts(
            number,
            type_name,
            base_type,
            name or None,
            state,
            created or 0,
            updated or 0,
            declared,
            custom,
            of_set(sets[at]),
            events,
            type_id in writing,
        )
        yield execution, sets[at]


def _values(tables: Tables, names: Collection[str]) -> dict[int, tuple[Values, Values]]:
    found: dict[int, tuple[Values, Values]] = {}
    for owner, name, custom, *value in rows_of(of_names(tables["ExecutionProperty"], names)):
        both = found.get(owner)
        if both is None:
            both = found[owner] = ({}, {})
        both[bool(custom)][name] = value_of(*value)
    return found


def _event_times(tables: Tables, ids: Array) -> tuple[Array, Array, Array]:
    """Return for each execution the first time of its events, the last of outputs, if any.

    0 where there is none.
    """
    events = tables["Event"]
    types = arrays.to_numpy(events["type"])
    owners = arrays.to_numpy(events["execution_id"])
    times = arrays.to_numpy(events["milliseconds_since_epoch"])
    known = (types > 0) & (types < len(EventType))
    first = _extreme(np.minimum, owners, times, known & (times != 0), ids)[0]
    outputs = known & ~np.isin(types, list(INPUT_EVENTS))
    last, wrote = _extreme(np.maximum, owners, times, outputs, ids)
    return first, last, wrote


def _extreme(
    pick: np.ufunc, owners: Array, times: Array, rows: Array, ids: Array
) -> tuple[Array, Array]:
    """Return for each id the least or the greatest time of its rows, and whether it has any."""
    found, there = np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
    owners, times = owners[rows], times[rows]
    if not len(owners):
        return found, there
    if (np.diff(owners) < 0).any():
        order = np.argsort(owners, kind="stable")
        owners, times = owners[order], times[order]
    starts = np.flatnonzero(np.append(True, np.diff(owners) != 0))
    extremes, distinct = pick.reduceat(times, starts), owners[starts]
    at = distinct.searchsorted(ids).clip(max=len(distinct) - 1)
    there = distinct[at] == ids
    found[there] = extremes[at[there]]
    return found, there
