"""Rules of the transfer: what stops the export, or the conversion of an archive for 3.0.

The archive of a run holds its executions, all ancestors that made its artifacts, and what these
belong to: one wrong node stops it all. What shows only in a whole archive is in
``transfer_closure``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mlmd_lineage.kubeflow.history import (
    DAG_TYPE,
    EXECUTION_TYPES,
    METRICS_TYPE,
    NOT_METRICS,
    reference,
    whole_number_of,
)
from mlmd_lineage.kubeflow.rules import CONVERTER, EXPORT, Rule, keep
from mlmd_lineage.snapshot.enums import ArtifactState, EventType, ExecutionState, name_of

if TYPE_CHECKING:
    from mlmd_lineage.kubeflow.history import History
    from mlmd_lineage.kubeflow.rules import Found

_TAKEN_STATES = (
    ExecutionState.COMPLETE,
    ExecutionState.CACHED,
    ExecutionState.FAILED,
    ExecutionState.CANCELED,
)
_SUCCESSFUL = (ExecutionState.COMPLETE, ExecutionState.CACHED)
_LARGEST_EXACT = 1 << 53
_PARAMETERS = ("inputs", "outputs")
_TEXTS = ("cached_execution_id", "task_name", "display_name", "namespace", "pod_name", "pod_uid")
_NUMBERS = ("parent_dag_id", "iteration_index", "iteration_count")


def _states(history: History) -> Found:
    for number, node in sorted(history.executions.items()):
        if node.state not in _TAKEN_STATES:
            yield f"execution/{number}", f"its state is {name_of(ExecutionState, node.state)}"


def _types(history: History) -> Found:
    for number, node in sorted(history.executions.items()):
        if node.type not in EXECUTION_TYPES:
            yield f"execution/{number}", f"its type is {node.type}"


def _no_run(history: History) -> Found:
    for number in sorted(history.executions):
        if not history.runs_of.get(number):
            yield f"execution/{number}", "it belongs to no run"


def _several_runs(history: History) -> Found:
    for number, runs in sorted(history.runs_of.items()):
        if len(runs) > 1:
            named = ", ".join(f"context/{context}" for context in runs)
            yield f"execution/{number}", f"it belongs to the runs {named}"


def _parents(history: History) -> Found:
    for number, node in sorted(history.executions.items()):
        parent = whole_number_of(node.custom_properties.get("parent_dag_id"))
        if not parent:
            continue
        if parent not in history.executions:
            yield f"execution/{number}", f"its parent, execution/{parent}, is not there"
        elif set(history.runs_of.get(parent, ())) != set(history.runs_of.get(number, ())):
            yield f"execution/{number}", f"its parent, execution/{parent}, is of another run"


def _originals(history: History) -> Found:
    for number, node in sorted(history.executions.items()):
        value = node.custom_properties.get("cached_execution_id")
        if not isinstance(value, str) or value in {"", "0"}:
            continue
        original = history.executions.get(reference(value) or 0)
        if original is None:
            yield f"execution/{number}", f"its original, execution {value}, is not there"
        elif original.state not in _SUCCESSFUL:
            yield f"execution/{number}", f"its original, execution/{original.id}, did not succeed"


def _kinds(history: History) -> Found:
    for number, node in sorted(history.executions.items()):
        wrong = [
            f"{name} is no text"
            for name in _TEXTS
            if name in node.custom_properties and not isinstance(node.custom_properties[name], str)
        ]
        wrong += [
            f"{name} is no natural number"
            for name in _NUMBERS
            if name in node.custom_properties and not _is_natural(node.custom_properties[name])
        ]
        wrong += [
            f"{name} is no struct"
            for name in _PARAMETERS
            if name in node.custom_properties and not isinstance(node.custom_properties[name], dict)
        ]
        if wrong:
            yield f"execution/{number}", ", ".join(wrong)


def _is_natural(value: Any) -> bool:
    number = whole_number_of(value)
    return number is not None and number >= 0


def _task_names(history: History) -> Found:
    for number, node in sorted(history.executions.items()):
        if not node.custom_properties.get("task_name"):
            yield f"execution/{number}", "it has no task_name"


def _stray_steps(history: History) -> Found:
    for number, node in sorted(history.executions.items()):
        alone = not whole_number_of(node.custom_properties.get("parent_dag_id"))
        if alone and node.type in EXECUTION_TYPES and node.type != DAG_TYPE:
            yield f"execution/{number}", "it is no DAG, and has no parent"


def _circles(history: History) -> Found:
    above = {
        number: [
            other
            for name in ("parent_dag_id", "cached_execution_id")
            if (other := reference(node.custom_properties.get(name))) in history.executions
        ]
        for number, node in history.executions.items()
    }
    for number in sorted(_in_circles(above)):
        yield f"execution/{number}", "it is its own ancestor, by parents and originals"
    for number in sorted(_in_circles(history.parents)):
        yield f"context/{number}", "it is its own ancestor"


def _in_circles(above: dict[int, list[int]]) -> set[int]:
    """Return the nodes on circles, and those between circles."""
    left = {node: set(others) for node, others in above.items()}
    for others in above.values():
        for other in others:
            left.setdefault(other, set())
    while True:  # from both ends, what has nothing before or after it is on no circle
        after = {other for others in left.values() for other in others}
        ends = {node for node, others in left.items() if not others or node not in after}
        if not ends:
            return set(left)
        left = {node: others - ends for node, others in left.items() if node not in ends}


def _artifact_states(history: History) -> Found:
    for number, node in sorted(history.artifacts.items()):
        if node.state != ArtifactState.LIVE:
            yield f"artifact/{number}", f"its state is {name_of(ArtifactState, node.state)}"


def _event_types(history: History) -> Found:
    for event in history.events:
        if event.type not in {EventType.INPUT, EventType.OUTPUT}:
            kind = name_of(EventType, event.type)
            yield f"event/{event.id}", f"its type is {kind}"


def _paths(history: History) -> Found:
    for event in history.events:
        if len(event.path) != 1 or not isinstance(event.path[0], str) or not event.path[0]:
            yield f"event/{event.id}", f"its path is {event.path!r}, not one key"


def _repeated_events(history: History) -> Found:
    seen: set[tuple[Any, ...]] = set()
    for event in history.events:
        key = (event.execution, event.artifact, event.type, event.path)
        if key in seen:
            yield f"event/{event.id}", "another event says the same"
        seen.add(key)


def _values(history: History) -> Found:
    for number, node in sorted(history.artifacts.items()):
        wrong = []
        for properties in (node.properties, node.custom_properties):
            for name, value in properties.items():
                why = _why_not(value)
                if why:
                    wrong.append(f"{name} {why}")
        wrong += [
            f"{name} is declared and custom"
            for name in sorted(set(node.properties) & set(node.custom_properties))
        ]
        if wrong:
            yield f"artifact/{number}", ", ".join(wrong)


def _why_not(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float, dict)):
        return "is of a kind that is not taken"
    if isinstance(value, float) and not math.isfinite(value):
        return "is no finite number"
    if isinstance(value, int) and abs(value) > _LARGEST_EXACT:
        return "is beyond 2^53"
    return ""


def _metrics(history: History) -> Found:
    for number, node in sorted(history.artifacts.items()):
        if node.type != METRICS_TYPE:
            continue
        held = {**node.custom_properties, **node.properties}
        names = sorted(name for name in held if name not in NOT_METRICS)
        wrong = [n for n in names if isinstance(held[n], (str, dict))]
        if not names:
            yield f"artifact/{number}", "it holds no metric"
        elif wrong:
            yield f"artifact/{number}", f"{', '.join(wrong)} is no number"


def _unfinished_runs(history: History) -> Found:
    if history.records is None:
        return
    for context, name in sorted(history.run_contexts.items()):
        record = history.record(context)
        if record is None:
            yield f"context/{context}", f"run {name} has no row in run_details"
        elif not record.is_finished:
            yield f"context/{context}", f"run {name} is {record.state or 'without a state'}"


_FIX = keep("it as it is")
_EXECUTION = CONVERTER.format("function convertLegacyMLMD")
_ARTIFACT = CONVERTER.format("function legacyMLMDArtifacts")


def _refusing(code: str, meaning: str, source: str, find: Any, advice: str = _FIX) -> Rule:
    return Rule(code, "transfer", "refused", meaning, advice, source, find)


TRANSFER_RULES = (
    _refusing(
        "state_not_taken",
        "An execution is neither COMPLETE, CACHED, FAILED nor CANCELED. Roots stay RUNNING in "
        "every release up to 2.18.",
        CONVERTER.format("function legacyMLMDState"),
        _states,
    ),
    _refusing(
        "type_not_taken",
        "An execution is of another type than the three that 3.0 knows.",
        CONVERTER.format("function legacyMLMDTaskType"),
        _types,
    ),
    _refusing("no_run", "An execution belongs to no run.", _EXECUTION, _no_run),
    _refusing("several_runs", "An execution belongs to several runs.", _EXECUTION, _several_runs),
    _refusing(
        "parent_not_taken",
        "The parent of an execution is missing or belongs to another run.",
        _EXECUTION,
        _parents,
    ),
    _refusing(
        "original_not_taken",
        "The execution whose results a cached one reuses is missing, or did not succeed.",
        _EXECUTION,
        _originals,
    ),
    _refusing(
        "property_kind",
        "A property of an execution is of another kind than Kubeflow writes: parent_dag_id is no "
        "whole number, cached_execution_id no text, parameters no struct.",
        CONVERTER.format("functions legacyMLMDInt, legacyMLMDString and legacyMLMDParameters"),
        _kinds,
    ),
    _refusing(
        "no_task_name",
        "An execution has no task_name. Roots have none in every release up to 2.18.",
        _EXECUTION,
        _task_names,
    ),
    _refusing(
        "step_without_parent",
        "An execution that is no DAG has no parent.",
        _EXECUTION,
        _stray_steps,
    ),
    _refusing(
        "circle",
        "Executions or contexts are their own ancestors.",
        CONVERTER.format("function legacyMLMDAcyclic"),
        _circles,
    ),
    _refusing("artifact_not_live", "An artifact is not LIVE.", _ARTIFACT, _artifact_states),
    _refusing(
        "event_type_not_taken",
        "An event is neither INPUT nor OUTPUT.",
        _EXECUTION,
        _event_types,
    ),
    _refusing("path_not_taken", "The path of an event is not one key.", _EXECUTION, _paths),
    _refusing("repeated_event", "Two events say the same.", _EXECUTION, _repeated_events),
    _refusing(
        "value_not_taken",
        "A property of an artifact is NaN or infinite, a whole number beyond 2^53, neither text, "
        "number nor struct, or declared and custom at once.",
        CONVERTER.format("functions legacyMLMDValue and legacyMLMDArtifacts"),
        _values,
    ),
    _refusing(
        "metrics_not_taken",
        "An artifact of metrics holds none, or something that is no number.",
        _ARTIFACT,
        _metrics,
    ),
    _refusing(
        "run_not_finished",
        "A run has no row in run_details, or has not ended: the export takes finished runs only.",
        EXPORT.format("function require_completed"),
        _unfinished_runs,
        "Let the run end, or end it, before you export; "
        + keep("runs that people deleted in Kubeflow"),
    ),
)
