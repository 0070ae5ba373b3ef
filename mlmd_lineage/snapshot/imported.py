"""Nodes that Kubeflow Pipelines imported from another installation, and what they were there.

MLMD gives them new ids and the times of the import. The node as it was is JSON in the custom
property ``kfp_history_original``; its name begins with ``kfp-history-`` unless it is a run. Source:
``import_graph`` in ``tools/run-history/mlmd.py`` of kubeflow/pipelines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.arrays import pc
from mlmd_lineage.untrusted_text import int64_of, json_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ORIGINAL, SOURCE = "kfp_history_original", "kfp_history_source"
IMPORTED_PREFIX = "kfp_history_"
"""What the names of all properties begin with that an import adds."""
ID_COLUMN, SOURCE_COLUMN = "original_id", "imported_from"
"""The columns that tables of nodes have where some of them were imported."""
_NAME_PREFIX = "kfp-history-"
_NAMED, _TEXT_VALUE = 1, 5
"""The places of a property's name and of its text among the columns of its table."""


class Original(NamedTuple):
    """A node as it was before it was imported.

    Attributes:
        source: The installation that it was imported from.
        id: Its id there.
        name: Its name there.
        created, updated: Its times there, in milliseconds since 1970-01-01 UTC; 0 where unknown.
    """

    source: str
    id: int
    name: str | None
    created: int
    updated: int


def original_of(custom_properties: Mapping[str, Any]) -> Original | None:
    """Return what a node was before it was imported; None for one that was not."""
    text = custom_properties.get(ORIGINAL)
    if not isinstance(text, str):
        return None
    try:
        held = json_of(text)
        name, held_id = held.get("name"), int64_of(held["id"])
        if held_id is None:
            return None
        return Original(
            str(custom_properties.get(SOURCE) or ""),
            held_id,
            name if isinstance(name, str) and name else None,
            int64_of(held.get("create_time_since_epoch")) or 0,
            int64_of(held.get("last_update_time_since_epoch")) or 0,
        )
    except (AttributeError, LookupError, ValueError):
        return None


def originals_of(property_rows: Iterable[tuple[Any, ...]]) -> dict[int, Original]:
    """Return what nodes were, by their ids, given rows of a property table."""
    custom: dict[int, dict[str, Any]] = {}
    for row in property_rows:
        if row[_NAMED] in {ORIGINAL, SOURCE} and row[2]:
            custom.setdefault(row[0], {})[row[_NAMED]] = row[_TEXT_VALUE]
    found = {number: original_of(held) for number, held in custom.items()}
    return {number: original for number, original in found.items() if original is not None}


def originals_in(properties: pa.Table) -> dict[int, Original]:
    """Return what nodes were, by their ids, given a whole property table."""
    from mlmd_lineage.snapshot.values import rows_of

    wanted = arrays.from_values([ORIGINAL, SOURCE], pa.string())
    rows = properties.filter(pc.is_in(properties["name"].cast(pa.string()), value_set=wanted))
    return originals_of(rows_of(rows))


def may_be_imported(nodes: pa.Table) -> bool:
    """Return whether some nodes have names as an import gives them."""
    if nodes["name"].null_count == len(nodes):
        return False
    return bool(pc.any(pc.starts_with(nodes["name"], _NAME_PREFIX)).as_py())


def imported_among(rows: Iterable[tuple[Any, ...]], at: int) -> list[int]:
    """Return the ids of the rows of nodes whose names are such, given the place of the name."""
    return [row[0] for row in rows if row[at] and row[at].startswith(_NAME_PREFIX)]


def with_originals(nodes: pa.Table, originals: Mapping[int, Original]) -> pa.Table:
    """Return nodes with the names and times that they had, and two columns that say so."""
    if not originals:
        return nodes
    found = [originals.get(number) for number in nodes["id"].to_pylist()]
    for column, attribute in (
        ("name", "name"),
        ("create_time_since_epoch", "created"),
        ("last_update_time_since_epoch", "updated"),
    ):
        values = nodes[column].to_pylist()
        for row, original in enumerate(found):
            if original is not None:
                was = getattr(original, attribute)
                values[row] = was if attribute == "name" else was or values[row]
        place = nodes.column_names.index(column)
        kind = pa.string() if attribute == "name" else pa.int64()
        nodes = nodes.set_column(place, column, arrays.from_values(values, kind))
    ids = [None if original is None else original.id for original in found]
    sources = [None if original is None else original.source for original in found]
    nodes = nodes.append_column(ID_COLUMN, arrays.from_values(ids, pa.int64()))
    return nodes.append_column(SOURCE_COLUMN, arrays.from_values(sources, pa.string()))
