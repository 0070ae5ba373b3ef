"""The part of a store that the frames of steps, parameters or metrics are made from.

The rows of these frames follow from few properties and, of all artifacts, from those alone at
which dialects look. Runs are assembled by the same rules as whole ones, without the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from mlmd_lineage.post_execution.loading.run_outlines import MAKER_TABLES
from mlmd_lineage.post_execution.loading.store_image import StoreImage
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.imported import ORIGINAL, SOURCE
from mlmd_lineage.snapshot.selected_properties import of_names
from mlmd_lineage.snapshot.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from mlmd_lineage.dialects.base import Dialect
    from mlmd_lineage.dialects.facts import ArtifactFacts

    Array = np.ndarray[Any, np.dtype[Any]]
    Read: TypeAlias = Callable[[Collection[str], Mapping[str, Collection[str]]], Tables]
    Part: TypeAlias = Literal["steps", "parameters", "metrics"]

_TABLES = (*MAKER_TABLES, "EventPath")


class StepImage(StoreImage):
    """A store's executions as dialects are shown them, with some of the artifacts only."""

    def __init__(
        self, tables: Tables, artifacts: Array, *, writing_types: frozenset[int] = frozenset()
    ) -> None:
        """Keep the tables, and show of the artifacts only those with these ids."""
        super().__init__(tables, writing_types=writing_types)
        self._shown = frozenset(artifacts.tolist())

    def artifacts(self, ids: Collection[int]) -> dict[int, ArtifactFacts]:  # type: ignore[override]
        """Return those of some artifacts that are shown, by their ids."""
        if not self._shown:
            return {}
        return super().artifacts(self._shown.intersection(ids))


def step_image(
    read: Read,
    part: Part,
    dialects: Sequence[Dialect],
    names: Mapping[str, Collection[str]],
    *,
    writing_types: frozenset[int] = frozenset(),
) -> StoreImage | None:
    """Return the part of a store that a frame is made from; None where it needs all of it.

    >>> step_image(read, "steps", dialects(), needed_properties(dialects()))

    Args:
        read: Reads whole tables, and of tables of properties those with some names.
        part: Which frame.
        dialects: The dialects, in the order in which they are tried.
        names: The properties that outlines need: ``needed_properties()``.
        writing_types: Types that write artifacts, though no event here says so.
    """
    owned = names["ExecutionProperty"]
    selected = {} if part == "parameters" else {"ExecutionProperty": owned}
    artifact_names = {"ArtifactProperty": (ORIGINAL, SOURCE)}
    if part == "metrics":
        tables = read((*_TABLES, "ArtifactProperty"), selected)
    else:
        tables = read((*_TABLES, "ArtifactProperty"), selected | artifact_names)
    types = dict(zip(*(tables["Type"][c].to_pylist() for c in ("id", "name")), strict=True))
    if part != "steps" and not _of_attributed(dialects).isdisjoint(types.values()):
        return None
    if part == "parameters" and not _of_parameters(dialects).isdisjoint(types.values()):
        return None
    shown = _measured(tables, dialects) if part == "metrics" else np.zeros(0, np.int64)
    changed = {"EventPath": _needed_paths(tables, shown)}
    if selected:
        changed["ExecutionProperty"] = of_names(tables["ExecutionProperty"], owned)
    kept = Tables(
        {name: tables[name] for name in (*_TABLES, "ArtifactProperty")} | changed,
        schema_version=tables.schema_version,
        source=tables.source,
        taken_at=tables.taken_at,
    )
    return StepImage(kept, shown, writing_types=writing_types)


def _of_attributed(dialects: Sequence[Dialect]) -> set[str]:
    return {name for dialect in dialects for name in dialect.attributed_types}


def _of_parameters(dialects: Sequence[Dialect]) -> set[str]:
    return {name for dialect in dialects for name in dialect.parameter_types}


def _measured(tables: Tables, dialects: Sequence[Dialect]) -> Array:
    """Return the ids of the artifacts that may hold metrics, by their types or properties."""
    image = StoreImage(tables)
    artifacts = tables["Artifact"]
    ids, types = arrays.to_numpy(artifacts["id"]), arrays.to_numpy(artifacts["type_id"])
    kinds = {number: image.type_of(number) for number in np.unique(types).tolist()}
    measuring = [n for n, kind in kinds.items() if any(d.may_measure(*kind) for d in dialects)]
    names = {name for dialect in dialects for name in dialect.metric_properties}
    named = of_names(tables["ArtifactProperty"].select(["artifact_id", "name"]), names)
    return np.union1d(ids[np.isin(types, measuring)], arrays.to_numpy(named["artifact_id"]))


def _needed_paths(tables: Tables, shown: Array) -> Any:
    """Return the paths of events with several keys, and of those of the artifacts shown.

    How many keys an event has tells from how many steps an artifact was taken; of one key the
    name is only looked at where the artifact is.
    """
    paths, events = tables["EventPath"], tables["Event"]
    owners = arrays.to_numpy(paths["event_id"])
    keys = ~arrays.to_numpy(paths["is_index_step"]).astype(bool)
    several, counts = np.unique(owners[keys], return_counts=True)
    needed = several[counts > 1]
    if len(shown):
        of_shown = np.isin(arrays.to_numpy(events["artifact_id"]), shown)
        needed = np.union1d(needed, arrays.to_numpy(events["id"])[of_shown])
    return paths.filter(arrays.from_numpy(np.isin(owners, needed)))
