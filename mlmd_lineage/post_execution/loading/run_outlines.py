"""The runs of a store in outline: their statuses and times, without parameters and artifacts.

What a run's status follows from is a small part of what MLMD keeps of its steps, and takes a
fraction of the time that whole runs take. The rules are the same: those of the dialects, and of
``run_statuses``. Runs to which outlines cannot do justice are not guessed at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlmd_lineage.dialects.base import Dialect
from mlmd_lineage.post_execution.loading import run_statuses
from mlmd_lineage.post_execution.loading.outline_facts import outline_facts
from mlmd_lineage.post_execution.loading.row_values import without_gc
from mlmd_lineage.post_execution.loading.run_index import RunIndex
from mlmd_lineage.post_execution.loading.store_image import StoreImage
from mlmd_lineage.snapshot.imported import ORIGINAL, SOURCE
from mlmd_lineage.snapshot.text_states import STATE_PROPERTY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from mlmd_lineage.dialects.facts import ExecutionFacts
    from mlmd_lineage.dialects.records import Status, StepOutline
    from mlmd_lineage.post_execution.loading.run_assembly import Run
    from mlmd_lineage.post_execution.loading.run_membership import RunEntry, RunMembership
    from mlmd_lineage.snapshot.tables import Tables

    Array = np.ndarray[Any, np.dtype[Any]]

TABLES = (
    "Type",
    "ParentType",
    "Execution",
    "Context",
    "ExecutionProperty",
    "ContextProperty",
    "Event",
    "Association",
    "ParentContext",
)
"""The tables that outlines are made from; ``MAKER_TABLES`` where it is asked who made what."""
MAKER_TABLES = (*TABLES, "Artifact")
_ALWAYS = (ORIGINAL, SOURCE, STATE_PROPERTY)


class RunOutline(NamedTuple):
    """A run: its dialect, its status, its root's state, its number of steps and its times."""

    dialect: str
    status: Status
    state: str | None
    is_cached: bool
    steps: int
    started: int | None
    finished: int | None


def needed_properties(dialects: Sequence[Dialect]) -> dict[str, Collection[str]] | None:
    """Return which properties outlines need, by their table; None where a dialect may need any."""
    names = dict.fromkeys(_ALWAYS)
    for dialect in dialects:
        if dialect.outline_properties is None:
            return None
        names |= dict.fromkeys(dialect.outline_properties)
    return {"ExecutionProperty": tuple(names)}


class RunOutlines:
    """The runs of a store, of which nothing but outlines was read.

    >>> RunOutlines(tables, dialects()).runs(["context/2"])
    {'context/2': RunOutline(dialect='tfx', status='completed', ...)}

    Attributes:
        membership: Which executions belong to which runs and pipelines.
    """

    def __init__(
        self,
        tables: Tables,
        dialects: Sequence[Dialect],
        *,
        writing_types: frozenset[int] = frozenset(),
    ) -> None:
        """Take the tables; ``needed_properties()`` says which properties have to be there.

        Args:
            tables: The tables.
            dialects: The dialects, in the order in which they are tried.
            writing_types: Types that write artifacts, though no event here says so.
        """
        names = needed_properties(dialects)
        assert names is not None  # nothing else is read in outline
        self._names = names["ExecutionProperty"]
        self._tables = tables
        self._dialects = dialects
        self._image = StoreImage(tables, writing_types=writing_types)
        self._index = RunIndex(self._image, dialects)
        self.membership: RunMembership = self._index.membership

    def keys(self) -> list[str]:
        """Return the keys of the runs, by pipelines, each from the oldest to the newest."""
        return [key for entry in self.membership.pipelines.values() for key in entry.runs]

    def runs(self, keys: Collection[str] | None = None) -> dict[str, RunOutline] | None:
        """Return some runs by their keys; None where one of them has to be read whole.

        Args:
            keys: Their keys; None for all.
        """
        entries = self.membership.runs
        parts = {key: _OutlinedRun(entries[key]) for key in (self.keys() if keys is None else keys)}
        wanted = None if keys is None else self._executions_of(keys)
        runs_of, dialect_of = self.membership.runs_by_execution.of, self._index.dialect_of
        with without_gc():
            for execution, contexts in self._facts(wanted):
                number = dialect_of(execution, contexts)
                dialect = self._dialects[number]
                for key in runs_of(execution.id, contexts):
                    part = parts.get(key)
                    if part is not None:
                        part.readers[number] = None
                        part.outlines[execution.id] = dialect.outline(execution, part.identity)
            found = {}
            for key, part in parts.items():
                dialect = self._dialects[next(iter(part.readers), part.entry.dialect)]
                if len(part.readers) > 1 and _links(dialect):
                    return None
                run = _run(part.entry, part.outlines, dialect)
                if run is None:
                    return None
                found[key] = run
        return found

    def steps(self, executions: Collection[int]) -> dict[int, tuple[str, str]]:
        """Return the key of the innermost run of some executions, and each one's name in it."""
        found = {}
        with without_gc():
            for execution, contexts in self._facts(executions):
                key = self.membership.runs_by_execution.of(execution.id, contexts)[0]
                dialect = self._dialects[self._index.dialect_of(execution, contexts)]
                identity = self.membership.runs[key].identity
                found[execution.id] = key, dialect.step_name(execution, identity)
        return found

    def makers(self, artifacts: Array) -> Array:
        """Return the executions that made some artifacts, 0 where none is known to have."""
        made, by = self._image.producers
        found = np.zeros(len(artifacts), np.int64)
        if len(made):
            at = made.searchsorted(artifacts).clip(max=len(made) - 1)
            known = np.isin(by, np.array(self._image.execution_ids, np.int64))
            there = (made[at] == artifacts) & known[at]
            found[there] = by[at[there]]
        return found

    def _executions_of(self, keys: Collection[str]) -> set[int]:
        return {number for key in keys for number in self.membership.runs[key].executions}

    def _facts(self, executions: Collection[int] | None) -> Iterator[tuple[ExecutionFacts, int]]:
        return outline_facts(self._tables, self._image, self._names, executions)


class _OutlinedRun:
    """What was found of a run: which dialects read its executions, and their outlines."""

    __slots__ = ("entry", "identity", "outlines", "readers")

    def __init__(self, entry: RunEntry) -> None:
        self.entry = entry
        self.identity = entry.identity
        self.outlines: dict[int, StepOutline] = {}
        self.readers: dict[int, None] = {}


def _links(dialect: Dialect) -> bool:
    """Tell whether a dialect adds to its steps what follows from others."""
    return type(dialect).link_outlines is not Dialect.link_outlines


def _run(
    entry: RunEntry, outlines: Mapping[int, StepOutline], dialect: Dialect
) -> RunOutline | None:
    """Return a run; None where it has several roots, whose order follows from their artifacts."""
    linked = dialect.link_outlines(outlines)
    roots = [outline.state for outline in linked.values() if outline.is_root]
    if len(roots) > 1:
        return None
    found = run_statuses.of_run(linked, dialect, dialect.run_outline(entry.identity))
    return RunOutline(
        dialect=dialect.name,
        status=found.status,
        state=roots[0] if roots else None,
        is_cached=found.is_cached,
        steps=len(linked),
        started=found.started,
        finished=found.finished,
    )


def outline_of(run: Run) -> RunOutline:
    """Return the outline of a run that was assembled."""
    return RunOutline(
        dialect=run.dialect,
        status=run.status,
        state=next((s.record.state for s in run.steps.values() if s.record.is_root), None),
        is_cached=run.is_cached,
        steps=len(run.steps),
        started=run.started,
        finished=run.finished,
    )
