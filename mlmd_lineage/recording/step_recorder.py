"""Recorder of a step: what it is given, what it produces, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.record_format import names
from mlmd_lineage.recording import outcomes
from mlmd_lineage.recording.batches import Use
from mlmd_lineage.recording.caching import reuse
from mlmd_lineage.recording.clock import iso, now
from mlmd_lineage.recording.outputs import Outputs
from mlmd_lineage.recording.recorded_execution import RecordedExecution
from mlmd_lineage.recording.sources import Resolution, Source, default_key
from mlmd_lineage.recording.step_inputs import StepInputs
from mlmd_lineage.recording.values import ValuePlace
from mlmd_lineage.snapshot.enums import EventType, ExecutionState

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self

    from mlmd_lineage.recording.artifacts import RecordedArtifact
    from mlmd_lineage.recording.caching.key import CacheKey
    from mlmd_lineage.recording.caching.lookup import CachedResult
    from mlmd_lineage.recording.run_interface import RecordedRun

entered: ContextVar[StepRecorder | None] = ContextVar("entered", default=None)
"""The innermost step whose ``with`` statement is running in this task or thread."""
_NOTHING: Any = object()


class StepRecorder(RecordedExecution):
    """A step that is being recorded; threads may share it.

    >>> with run.step("train", parameters={"learning_rate": 0.01}) as step:
    ...     data = step.use("train.csv")
    ...     step.produce("model", uri=fit(data), type="Model", metrics={"auc": 0.91})

    It is in the store, RUNNING and with its parameters and ``inputs``, before the ``with``
    statement's code runs, and what ``use()`` returns is in the store when it returns. Outputs and
    the state at the end are written in one transaction.

    Attributes:
        name, path: Its name; with the names of the steps around it, such as ``train/fold``.
        step_id: 32 hexadecimal digits, unlike those of any other step.
        id: The id of its execution, once it is in the store.
        parameters: What was recorded of its parameters.
        is_cached: Whether it reuses what an earlier execution made, as ``look_up()`` found.
        cache_answer: What ``look_up()`` found, and why.
    """

    def __init__(  # noqa: PLR0913 - a step has as many parts
        self,
        run: RecordedRun,
        name: str,
        *,
        parent: StepRecorder | None = None,
        type: str | None = None,  # noqa: A002 - MLMD's word
        base_type: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        iteration: int | None = None,
    ) -> None:
        super().__init__(
            run,
            name,
            parent=parent,
            type=type,
            base_type=base_type,
            parameters=parameters,
            tags=tags,
            iteration=iteration,
        )
        self.is_cached = False
        self._given = StepInputs(inputs or {}, self.path, self._input_digests)
        self._outputs = Outputs()
        self._token: Token[Any] | None = None

    # What the store is asked

    @property
    def inputs(self) -> dict[str, tuple[RecordedArtifact, ...]]:
        """What the step was given, by keys, each with its digest; nothing is written for it."""
        self._resolve()
        return {key: tuple(found) for key, found in self._given.artifacts.items()}

    @property
    def outputs(self) -> dict[str, tuple[RecordedArtifact, ...]]:
        """What the step has produced, or reuses, by keys."""
        if self.cache_answer is not None and self.cache_answer.hit is not None and self.is_cached:
            return dict(self.cache_answer.hit.outputs)
        found: dict[str, tuple[RecordedArtifact, ...]] = {}
        for output in self._outputs.made:
            found[output.key] = (*found.get(output.key, ()), output.artifact)
        return found

    def look_up(self, key: CacheKey, *, may_reuse: bool = True) -> CachedResult | None:
        """Look for an execution that completed with a cache key, before the step begins.

        Where there is one whose outputs are there and unchanged, the step is recorded as CACHED
        when it begins, with these outputs: its code must not run. The newest one counts.

        Args:
            key: What its results depend on; recorded with it, so that later steps may reuse them.
            may_reuse: Reuse those of an earlier execution.

        Raises:
            ConfigurationError: The step has begun.
            StoreError: The store cannot be read.
        """
        with self._lock:
            self._check_state(ExecutionState.NEW, "looked up")
            self._resolve()
            self._cache_key = key
            if may_reuse:
                self.cache_answer = reuse.look_up(self.run.access, key)
            else:
                self.cache_answer = reuse.CacheAnswer(key, None, "reuse is switched off")
            return self.cache_answer.hit

    def _resolve(self) -> None:
        """Find out what is in the store of the step's inputs, types and contexts."""
        with self._lock:
            types = [("execution", self.type_name), ("context", names.NODE)]
            self._given.resolve(self.run, types, [self._node])

    # The beginning

    def start(self) -> Self:
        """Record that the step begins; the ``with`` statement does so.

        Raises:
            PutRefusedError: The store cannot hold what is to be recorded.
            StoreError: The store cannot be reached; unless the run spools, the step must not run.
        """
        with self._lock:
            self._check_state(ExecutionState.NEW, "started")
            self.run.check_open()
            self._resolve()
            hit = None if self.cache_answer is None else self.cache_answer.hit
            self._own[names.STARTED] = iso(now())
            uses = self._given.new_uses(self._given.artifacts, {})
            if hit is not None:
                self._own[names.FINISHED] = self._own[names.STARTED]
                self._own[names.CACHED_FROM] = hit.execution_id
                uses += [
                    Use(artifact, [(key, index)], EventType.OUTPUT, now())
                    for key, some in hit.outputs.items()
                    for index, artifact in enumerate(some)
                ]
            self._state = ExecutionState.RUNNING if hit is None else ExecutionState.CACHED
            try:
                self._put(uses, execution=True)
            except BaseException:
                self._state = ExecutionState.NEW
                raise
            self._given.remember(uses)
            self.is_cached = hit is not None
            if hit is None:
                self.run.watch(self)
        return self

    def use(
        self,
        source: Any,
        *keys: str,
        type: str | None = None,  # noqa: A002 - MLMD's word
        base_type: str | None = None,
        properties: Mapping[str, Any] | None = None,
        digest: bool | str = True,
    ) -> RecordedArtifact:
        """Record that the step is given an artifact, and return it once that is in the store.

        >>> data = step.use("train.csv", "data", type="Dataset")
        >>> model = step.use(store.get_run("churn-1").get_step("train").output, "model")

        Args:
            source: A path, a URI, an artifact of the store (a view, its key or its id), or an
                output of an earlier step.
            keys: The names under which the step is given it; without one, the file's name.
            type: The artifact type, where the store does not hold it yet.
            base_type: MLMD's base type of that type.
            properties: Recorded with the artifact, where the store does not hold it yet.
            digest: Take the SHA-256 of its contents; False where they cannot be read, or the
                digest itself.

        Raises:
            DigestError: Its contents cannot be read.
            ChangedArtifactError: They are not what was recorded of this artifact.
            ConfigurationError: It is nothing that a step can be given.
            StoreError: The store cannot be reached.
        """
        given = source
        if not isinstance(source, Source):
            given = Source(source, type, base_type, dict(properties or {}), digest)
        wanted = list(dict.fromkeys(keys)) or [default_key(given)]
        with self._lock:
            if self._state is ExecutionState.NEW:
                self.start()
            self._check_state(ExecutionState.RUNNING, "given anything")
            resolution = Resolution([given])
            kinds = [("artifact", given.type or names.ARTIFACT_TYPE)]
            self.run.look_up(kinds, [], resolution)
            [artifact] = self.run.unified(resolution.artifacts())
            held = self._given.artifacts
            new = self._given.missing(artifact, wanted)
            if new:
                uses = self._given.new_uses(new, held)
                self._put(uses, execution=not artifact.has_digest)
                self._given.remember(uses)
                for key in new:
                    held.setdefault(key, []).append(artifact)
            return artifact

    # What it produces

    def produce(  # noqa: PLR0913 - each stands alone
        self,
        key: str,
        *,
        uri: str | os.PathLike[str] | None = None,
        value: Any = _NOTHING,
        type: str | None = None,  # noqa: A002 - MLMD's word
        base_type: str | None = None,
        properties: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        digest: bool | str = True,
    ) -> RecordedArtifact:
        """Record an output of the step; it is in the store once the step has ended.

        >>> step.produce("model", uri="model.pkl", type="Model", metrics={"auc": 0.91})

        Args:
            key: The name of the output; several outputs may have one.
            uri: Where it lies, a path or a URL. Its digest is taken when the step ends.
            value: Kept in the artifact store, where no URI is given.
            type: The artifact type. ``Model``, ``Dataset``, ``Metrics`` and ``Statistics`` extend
                MLMD's base types of these names.
            base_type: MLMD's base type of that type.
            properties: Recorded with the artifact.
            metrics: Numbers that were measured of it.
            digest: Take the SHA-256 of its contents; False where they cannot be read, or the
                digest itself.

        Raises:
            ConfigurationError: Something of it cannot be recorded; or the step is cached.
        """
        with self._lock:
            self._check_state(ExecutionState.RUNNING, "given an output")
            if value is _NOTHING:
                return self._outputs.add(
                    key, uri, type, base_type, properties, metrics=metrics, digest=digest
                )
            if uri is not None:
                told = f"The output {key!r} has a uri and a value. Give one of them."
                raise errors.ConfigurationError(told)
            saved = self.run.save_value(value, self._place(key))
            return self._outputs.add_saved(key, saved, type, properties, metrics)

    def _place(self, key: str) -> ValuePlace:
        return ValuePlace(
            pipeline=self.run.pipeline,
            run=self.run.name,
            step=self.path,
            key=key,
            step_id=self.step_id,
            artifact_root=self.run.artifact_root,
        )

    def log_metrics(self, metrics: Mapping[str, float] | None = None, /, **more: float) -> None:
        """Record numbers that the step measured, as an artifact of their own; the last counts.

        >>> step.log_metrics({"auc": 0.91, "log loss": 0.3})
        >>> step.log_metrics(auc=0.92)

        Raises:
            ConfigurationError: One of them is no number.
        """
        with self._lock:
            self._check_state(ExecutionState.RUNNING, "given metrics")
            self._outputs.log_metrics({**(metrics or {}), **more})

    def log_parameters(self, parameters: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Record further parameters, before what depends on them runs.

        Raises:
            ConfigurationError: One of them is recorded with another value, or cannot be.
            StoreError: The store cannot be reached.
        """
        with self._lock:
            self._check_state(ExecutionState.RUNNING, "given parameters")
            before, given = self.parameters, {**(parameters or {}), **more}
            outcomes.check_unchanged(before, given, self.path)
            self.run.warn_of_secrets(given, f"the step {self.path!r}")
            self.parameters = {**before, **given}
            try:
                self._put([], execution=True)
            except BaseException:
                self.parameters = before
                raise

    def note(self, properties: Mapping[str, Any]) -> None:
        """Keep properties of the recorder's own, named ``__like_this__``, with what is put next."""
        with self._lock:
            self._own.update(properties)

    def step(self, name: str, **options: Any) -> StepRecorder:
        """Return a step inside this one; its options are those of ``RunRecorder.step()``."""
        made: StepRecorder = self.run.step(name, parent=self, **options)
        return made

    # The end

    def end(self, status: str = "completed", error: BaseException | None = None) -> None:
        """Record that the step has ended; the ``with`` statement does so.

        Args:
            status: ``completed``, ``failed`` or ``canceled``.
            error: Why it failed.

        Raises:
            StoreError: The store cannot be reached. What was to be written is kept, and the end
                can be recorded again.
        """
        with self._lock:
            if self._state is ExecutionState.CACHED:
                return
            self._check_state(ExecutionState.RUNNING, "ended")
            state = outcomes.state_of(status)
            for output in self._outputs.made:
                output.prepare(self.step_id)
            uses = [
                Use(output.artifact, [(output.key, output.index)], EventType.OUTPUT, now())
                for output in self._outputs.made
            ]
            self.run.look_up([("artifact", use.artifact.type) for use in uses], [], None)
            self._own[names.FINISHED] = iso(now())
            if error is not None:
                self._own[names.ERROR] = outcomes.described(error)
            self._state = state
            try:
                self._put(uses, execution=True)
            except BaseException:
                self._state = ExecutionState.RUNNING
                raise
            self.run.forget(self)

    def __enter__(self) -> Self:
        self._begin()
        self._token = entered.set(self)
        return self

    def _begin(self) -> None:
        if self._state is ExecutionState.NEW:
            self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()
        self._finish(error)

    def _leave(self) -> None:
        token, self._token = self._token, None
        if token is not None:
            with contextlib.suppress(ValueError):  # it was entered in another task or thread
                entered.reset(token)

    def _finish(self, error: BaseException | None) -> None:
        if self._state in {ExecutionState.RUNNING, ExecutionState.CACHED}:
            self.end(outcomes.status_after(error), outcomes.reason(error))

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._begin)
        self._token = entered.set(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()
        await outcomes.finished(asyncio.to_thread(self._finish, error))
