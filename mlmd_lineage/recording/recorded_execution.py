"""Execution of a step that is being recorded: its message, and the transactions that put it."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.record_format import names
from mlmd_lineage.record_format.properties import encode
from mlmd_lineage.recording import outcomes
from mlmd_lineage.recording.batches import BASE_TYPES, Use, set_properties
from mlmd_lineage.snapshot.enums import ExecutionState
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlmd_lineage.recording.artifacts import RecordedArtifact
    from mlmd_lineage.recording.batches import ContextToPut, RecordBatch
    from mlmd_lineage.recording.caching.key import CacheKey
    from mlmd_lineage.recording.caching.reuse import CacheAnswer
    from mlmd_lineage.recording.run_interface import RecordedRun

_MOST_NAME = 255


class RecordedExecution:
    """The execution of a step: ``StepRecorder`` says what happens to it and when."""

    def __init__(  # noqa: PLR0913 - a step has as many parts
        self,
        run: RecordedRun,
        name: str,
        *,
        parent: RecordedExecution | None,
        type: str | None,  # noqa: A002 - MLMD's word
        base_type: str | None,
        parameters: Mapping[str, Any] | None,
        tags: Mapping[str, str] | None,
        iteration: int | None,
    ) -> None:
        outcomes.check_step_name(name)
        if base_type is not None and base_type not in BASE_TYPES["execution"]:
            near = errors.did_you_mean(base_type, BASE_TYPES["execution"])
            told = f"MLMD has no base type {base_type!r} of executions.{near}"
            raise errors.ConfigurationError(told)
        self.run = run
        self.name = name
        self.path: str = name if parent is None else f"{parent.path}/{name}"
        self.step_id = uuid.uuid4().hex
        self.type_name = type or name
        self.base_type = base_type
        self.id: int | None = None
        self.parameters = dict(parameters or {})
        self.cache_answer: CacheAnswer | None = None
        self._parent = parent
        self._tags = dict(tags or {})
        self._iteration = iteration
        self._cache_key: CacheKey | None = None
        self._state = ExecutionState.NEW
        self._own: dict[str, Any] = {}
        self._input_digests: dict[str, str | None] = {}
        self._lock = threading.RLock()
        # What cannot be recorded is refused here.
        encode(self.parameters, outcomes.tag_properties(self._tags))

    @property
    def node_key(self) -> str | None:
        """The key of its execution, such as ``"execution/3"``, once it is in the store."""
        return None if self.id is None else f"execution/{self.id}"

    @property
    def is_running(self) -> bool:
        """Whether it has begun and not ended."""
        return self._state is ExecutionState.RUNNING

    @property
    def _contexts(self) -> list[ContextToPut]:
        return [self.run.pipeline_context, self.run.context, self._node]

    @property
    def _node(self) -> ContextToPut:
        return self.run.access.context(names.NODE, f"{self.run.pipeline}.{self.path}")

    def fill(self, made: Any) -> None:
        """Fill MLMD's message of the execution, but for its ids."""
        own: dict[str, Any] = {
            names.FORMAT: names.FORMAT_VERSION,
            names.STEP_ID: self.step_id,
            names.RECORDER: self.run.recorder_id,
            **self._own,
        }
        if self._input_digests:
            own[names.INPUT_DIGESTS] = self._input_digests
        if self._parent is not None:
            own[names.PARENT] = self._parent.step_id
        if self._iteration is not None:
            own[names.ITERATION] = self._iteration
        if self._cache_key is not None:
            own[names.CACHE_KEY] = self._cache_key.digest
            own[names.CACHE_PARTS] = dict(self._cache_key.parts)
        if self.cache_answer is not None:
            own[names.CACHE_REASON] = self.cache_answer.reason
        own |= outcomes.tag_properties(self._tags)
        made.external_id = f"{names.EXTERNAL_ID_PREFIX}{self.step_id}"
        made.last_known_state = self._state
        name = f"{self.run.name}/{self.path}/{self.step_id[:8]}"
        if (len(name) if name.isascii() else 4 * len(name)) <= _MOST_NAME:
            made.name = name
        set_properties(made, encode(self.parameters, own))

    def _put(self, uses: list[Use], *, execution: bool) -> None:
        """Put events and what is new of what they join, in one transaction."""

        def build(batch: RecordBatch) -> None:
            if execution or self.id is None:
                batch.put_execution(self)
            if self.id is None:
                batch.put_members(self._contexts, executions=[self])
            for use in uses:
                batch.put_event(self, use)
            batch.put_members(self._contexts, artifacts=_once(use.artifact for use in uses))
            if self._state is ExecutionState.COMPLETE and self._cache_key is not None:
                context = self.run.access.context(names.CACHE_CONTEXT, self._cache_key.digest)
                batch.put_members([context], executions=[self])

        self.run.put(build)

    def beat(self) -> None:
        """Put a sign of life: the time at which the execution was last updated."""
        if not self._lock.acquire(blocking=False):
            return  # it is being written to, which is one
        try:
            if self._state is not ExecutionState.RUNNING or self.id is None:
                return
            made = message("Execution")(id=self.id)
            self.fill(made)
            made.type_id = self.run.access.type_ids["execution", self.type_name]
            request = message("PutExecutionsRequest")(executions=[made])
            request.update_mask.paths.append("custom_properties.none")
            self.run.access.put_request(request)
        finally:
            self._lock.release()

    def _check_state(self, wanted: int, what: str) -> None:
        if self._state == wanted:
            return
        told = {
            ExecutionState.NEW: "it has not begun: use it in a with statement",
            ExecutionState.RUNNING: "it has begun already",
            ExecutionState.CACHED: "it is cached: its outputs are those of an earlier execution",
        }.get(self._state, "it has ended")
        what = f"The step {self.path!r} cannot be {what}, as {told}."
        raise errors.ConfigurationError(what)

    def __repr__(self) -> str:
        state = ExecutionState(self._state).name
        return f"<StepRecorder {self.path!r} of {self.run.name!r}: {state}>"


def _once(artifacts: Iterable[RecordedArtifact]) -> list[RecordedArtifact]:
    return list({id(artifact): artifact for artifact in artifacts}.values())
