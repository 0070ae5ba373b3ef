"""The archive that a transfer makes of a run, and the rules that concern all of it.

It holds the executions and artifacts of the run, and again and again the parents and originals of
its executions, the artifacts of their events, the executions that made these, and the contexts of
them all. Source: ``export_graph`` in ``tools/run-history/mlmd.py`` of kubeflow/pipelines.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlmd_lineage.kubeflow.history import reference, whole_number_of
from mlmd_lineage.kubeflow.rules import CONVERTER, Rule, keep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mlmd_lineage.kubeflow.history import History

MOST_RECORDS = 100_000
"""How many records an archive may hold: ``decodeLegacyMLMD`` in the converter."""


@dataclasses.dataclass(frozen=True, slots=True)
class TransferClosure:
    """The nodes in the archive of one run, by their ids."""

    run: int
    executions: frozenset[int]
    artifacts: frozenset[int]
    contexts: frozenset[int]

    def holds(self, history: History, key: str) -> bool:
        """Return whether a node, or the execution of an event, is in the archive."""
        kind, _, number = key.partition("/")
        if kind == "event":
            return history.event_executions[int(number)] in self.executions
        held = {"execution": self.executions, "artifact": self.artifacts, "context": self.contexts}
        return int(number) in held[kind]


def closure_of(history: History, run: int) -> TransferClosure:
    """Return what the archive of a run holds."""
    executions = set(history.members[run])
    artifacts = set(history.attributed.get(run, ()))
    contexts = {run}
    new_executions, new_artifacts = list(executions), list(artifacts)
    while new_executions or new_artifacts:
        while new_executions:
            number = new_executions.pop()
            contexts.update(history.contexts_of.get(number, ()))
            _take(_references(history, number), executions, new_executions)
            events = history.events_of.get(number, ())
            there = (e.artifact for e in events if e.artifact in history.artifacts)
            _take(there, artifacts, new_artifacts)
        while new_artifacts:
            number = new_artifacts.pop()
            contexts.update(history.artifact_contexts.get(number, ()))
            makers = (e.execution for e in history.events_on.get(number, ()) if e.produces)
            _take((n for n in makers if n in history.executions), executions, new_executions)
    return TransferClosure(
        run,
        frozenset(executions),
        frozenset(artifacts),
        frozenset(_with_parents(history, contexts)),
    )


def _take(numbers: Iterable[int], held: set[int], new: list[int]) -> None:
    for number in numbers:
        if number not in held:
            held.add(number)
            new.append(number)


def _references(history: History, number: int) -> Iterator[int]:
    properties = history.executions[number].custom_properties
    parent = whole_number_of(properties.get("parent_dag_id"))
    original = properties.get("cached_execution_id")
    found = [parent, reference(original) if isinstance(original, str) else None]
    yield from (other for other in found if other in history.executions)


def _with_parents(history: History, contexts: set[int]) -> set[int]:
    found, new = set(contexts), list(contexts)
    while new:
        for parent in history.parents.get(new.pop(), ()):
            if parent in history.contexts and parent not in found:
                found.add(parent)
                new.append(parent)
    return found


# Rules on whole archives


def _several_roots(history: History, part: TransferClosure) -> str:
    roots: dict[int, int] = {}
    for number in part.executions:
        properties = history.executions[number].custom_properties
        if not whole_number_of(properties.get("parent_dag_id")):
            for run in history.runs_of.get(number, ()):
                roots[run] = roots.get(run, 0) + 1
    several = sorted(run for run, count in roots.items() if count > 1)
    return ", ".join(f"context/{run} has {roots[run]} roots" for run in several)


def _unused_artifacts(history: History, part: TransferClosure) -> str:
    used = {e.artifact for n in part.executions for e in history.events_of.get(n, ())}
    unused = sorted(part.artifacts - used)
    return f"no event names {_named('artifact', unused)}" if unused else ""


def _namespaces(history: History, part: TransferClosure) -> str:
    own = namespace_of(history, part.run)
    found = []
    for kind, nodes, ids in (
        ("context", history.contexts, part.contexts),
        ("execution", history.executions, part.executions),
        ("artifact", history.artifacts, part.artifacts),
    ):
        others = sorted(
            number
            for number in ids
            if number in nodes
            for held in (nodes[number].properties, nodes[number].custom_properties)
            if held.get("namespace", "") not in {"", own}
        )
        if others:
            found.append(f"{_named(kind, others)} of another namespace than {own!r}")
    return ", ".join(found)


def _records(history: History, part: TransferClosure) -> str:
    count = len(part.executions) + len(part.artifacts) + len(part.contexts)
    count += sum(
        len(history.events_of.get(n, ())) + len(history.contexts_of.get(n, ()))
        for n in part.executions
    )
    count += sum(len(history.artifact_contexts.get(n, ())) for n in part.artifacts)
    count += sum(len(history.parents.get(n, ())) for n in part.contexts)
    return f"{count:,} records" if count > MOST_RECORDS else ""


def namespace_of(history: History, run_context: int) -> str:
    """Return the namespace of a run: that of its row, else that of its context."""
    record = history.record(run_context)
    if record is not None and record.namespace:
        return record.namespace
    node = history.contexts[run_context]
    value = {**node.custom_properties, **node.properties}.get("namespace")
    return value if isinstance(value, str) else ""


_SHOWN = 3


def _named(kind: str, ids: list[int]) -> str:
    ids = sorted(set(ids))
    shown = ", ".join(f"{kind}/{number}" for number in ids[:_SHOWN])
    more = len(ids) - _SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown


def _nothing(_: History) -> Iterator[tuple[str, str]]:
    return iter(())


def _rule(code: str, meaning: str, function: str, advice: str = keep("it as it is")) -> Rule:
    source = CONVERTER.format(f"function {function}")
    return Rule(code, "transfer", "refused", meaning, advice, source, _nothing)


CLOSURE_RULES: dict[Rule, Callable[[History, TransferClosure], str]] = {
    _rule(
        "several_roots",
        "A run in the archive has several executions without a parent.",
        "convertLegacyMLMD",
    ): _several_roots,
    _rule(
        "artifact_unused",
        "No event in the archive names an artifact of it.",
        "convertLegacyMLMD",
    ): _unused_artifacts,
    _rule(
        "another_namespace",
        "Something in the archive, such as the run of an ancestor, is of another namespace.",
        "convertLegacyMLMD",
    ): _namespaces,
    _rule(
        "too_many_records",
        f"The archive of the run has more than {MOST_RECORDS:,} records.",
        "decodeLegacyMLMD",
    ): _records,
}
"""For each rule what finds in an archive what is the matter; an empty text where nothing is."""
