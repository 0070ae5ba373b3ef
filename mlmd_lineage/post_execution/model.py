"""A run made ready for its views: its steps' records, statuses, parents, children and order."""

from __future__ import annotations

import dataclasses
import functools
import heapq
from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.dialects.base import derived_status, group_status, keys_of
from mlmd_lineage.dialects.records import RunDetails
from mlmd_lineage.post_execution.layout import Layout
from mlmd_lineage.snapshot.tables import INPUT_EVENTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mlmd_lineage.dialects.base import Dialect
    from mlmd_lineage.dialects.facts import ExecutionFacts
    from mlmd_lineage.dialects.records import ArtifactRecord, Place, Status, StepRecord
    from mlmd_lineage.post_execution.image import Image
    from mlmd_lineage.post_execution.view import Views

_RESOLVED = 6
_NEVER_CAME = ("pending", "phantom")
_CACHED_STATE = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A step of a run: what the dialect says of it, and what follows from the run's other steps."""

    record: StepRecord
    status: Status
    is_cached: bool
    parents: tuple[int, ...]
    children: tuple[int, ...]
    path: str
    started: int | None
    finished: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """A run's steps in topological order, and what follows from them.

    Attributes:
        publishers: For each step and each artifact that it takes, the steps that hand it on.
    """

    key: str
    status: Status
    is_cached: bool
    steps: Mapping[int, Step]
    details: RunDetails
    dialect: str
    publishers: Mapping[tuple[int, int], tuple[int, ...]]
    started: int | None
    finished: int | None


class Model:
    """The runs of an image, worked out when they are asked for and kept.

    Attributes:
        image: The rows.
        views: How each kind of view is made.
    """

    def __init__(self, image: Image, dialects: Sequence[Dialect], views: Views) -> None:
        """Take an image that holds all there is; ``limit()`` says otherwise."""
        self.image = image
        self.views = views
        self._whole_runs: frozenset[str] | None = None
        self._whole_pipelines: frozenset[str] | None = None
        self._dialects = dialects
        self._runs: dict[str, Run] = {}
        self._artifacts: dict[tuple[int, str], ArtifactRecord | None] = {}

    @functools.cached_property
    def layout(self) -> Layout:
        """Which executions belong to which runs and pipelines."""
        return Layout(self.image, self._dialects)

    # Runs

    def run(self, key: str) -> Run:
        """Return a run.

        Raises:
            NotLoadedError: Only some of its steps were loaded, for the sake of another run.
        """
        if not self.holds_run(key):
            name = self.layout.runs[key].name
            message = (
                f"Of the run {name!r} only those steps were read whose results another run took; "
                f"store.get_run({name!r}) reads all of it."
            )
            raise errors.NotLoadedError(message)
        if key not in self._runs:
            self._runs[key] = self._worked_out(key)
        return self._runs[key]

    def runs_of(self, pipeline: str) -> list[str]:
        """Return the keys of a pipeline's runs, from the oldest to the newest.

        Raises:
            NotLoadedError: Not all of them were loaded.
        """
        entry = self.layout.pipelines[pipeline]
        if not self.holds_all_runs(pipeline):
            message = (
                f"Only one run of the pipeline {entry.name!r} was read; "
                f"store.get_pipeline({entry.name!r}) reads all of them."
            )
            raise errors.NotLoadedError(message)
        return entry.runs

    def limit(self, *, runs: Collection[str], pipelines: Collection[str]) -> None:
        """Say which runs, and which pipelines with all of their runs, are wholly loaded."""
        held = self.layout.pipelines
        inner = [key for pipeline in pipelines if pipeline in held for key in held[pipeline].runs]
        self._whole_runs = frozenset([*runs, *inner])
        self._whole_pipelines = frozenset(pipelines)

    def holds_run(self, key: str) -> bool:
        """Tell whether all of a run was loaded."""
        return self._whole_runs is None or key in self._whole_runs

    def holds_all_runs(self, pipeline: str) -> bool:
        """Tell whether all runs of a pipeline were loaded."""
        return self._whole_pipelines is None or pipeline in self._whole_pipelines

    def release(self) -> None:
        """Let go of all runs: they are worked out again when they are asked for."""
        self._runs.clear()
        self._artifacts.clear()
        self.image.forget()

    def _worked_out(self, key: str) -> Run:
        entry = self.layout.runs[key]
        facts = self.image.executions(entry.executions)
        read = {number: self._step(found, entry.place) for number, found in facts.items()}
        records = {number: record for number, (record, _) in read.items()}
        dialect = next((spoken for _, spoken in read.values()), None)
        publishers = _publishers(facts.values())
        parents = _parents(records, publishers)
        steps = _assembled(records, parents, skip=bool(dialect and dialect.canceled_is_skipped))
        top = [s for s in steps.values() if s.record.parent_dag not in records]
        status = derived_status(
            _last_attempts(top),
            canceled_is_skipped=bool(dialect and dialect.canceled_is_skipped),
            nothing="completed" if steps and all(s.status == "canceled" for s in top) else "running",
        )
        details = RunDetails()
        if dialect is not None:
            details = dialect.run(entry.place, [(facts[n], record) for n, record in records.items()])
        return Run(
            key=key,
            status=status,
            is_cached=_all_cached(top),
            steps=steps,
            details=details,
            dialect=dialect.name if dialect else "",
            publishers=publishers,
            started=_least(step.started for step in steps.values()),
            finished=None
            if status == "running"
            else _most(step.finished for step in steps.values()),
        )

    def _step(self, execution: ExecutionFacts, place: Place) -> tuple[StepRecord, Dialect]:
        for dialect in self._dialects:
            if dialect.place(execution.contexts) is not None and dialect.claims(execution):
                return dialect.step(execution, place), dialect
        message = f"No dialect claims execution/{execution.id}; 'plain' has to be the last."
        raise errors.ConfigurationError(message)

    # Steps

    def step(self, number: int) -> tuple[str, Step]:
        """Return the key of an execution's innermost run, and the execution as its step.

        Raises:
            NotFoundError: There is no such execution.
        """
        homes = self.layout.homes.get(number)
        if not homes:
            message = f"There is no execution/{number} in {self.image.source}."
            raise errors.NotFoundError(message)
        key = homes[0]
        if self.holds_run(key):
            return key, self.run(key).steps[number]
        record, _ = self._step(self.image.executions([number])[number], self.layout.runs[key].place)
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
        while named is not None and named not in seen and named in self.layout.homes:
            seen.add(named)
            record = self.step(named)[1].record
            if not record.is_cached or record.cached_from is None:
                return named
            named = record.cached_from
        outputs = {a for found in step.record.outputs.values() for a in found}
        makers = {self.maker(artifact) for artifact in outputs} - {None, number}
        if makers:
            return max(maker for maker in makers if maker is not None)
        return self._same_cache(number)

    def _same_cache(self, number: int) -> int | None:
        facts = self.image.executions([number])[number]
        for context in facts.contexts:
            if context.type == "execution_cache":
                earlier = [n for n in self.image.members(context.id) if n < number]
                others = self.image.executions(earlier)
                made = [n for n, e in others.items() if e.state not in {_CACHED_STATE, 4}]
                if made:
                    return max(made)
        return None

    def maker(self, artifact: int) -> int | None:
        """Return the execution that made an artifact, None where nobody did.

        Raises:
            NotLoadedError: Its outputs were not loaded.
        """
        found = self.image.maker(artifact)
        known = self.image.known
        if known is not None and artifact not in known:
            message = (
                f"Who made artifact/{artifact} was not read; ask the run that holds it, or "
                f"store.upstream('artifact/{artifact}')."
            )
            raise errors.NotLoadedError(message)
        return found if found in self.layout.homes else None

    # Artifacts

    def artifact(self, number: int, dialect: str) -> ArtifactRecord | None:
        """Return what a dialect knows of an artifact, None where it has no row."""
        key = number, dialect
        if key not in self._artifacts:
            facts = self.image.artifacts([number]).get(number)
            spoken = next((d for d in self._dialects if d.name == dialect), self._dialects[-1])
            self._artifacts[key] = None if facts is None else spoken.artifact(facts)
        return self._artifacts[key]


def _publishers(
    executions: Iterable[ExecutionFacts],
) -> dict[tuple[int, int], tuple[int, ...]]:
    """Return who handed each artifact to each step: the latest that published it before, in the run.

    A resolver hands on what others made: it is meant where no other step published the artifact,
    or where the artifact was taken under a second key, as ``model`` and ``baseline_model``. Times
    of machines may disagree; where none is earlier by time, the order in which the events were
    recorded tells.
    """
    published: dict[int, list[tuple[int, int, int, bool]]] = {}
    taken: list[tuple[int, int, int, int, int]] = []
    for execution in executions:
        for event in execution.events:
            if event.type in INPUT_EVENTS:
                keys = max(1, len(keys_of(event.path)))
                taken.append((execution.id, event.artifact_id, event.time, event.id, keys))
            elif event.role not in _NEVER_CAME:
                published.setdefault(event.artifact_id, []).append(
                    (event.time, event.id, execution.id, event.type == _RESOLVED)
                )
    found: dict[tuple[int, int], set[int]] = {}
    for step, artifact, time, event, keys in taken:
        others = [p for p in published.get(artifact, ()) if p[2] != step]
        for resolved in (False, True):
            if len(found.get((step, artifact), ())) >= keys:
                continue
            same = [p for p in others if p[3] == resolved]
            before = [p for p in same if p[:2] < (time, event)] or [
                p for p in same if p[1] < event
            ]
            if before:
                found.setdefault((step, artifact), set()).add(max(before)[2])
    return {pair: tuple(sorted(steps)) for pair, steps in found.items()}


def _parents(
    records: Mapping[int, StepRecord], publishers: Mapping[tuple[int, int], tuple[int, ...]]
) -> dict[int, tuple[int, ...]]:
    found: dict[int, set[int]] = {number: set() for number in records}
    for (number, _), steps in publishers.items():
        found[number].update(steps)
    return {number: tuple(sorted(steps)) for number, steps in found.items()}


def _assembled(
    records: Mapping[int, StepRecord], parents: Mapping[int, tuple[int, ...]], *, skip: bool
) -> dict[int, Step]:
    children: dict[int, list[int]] = {}
    for number, record in records.items():
        if record.parent_dag in records and record.parent_dag != number:
            children.setdefault(record.parent_dag or 0, []).append(number)
    done: dict[int, Step] = {}
    for number in reversed(_from_the_top(records, children)):
        record = records[number]
        inner = [done[child] for child in children.get(number, ()) if child in done]
        status = record.status or group_status(
            _STATES.get(record.state or ""),
            [(s.record.name, s.record.iteration, s.status) for s in _attempts(inner)],
            record.expected_children,
            canceled_is_skipped=skip,
        )
        finished = record.finished
        if record.status is None and status != "running":
            finished = _most(step.finished for step in inner) or record.finished
        done[number] = Step(
            record=record,
            status=status,
            is_cached=record.is_cached or (bool(inner) and _all_cached(inner)),
            parents=parents[number],
            children=tuple(sorted(children.get(number, ()))),
            path=_path(records, number),
            started=record.started,
            finished=finished,
        )
    return {number: done[number] for number in _in_order(records, parents)}


def _from_the_top(
    records: Mapping[int, StepRecord], children: Mapping[int, Sequence[int]]
) -> list[int]:
    """Return all steps, each after the group that holds it; those of a circle of groups last."""
    found = [n for n, record in records.items() if record.parent_dag not in records]
    for number in found:
        found.extend(children.get(number, ()))
    seen = set(found)
    return [*found, *(number for number in records if number not in seen)]


def _path(records: Mapping[int, StepRecord], number: int) -> str:
    """Return a step's name with those of the groups that hold it: ``for-loop-2/1/train``."""
    parts: list[str] = []
    seen: set[int] = set()
    at: int | None = number
    while at in records and at not in seen:
        seen.add(at)
        record = records[at]
        if not record.is_root or at == number:
            parts.append(str(record.iteration) if record.iteration is not None and record.is_dag else record.name)
        at = record.parent_dag
    return "/".join(reversed(parts))


def _in_order(
    records: Mapping[int, StepRecord], parents: Mapping[int, tuple[int, ...]]
) -> list[int]:
    """Return the steps in topological order: by their ids as far as their parents allow."""
    after: dict[int, list[int]] = {}
    waiting = dict.fromkeys(records, 0)
    for number, record in records.items():
        before = {p for p in (*parents[number], record.parent_dag) if p in records and p != number}
        waiting[number] = len(before)
        for other in before:
            after.setdefault(other or 0, []).append(number)
    ready = [number for number, count in waiting.items() if not count]
    heapq.heapify(ready)
    order: dict[int, None] = {}
    while ready:
        number = heapq.heappop(ready)
        order[number] = None
        for other in after.get(number, ()):
            waiting[other] -= 1
            if not waiting[other]:
                heapq.heappush(ready, other)
    # Steps in a circle of parents follow by their ids.
    return [*order, *(number for number in sorted(records) if number not in order)]


def _attempts(steps: Iterable[Step]) -> list[Step]:
    """Return the last attempt at each step."""
    last = {(s.record.parent_dag, s.record.name, s.record.iteration): s for s in steps}
    return list(last.values())


def _last_attempts(steps: Iterable[Step]) -> list[Status]:
    return [step.status for step in _attempts(steps)]


def _all_cached(steps: Iterable[Step]) -> bool:
    """Tell whether all steps were cached, as far as they were not skipped."""
    done = [step for step in steps if step.status != "canceled"]
    return bool(done) and all(step.is_cached for step in done)


def _least(times: Iterable[int | None]) -> int | None:
    return min((time for time in times if time is not None), default=None)


def _most(times: Iterable[int | None]) -> int | None:
    return max((time for time in times if time is not None), default=None)


_STATES = {"NEW": 1, "RUNNING": 2, "COMPLETE": 3, "FAILED": 4, "CACHED": 5, "CANCELED": 6}
