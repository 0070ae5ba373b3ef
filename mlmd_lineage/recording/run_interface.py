"""Interface of a run, as its steps use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from mlmd_lineage.recording.artifacts import RecordedArtifact
    from mlmd_lineage.recording.batches import ContextToPut, RecordBatch
    from mlmd_lineage.recording.sources import Resolution
    from mlmd_lineage.recording.store_access import StoreAccess
    from mlmd_lineage.recording.values import SavedValue, ValuePlace


class RecordedRun(Protocol):
    """A run that is being recorded, as its steps see it: ``RunRecorder``."""

    pipeline: str
    name: str
    recorder_id: str
    artifact_root: str | None
    access: StoreAccess

    @property
    def pipeline_context(self) -> ContextToPut:
        """The context of the pipeline."""

    @property
    def context(self) -> ContextToPut:
        """The context of the run."""

    def check_open(self) -> None:
        """Check that steps can be recorded."""

    def save_value(self, value: Any, place: ValuePlace, /) -> SavedValue:
        """Keep a value in the artifact store."""

    def look_up(
        self,
        types: Collection[tuple[str, str]],
        contexts: Collection[ContextToPut],
        resolution: Resolution | None,
        /,
    ) -> None:
        """Look up what a step needs to know of the store."""

    def unified(self, artifacts: Sequence[RecordedArtifact], /) -> list[RecordedArtifact]:
        """Return artifacts, one that is new twice as the same object."""

    def put(self, build: Callable[[RecordBatch], None], /) -> None:
        """Put a batch in one transaction."""

    def watch(self, step: Any, /) -> None:
        """Give signs of life of a step."""

    def forget(self, step: Any, /) -> None:
        """Give no more signs of life of a step."""

    def warn_of_secrets(self, parameters: Mapping[str, Any], what: str, /) -> None:
        """Warn of parameters that look like secrets."""

    @property
    def step(self) -> Callable[..., Any]:
        """Makes the recorder of a step."""
