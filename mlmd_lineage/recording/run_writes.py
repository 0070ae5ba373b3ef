"""Writes of a run: to its store or, while that is out of reach, to its spool."""

from __future__ import annotations

import contextlib
import threading
import warnings
from typing import TYPE_CHECKING, TypeAlias

from mlmd_lineage import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from mlmd_lineage.recording.artifacts import RecordedArtifact
    from mlmd_lineage.recording.batches import ContextToPut, RecordBatch
    from mlmd_lineage.recording.sources import Resolution
    from mlmd_lineage.recording.spooling.spool import Spool
    from mlmd_lineage.recording.store_access import StoreAccess

    Build: TypeAlias = Callable[[RecordBatch], None]

UNREACHABLE = (errors.UnreachableError, errors.LockedStoreError, errors.WriteError)
"""What may pass, and leaves nothing half-written."""
_ATTEMPTS = 5


class RunWrites:
    """What a run writes; threads may share it.

    Attributes:
        name: The name of the run.
        is_spooling: Whether what is recorded is kept here, as the store could not be reached.
    """

    def __init__(self, access: StoreAccess, name: str, spool: Spool | None) -> None:
        """Write to a store, or to the spool if there is one and the store is out of reach."""
        self.access = access
        self.name = name
        self.is_spooling = False
        self._spool = spool
        self._new: dict[str, RecordedArtifact] = {}
        self._deferred: list[Build] | None = None
        self._state = "new"
        self._lock = threading.RLock()

    def check_open(self) -> None:
        """Check that steps can be recorded.

        Raises:
            ConfigurationError: The run has not begun, or has ended.
        """
        if self._state != "running":
            what = (
                "has not begun: use it in a with statement" if self._state == "new" else "is over"
            )
            told = f"The run {self.name!r} {what}."
            raise errors.ConfigurationError(told)

    def look_up(
        self,
        types: Collection[tuple[str, str]],
        contexts: Collection[ContextToPut],
        resolution: Resolution | None,
    ) -> None:
        """Look up what a step needs to know of the store; nothing where that is out of reach."""
        question = None
        if resolution is not None and resolution.needs_store:
            question = resolution.look_up
        if self.is_spooling:
            return
        try:
            self.access.look_up(types, contexts, question)
        except UNREACHABLE as error:
            self._begin_spooling(error)

    def unified(self, artifacts: Sequence[RecordedArtifact]) -> list[RecordedArtifact]:
        """Return artifacts, one that is new twice as the same object."""
        found = []
        with self._lock:
            for artifact in artifacts:
                if artifact.id is None and artifact.new is not None and artifact.new.is_input:
                    key = artifact.new.external_id
                    found.append(self._new.setdefault(key, artifact))
                else:
                    found.append(artifact)
        return found

    def put(self, build: Build) -> None:
        """Put a batch in one transaction; where the store is out of reach, keep it here.

        Args:
            build: Puts all that is to be put into a batch; it may be called again.

        Raises:
            PutRefusedError: MLMD's rules, or what the store can hold, refuse it.
            StoreError: The store cannot be reached or written; nothing was.
        """
        with self._lock:
            if self._deferred is not None:
                self._deferred.append(build)
                return
            for attempt in range(_ATTEMPTS):
                batch = self.access.batch()
                build(batch)
                if self.is_spooling:
                    self._kept().append(batch.request)
                    return
                try:
                    self.access.put(batch)
                except errors.AlreadyExistsError:
                    # Another process was first with an input that was new to both.
                    if attempt == _ATTEMPTS - 1 or not self.access.adopt(batch):
                        raise
                except UNREACHABLE as error:
                    self._begin_spooling(error)
                    self._kept().append(batch.request)
                    return
                else:
                    return

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Record all steps of a ``with`` statement in one transaction, at its end.

        >>> with run.batch():
        ...     for number, row in enumerate(history):
        ...         with run.step("train", parameters=row, iteration=number) as step:
        ...             step.log_metrics({"auc": row["auc"]})

        It is for what has happened already, as nothing is in the store before it ends, and
        nothing at all if it fails.
        """
        with self._lock:
            self.check_open()
            if self._deferred is not None:
                told = "A batch cannot be inside another. End the first."
                raise errors.ConfigurationError(told)
            builds: list[Build] = []
            self._deferred = builds
        try:
            yield
        finally:
            with self._lock:
                self._deferred = None

        def build_all(batch: RecordBatch) -> None:
            for build in builds:
                build(batch)

        if builds:
            self.put(build_all)

    def _begin_spooling(self, error: errors.MLMDLineageError) -> None:
        if self._spool is None:
            raise error
        if not self.is_spooling:
            self.is_spooling = True
            message = (
                f"{error} The run {self.name!r} is kept in {self._spool.folder} until "
                "'mlmd-lineage spool send' writes it."
            )
            warnings.warn(errors.RecordingWarning(message), stacklevel=3)

    def _kept(self) -> Spool:
        assert self._spool is not None  # _begin_spooling() has checked it
        return self._spool
