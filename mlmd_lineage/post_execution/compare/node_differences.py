"""The differences between two steps or two artifacts themselves, without their ancestors."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlmd_lineage.dialects.platform_properties import is_volatile
from mlmd_lineage.post_execution.compare import content_identity

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mlmd_lineage.post_execution.loading.ancestry import Ancestry

NOTES = frozenset({"cached", "pipeline", "iteration"})
"""What is worth knowing, and never why two results differ."""
WEAK = frozenset({"rerun", "result", "resolved", "not reached"})
"""What explains a difference only where nothing else does."""


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs between two nodes that play the same role.

    Attributes:
        what: ``parameter``, ``data``, ``code``, ``type``, ``status``, ``structure`` or
            ``property``, which are causes; ``rerun``, ``result``, ``resolved`` or ``not
            reached``, which explain a difference only where there is no cause; or a note:
            ``cached``, ``pipeline`` or ``iteration``.
        name: Which parameter, property, input or step.
        value_a, value_b: The values on both sides; ``pd.NA`` where a side has none.
    """

    what: str
    name: str
    value_a: Any
    value_b: Any

    @property
    def is_cause(self) -> bool:
        """Whether it may explain, by itself, why what follows from it differs."""
        return self.what not in NOTES and self.what not in WEAK


@dataclasses.dataclass(frozen=True, slots=True)
class Divergence:
    """Two nodes of the same role that differ by themselves.

    Attributes:
        role: The role that both play, such as ``churn/Trainer`` or ``churn/Trainer:model``.
        kind: ``artifact``, ``execution`` or ``run``.
        a, b: Their keys; None where one side has no such node.
        hops: The number of edges between them and what was compared.
        first: Whether nothing above them differs.
        differences: How they differ.
    """

    role: str
    kind: str
    a: str | None
    b: str | None
    hops: int
    first: bool
    differences: tuple[Difference, ...]


def of_steps(ancestry: Ancestry, a: int, b: int) -> list[Difference]:
    """Return how two executions differ: type, code, parameters, status.

    Of a cached step only that is reported: the step that made its results is compared instead.
    """
    found = [
        *_cached(ancestry, a, b),
        *_unequal("pipeline", "", ancestry.pipeline(a), ancestry.pipeline(b)),
    ]
    if (ancestry.original(a), ancestry.original(b)) != (a, b):
        return found
    one, other = ancestry.record(a), ancestry.record(b)
    paths = ancestry.path(a), ancestry.path(b)
    if one.name == other.name:
        found += _unequal("iteration", "", *paths)
    else:
        found += _unequal("structure", "step", *paths)
    found += _unequal("type", "execution type", one.type, other.type)
    parameters = _parameters(
        one.parameters, other.parameters, {ancestry.run_name(a), ancestry.run_name(b)}
    )
    if one.is_cached or other.is_cached:
        # What it reuses is not known, and of a cached step some platforms record less.
        parameters = [p for p in parameters if p.value_a is not pd.NA and p.value_b is not pd.NA]
    found += parameters
    found += _values("code", _code(one.internal_properties), _code(other.internal_properties))
    statuses = _status(ancestry, a), _status(ancestry, b)
    # The status of a group follows from its steps, unless it was never entered.
    if not (one.is_dag or other.is_dag) or "canceled" in statuses:
        found += _unequal("status", "", *statuses)
    if not (one.is_dag or other.is_dag):
        found += _values("result", _flat(one.output_parameters), _flat(other.output_parameters))
    return found


def _code(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if content_identity.CODE.search(name)}


def _status(ancestry: Ancestry, execution: int) -> str:
    status = ancestry.step(execution).status
    return "completed" if status == "cached" else status


def _cached(ancestry: Ancestry, a: int, b: int) -> list[Difference]:
    def told(number: int) -> Any:
        if not ancestry.record(number).is_cached:
            return "executed"
        made = ancestry.original(number)
        return "cached" if made == number else f"reused from execution/{made}"

    flags = ancestry.record(a).is_cached, ancestry.record(b).is_cached
    return _unequal("cached", "", told(a), told(b)) if flags[0] != flags[1] else []


def _parameters(
    one: Mapping[str, Any], other: Mapping[str, Any], run_specific_names: Collection[str]
) -> list[Difference]:
    found = []
    sides = (
        _flat(content_identity.user_parameters(one)),
        _flat(content_identity.user_parameters(other)),
    )
    for difference in _values("parameter", *sides):
        values = [difference.value_a, difference.value_b]
        if all(isinstance(value, str) and len(value) for value in values):
            same = {
                content_identity.without_run_names(value, run_specific_names) for value in values
            }
            if len(same) == 1:
                continue
        name = difference.name
        what = "parameter"
        if content_identity.CODE.search(name):
            what = "code"
        elif content_identity.is_content(name):
            what = "data"
        found.append(dataclasses.replace(difference, what=what))
    return found


def of_sources(ancestry: Ancestry, a: int, b: int) -> list[Difference]:
    """Return how two artifacts differ of which no producer is known: what is recorded of them."""
    return _of_artifacts(ancestry, a, b, "property", "data", with_uri=True)


def of_results(ancestry: Ancestry, a: int, b: int) -> list[Difference]:
    """Return how two artifacts differ that were made in the same way."""
    return _of_artifacts(ancestry, a, b, "result", "result", with_uri=False)


def _of_artifacts(  # noqa: PLR0913 - two artifacts, and how to call what differs
    ancestry: Ancestry, a: int, b: int, what: str, content: str, *, with_uri: bool
) -> list[Difference]:
    one, other = ancestry.facts(a), ancestry.facts(b)
    if one is None or other is None:
        return []
    found = []
    sides: list[dict[str, Any]] = []
    run_specific_names = ancestry.run_specific_names(a) | ancestry.run_specific_names(b)
    for number, facts in ((a, one), (b, other)):
        record = ancestry.artifact(number)
        properties = {**(record.properties if record is not None else {})}
        if with_uri or "uri" in content_identity.contents_of({}, facts.uri):
            properties["uri"] = facts.uri if facts.uri is not None else pd.NA
        own = {k: v for k, v in properties.items() if not is_volatile(k)}
        sides.append(_flat(own))
    for difference in _values(what, *sides):
        values = (difference.value_a, difference.value_b)
        if all(isinstance(value, str) for value in values):
            settled = {
                content_identity.without_run_names(value, run_specific_names) for value in values
            }
            if len(settled) == 1:
                continue
        told = content if content_identity.is_content(difference.name) else what
        found.append(dataclasses.replace(difference, what=told))
    return found


def types(ancestry: Ancestry, a: int, b: int) -> list[Difference]:
    """Return whether two artifacts are of different types."""
    one, other = ancestry.facts(a), ancestry.facts(b)
    return _unequal(
        "type",
        "artifact type",
        pd.NA if one is None else one.type,
        pd.NA if other is None else other.type,
    )


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found.update(content_identity.flattened(name, value))
    return found


def _values(what: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Difference]:
    found = []
    for name in sorted({*one, *other}):
        found += _unequal(what, name, one.get(name, pd.NA), other.get(name, pd.NA))
    return found


def _unequal(what: str, name: str, a: Any, b: Any) -> list[Difference]:
    return [] if same(a, b) else [Difference(what, name, a, b)]


def same(a: Any, b: Any) -> bool:
    """Tell whether two values are the same; NaN is the same as NaN, and True is not 1.

    Kubeflow keeps all numbers as floats, so that 1 is the same as 1.0.
    """
    if a is b:
        return True
    if a is pd.NA or b is pd.NA or isinstance(a, bool) != isinstance(b, bool):
        return False
    if isinstance(a, float) and isinstance(b, float) and a != a and b != b:  # noqa: PLR0124 - NaN
        return True
    return bool(a == b)
