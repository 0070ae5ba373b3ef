"""Which runs and pipelines an image holds, and which executions belong to which."""

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
    """A run: the key of the node that stands for it, its place, and its executions in order."""

    key: str
    name: str
    place: RunIdentity
    pipeline: str
    executions: list[int] = dataclasses.field(default_factory=list)

    @property
    def run_id(self) -> str | None:
        """The name by which the platform itself knows the run, where it keeps one."""
        found = None if self.place.run is None else self.place.run.properties.get("run_id")
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
    own. So is a pipeline's; one that has no context has the key ``"pipeline/NAME"``.
    """

    def __init__(self, image: StoreImage, dialects: Sequence[Dialect]) -> None:
        self._image = image
        self._dialects = dialects
        self.runs: dict[str, RunEntry] = {}
        self.pipelines: dict[str, PipelineEntry] = {}
        self.homes: dict[int, list[str]] = {}
        self.placed_by: dict[int, int] = {}
        for number in image.execution_ids:
            self._put(number)
        held = {c for contexts in image.memberships.values() for c in contexts}
        for number in image.context_ids:
            if number not in held:
                self._put_empty(number)
        for pipeline in self.pipelines.values():
            pipeline.runs.sort(key=self._age)

    def _put(self, number: int) -> None:
        image = self._image
        contexts = [image.context(c) for c in image.memberships.get(number, ())]
        places = self._places([context for context in contexts if context is not None], number)
        if not places:
            places = (self._alone(number),)
        for place in places:
            key = f"execution/{number}" if place.run is None else f"context/{place.run.id}"
            self._run(key, place).executions.append(number)
            self.homes.setdefault(number, []).append(key)

    def _put_empty(self, number: int) -> None:
        """Take up a run that has no execution yet, or a pipeline that has no run."""
        context = self._image.context(number)
        places = () if context is None else self._places([context], None)
        for place in places:
            if place.run is context:
                if place.pipeline is not context:
                    self._run(f"context/{number}", place)
                else:
                    self._pipeline(place)

    def _places(
        self, contexts: Sequence[ContextFacts], execution: int | None
    ) -> tuple[RunIdentity, ...]:
        for number, dialect in enumerate(self._dialects):
            # A context without any execution is a run only where a platform is known by it.
            if execution is not None or dialect.name != "plain":
                places = dialect.place(contexts)
                if places is not None:
                    if execution is not None:
                        self.placed_by[execution] = number
                    return places
        return ()

    def _alone(self, number: int) -> RunIdentity:
        kind, name, _ = self._image.outlines[number]
        return RunIdentity(None, None, kind, name or f"execution/{number}")

    def _run(self, key: str, place: RunIdentity) -> RunEntry:
        entry = self.runs.get(key)
        if entry is None:
            pipeline = self._pipeline(place)
            name = place.run_name or (place.run.name if place.run else key)
            entry = self.runs[key] = RunEntry(key, name, place, pipeline.key)
            pipeline.runs.append(key)
        return entry

    def _pipeline(self, place: RunIdentity) -> PipelineEntry:
        number = None if place.pipeline is None else place.pipeline.id
        key = f"pipeline/{place.pipeline_name}" if number is None else f"context/{number}"
        entry = self.pipelines.get(key)
        if entry is None:
            entry = self.pipelines[key] = PipelineEntry(key, place.pipeline_name, number)
        return entry

    def _age(self, key: str) -> tuple[int, int]:
        """Order runs from the oldest to the newest: by when they were made, then by their ids."""
        run = self.runs[key]
        number = int(key.partition("/")[2])
        if run.place.run is not None:
            return run.place.run.created, number
        return self._image.outlines[number][2], number
