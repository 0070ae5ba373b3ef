"""The runs and pipelines of a store image, and the executions of each."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlmd_lineage.dialects.records import RunIdentity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlmd_lineage.dialects.base import Dialect
    from mlmd_lineage.dialects.facts import ContextFacts
    from mlmd_lineage.post_execution.loading.store_image import StoreImage


@dataclasses.dataclass(slots=True)
class RunEntry:
    """A run: the key of the node that stands for it, its identity, and its executions in order."""

    key: str
    name: str
    identity: RunIdentity
    pipeline: str
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
    """The runs and the pipelines of a store image, by their keys.

    A run's key is that of its context, ``"context/2"``, or of the execution that is a run of its
    own. So is a pipeline's; one that has no context has the key ``"pipeline/NAME"``.
    """

    def __init__(self, store_image: StoreImage, dialects: Sequence[Dialect]) -> None:
        self._store_image = store_image
        self._dialects = dialects
        self.runs: dict[str, RunEntry] = {}
        self.pipelines: dict[str, PipelineEntry] = {}
        self.runs_by_execution: dict[int, list[str]] = {}
        self.dialect_numbers: dict[int, int] = {}
        for number in store_image.execution_ids:
            self._put(number)
        held = {c for contexts in store_image.memberships.values() for c in contexts}
        for number in store_image.context_ids:
            if number not in held:
                self._put_empty(number)
        for pipeline in self.pipelines.values():
            pipeline.runs.sort(key=self._age)

    def _put(self, number: int) -> None:
        store_image = self._store_image
        contexts = [store_image.context(c) for c in store_image.memberships.get(number, ())]
        identities = self._identities(
            [context for context in contexts if context is not None], number
        )
        if not identities:
            identities = (self._alone(number),)
        for identity in identities:
            key = f"execution/{number}" if identity.run is None else f"context/{identity.run.id}"
            self._run(key, identity).executions.append(number)
            self.runs_by_execution.setdefault(number, []).append(key)

    def _put_empty(self, number: int) -> None:
        """Take up a run that has no execution yet, or a pipeline that has no run."""
        context = self._store_image.context(number)
        identities = () if context is None else self._identities([context], None)
        for identity in identities:
            if identity.run is context:
                if identity.pipeline is not context:
                    self._run(f"context/{number}", identity)
                else:
                    self._pipeline(identity)

    def _identities(
        self, contexts: Sequence[ContextFacts], execution: int | None
    ) -> tuple[RunIdentity, ...]:
        for number, dialect in enumerate(self._dialects):
            # A context without any execution is a run only where a platform is known by it.
            if execution is not None or dialect.name != "plain":
                identities = dialect.identify_runs(contexts)
                if identities is not None:
                    if execution is not None:
                        self.dialect_numbers[execution] = number
                    return identities
        return ()

    def _alone(self, number: int) -> RunIdentity:
        kind, name, _ = self._store_image.outlines[number]
        return RunIdentity(None, None, kind, name or f"execution/{number}")

    def _run(self, key: str, identity: RunIdentity) -> RunEntry:
        entry = self.runs.get(key)
        if entry is None:
            pipeline = self._pipeline(identity)
            name = identity.run_name or (identity.run.name if identity.run else key)
            entry = self.runs[key] = RunEntry(key, name, identity, pipeline.key)
            pipeline.runs.append(key)
        return entry

    def _pipeline(self, identity: RunIdentity) -> PipelineEntry:
        number = None if identity.pipeline is None else identity.pipeline.id
        key = f"pipeline/{identity.pipeline_name}" if number is None else f"context/{number}"
        entry = self.pipelines.get(key)
        if entry is None:
            entry = self.pipelines[key] = PipelineEntry(key, identity.pipeline_name, number)
        return entry

    def _age(self, key: str) -> tuple[int, int]:
        """Order runs from the oldest to the newest: by when they were made, then by their ids."""
        run = self.runs[key]
        number = int(key.partition("/")[2])
        if run.identity.run is not None:
            return run.identity.run.created, number
        return self._store_image.outlines[number][2], number
