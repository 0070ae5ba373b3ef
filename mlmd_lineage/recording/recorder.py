"""Recorder of a run: a context manager whose steps are recorded as they happen."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from mlmd_lineage import errors, termination
from mlmd_lineage.record_format.properties import encode
from mlmd_lineage.recording import outcomes, provenance
from mlmd_lineage.recording.liveness.heartbeat import Heartbeat
from mlmd_lineage.recording.run_context import RunContext
from mlmd_lineage.recording.run_writes import UNREACHABLE, RunWrites
from mlmd_lineage.recording.secret_values import warn_of_secrets
from mlmd_lineage.recording.step_recorder import StepRecorder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self

    from mlmd_lineage.recording.batches import ContextToPut
    from mlmd_lineage.recording.spooling.spool import Spool
    from mlmd_lineage.recording.store_access import StoreAccess
    from mlmd_lineage.recording.values import SavedValue, SaveValue, ValuePlace

OnUnreachable: TypeAlias = Literal["raise", "spool"]
HEARTBEAT = 30.0
"""Seconds between two signs of life."""


class RunRecorder(RunWrites):
    """A run that is being recorded; ``Store.record()`` makes it, and threads may share it.

    >>> with store.record("churn", parameters={"seed": 7}) as run:
    ...     with run.step("train", inputs={"data": "train.csv"}) as step:
    ...         step.produce("model", uri="model.pkl", type="Model")

    Attributes:
        pipeline, name: The names of the pipeline and of the run.
        recorder_id: 8 hexadecimal digits that stand for this process's part of the run.
        enable_cache: What was asked for of caching; None for nothing.
        artifact_root: The folder or bucket in which values are kept; None for the active stack's.
        is_spooling: Whether what is recorded is kept here, as the store could not be reached.
    """

    def __init__(  # noqa: PLR0913 - each stands alone
        self,
        access: StoreAccess,
        pipeline: str,
        run_name: str | None = None,
        *,
        parameters: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        resume: bool = False,
        on_unreachable: OnUnreachable = "raise",
        enable_cache: bool | None = None,
        save_value: SaveValue | None = None,
        artifact_root: str | None = None,
        capture_code: bool = True,
        capture_host: bool = True,
        capture_software: bool = True,
        heartbeat: float = HEARTBEAT,
        spool: Spool | None = None,
    ) -> None:
        outcomes.check_name("pipeline", pipeline)
        if run_name is not None:
            outcomes.check_name("run", run_name)
        if on_unreachable not in {"raise", "spool"}:
            told = f"on_unreachable is 'raise' or 'spool', not {on_unreachable!r}."
            raise errors.ConfigurationError(told)
        if resume and run_name is None:
            told = "A run is resumed by its name. Give run_name with resume=True."
            raise errors.ConfigurationError(told)
        self.pipeline = pipeline
        name = run_name if run_name is not None else _new_name(pipeline)
        super().__init__(access, name, spool if on_unreachable == "spool" else None)
        self.recorder_id = uuid.uuid4().hex[:8]
        self.enable_cache = enable_cache
        self.artifact_root = artifact_root
        self.parameters = dict(parameters or {})
        self._tags = dict(tags or {})
        self._resume = resume
        self._given_save_value = save_value
        self._capture = (capture_code, capture_host, capture_software)
        self._interval = heartbeat
        self._heartbeat: Heartbeat | None = None
        self._running: dict[str, StepRecorder] = {}
        self._exits = contextlib.ExitStack()
        encode(self.parameters, outcomes.tag_properties(self._tags))
        self._run = RunContext(self.access, pipeline, self.name, self.recorder_id)

    # What steps ask of it

    @property
    def pipeline_context(self) -> ContextToPut:
        """The context of the pipeline."""
        return self._run.pipeline

    @property
    def context(self) -> ContextToPut:
        """The context of the run."""
        return self._run.context

    @property
    def id(self) -> int | None:
        """The id of the run's context, once it is in the store."""
        return self._run.context.id

    @property
    def node_key(self) -> str | None:
        """The key of the run's context, such as ``"context/7"``, once it is in the store."""
        return None if self.id is None else f"context/{self.id}"

    def save_value(self, value: Any, place: ValuePlace) -> SavedValue:
        """Keep a value in the artifact store."""
        if self._given_save_value is None:
            told = (
                f"The output {place.key!r} is a value, and nothing here keeps values. Write it to "
                "a file, and give its uri."
            )
            raise errors.ConfigurationError(told)
        return self._given_save_value(value, place)

    def watch(self, step: StepRecorder) -> None:
        """Give signs of life of a step."""
        with self._lock:
            self._running[step.step_id] = step

    def forget(self, step: StepRecorder) -> None:
        """Give no more signs of life of a step."""
        with self._lock:
            self._running.pop(step.step_id, None)

    def warn_of_secrets(self, parameters: Mapping[str, Any], what: str) -> None:
        """Warn of parameters that look like secrets."""
        warn_of_secrets(parameters, what, stacklevel=3)

    # What its user asks of it

    def step(  # noqa: PLR0913 - each stands alone
        self,
        name: str,
        *,
        type: str | None = None,  # noqa: A002 - MLMD's word
        base_type: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        iteration: int | None = None,
        parent: StepRecorder | None = None,
    ) -> StepRecorder:
        """Return the recorder of a step; it begins with its ``with`` statement.

        >>> with run.step("train", parameters={"learning_rate": 0.01}) as step:
        ...     step.log_metrics({"auc": 0.91})

        Steps of one name in a run are attempts at one step, of which the last counts; unless each
        has an ``iteration`` of its own.

        Args:
            name: The step's name, without slashes.
            type: The execution type; by default the name.
            base_type: MLMD's base type of that type: ``Train``, ``Transform``, ``Process``,
                ``Evaluate`` or ``Deploy``.
            parameters: What it is given beside artifacts: numbers, texts, dates, None, and lists,
                tuples and dicts of these.
            inputs: What it is given, by keys: for each a path, a URI, an artifact, an output of an
                earlier step, a ``Source``, or a list of these.
            tags: Texts by names.
            iteration: Its number in a loop, or among steps that run side by side.
            parent: The step that it is a part of; ``step.step()`` gives it.

        Raises:
            ConfigurationError: Something of it cannot be recorded.
        """
        self.warn_of_secrets(parameters or {}, f"the step {name!r}")
        return StepRecorder(
            self,
            name,
            parent=parent,
            type=type,
            base_type=base_type,
            parameters=parameters,
            inputs=inputs,
            tags=tags,
            iteration=iteration,
        )

    def start(self) -> Self:
        """Record that the run begins; the ``with`` statement does so.

        Raises:
            AlreadyExistsError: There is a run of this name, and it is not to be resumed.
            ConfigurationError: The run of this name is another pipeline's.
            StoreError: The store cannot be reached.
        """
        with self._lock:
            if self._state != "new":
                told = f"The run {self.name!r} has begun already."
                raise errors.ConfigurationError(told)
            self.warn_of_secrets(self.parameters, f"the run {self.name!r}")
            code, host, software = self._capture
            about: dict[str, Any] = {
                **(provenance.code() if code else {}),
                **(provenance.host() if host else {}),
                **(provenance.software() if software else {}),
                **outcomes.tag_properties(self._tags),
            }
            process = provenance.process() if host else {}
            self._run.prepare(self.parameters, about, process, self._interval)
            try:
                self._run.begin(resume=self._resume)
            except UNREACHABLE as error:
                self._begin_spooling(error)
                self._kept().append(self._run.first_request())
            self._state = "running"
            self._exits.enter_context(termination.as_exception())
            self._heartbeat = Heartbeat(self._beat, self._interval)
            self._heartbeat.start()
        return self

    def end(self, status: str = "completed", error: BaseException | None = None) -> None:
        """Record that the run has ended; the ``with`` statement does so.

        Args:
            status: ``completed``, ``failed`` or ``canceled``.
            error: Why it failed.

        Raises:
            StoreError: The store cannot be reached.
        """
        outcomes.state_of(status)
        with self._lock:
            self.check_open()
        if self._heartbeat is not None:
            self._heartbeat.stop()
        for step in list(self._running.values()):
            # It was started without a with statement, and nobody has ended it.
            step.end("failed" if status == "completed" else status, error)
        said = None if error is None else outcomes.described(error)
        with self._lock:
            try:
                self._put_end(status, said)
            finally:
                self._state = "ended"
                with contextlib.suppress(ValueError):  # another thread than the main one ends it
                    self._exits.close()
                self.access.close()

    def _put_end(self, status: str, said: str | None) -> None:
        if not self.is_spooling:
            try:
                self._run.end(status, said)
            except UNREACHABLE as error:
                self._begin_spooling(error)
            else:
                return
        self._kept().append_state(self._run.ended(status, said))

    def __enter__(self) -> Self:
        return self.start() if self._state == "new" else self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._state == "running":
            self.end(outcomes.status_after(error), outcomes.reason(error))

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await outcomes.finished(asyncio.to_thread(self.__exit__, kind, error, traceback))

    # Its own

    def _beat(self) -> None:
        with self._lock:
            if self._state != "running" or self.is_spooling or self._deferred is not None:
                return
            steps = list(self._running.values())
        for step in steps:
            step.beat()
        self._run.beat()

    def __repr__(self) -> str:
        return f"<RunRecorder {self.name!r} of {self.pipeline!r}: {self._state}>"


def _new_name(pipeline: str) -> str:
    """Return the name of a run for which none is given: when it began, and what makes it unique."""
    moment = dt.datetime.now(tz=dt.timezone.utc)
    return f"{pipeline}-{moment:%Y-%m-%dT%H-%M-%S}-{uuid.uuid4().hex[:6]}"
