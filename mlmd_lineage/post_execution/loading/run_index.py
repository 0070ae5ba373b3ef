"""The index of a store's runs, each assembled when it is first asked for."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.dialects import registry
from mlmd_lineage.dialects.kubeflow_v2 import RUNS as KUBEFLOW_RUNS
from mlmd_lineage.post_execution.loading.row_values import without_gc
from mlmd_lineage.post_execution.loading.run_assembly import Run, Step, assemble_run
from mlmd_lineage.post_execution.loading.run_membership import RunMembership
from mlmd_lineage.snapshot.enums import ExecutionState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mlmd_lineage.dialects.base import Dialect
    from mlmd_lineage.dialects.facts import ExecutionFacts
    from mlmd_lineage.dialects.records import ArtifactRecord, RunIdentity, StepRecord
    from mlmd_lineage.kubeflow.run_records import RunRecord
    from mlmd_lineage.post_execution.lineage_queries import LineageQueries
    from mlmd_lineage.post_execution.loading.store_image import StoreImage

_AHEAD = 1000
"""How many executions are decoded together."""


class RunIndex:
    """The runs of a store image, assembled when they are asked for and kept.

    Attributes:
        store_image: The decoded rows.
    """

    def __init__(
        self,
        store_image: StoreImage,
        dialects: Sequence[Dialect],
        lineage: LineageQueries | None = None,
        shared_contexts: Collection[int] = (),
    ) -> None:
        """Take an image that holds the whole store; ``limit()`` says otherwise.

        Args:
            store_image: The decoded rows.
            dialects: The dialects, in the order in which they are tried.
            lineage: What answers the lineage questions of views.
            shared_contexts: The contexts that stand for runs of pipelines that were not loaded.
        """
        self.store_image = store_image
        self._lineage = lineage
        self._shared_contexts = frozenset(shared_contexts)
        self._whole_runs: frozenset[str] | None = None
        self._whole_pipelines: frozenset[str] | None = None
        self._dialects = dialects
        self._runs: dict[str, Run] = {}
        self._artifacts: dict[tuple[int, str], ArtifactRecord | None] = {}

    @property
    def lineage(self) -> LineageQueries:
        """The store that answers the lineage questions of views; frames ask none."""
        assert self._lineage is not None
        return self._lineage

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what can be assembled again; dialects are kept by their names."""
        kept = ("store_image", "_lineage", "_shared_contexts", "_whole_runs", "_whole_pipelines")
        return {
            **{name: self.__dict__[name] for name in kept},
            "dialects": tuple(dialect.name for dialect in self._dialects),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        names = state.pop("dialects")
        self.__dict__.update(state, _runs={}, _artifacts={}, _dialects=registry.named(names))

    @property
    def artifact_root(self) -> str | None:
        """The folder in which artifacts have to lie that are read, where one is set."""
        return None if self._lineage is None else self._lineage.artifact_root

    def run_record(self, key: str) -> RunRecord | None:
        """Return what Kubeflow's own database says of a run, where it is known."""
        names = None if self._lineage is None else self._lineage.run_names
        context = self.membership.runs[key].identity.run
        if names is None or context is None or context.type not in KUBEFLOW_RUNS:
            return None
        return names.get(context.name)

    def run_title(self, key: str) -> str:
        """Return the name that people gave a run in Kubeflow, where it is known; else its name."""
        record = self.run_record(key)
        return (record.display_name if record else None) or self.membership.runs[key].name

    @functools.cached_property
    def membership(self) -> RunMembership:
        """Which executions belong to which runs and pipelines."""
        with without_gc():
            return RunMembership(self.store_image, self._dialects, self._shared_contexts)

    # Runs

    def run(self, key: str) -> Run:
        """Return a run.

        Raises:
            NotLoadedError: Only some of its steps were loaded, for the sake of another run.
        """
        if not self.holds_run(key):
            name = self.membership.runs[key].name
            message = (
                f"Of the run {name!r} only those steps were read whose results another run took; "
                f"store.get_run({name!r}) reads all of it."
            )
            raise errors.NotLoadedError(message)
        if key not in self._runs:
            self._decode_ahead(key)
            self._runs[key] = self._assemble(key)
        return self._runs[key]

    def _decode_ahead(self, key: str) -> None:
        """Decode a run's executions with those of the runs after it: in one go it costs less."""
        runs = self.membership.runs
        executions = list(runs[key].executions)
        if self.store_image.holds(executions):
            return
        siblings = self.membership.pipelines[runs[key].pipeline].runs
        for other in siblings[siblings.index(key) + 1 :]:
            if len(executions) >= _AHEAD:
                break
            executions += runs[other].executions
        self.store_image.executions(executions)

    def runs_of(self, pipeline: str) -> list[str]:
        """Return the keys of a pipeline's runs, from the oldest to the newest.

        Raises:
            NotLoadedError: Not all of them were loaded.
        """
        entry = self.membership.pipelines[pipeline]
        if not self.holds_all_runs(pipeline):
            message = (
                f"Only one run of the pipeline {entry.name!r} was read; "
                f"store.get_pipeline({entry.name!r}) reads all of them."
            )
            raise errors.NotLoadedError(message)
        return entry.runs

    def limit(
        self,
        *,
        runs: Collection[int],
        pipelines: Collection[int] = (),
        keys: Collection[str] = (),
    ) -> None:
        """Say that only some runs, and pipelines with all of their runs, are wholly loaded.

        Args:
            runs: The ids of the contexts that stand for the runs.
            pipelines: The ids of the contexts that stand for the pipelines.
            keys: The keys of further runs.
        """
        held = self.membership.pipelines
        whole = [f"context/{number}" for number in pipelines]
        inner = [key for pipeline in whole if pipeline in held for key in held[pipeline].runs]
        self._whole_runs = frozenset([*self.membership.runs_of_contexts(runs), *inner, *keys])
        self._whole_pipelines = frozenset(whole)

    def holds_run(self, key: str) -> bool:
        """Tell whether all of a run was loaded."""
        return self._whole_runs is None or key in self._whole_runs

    def holds_all_runs(self, pipeline: str) -> bool:
        """Tell whether all runs of a pipeline were loaded."""
        return self._whole_pipelines is None or pipeline in self._whole_pipelines

    def release(self) -> None:
        """Free all assembled runs; they are assembled again when they are asked for."""
        self._runs.clear()
        self._artifacts.clear()
        self.store_image.forget()

    def _assemble(self, key: str) -> Run:
        entry = self.membership.runs[key]
        facts = self.store_image.executions(entry.executions)
        read = {number: self._step(found, entry.identity) for number, found in facts.items()}
        records = {number: record for number, (record, _) in read.items()}
        dialect = next((found for _, found in read.values()), self._dialects[entry.dialect])
        records = dict(dialect.link_steps(records))
        parts = [(facts[number], record) for number, record in records.items()]
        run = entry.identity.run
        artifacts = () if run is None else self.store_image.attributed(run.id)
        details = dialect.run(entry.identity, parts, artifacts)
        return assemble_run(key, facts.values(), records, dialect, details)

    def _step(self, execution: ExecutionFacts, identity: RunIdentity) -> tuple[StepRecord, Dialect]:
        dialect = self._dialects[self.dialect_of(execution)]
        return dialect.step(execution, identity), dialect

    def dialect_of(self, execution: ExecutionFacts, contexts: int | None = None) -> int:
        """Return the number of the dialect that reads an execution.

        Args:
            execution: The execution.
            contexts: The number of its set of contexts, where that is known.
        """
        number = self.membership.reader_of(execution, contexts)
        if number is not None:
            return number
        message = f"No dialect claims execution/{execution.id}; 'plain' has to be the last."
        raise errors.ConfigurationError(message)

    def repeats_are_attempts(self, run: Run) -> bool:
        """Tell whether steps of one name in a run are attempts, as its dialect has it."""
        dialect = next((d for d in self._dialects if d.name == run.dialect), None)
        return dialect is None or dialect.repeats_are_attempts

    def platforms(self, dialects: Mapping[int, int] | None = None) -> dict[str, int]:
        """Return the platforms that wrote the store, each with the number of its runs.

        A run is that of the dialect that reads its first execution.

        Args:
            dialects: The numbers of the dialects that read the first executions of runs, by the
                executions' ids, where they are known.
        """
        runs = self.membership.runs.values()
        if dialects is None:
            first = [entry.executions[0] for entry in runs if entry.executions]
            facts = self.store_image.executions(first)
            dialects = {number: self.dialect_of(execution) for number, execution in facts.items()}
        counts = dict.fromkeys(self.membership.platforms_without_runs, 0)
        for entry in runs:
            number = dialects[entry.executions[0]] if entry.executions else entry.dialect
            counts[number] = counts.get(number, 0) + 1
        named = {n: self._dialects[n].platform or self._dialects[n].name for n in counts}
        return {named[n]: counts[n] for n in sorted(counts)}

    # Steps

    def step(self, number: int) -> tuple[str, Step]:
        """Return the key of an execution's innermost run, and the execution as its step.

        Raises:
            NotFoundError: There is no such execution.
        """
        runs_of = self.membership.runs_by_execution.get(number)
        if not runs_of:
            message = f"There is no execution/{number} in {self.store_image.source}."
            raise errors.NotFoundError(message)
        key = runs_of[0]
        if self.holds_run(key):
            return key, self.run(key).steps[number]
        record, _ = self._step(
            self.store_image.executions([number])[number], self.membership.runs[key].identity
        )
        status = record.status or "running"
        return key, Step(
            record=record,
            status=status,
            is_cached=record.is_cached,
            parents=(),
            children=(),
            path=record.name,
            started=record.started,
            finished=record.finished,
        )

    def original(self, number: int) -> int | None:
        """Return the execution that made what a cached one reuses; None where it is not known.

        Kubeflow names it; elsewhere it is the one that made the outputs, or, where there are
        none, the newest earlier one with the same ``execution_cache`` context.
        """
        _, step = self.step(number)
        if not step.record.is_cached:
            return None
        seen, named = {number}, step.record.cached_from
        while (
            named is not None and named not in seen and named in self.membership.runs_by_execution
        ):
            seen.add(named)
            record = self.step(named)[1].record
            if not record.is_cached or record.cached_from is None:
                return named
            named = record.cached_from
        outputs = {a for found in step.record.outputs.values() for a in found}
        makers = {self.producer(artifact) for artifact in outputs} - {None, number}
        if makers:
            return max(maker for maker in makers if maker is not None)
        return self._same_cache(number)

    def _same_cache(self, number: int) -> int | None:
        facts = self.store_image.executions([number])[number]
        for context in facts.contexts:
            if context.type == "execution_cache":
                earlier = [n for n in self.store_image.members(context.id) if n < number]
                others = self.store_image.executions(earlier)
                made = [
                    n
                    for n, e in others.items()
                    if e.state not in {ExecutionState.CACHED, ExecutionState.FAILED}
                ]
                if made:
                    return max(made)
        return None

    def producer(self, artifact: int) -> int | None:
        """Return the execution that made an artifact, None where nobody did.

        Raises:
            NotLoadedError: Its outputs were not loaded.
        """
        found = self.store_image.producer(artifact)
        known = self.store_image.known
        if known is not None and artifact not in known:
            message = (
                f"Who made artifact/{artifact} was not read; ask the run that holds it, or "
                f"store.upstream('artifact/{artifact}')."
            )
            raise errors.NotLoadedError(message)
        return found if found in self.membership.runs_by_execution else None

    # Artifacts

    def artifact(self, number: int, dialect: str) -> ArtifactRecord | None:
        """Return what a dialect knows of an artifact, None where it has no row."""
        key = number, dialect
        if key not in self._artifacts:
            facts = self.store_image.artifact(number)
            named = next((d for d in self._dialects if d.name == dialect), self._dialects[-1])
            self._artifacts[key] = None if facts is None else named.artifact(facts)
        return self._artifacts[key]
