"""The ancestry of some nodes: their lineages, with steps and artifacts as dialects read them."""

# ruff: noqa: B019 - an ancestry lives as long as one question

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mlmd_lineage.dialects.facts import ArtifactFacts
    from mlmd_lineage.dialects.records import ArtifactRecord, StepRecord
    from mlmd_lineage.lineage.graph import Trace
    from mlmd_lineage.post_execution.loading.run_assembly import Run, Step
    from mlmd_lineage.post_execution.loading.run_index import RunIndex


class Ancestry:
    """The ancestry of some nodes: their lineages, with steps and artifacts as dialects read them.

    Attributes:
        run_index: The steps and artifacts.
        traces: The closures from which who made what is known.
    """

    def __init__(
        self,
        run_index: RunIndex,
        traces: tuple[Trace, ...],
        resolvers: Mapping[int, Collection[int]],
    ) -> None:
        """Take all; ``resolvers`` are the executions that handed each artifact on."""
        self.run_index = run_index
        self.traces = traces
        self._resolvers = resolvers

    def facts(self, artifact: int) -> ArtifactFacts | None:
        """Return an artifact, None where the store has no such row."""
        return self.run_index.store_image.artifacts([artifact]).get(artifact)

    @functools.cache
    def producers(self, artifact: int) -> tuple[int, ...]:
        """Return the executions that made an artifact, in order."""
        key = f"artifact/{artifact}"
        for trace in self.traces:
            if key in trace:
                found = trace.producers(key)
                return tuple(
                    n
                    for n in map(_number, found)
                    if n in self.run_index.membership.runs_by_execution
                )
        return ()

    @functools.cache
    def step(self, execution: int) -> Step:
        """Return an execution as a step."""
        return self.run_index.step(execution)[1]

    def record(self, execution: int) -> StepRecord:
        """Return what the dialect says of an execution."""
        return self.step(execution).record

    @functools.cache
    def original(self, execution: int) -> int:
        """Return the execution that made what a cached one reuses; otherwise itself."""
        return self.run_index.original(execution) or execution

    @functools.cache
    def artifact(self, artifact: int) -> ArtifactRecord | None:
        """Return what its producer's dialect says of an artifact, or else the first that may."""
        made = self.producers(artifact)
        dialect = self.record(made[0]).dialect if made else "plain"
        return self.run_index.artifact(artifact, dialect)

    def pipeline(self, execution: int) -> str:
        """Return the name of an execution's pipeline."""
        membership = self.run_index.membership
        return membership.pipelines[
            membership.runs[membership.runs_by_execution[execution][0]].pipeline
        ].name

    def run_name(self, execution: int) -> str:
        """Return the name of an execution's run."""
        membership = self.run_index.membership
        return membership.runs[membership.runs_by_execution[execution][0]].name

    @functools.cache
    def path(self, execution: int) -> str:
        """Return a step's name with those of the groups and the passes of loops that hold it."""
        parts: list[str] = []
        seen: set[int] = set()
        at: int | None = execution
        while (
            at is not None and at not in seen and at in self.run_index.membership.runs_by_execution
        ):
            seen.add(at)
            record = self.record(at)
            if record.is_dag and record.iteration is not None:
                parts.append(str(record.iteration))
            elif not record.is_root or at == execution:
                parts.append(record.name)
            at = record.parent_dag
        return "/".join(reversed(parts))

    def inputs(self, execution: int) -> dict[str, tuple[int, ...]]:
        """Return what an execution took, by its keys; internal inputs do not count."""
        facts = self.run_index.store_image.executions([execution]).get(execution)
        if facts is None:
            return {}
        used = {event.artifact_id for event in facts.events if event.role == "uses"}
        found = {
            key: tuple(number for number in numbers if number in used)
            for key, numbers in self.record(execution).inputs.items()
        }
        return {key: numbers for key, numbers in found.items() if numbers}

    def made(self, execution: int) -> set[int]:
        """Return the artifacts that an execution made itself."""
        facts = self.run_index.store_image.executions([execution]).get(execution)
        events = facts.events if facts is not None else ()
        return {event.artifact_id for event in events if event.role == "produces"}

    @functools.cache
    def is_resolved(self, artifact: int, execution: int) -> bool:
        """Tell whether a resolver of its run chose an artifact for an execution.

        It chose among what earlier runs had made, such as the latest blessed model.
        """
        runs_of = self.run_index.membership.runs_by_execution
        run = runs_of[execution][0]
        inside = (runs_of.get(number, [None])[0] for number in self._resolvers.get(artifact, ()))
        made = (runs_of[number][0] for number in self.producers(artifact))
        return run in set(inside) and run not in set(made)

    @functools.cached_property
    def _reuses(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        executions = sorted(self.run_index.membership.runs_by_execution)
        for number, facts in self.run_index.store_image.executions(executions).items():
            for event in facts.events:
                if event.role == "reuses":
                    found.setdefault(event.artifact_id, []).append(number)
        return found

    def reusers(self, key: str) -> list[int]:
        """Return the cached executions that handed a node out again, in order."""
        return self._reuses.get(_number(key), []) if key.startswith("artifact/") else []

    def run(self, key: str) -> Run:
        """Return a run that was asked for."""
        return self.run_index.run(key)

    def run_specific_names(self, artifact: int) -> set[str]:
        """Return what in an artifact's URI says only by which execution and run it was made."""
        found: set[str] = set()
        for execution in self.producers(artifact):
            entry = self.run_index.membership.runs[
                self.run_index.membership.runs_by_execution[execution][0]
            ]
            found |= {str(execution), entry.name}
            if entry.identity.run is not None:
                properties = entry.identity.run.properties
                found |= {entry.identity.run.name, str(properties.get("run_id", entry.name))}
        return found


def _number(key: str) -> int:
    return int(key.partition("/")[2])
