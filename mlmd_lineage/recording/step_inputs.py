"""Inputs of a step: its artifacts by keys, and the events that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.record_format import names
from mlmd_lineage.recording.batches import Use
from mlmd_lineage.recording.clock import now
from mlmd_lineage.recording.sources import Resolution, several
from mlmd_lineage.snapshot.enums import EventType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.recording.artifacts import RecordedArtifact
    from mlmd_lineage.recording.batches import ContextToPut
    from mlmd_lineage.recording.run_interface import RecordedRun

# MLMD holds one event of a type between an artifact and an execution.
_INPUT_EVENTS = (EventType.INPUT, EventType.DECLARED_INPUT)


class StepInputs:
    """What a step is given, and what was put of it.

    Attributes:
        artifacts: By keys; none before they are looked up.
    """

    def __init__(self, given: Mapping[str, Any], path: str, digests: dict[str, str | None]) -> None:
        """Take what is given to the step of a path.

        Args:
            given: One source or several, by keys.
            path: The step's names, joined by slashes.
            digests: Gets those that the store does not hold with the artifacts, by their keys and
                indices.
        """
        self._path = path
        self._digests = digests
        self._sources = {key: several(some) for key, some in given.items()}
        self._used: list[tuple[RecordedArtifact, int]] = []
        self._is_resolved = False
        self.artifacts: dict[str, list[RecordedArtifact]] = {}

    def resolve(
        self,
        run: RecordedRun,
        types: Sequence[tuple[str, str]],
        contexts: Sequence[ContextToPut],
    ) -> None:
        """Look up what is in the store of them, and of types and contexts, once."""
        if self._is_resolved:
            return
        flat = [source for some in self._sources.values() for source in some]
        resolution = Resolution(flat)
        own = [("artifact", source.type or names.ARTIFACT_TYPE) for source in flat]
        run.look_up([*types, *own], contexts, resolution)
        found = iter(run.unified(resolution.artifacts()))
        self.artifacts.update(
            (key, [next(found) for _ in some]) for key, some in self._sources.items()
        )
        self._is_resolved = True

    def missing(
        self, artifact: RecordedArtifact, keys: Sequence[str]
    ) -> dict[str, list[RecordedArtifact]]:
        """Return an artifact by those keys under which the step was not given it before."""
        return {
            key: [artifact]
            for key in keys
            if not any(_same(artifact, other) for other in self.artifacts.get(key, ()))
        }

    def new_uses(
        self,
        inputs: Mapping[str, Sequence[RecordedArtifact]],
        held: Mapping[str, Sequence[RecordedArtifact]],
    ) -> list[Use]:
        """Return one event for each artifact, with all of its keys.

        Raises:
            ConfigurationError: The step was given one more often than MLMD can hold.
        """
        places: list[tuple[RecordedArtifact, list[tuple[str, int]]]] = []
        for key, some in inputs.items():
            for index, artifact in enumerate(some, len(held.get(key, ()))):
                keys = next((keys for other, keys in places if _same(other, artifact)), None)
                if keys is None:
                    places.append((artifact, [(key, index)]))
                else:
                    keys.append((key, index))
        uses = []
        for artifact, keys in places:
            used = [kind for other, kind in self._used if _same(other, artifact)]
            kind = next((k for k in _INPUT_EVENTS if k not in used), None)
            if kind is None:
                told = (
                    f"{artifact.uri or artifact.node_key} was given to the step {self._path!r} "
                    f"{len(used)} times already, and MLMD holds no more of one artifact. Give all "
                    "of its keys at once, as in step.use(source, 'train', 'validate', 'test')."
                )
                raise errors.ConfigurationError(told)
            uses.append(Use(artifact, keys, kind, now()))
            if not artifact.has_digest:
                digests = {f"{key}[{index}]": artifact.sha256 for key, index in keys}
                self._digests.update(digests)
        return uses

    def remember(self, uses: Sequence[Use]) -> None:
        """Take note of events that are in the store now."""
        self._used += [(use.artifact, use.type) for use in uses if use.type in _INPUT_EVENTS]


def _same(one: RecordedArtifact, other: RecordedArtifact) -> bool:
    """Tell whether two are one artifact of the store."""
    if one is other or (one.id is not None and one.id == other.id):
        return True
    new, old = one.new, other.new
    return new is not None and old is not None and new.external_id == old.external_id
