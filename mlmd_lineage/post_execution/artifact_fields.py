"""The fields of an artifact view: all that the store says of the artifact itself."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlmd_lineage.post_execution.base_view import BaseView, moment
from mlmd_lineage.snapshot.enums import ArtifactState, name_of
from mlmd_lineage.snapshot.imported import original_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from mlmd_lineage.dialects.facts import ArtifactFacts
    from mlmd_lineage.dialects.records import ArtifactRecord
    from mlmd_lineage.post_execution.loading.run_index import RunIndex
    from mlmd_lineage.post_execution.step_fields import StepFields
    from mlmd_lineage.snapshot.imported import Original


class ArtifactFields(BaseView):
    """What the store says of an artifact, as an input or an output of a step."""

    __slots__ = ("_step",)

    _step: StepFields | None

    def __init__(self, run_index: RunIndex, number: int, step: StepFields | None) -> None:
        """Views are made by the store."""
        super().__init__(run_index, f"artifact/{number}")
        object.__setattr__(self, "_step", step)

    def _arguments(self) -> tuple[Any, ...]:
        return self._run_index, self.id, self._step

    @property
    def _facts(self) -> ArtifactFacts | None:
        return self._run_index.store_image.artifact(self.id)

    @property
    def _record(self) -> ArtifactRecord | None:
        dialect = "plain" if self._step is None else self._step.dialect
        return self._run_index.artifact(self.id, dialect)

    @property
    def id(self) -> int:
        """The id of MLMD's artifact."""
        return int(self._key.partition("/")[2])

    @property
    def node_key(self) -> str:
        """The artifact's key, by which ``store.upstream()`` and the like take it."""
        return self._key

    @property
    def original(self) -> Original | None:
        """What it was before Kubeflow imported it: its source, id and times; else None."""
        facts = self._facts
        return None if facts is None else original_of(facts.custom_properties)

    @property
    def type(self) -> str | None:
        """The name of its type; None where the store has lost its row."""
        facts = self._facts
        return None if facts is None else facts.type

    @property
    def data_type(self) -> str | None:
        """The Python class of what it holds, where the platform says so (ZenML)."""
        return None if self._record is None else self._record.data_type

    @property
    def materializer(self) -> str | None:
        """What wrote it, where the platform says so (ZenML)."""
        return None if self._record is None else self._record.materializer

    @property
    def uri(self) -> str | None:
        """Where its contents lie."""
        facts = self._facts
        return None if facts is None else facts.uri

    @property
    def name(self) -> str | None:
        """The name that the platform gives it."""
        return None if self._record is None else self._record.name

    @property
    def properties(self) -> Mapping[str, Any]:
        """All of its properties, declared and custom ones, as Python values."""
        return MappingProxyType({} if self._record is None else dict(self._record.properties))

    @property
    def metrics(self) -> Mapping[str, float | int | bool]:
        """The scalar metrics that it holds, as those of ``system.Metrics`` (Kubeflow)."""
        return MappingProxyType({} if self._record is None else dict(self._record.metrics))

    @property
    def state(self) -> str | None:
        """MLMD's state, such as ``LIVE``; None where it has none."""
        facts = self._facts
        if facts is None or facts.state is None:
            return None
        return name_of(ArtifactState, facts.state)

    @property
    def created(self) -> dt.datetime | None:
        """When it was recorded, in UTC."""
        if self._record is not None and self._record.created is not None:
            return moment(self._record.created)
        facts = self._facts
        return moment(facts.created or None) if facts is not None else None

    @property
    def parent_step_id(self) -> int | None:
        """The id of the step of the same run that passed it on: for an output, its own step."""
        return None if self._step is None else self._step.handed_on(self.id)

    @property
    def is_cached(self) -> bool:
        """Whether another step than the one that passes it on in this run made it."""
        maker = self._run_index.producer(self.id)
        return maker is not None and maker != self.parent_step_id

    @property
    def is_phantom(self) -> bool:
        """Whether it never came to be: the step that announced it has not finished."""
        if self._step is None:
            return False
        roles = {event.role for event in self._step.events_of(self.id)}
        return bool(roles & {"phantom", "pending"})

    def _shown(self) -> Mapping[str, Any]:
        was = self.original
        return {
            "id": self.id,
            "type": self.type,
            "name": self.name,
            "uri": self.uri,
            "state": self.state,
            **({} if was is None else {"imported_from": was.source, "original_id": was.id}),
        }
