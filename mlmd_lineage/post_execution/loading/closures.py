"""Loads the upstream closures of some nodes, or the surroundings of a trace, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.dialects.registry import dialects
from mlmd_lineage.lineage import keys, traversal
from mlmd_lineage.lineage.question import Question
from mlmd_lineage.post_execution.loading.ancestry import Ancestry
from mlmd_lineage.post_execution.loading.fetch import FetchedRows
from mlmd_lineage.post_execution.loading.run_index import RunIndex
from mlmd_lineage.post_execution.loading.run_membership import node_of_run
from mlmd_lineage.post_execution.loading.store_image import StoreImage
from mlmd_lineage.snapshot.enums import OUTPUT_EVENTS, EventType

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlmd_lineage.lineage.graph_data import GraphData
    from mlmd_lineage.readers.base import Reader, Session

_ONE_UP = Question(max_hops=1)
LINEAGE = Question()
"""What lineage is: all that was used and produced, without limit."""


def check_alike(a: str, b: str) -> None:
    """Refuse to compare nodes of different kinds.

    Raises:
        ConfigurationError: One is a run and the other an artifact, say.
    """
    told = {"artifact": "an artifact", "execution": "an execution", "context": "a run"}
    kinds = [told[key.partition("/")[0]] for key in (a, b)]
    if kinds[0] != kinds[1]:
        message = f"{a} is {kinds[0]} and {b} is {kinds[1]}: compare two of the same kind."
        raise errors.ConfigurationError(message)


def read(reader: Reader, subjects: Collection[str]) -> Ancestry:
    """Read the lineages of artifacts, executions and runs in one transaction.

    Raises:
        NotFoundError: The store holds no such node or run.
    """
    return reader.ask(lambda session: _read(session, subjects))


def read_around(reader: Reader, graph: GraphData) -> Ancestry:
    """Read what the dialects say of a graph's nodes, and of those that claim its artifacts."""
    artifacts = set(graph.index.artifact_ids.tolist())

    def read_(session: Session) -> Ancestry:
        where = {"artifact_id": sorted(artifacts), "type": OUTPUT_EVENTS}
        claims = session.fetch("Event", where) if artifacts else []
        executions = {*graph.index.execution_ids.tolist(), *(row[2] for row in claims)}
        run_index = _run_index(session, executions, artifacts, [])
        whole = traversal.trace_within(session, "artifact", artifacts, _ONE_UP, up=True)
        return Ancestry(run_index, (whole,) if artifacts else (), {})

    return reader.ask(read_)


def _read(session: Session, subjects: Collection[str]) -> Ancestry:
    starts: dict[str, set[int]] = {"artifact": set(), "execution": set(), "context": set()}
    for key in subjects:
        kind, number = node_of_run(key) or keys.parse(key)
        starts[kind].add(number)
    runs = sorted(starts["context"])
    if runs or starts["execution"]:
        named = [key for key in subjects if key.startswith("context/")]
        starts["execution"] |= _with_originals(session, named, runs, starts["execution"])
    traces = tuple(
        traversal.trace_within(session, kind, starts[kind], LINEAGE, up=True)
        for kind in ("artifact", "execution")
        if starts[kind]
    )
    executions = {n for trace in traces for n in trace.index.execution_ids.tolist()}
    artifacts = {n for trace in traces for n in trace.index.artifact_ids.tolist()}
    resolvers: dict[int, set[int]] = {}
    where = {"artifact_id": sorted(artifacts), "type": [EventType.INTERNAL_OUTPUT]}
    for row in session.fetch("Event", where) if artifacts else ():
        resolvers.setdefault(row[1], set()).add(row[2])
    executions.update(*resolvers.values())
    run_index = _run_index(session, executions, starts["artifact"], runs)
    return Ancestry(run_index, traces, resolvers)


def _with_originals(
    session: Session, keys_of_runs: list[str], runs: list[int], executions: set[int]
) -> set[int]:
    """Return the executions of runs, and those that made what the cached ones among them reuse."""
    fetched = _Rows(session)
    members = set(fetched.members(runs)) | executions
    if runs:
        fetched.contexts(runs)
    run_index = _run_index(session, members, set(), runs)
    for key in keys_of_runs:
        _check_run(run_index, key)
    there = [n for n in members if n in run_index.membership.runs_by_execution]
    return members | {found for n in there if (found := run_index.original(n)) is not None}


def _check_run(run_index: RunIndex, key: str) -> None:
    """Refuse a key that is no run's, or that of several."""
    membership = run_index.membership
    if key in membership.runs:
        return
    node = node_of_run(key)
    several = sorted(membership.runs_of_contexts([node[1]] if node else []))
    if several:
        message = f"{key} stands for {len(several)} runs; name one: {', '.join(several)}."
        raise errors.AmbiguousNameError(message)
    message = f"There is no run {key} in {run_index.store_image.source}."
    raise errors.NotFoundError(message)


def _run_index(
    session: Session, executions: set[int], artifacts: set[int], runs: list[int]
) -> RunIndex:
    rows = _Rows(session)
    rows.contexts(runs)
    known = rows.fill(sorted(executions)) | rows.artifacts(artifacts)
    while True:
        store_image = StoreImage(
            rows.tables(), known=frozenset(known), writing_types=rows.writing_types
        )
        run_index = RunIndex(store_image, dialects())
        run_index.limit(runs=runs)
        store_image.executions(sorted(executions))  # decoded together, and kept
        above = _groups(run_index, executions) - executions
        if not above:
            return run_index
        executions |= above
        known |= rows.fill(sorted(above))


def _groups(run_index: RunIndex, executions: set[int]) -> set[int]:
    """Return the groups of steps that hold some executions."""
    found = set()
    for number in executions:
        if number in run_index.membership.runs_by_execution:
            parent = run_index.step(number)[1].record.parent_dag
            if parent is not None:
                found.add(parent)
    return found


class _Rows(FetchedRows):
    """The rows that lineages need."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, {n for d in dialects() for n in d.original_properties})

    def contexts(self, ids: Collection[int]) -> None:
        """Fetch contexts, and all that are above them."""
        new = set(ids)
        while new:
            self._ask("Context", "id", new)
            self._ask("ContextProperty", "context_id", new)
            pairs = self._ask("ParentContext", "context_id", new)
            new = {row[1] for row in pairs} - self._asked[("Context", "id")]
