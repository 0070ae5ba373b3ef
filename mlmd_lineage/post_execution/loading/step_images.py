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
from mlmd_lineage.snapshot.selections import of_names
from mlmd_lineage.snapshot.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import pyarrow as pa

    from mlmd_lineage.dialects.base import Dialect
    from mlmd_lineage.dialects.facts import ArtifactFacts
    from mlmd_lineage.post_execution.loading.run_membership import RunMembership

    Array = np.ndarray[Any, np.dtype[Any]]
    Read: TypeAlias = Callable[[Collection[str], Mapping[str, Collection[str]]], Tables]
    Part: TypeAlias = Literal["steps", "parameters", "metrics"]

_TABLES = (*MAKER_TABLES, "EventPath")


class StepImage(StoreImage):
    """A store's executions as dialects are shown them, with some of the artifacts only."""

    def __init__(self, tables: Tables, *, writing_types: frozenset[int] = frozenset()) -> None:
        """Keep the tables, and show none of the artifacts."""
        super().__init__(tables, writing_types=writing_types)
        self._all_tables = tables
        self._shown: frozenset[int] = frozenset()
        self._keep_paths(np.zeros(0, np.int64))

    def artifacts(self, ids: Iterable[int]) -> dict[int, ArtifactFacts]:
        """Return those of some artifacts that are shown, by their ids."""
        return super().artifacts(self._shown.intersection(ids)) if self._shown else {}

    def show_measured(self, membership: RunMembership, dialects: Sequence[Dialect]) -> set[str]:
        """Show the artifacts that may hold metrics; return the runs with events on them.

        It has to be called before any execution is decoded.

        Args:
            membership: Which executions belong to which runs.
            dialects: The dialects, in the order in which they are tried.
        """
        shown = self._measured([dialects[number] for number in membership.possible_readers()])
        self._shown = frozenset(shown.tolist())
        events = self.tables["Event"]
        of_shown = np.isin(arrays.to_numpy(events["artifact_id"]), shown)
        self._keep_paths(arrays.to_numpy(events["id"])[of_shown])
        owners = np.unique(arrays.to_numpy(events["execution_id"])[of_shown]).tolist()
        return {key for n in owners for key in membership.runs_by_execution.get(n, ())}

    def _measured(self, dialects: Sequence[Dialect]) -> Array:
        """Return the ids of the artifacts that may hold metrics, by their types or properties."""
        artifacts = self.tables["Artifact"]
        ids, types = arrays.to_numpy(artifacts["id"]), arrays.to_numpy(artifacts["type_id"])
        kinds = {number: self.type_of(number) for number in np.unique(types).tolist()}
        measuring = [n for n, kind in kinds.items() if any(d.may_measure(*kind) for d in dialects)]
        names = {name for dialect in dialects for name in dialect.metric_properties}
        named = of_names(self.tables["ArtifactProperty"].select(["artifact_id", "name"]), names)
        return np.union1d(ids[np.isin(types, measuring)], arrays.to_numpy(named["artifact_id"]))

    def _keep_paths(self, events: Array) -> None:
        """Keep the paths of some events, and of those that have several keys.

        How many keys an event has tells how often its artifact was taken; what its only key is
        matters only where the artifact is shown.
        """
        paths = self._all_tables["EventPath"]
        owners = arrays.to_numpy(paths["event_id"])
        keys = ~arrays.to_numpy(paths["is_index_step"]).astype(bool)
        found, counts = np.unique(owners[keys], return_counts=True)
        kept = np.isin(owners, np.union1d(found[counts > 1], events))
        self.tables = _changed(self.tables, "EventPath", paths.filter(arrays.from_numpy(kept)))


def step_image(
    read: Read,
    part: Part,
    dialects: Sequence[Dialect],
    names: Mapping[str, Collection[str]],
    *,
    writing_types: frozenset[int] = frozenset(),
) -> StepImage | None:
    """Return the part of a store that a frame is made from; None where it needs all of it.

    >>> step_image(read, "steps", dialects(), needed_properties(dialects()))

    Args:
        read: Reads whole tables, and of tables of properties those with some names.
        part: Which frame.
        dialects: The dialects, in the order in which they are tried.
        names: The properties that outlines need: ``needed_properties()``.
        writing_types: Types that write artifacts, though no event here says so.
    """
    tables = read((*_TABLES, "ArtifactProperty"), selected_properties(part, names))
    if needs_all(part, dialects, tables["Type"]["name"].to_pylist()):
        return None
    if part != "parameters":
        held = of_names(tables["ExecutionProperty"], names["ExecutionProperty"])
        tables = _changed(tables, "ExecutionProperty", held)
    return StepImage(tables, writing_types=writing_types)


def selected_properties(
    part: Part, names: Mapping[str, Collection[str]]
) -> dict[str, Collection[str]]:
    """Return the properties from which a frame is made, by their table; all where none are named.

    Args:
        part: Which frame.
        names: The properties that outlines need: ``needed_properties()``.
    """
    selected: dict[str, Collection[str]] = {}
    if part != "parameters":
        selected["ExecutionProperty"] = names["ExecutionProperty"]
    if part != "metrics":
        selected["ArtifactProperty"] = (ORIGINAL, SOURCE)
    return selected


def needs_all(part: Part, dialects: Sequence[Dialect], types: Collection[str]) -> bool:
    """Tell whether a frame may follow from rows that ``step_image()`` does not read.

    Args:
        part: Which frame.
        dialects: The dialects.
        types: The names of all types of the store.
    """
    if part != "steps" and not _of_attributed(dialects).isdisjoint(types):
        return True
    return part == "parameters" and not _of_parameters(dialects).isdisjoint(types)


def _of_attributed(dialects: Sequence[Dialect]) -> set[str]:
    return {name for dialect in dialects for name in dialect.attributed_types}


def _of_parameters(dialects: Sequence[Dialect]) -> set[str]:
    return {name for dialect in dialects for name in dialect.parameter_types}


def _changed(tables: Tables, name: str, table: pa.Table) -> Tables:
    kept = (*_TABLES, "ArtifactProperty")
    return Tables(
        {**{each: tables[each] for each in kept}, name: table},
        schema_version=tables.schema_version,
        source=tables.source,
        taken_at=tables.taken_at,
    )
