"""Recorder of a step: what it is given, what it produces, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.record_format import names
from mlmd_lineage.record_format.properties import encode
from mlmd_lineage.record_format.typed_json import scalar
from mlmd_lineage.recording import outcomes
from mlmd_lineage.recording.batches import BASE_TYPES, Use, set_properties
from mlmd_lineage.recording.caching import reuse
from mlmd_lineage.recording.clock import iso, now
from mlmd_lineage.recording.outputs import Outputs
from mlmd_lineage.recording.sources import Resolution, Source, default_key, several
from mlmd_lineage.recording.values import ValuePlace
from mlmd_lineage.snapshot.enums import EventType, ExecutionState
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from mlmd_lineage.recording.artifacts import RecordedArtifact
    from mlmd_lineage.recording.batches import ContextToPut, RecordBatch
    from mlmd_lineage.recording.caching.key import CacheKey
    from mlmd_lineage.recording.caching.lookup import CachedResult
    from mlmd_lineage.recording.run_interface import RecordedRun

entered: ContextVar[StepRecorder | None] = ContextVar("entered", default=None)
"""The innermost step whose ``with`` statement is running in this task or thread."""
_MOST_NAME = 255
_NOTHING: Any = object()
# MLMD holds one event of a type between an artifact and an execution.
_INPUT_EVENTS = (EventType.INPUT, EventType.DECLARED_INPUT)


class StepRecorder:
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
        self.is_cached = False
        self.cache_answer: reuse.CacheAnswer | None = None
        self._parent = parent
        self._tags = dict(tags or {})
        self._iteration = iteration
        self._sources = {key: several(given) for key, given in (inputs or {}).items()}
        self._inputs: dict[str, list[RecordedArtifact]] | None = None
        self._used: list[tuple[RecordedArtifact, int]] = []
        self._outputs = Outputs()
        self._cache_key: CacheKey | None = None
        self._state = ExecutionState.NEW
        self._own: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._token: Token[Any] | None = None
        self.message()  # what cannot be recorded is refused here

    # What the store is asked

    @property
    def inputs(self) -> dict[str, tuple[RecordedArtifact, ...]]:
        """What the step was given, by keys, each with its digest; nothing is written for it."""
        self._resolve()
        return {key: tuple(found) for key, found in (self._inputs or {}).items()}

    @property
    def outputs(self) -> dict[str, tuple[RecordedArtifact, ...]]:
        """What the step has produced, or reuses, by keys."""
        if self.cache_answer is not None and self.cache_answer.hit is not None and self.is_cached:
            return dict(self.cache_answer.hit.outputs)
        found: dict[str, tuple[RecordedArtifact, ...]] = {}
        for output in self._outputs.made:
            found[output.key] = (*found.get(output.key, ()), output.artifact)
        return found

    @property
    def node_key(self) -> str | None:
        """The key of its execution, such as ``"execution/3"``, once it is in the store."""
        return None if self.id is None else f"execution/{self.id}"

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
            if self._inputs is not None:
                return
            flat = [source for some in self._sources.values() for source in some]
            resolution = Resolution(flat)
            types = [("execution", self.type_name), ("context", names.NODE)]
            types += [("artifact", s.type or names.ARTIFACT_TYPE) for s in flat]
            self.run.look_up(types, [self._node], resolution)
            found = iter(self.run.unified(resolution.artifacts()))
            self._inputs = {key: [next(found) for _ in some] for key, some in self._sources.items()}

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
            uses = self._new_uses(self._inputs or {}, {})
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
            self._remember(uses)
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
            held = self._inputs or {}
            new = {
                key: [artifact]
                for key in wanted
                if not any(_same(artifact, other) for other in held.get(key, ()))
            }
            if new:
                uses = self._new_uses(new, held)
                self._put(uses, execution=not artifact.has_digest)
                self._remember(uses)
                for key in new:
                    held.setdefault(key, []).append(artifact)
                self._inputs = held
            return artifact

    def _new_uses(
        self,
        inputs: Mapping[str, list[RecordedArtifact]],
        held: Mapping[str, list[RecordedArtifact]],
    ) -> list[Use]:
        """Return one event for each artifact, with all of its keys."""
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
                    f"{artifact.uri or artifact.node_key} was given to the step {self.path!r} "
                    f"{len(used)} times already, and MLMD holds no more of one artifact. Give all "
                    "of its keys at once, as in step.use(source, 'train', 'validate', 'test')."
                )
                raise errors.ConfigurationError(told)
            uses.append(Use(artifact, keys, kind, now()))
            if not artifact.has_digest:
                digests = self._own.setdefault(names.INPUT_DIGESTS, {})
                digests.update({f"{key}[{index}]": artifact.sha256 for key, index in keys})
        return uses

    def _remember(self, uses: list[Use]) -> None:
        self._used += [(use.artifact, use.type) for use in uses if use.type in _INPUT_EVENTS]

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
            for name, value in given.items():
                if name in before and not outcomes.is_same_value(before[name], value):
                    told = (
                        f"The parameter {name!r} of the step {self.path!r} is recorded as "
                        f"{scalar(before[name])!r} already. Give the new value another name."
                    )
                    raise errors.ConfigurationError(told)
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

    def beat(self) -> None:
        """Put a sign of life: the time at which the execution was last updated."""
        if not self._lock.acquire(blocking=False):
            return  # it is being written to, which is one
        try:
            if self._state is not ExecutionState.RUNNING or self.id is None:
                return
            made = self.message()
            made.id = self.id
            made.type_id = self.run.access.type_ids["execution", self.type_name]
            request = message("PutExecutionsRequest")(executions=[made])
            request.update_mask.paths.append("custom_properties.none")
            self.run.access.put_request(request)
        finally:
            self._lock.release()

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

    # As MLMD's message

    @property
    def _contexts(self) -> list[ContextToPut]:
        return [self.run.pipeline_context, self.run.context, self._node]

    @property
    def _node(self) -> ContextToPut:
        return self.run.access.context(names.NODE, f"{self.run.pipeline}.{self.path}")

    @property
    def is_running(self) -> bool:
        """Whether it has begun and not ended."""
        return self._state is ExecutionState.RUNNING

    def message(self) -> Any:
        """Return the execution as MLMD's message, without its ids."""
        own: dict[str, Any] = {
            names.FORMAT: names.FORMAT_VERSION,
            names.STEP_ID: self.step_id,
            names.RECORDER: self.run.recorder_id,
            **self._own,
        }
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
        made = message("Execution")(
            external_id=f"{names.EXTERNAL_ID_PREFIX}{self.step_id}",
            last_known_state=self._state,
        )
        name = f"{self.run.name}/{self.path}/{self.step_id[:8]}"
        if (len(name) if name.isascii() else 4 * len(name)) <= _MOST_NAME:
            made.name = name
        set_properties(made, encode(self.parameters, own))
        return made

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


def _same(one: RecordedArtifact, other: RecordedArtifact) -> bool:
    """Tell whether two are one artifact of the store."""
    if one is other or (one.id is not None and one.id == other.id):
        return True
    new, old = one.new, other.new
    return new is not None and old is not None and new.external_id == old.external_id


def _once(artifacts: Iterable[RecordedArtifact]) -> list[RecordedArtifact]:
    return list({id(artifact): artifact for artifact in artifacts}.values())
