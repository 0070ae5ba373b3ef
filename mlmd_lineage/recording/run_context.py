"""The contexts of a pipeline and a run, and what each process keeps of its part in the run."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from mlmd_lineage import errors
from mlmd_lineage.record_format import names
from mlmd_lineage.record_format.properties import encode
from mlmd_lineage.recording import outcomes
from mlmd_lineage.recording.batches import RecordBatch, set_properties
from mlmd_lineage.recording.clock import iso, now
from mlmd_lineage.recording.store_rows import custom_properties, rows
from mlmd_lineage.writing.writer import message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.record_format.properties import Plain
    from mlmd_lineage.recording.store_access import StoreAccess

_TYPES = [("context", names.PIPELINE), ("context", names.RUN), ("context", names.NODE)]
_NUMBERS = range(1, 1000)
_MOST_ERROR = 300  # so that all of a process's property stays within what PostgreSQL indexes


class RunContext:
    """A run's context in the store, with the property that says how this process's part ended.

    The process that makes a run has the property ``__recorder_0__``, one that takes part in it
    later another number.

    Attributes:
        pipeline, context: The contexts.
    """

    def __init__(self, access: StoreAccess, pipeline: str, run: str, recorder_id: str) -> None:
        self._access = access
        self._property = names.RECORDER_PROPERTY.format(0)
        self._recorder_id = recorder_id
        self._process: dict[str, Any] = {}
        self._held: dict[str, Plain] = {}
        self.pipeline = access.context(names.PIPELINE, pipeline)
        self.context = access.context(names.RUN, run)
        self.context.parent = self.pipeline

    def prepare(
        self,
        parameters: Mapping[str, Any],
        about: Mapping[str, Any],
        process: Mapping[str, Any],
        interval: float,
    ) -> None:
        """Say what is recorded of the run where it is new, and of this process."""
        self._process = {
            "id": self._recorder_id,
            "state": "RUNNING",
            "started": iso(now()),
            "interval": interval,
            **process,
        }
        own = {names.FORMAT: names.FORMAT_VERSION, **about}
        self._held = {**encode(parameters, own), self._property: self._text()}
        self.context.properties = self._held

    def begin(self, *, resume: bool) -> None:
        """Put the run, or take part in the one that is there.

        Raises:
            AlreadyExistsError: It is there, and is not to be resumed.
            ConfigurationError: It is another pipeline's.
            StoreError: The store cannot be reached.
        """
        self._access.look_up(_TYPES, [self.pipeline, self.context])
        if self.context.id is None:
            try:
                self._put_new()
            except errors.AlreadyExistsError:
                self._access.forget_absent()
                self._access.look_up(_TYPES, [self.context])
                if self.context.id is None:
                    raise
            else:
                return
        if not resume:
            message_ = (
                f"{self._access.location} has a run {self.context.name!r} already. Give another "
                "run_name, or resume=True to go on with that run."
            )
            raise errors.AlreadyExistsError(message_)
        self._join()

    def _put_new(self) -> None:
        if self.pipeline.id is None:
            first = self._access.batch()
            _put_types(first)
            first.put_context(self.pipeline)
            self._access.put(first)
        batch = self._access.batch()
        _put_types(batch)
        batch.request.options.reuse_contexts = False
        batch.put_context(self.context)
        self._access.put(batch)

    def _join(self) -> None:
        number = self.context.id

        def ask(session: Session) -> tuple[list[dict[str, Any]], dict[str, Any]]:
            parents = rows(session, "ParentContext", {"context_id": [number or 0]})
            return parents, custom_properties(session, "context", [number or 0]).get(
                number or 0, {}
            )

        parents, held = self._access.ask(ask)
        above = {row["parent_context_id"] for row in parents}
        if above and self.pipeline.id not in above:
            told = (
                f"The run {self.context.name!r} is not of the pipeline {self.pipeline.name!r}. "
                "Resume it under its own pipeline's name."
            )
            raise errors.ConfigurationError(told)
        differing = {
            name: value
            for name, value in self._held.items()
            if name.startswith("__git_") and held.get(name) != value
        }
        self._process |= {name.strip("_"): value for name, value in differing.items()}
        # One name of few, so that a frame of all runs has few columns; two that join in the same
        # moment hardly ever draw the same.
        free = [name for name in map(names.RECORDER_PROPERTY.format, _NUMBERS) if name not in held]
        self._property = random.choice(free)  # noqa: S311 - no secret
        plain = {k: v for k, v in held.items() if isinstance(v, (bool, int, float, str))}
        self._held = {**plain, self._property: self._text()}
        self._update(self._property)

    def first_request(self) -> Any:
        """Return the request that puts the run, to be put later."""
        batch = RecordBatch({})
        _put_types(batch)
        batch.put_context(self.context)
        return batch.request

    def ended(self, status: str, error: str | None) -> dict[str, Any]:
        """Return how the run ended, to be put later."""
        state = {"state": outcomes.state_of(status).name, "finished": iso(now())}
        self._process |= state
        if error is not None:
            self._process["error"] = error[:_MOST_ERROR]
        return {
            "pipeline": self.pipeline.name,
            "run": self.context.name,
            "property": self._property,
            "value": self._text(),
        }

    def end(self, status: str, error: str | None) -> None:
        """Put how the run ended."""
        self._held[self._property] = self.ended(status, error)["value"]
        self._update(self._property)

    def beat(self) -> None:
        """Put a sign of life: the time at which the context was last updated."""
        self._update("none")

    def _update(self, *properties: str) -> None:
        made = message("Context")(id=self.context.id, name=self.context.name)
        made.type_id = self._access.type_ids["context", names.RUN]
        # A service too old for masks replaces all properties, so all that are known are given.
        set_properties(made, self._held)
        request = message("PutContextsRequest")(contexts=[made])
        request.update_mask.paths.extend(f"custom_properties.{name}" for name in properties)
        self._access.put_request(request)

    def _text(self) -> str:
        return json.dumps(self._process, ensure_ascii=False)


def _put_types(batch: RecordBatch) -> None:
    for kind, name in _TYPES:
        batch.put_type(kind, name)
