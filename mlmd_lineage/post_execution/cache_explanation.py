"""Explains why a step's results were taken from the cache or were not, part by part of its key."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Protocol

from mlmd_lineage import errors
from mlmd_lineage.deadline import within
from mlmd_lineage.lineage.render import labels
from mlmd_lineage.post_execution import rich_html
from mlmd_lineage.record_format import names
from mlmd_lineage.untrusted_text import json_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from mlmd_lineage.post_execution.views import PipelineView, StepView

_LONGEST = 40
_DIGEST = 12
_INPUT = re.compile(r"(?s)(?P<what>.*) sha256:(?P<digest>.*)")
_KIND = re.compile(r"(?P<kind>[A-Za-z]+):(?P<value>.*)", re.DOTALL)


@dataclasses.dataclass(frozen=True, order=True)
class PartComparison:
    """One part of a cache key, in an earlier execution and in the step's own.

    Attributes:
        name: The part: ``source train``, ``parameter lr``, ``input data``.
        before: Its text in the earlier execution; None where that had no such part.
        now: Its text in the step; None where the step has no such part.
    """

    name: str
    before: str | None
    now: str | None

    @property
    def is_same(self) -> bool:
        """Whether both have the part, with the same text."""
        return self.before == self.now

    def __str__(self) -> str:
        if self.is_same:
            return f"{self.name}: the same"
        if self.before is None:
            return f"{self.name}: new"
        if self.now is None:
            return f"{self.name}: gone"
        before, now = _told_apart(self.before, self.now)
        return f"{self.name}: {before} before, {now} now"


def _told_apart(before: str, now: str) -> tuple[str, str]:
    """Return two texts so short that people see in what they differ."""
    inputs = _INPUT.fullmatch(before), _INPUT.fullmatch(now)
    if inputs[0] and inputs[1]:
        if inputs[0]["digest"] != inputs[1]["digest"]:
            return tuple(f"sha256 {each['digest'][:_DIGEST]}" for each in inputs)  # type: ignore[index, return-value]
        before, now = inputs[0]["what"], inputs[1]["what"]
    kinds = _KIND.fullmatch(before), _KIND.fullmatch(now)
    if kinds[0] and kinds[1] and kinds[0]["kind"] == kinds[1]["kind"]:
        before, now = kinds[0]["value"], kinds[1]["value"]
    if max(len(before), len(now)) <= _LONGEST:
        return before, now
    pairs = enumerate(zip(before, now, strict=False))
    first = next((n for n, (one, other) in pairs if one != other), min(len(before), len(now)))
    start = max(0, first - _LONGEST // 4)
    return _cut(before, start), _cut(now, start)


def _cut(text: str, start: int) -> str:
    head, tail = "..." if start else "", "..." if len(text) > start + _LONGEST else ""
    return f"{head}{text[start : start + _LONGEST]}{tail}"


@dataclasses.dataclass(frozen=True)
class CacheExplanation:
    """Why a step was taken from the cache, or was not.

    Attributes:
        step: The step's key.
        name: Its name.
        is_hit: Whether it reuses the results of another execution.
        compared_with: The key of the execution that it reuses; of a miss, of the newest earlier
            one of the same step that succeeded; None where there was none.
        reason: What decided it, in words.
        parts: The parts of both keys, side by side, those that differ first.
    """

    step: str
    name: str
    is_hit: bool
    compared_with: str | None
    reason: str
    parts: tuple[PartComparison, ...]

    @property
    def differences(self) -> tuple[PartComparison, ...]:
        """The parts that differ."""
        return tuple(part for part in self.parts if not part.is_same)

    def text(self) -> str:
        """Return the explanation as lines of text."""
        lines = [f"{self.name} ({self.step}): {'reused' if self.is_hit else 'ran'}: {self.reason}"]
        lines += [f"  {part}" for part in self.differences]
        same: dict[str, list[str]] = {}
        for part in self.parts:
            if part.is_same:
                kind, _, name = part.name.partition(" ")
                same.setdefault(kind, []).append(name)
        if same:
            listed = "; ".join(
                f"{kind} {', '.join(filter(None, names))}".rstrip() for kind, names in same.items()
            )
            lines.append(f"  the same: {listed}")
        return labels.printable_lines("\n".join(lines))

    def to_pandas(self) -> pd.DataFrame:
        """Return one row for each part: ``part``, ``before``, ``now``, ``same``."""
        import pandas as pd

        rows = [(part.name, part.before, part.now, part.is_same) for part in self.parts]
        frame = pd.DataFrame(rows, columns=["part", "before", "now", "same"])
        return frame.astype(
            {"part": "string", "before": "string", "now": "string", "same": "boolean"}
        )

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return rich_html.report_html(self.text())


class ViewSource(Protocol):
    """What explaining needs of a store."""

    def get_step(self, step: str | int, /) -> StepView:
        """Return a step by its key or id."""

    def get_pipeline(self, name: str, /) -> PipelineView:
        """Return a pipeline by its name."""


class StepCache:
    """What a store knows of reused results; ``store.cache`` returns it.

    >>> print(store.cache.explain("execution/7"))
    train (execution/7): ran: these parts of the key differ from execution/3
      parameter learning_rate: 0.1 before, 0.2 now
      the same: input customers; parameter epochs; source features_of, train
    """

    def __init__(self, store: ViewSource) -> None:
        """Caches are made by the store."""
        self._store = store

    def explain(
        self, step: StepView | str | int, *, timeout: float | None = None
    ) -> CacheExplanation:
        """Return why a step was taken from the cache, or was not, part by part.

        Args:
            step: The step, or its key or id.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            NotFoundError: There is no such step.
            ConfigurationError: It was not recorded with a cache key, as by another platform.
            StoreError: The store cannot be read.
        """
        with within(timeout):
            view = self._store.get_step(step) if isinstance(step, (str, int)) else step
            now = _parts(view)
            if now is None:
                message = (
                    f"{view.node_key} ({view.name}) has no cache key: only what this library "
                    "records has one, and only where its results can be reused."
                )
                raise errors.ConfigurationError(message)
            other = view.original_step if view.is_cached else self._candidate(view)
            before = {} if other is None else _parts(other) or {}
            parts = tuple(
                sorted(
                    (PartComparison(n, before.get(n), now.get(n)) for n in {*before, *now}),
                    key=lambda part: (part.is_same, part.name),
                )
            )
            return CacheExplanation(
                step=view.node_key,
                name=view.name,
                is_hit=view.is_cached,
                compared_with=None if other is None else other.node_key,
                reason=_reason(view, other, parts),
                parts=() if other is None else parts,
            )

    def _candidate(self, view: StepView) -> StepView | None:
        """Return the newest earlier execution of the same step that succeeded, with a key.

        One with the same key goes first: it says why it was not reused.
        """
        runs = self._store.get_pipeline(view.pipeline_name).runs
        found = [
            step
            for run in runs
            for step in run.steps
            if step.name == view.name
            and step.id < view.id
            and step.status == "completed"
            and _parts(step) is not None
        ]
        same = [step for step in found if _parts(step) == _parts(view)]
        return max(same or found, key=lambda step: step.id, default=None)


def _parts(view: StepView) -> Mapping[str, str] | None:
    found: Any = view.internal_properties.get(names.CACHE_PARTS)
    if isinstance(found, str):
        try:
            found = json_of(found)
        except ValueError:
            return None
    return found if isinstance(found, dict) else None


def _reason(view: StepView, other: StepView | None, parts: tuple[PartComparison, ...]) -> str:
    if view.is_cached:
        made = "" if other is None else f"{other.node_key} of the run {other.run_name!r} "
        return f"{made}had the same key"
    recorded = view.internal_properties.get(names.CACHE_REASON)
    if other is None:
        return "no earlier execution of this step succeeded with a cache key"
    if any(not part.is_same for part in parts):
        return f"these parts of the key differ from {other.node_key}"
    return str(recorded) if recorded else f"{other.node_key} had the same key, and was not reused"
