"""The runs and pipelines of a store image, and the executions of each."""

from __future__ import annotations

import dataclasses
import itertools
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage import deadline
from mlmd_lineage.dialects.base import Dialect
from mlmd_lineage.dialects.records import RunIdentity
from mlmd_lineage.dialects.user_dialect import UserDialect
from mlmd_lineage.post_execution.loading.context_sets import ExecutionRuns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from mlmd_lineage.dialects.facts import ContextFacts, ExecutionFacts
    from mlmd_lineage.post_execution.loading.store_image import StoreImage

    Array = np.ndarray[Any, np.dtype[Any]]

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

    Dialects are asked once for each set of contexts, as the executions of a run share theirs.

    Attributes:
        runs, pipelines: The runs and the pipelines by their keys.
        runs_by_execution: For each execution the keys of its runs, the innermost first.
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
        self._sets = store_image.context_sets
        self.runs: dict[str, RunEntry] = {}
        self.pipelines: dict[str, PipelineEntry] = {}
        self.runs_by_execution = ExecutionRuns(self._sets)
        self.platforms_without_runs: set[int] = set()
        self._readers: dict[int, list[int]] = {}
        # Most dialects claim whatever they know.
        self._claims = [
            None if type(dialect).claims is Dialect.claims else dialect.claims
            for dialect in dialects
        ]
        numbers, first = np.unique(self._sets.numbers, return_index=True)
        identities: dict[int, tuple[RunIdentity, ...]] = {}
        for number in numbers.tolist():
            deadline.check()
            contexts = store_image.contexts_of_set(number)
            identities[number], dialect = self._identities(contexts)
            self._readers[number] = [dialect]
        self._shared = self._shared_contexts(identities.values()) | set(shared_contexts)
        self._groups: set[int] = set()
        self._outlines: dict[int, tuple[str, str | None, int]] = {}
        own = self._sets_without_common_runs(identities)
        is_own = np.isin(self._sets.numbers, list(own))
        is_first = np.zeros(len(is_own), bool)
        is_first[first] = True
        self._put_executions(identities, np.flatnonzero(is_own | is_first), own)
        held = store_image.contexts_with_executions
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

    def reader_of(self, execution: ExecutionFacts, contexts: int | None = None) -> int | None:
        """Return the number of the first dialect that knows an execution's contexts and claims it.

        Args:
            execution: The execution.
            contexts: The number of its set of contexts, where that is known.
        """
        if contexts is None:
            contexts = self._sets.number_of(execution.id) or 0
        known, claims = self._readers.setdefault(contexts, [0]), self._claims
        for number in known:
            test = claims[number]
            if test is None or test(execution):
                return number
        for number in self._later_readers(contexts, known[-1]):
            known.append(number)
            test = claims[number]
            if test is None or test(execution):
                return number
        return None

    def possible_readers(self) -> set[int]:
        """Return the numbers of the dialects of which one reads each execution.

        Those are for each set of contexts the ones that know them, up to the first that claims
        whatever it knows.
        """
        found: set[int] = set()
        for number in list(self._readers):
            for reader in self._readers_of_set(number):
                found.add(reader)
                if type(self._dialects[reader]).claims is Dialect.claims:
                    break
        return found

    def _readers_of_set(self, number: int) -> Iterator[int]:
        known = self._readers.setdefault(number, [0])
        at = 0
        while at < len(known):
            yield known[at]
            at += 1
            if at == len(known):
                known += itertools.islice(self._later_readers(number, known[-1]), 1)

    def _later_readers(self, number: int, last: int) -> Iterator[int]:
        """Yield the dialects after one that knows the contexts of a set, too."""
        known = type(self._dialects[last]).identify_runs
        for later in range(last + 1, len(self._dialects)):
            dialect = self._dialects[later]
            # ZenML's contexts are TFX's.
            same = type(dialect).identify_runs is known and not isinstance(dialect, UserDialect)
            if same or dialect.identify_runs(self._store_image.contexts_of_set(number)) is not None:
                yield later

    def age(self, key: str) -> tuple[int, int]:
        """Order runs from the oldest to the newest: by when they were made, then by their ids."""
        run = self.runs[key]
        context = run.identity.run
        if context is not None and run.identity.run_property is None:
            return context.created, context.id
        first = run.executions[0] if run.executions else 0
        return self._outlines[first][2], first

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

    def _identities(
        self, contexts: Sequence[ContextFacts], dialects: int | None = None
    ) -> tuple[tuple[RunIdentity, ...], int]:
        """Return the runs that some contexts mean, and the number of the dialect that says so."""
        for number, dialect in enumerate(self._dialects[:dialects]):
            identities = dialect.identify_runs(contexts)
            if identities is not None:
                return identities, number
        return (), len(self._dialects) - 1

    def _sets_without_common_runs(self, identities: dict[int, tuple[RunIdentity, ...]]) -> set[int]:
        """Return the sets whose executions have to be looked at one by one.

        So it is where an execution is a run of its own, or names its run itself; what is looked
        at then is fetched.
        """
        grouping = {n for n, found in identities.items() if any(i.is_group for i in found)}
        own = {
            number
            for number, found in identities.items()
            if not found or any(i.run is None or i.run_property is not None for i in found)
        }
        chosen = np.isin(self._sets.numbers, list(grouping | own))
        self._outlines = self._store_image.outlines(self._sets.executions[chosen])
        seen: set[tuple[int, str]] = set()
        is_grouping = np.isin(self._sets.numbers, list(grouping))
        for execution, number in self._members(np.flatnonzero(is_grouping)):
            for identity in identities[number]:
                if identity.is_group and identity.run is not None:
                    # Several executions of one type: the context groups runs.
                    member = identity.run.id, self._outlines[execution][0]
                    if member in seen:
                        self._groups.add(identity.run.id)
                    seen.add(member)
        return own | {
            number
            for number in grouping
            if any(i.run is not None and i.run.id in self._groups for i in identities[number])
        }

    def _members(self, places: Array) -> Iterator[tuple[int, int]]:
        """Yield some executions, each with the number of its set."""
        sets = self._sets
        yield from zip(sets.executions[places].tolist(), sets.numbers[places].tolist(), strict=True)

    @staticmethod
    def _shared_contexts(identities: Iterable[tuple[RunIdentity, ...]]) -> set[int]:
        """Return the contexts that stand for runs of several pipelines."""
        pipelines: dict[int, int | str] = {}
        shared = set()
        for found in identities:
            for identity in found:
                run, pipeline = identity.run, identity.pipeline
                if run is not None:
                    key = identity.pipeline_name if pipeline is None else pipeline.id
                    if pipelines.setdefault(run.id, key) != key:
                        shared.add(run.id)
        return shared

    # Entries

    def _put_executions(
        self, identities: dict[int, tuple[RunIdentity, ...]], places: Array, own: set[int]
    ) -> None:
        """Add the runs of all executions.

        Args:
            identities: The runs of each set.
            places: The places of those executions that are looked at: of each set the first, or
                all.
            own: The sets whose executions are looked at one by one.
        """
        ordinals: dict[str, int] = {}
        of_sets: dict[int, list[int]] = {}
        single: list[tuple[int, int]] = []
        for place, (execution, number) in zip(places.tolist(), self._members(places), strict=True):
            deadline.check()
            found = identities[number] or (self._own_run(execution),)
            keys = [self._entry_of(execution, number, identity).key for identity in found]
            runs = [ordinals.setdefault(key, len(ordinals)) for key in keys]
            if number in own:
                self.runs_by_execution.of_execution[execution] = keys
                single += [(place, run) for run in runs]
            else:
                self.runs_by_execution.of_set[number] = keys
                of_sets[number] = runs
        self._put_members(list(ordinals), of_sets, single)

    def _put_members(
        self, keys: list[str], of_sets: dict[int, list[int]], single: list[tuple[int, int]]
    ) -> None:
        """Give each run its executions, in order.

        Args:
            keys: The keys of the runs, to whose places the following refer.
            of_sets: The runs of each set.
            single: The places of single executions, each with a run of its own.
        """
        pairs = [np.array(single, np.int64).reshape(-1, 2)]
        for depth in range(max(map(len, of_sets.values()), default=0)):
            runs = np.full(len(self._sets.contexts), -1)
            for number, several in of_sets.items():
                if depth < len(several):
                    runs[number] = several[depth]
            of_each = runs[self._sets.numbers]
            places = np.flatnonzero(of_each >= 0)
            pairs.append(np.stack([places, of_each[places]], axis=1))
        places, runs = np.concatenate(pairs).T
        order = np.lexsort((places, runs))
        members: list[int] = self._sets.executions[places[order]].tolist()
        ends = np.cumsum(np.bincount(runs, minlength=len(keys))).tolist()
        start = 0
        for key, end in zip(keys, ends, strict=True):
            self.runs[key].executions = members[start:end]
            start = end

    def _own_run(self, execution: int) -> RunIdentity:
        kind, name, _ = self._outlines[execution]
        return RunIdentity(None, None, kind, name or f"execution/{execution}")

    def _entry_of(self, number: int, contexts: int, identity: RunIdentity) -> RunEntry:
        """Return the run of an execution, given the number of its set of contexts."""
        run, dialect = identity.run, self._readers[contexts][0]
        if run is not None and run.id in self._groups:
            name = self._outlines[number][1] or f"execution/{number}"
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
        """Add a run that has no execution yet, or a pipeline that has no run."""
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
