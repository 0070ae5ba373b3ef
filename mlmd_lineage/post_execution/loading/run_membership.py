"""The runs and pipelines of a store image, and the executions of each."""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import TYPE_CHECKING

from mlmd_lineage import deadline
from mlmd_lineage.dialects.records import RunIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from mlmd_lineage.dialects.base import Dialect
    from mlmd_lineage.dialects.facts import ContextFacts
    from mlmd_lineage.post_execution.loading.store_image import StoreImage

_KEPT = 10_000
"""For how many sets of contexts it is kept which runs they mean: steps of a run share them."""
_RUN_KEY = re.compile(r"(context|execution)/([0-9]+)(?::.*)?", re.DOTALL)


def node_of_run(key: str) -> tuple[str, int] | None:
    """Return the kind and the id of the node that stands for a run; None for no run's key.

    >>> node_of_run("context/7"), node_of_run("context/7:context/2")
    (('context', 7), ('context', 7))
    """
    match = _RUN_KEY.fullmatch(key)
    return None if match is None else (match[1], int(match[2]))


@dataclasses.dataclass(slots=True)
class RunEntry:
    """A run: its key, its identity, and its executions in order.

    Attributes:
        dialect: The number of the dialect that identified it.
    """

    key: str
    name: str
    identity: RunIdentity
    pipeline: str
    dialect: int
    executions: list[int] = dataclasses.field(default_factory=list)

    @property
    def run_id(self) -> str | None:
        """The name by which the platform itself knows the run, where it keeps one."""
        found = None if self.identity.run is None else self.identity.run.properties.get("run_id")
        return found if isinstance(found, str) else None


@dataclasses.dataclass(slots=True)
class PipelineEntry:
    """A pipeline: its key, the id of its context if it has one, and the keys of its runs."""

    key: str
    name: str
    id: int | None
    runs: list[str] = dataclasses.field(default_factory=list)


class RunMembership:
    """The runs and the pipelines of an image, by their keys.

    A run's key is that of its context, ``"context/2"``, or of the execution that is a run of its
    own. Where one context stands for several runs, a colon and the pipeline's key follow, or the
    run's name: ``"context/2:context/5"``. That is so where pipelines on one schedule were given
    one run id. A pipeline's key is that of its context; one that has none has the key
    ``"pipeline/NAME"``.

    Attributes:
        runs, pipelines: The runs and the pipelines by their keys.
        runs_by_execution: For each execution the keys of its runs, the innermost first.
        dialect_numbers: For each execution the number of the dialect that identified its runs.
        platforms_without_runs: The numbers of the dialects that know a context of no execution.
    """

    def __init__(
        self,
        store_image: StoreImage,
        dialects: Sequence[Dialect],
        shared_contexts: Collection[int] = (),
    ) -> None:
        """Find the runs; ``shared_contexts`` stand for runs of pipelines that were not loaded."""
        self._store_image = store_image
        self._dialects = dialects
        self.runs: dict[str, RunEntry] = {}
        self.pipelines: dict[str, PipelineEntry] = {}
        self.runs_by_execution: dict[int, list[str]] = {}
        self.dialect_numbers: dict[int, int] = {}
        self.platforms_without_runs: set[int] = set()
        of_contexts = functools.lru_cache(_KEPT)(self._of_contexts)
        identities = {n: self._of_execution(n, of_contexts) for n in store_image.execution_ids}
        self._groups = self._groups_of_runs(identities)
        self._shared = self._shared_contexts(identities) | set(shared_contexts)
        for number, found in identities.items():
            for identity in found:
                entry = self._entry_of(number, identity)
                entry.executions.append(number)
                self.runs_by_execution.setdefault(number, []).append(entry.key)
        held = {c for contexts in store_image.memberships.values() for c in contexts}
        for number in store_image.context_ids:
            if number not in held:
                self._put_empty(number)
        for pipeline in self.pipelines.values():
            pipeline.runs.sort(key=self.age)

    def runs_of_contexts(self, contexts: Collection[int]) -> Iterator[str]:
        """Yield the keys of the runs for which some contexts stand."""
        for key, entry in self.runs.items():
            if entry.identity.run is not None and entry.identity.run.id in contexts:
                yield key

    def age(self, key: str) -> tuple[int, int]:
        """Order runs from the oldest to the newest: by when they were made, then by their ids."""
        run = self.runs[key]
        first = min(run.executions, default=0)
        if run.identity.run is None or run.identity.run_property is not None:
            return self._store_image.outlines[first][2], first
        return run.identity.run.created, run.identity.run.id

    def first_of(self, pipeline: PipelineEntry, but: Collection[str] = ()) -> tuple[int, int, int]:
        """Order pipelines by what was found first of them: an execution, or else a context.

        Args:
            pipeline: The pipeline.
            but: The keys of runs that do not count.
        """
        runs = {key: self.runs[key] for key in pipeline.runs if key not in but}
        executions = [number for run in runs.values() for number in run.executions[:1]]
        if executions:
            first = min(executions)
            keys = self.runs_by_execution[first]
            return 0, first, next(place for place, key in enumerate(keys) if key in runs)
        contexts = [run.identity.run for run in runs.values()]
        numbers = [context.id for context in contexts if context is not None]
        return 1, min([*numbers, *([] if pipeline.id is None else [pipeline.id])], default=0), 0

    # Identities

    def _of_execution(
        self,
        number: int,
        of_contexts: Callable[[tuple[int, ...]], tuple[tuple[RunIdentity, ...], int]],
    ) -> tuple[RunIdentity, ...]:
        deadline.check()
        found, dialect = of_contexts(tuple(self._store_image.memberships.get(number, ())))
        self.dialect_numbers[number] = dialect
        if found:
            return found
        kind, name, _ = self._store_image.outlines[number]
        return (RunIdentity(None, None, kind, name or f"execution/{number}"),)

    def _of_contexts(self, contexts: tuple[int, ...]) -> tuple[tuple[RunIdentity, ...], int]:
        """Return the runs that contexts with some ids mean, and the number of the dialect."""
        found = map(self._store_image.context, contexts)
        return self._identities([context for context in found if context is not None])

    def _identities(
        self, contexts: Sequence[ContextFacts], dialects: int | None = None
    ) -> tuple[tuple[RunIdentity, ...], int]:
        """Return the runs that some contexts mean, and the number of the dialect that says so."""
        for number, dialect in enumerate(self._dialects[:dialects]):
            identities = dialect.identify_runs(contexts)
            if identities is not None:
                return identities, number
        return (), len(self._dialects) - 1

    def _groups_of_runs(self, identities: dict[int, tuple[RunIdentity, ...]]) -> set[int]:
        """Return the contexts that group runs: several of their executions have one type."""
        seen: set[tuple[int, str]] = set()
        groups: set[int] = set()
        for number, found in identities.items():
            for identity in found:
                if identity.is_group and identity.run is not None:
                    member = identity.run.id, self._store_image.outlines[number][0]
                    if member in seen:
                        groups.add(identity.run.id)
                    seen.add(member)
        return groups

    def _shared_contexts(self, identities: dict[int, tuple[RunIdentity, ...]]) -> set[int]:
        """Return the contexts that stand for runs of several pipelines."""
        pipelines: dict[int, str] = {}
        shared = set()
        for found in identities.values():
            for identity in found:
                if identity.run is not None:
                    key = _pipeline_key(identity)
                    if pipelines.setdefault(identity.run.id, key) != key:
                        shared.add(identity.run.id)
        return shared

    # Entries

    def _entry_of(self, number: int, identity: RunIdentity) -> RunEntry:
        """Return the run of an execution."""
        run, dialect = identity.run, self.dialect_numbers[number]
        if run is not None and run.id in self._groups:
            name = self._store_image.outlines[number][1] or f"execution/{number}"
            return self._run(f"execution/{number}", RunIdentity(None, run, run.name, name), dialect)
        if run is not None and identity.run_property is not None:
            values = self._store_image.execution_texts(identity.run_property)
            name = values.get(number, run.name)
            own = dataclasses.replace(identity, run_name=name)
            return self._run(f"context/{run.id}:{name}", own, dialect)
        key = f"execution/{number}" if run is None else self._key_of_context(run.id, identity)
        return self._run(key, identity, dialect)

    def _key_of_context(self, number: int, identity: RunIdentity) -> str:
        suffix = f":{_pipeline_key(identity)}" if number in self._shared else ""
        return f"context/{number}{suffix}"

    def _put_empty(self, number: int) -> None:
        """Take up a run that has no execution yet, or a pipeline that has no run."""
        context = self._store_image.context(number)
        if context is None:
            return
        # A context without any execution is a run only where a platform is known by it.
        plain = len(self._dialects) - 1
        identities, dialect = self._identities([context], plain)
        if dialect != plain:
            self.platforms_without_runs.add(dialect)
        for identity in identities:
            if identity.run is context:
                if identity.pipeline is not context:
                    self._run(self._key_of_context(number, identity), identity, dialect)
                else:
                    self._pipeline(identity)

    def _run(self, key: str, identity: RunIdentity, dialect: int) -> RunEntry:
        entry = self.runs.get(key)
        if entry is None:
            pipeline = self._pipeline(identity)
            name = identity.run_name or (identity.run.name if identity.run else key)
            entry = RunEntry(key, name, identity, pipeline.key, dialect)
            self.runs[key] = entry
            pipeline.runs.append(key)
        return entry

    def _pipeline(self, identity: RunIdentity) -> PipelineEntry:
        key = _pipeline_key(identity)
        entry = self.pipelines.get(key)
        if entry is None:
            number = None if identity.pipeline is None else identity.pipeline.id
            entry = self.pipelines[key] = PipelineEntry(key, identity.pipeline_name, number)
        return entry


def _pipeline_key(identity: RunIdentity) -> str:
    if identity.pipeline is None:
        return f"pipeline/{identity.pipeline_name}"
    return f"context/{identity.pipeline.id}"
