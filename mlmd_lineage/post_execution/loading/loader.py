"""Loads views from a store: a run by a fixed number of statements, or the whole store in one read.

Events are found by their executions and artifacts, executions by their contexts, contexts by
their names: MLMD has indexes for these. It has none for the contexts of an execution, so each
round that asks for them scans the table Association once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.dialects.registry import dialects
from mlmd_lineage.post_execution.loading.fetch import FetchedRows
from mlmd_lineage.post_execution.loading.run_index import RunIndex
from mlmd_lineage.post_execution.loading.store_image import StoreImage, read_tables
from mlmd_lineage.post_execution.views import PipelineRunView, PipelineView

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlmd_lineage.post_execution.lineage_queries import LineageQueries
    from mlmd_lineage.readers.base import Reader, Session
    from mlmd_lineage.snapshot.tables import Tables

_MANY = 2000
"""From so many executions on, all there is in one read costs less than the asking."""


def pipelines(reader: Reader, lineage: LineageQueries | None) -> list[PipelineView]:
    """Return all pipelines of a store, in the order of their oldest runs."""
    run_index = whole(_tables(reader), lineage)
    return [PipelineView(run_index, key) for key in run_index.membership.pipelines]


def pipeline(reader: Reader, name: str, lineage: LineageQueries | None) -> PipelineView:
    """Return a pipeline with all of its runs.

    Raises:
        NotFoundError: There is none of this name; the message suggests near names.
        AmbiguousNameError: There are several.
    """
    run_index = reader.ask(lambda session: _part(session, name, lineage))
    keys = _pipelines_named(run_index, name) if run_index is not None else []
    if run_index is None or not keys:
        run_index = whole(_tables(reader), lineage)
        keys = _pipelines_named(run_index, name)
    if not keys:
        held = [entry.name for entry in run_index.membership.pipelines.values()]
        raise _not_found(run_index, "pipeline", name, held)
    return PipelineView(run_index, _one("pipeline", name, keys))


def run(reader: Reader, name: str, lineage: LineageQueries | None) -> PipelineRunView:
    """Return a run with all of its steps, and the steps of other runs that made what it took.

    Raises:
        NotFoundError: There is none of this name; the message suggests near names.
        AmbiguousNameError: There are several.
    """
    run_index = reader.ask(lambda session: _part(session, name, lineage, of_run=True))
    keys = _runs_named(run_index, name) if run_index is not None else []
    if run_index is None or not keys:
        run_index = whole(_tables(reader), lineage)
        keys = _runs_named(run_index, name)
    if not keys:
        held = [entry.name for entry in run_index.membership.runs.values()]
        raise _not_found(run_index, "run", name, held)
    return PipelineRunView(run_index, _one("run", name, keys))


def _tables(reader: Reader) -> Tables:
    return read_tables(reader.read, dialects())


def whole(tables: Tables, lineage: LineageQueries | None) -> RunIndex:
    """Return the runs of tables that hold all there is."""
    return RunIndex(StoreImage(tables), dialects(), lineage)


def _part(
    session: Session, name: str, lineage: LineageQueries | None, *, of_run: bool = False
) -> RunIndex | None:
    """Load what belongs to the contexts of a name; None where there is none, or too much."""
    known_dialects = dialects()
    names = {name for dialect in known_dialects for name in dialect.original_properties}
    fetched = FetchedRows(session, names)
    contexts = fetched.contexts_named(name, or_run_id=of_run)
    members = fetched.members(contexts)
    if not contexts or (not of_run and len(members) > _MANY):
        return None
    known = fetched.fill(members)
    fetched.attributions({n for d in known_dialects for n in d.attributed_types})
    store_image = StoreImage(
        fetched.tables(), known=frozenset(known), writing_types=fetched.writing_types
    )
    run_index = RunIndex(store_image, known_dialects, lineage)
    if not of_run:
        runs = {
            entry.identity.run.id
            for entry in run_index.membership.runs.values()
            if entry.identity.run is not None and entry.identity.pipeline is not None
            if entry.identity.pipeline.id in contexts
        }
        shared = fetched.contexts_with_others(runs - set(contexts), members)
        if shared:
            run_index = RunIndex(store_image, known_dialects, lineage, shared)
    run_index.limit(runs=contexts, pipelines=() if of_run else contexts)
    return run_index


def _pipelines_named(run_index: RunIndex, name: str) -> list[str]:
    held = run_index.membership.pipelines
    return [
        k for k, entry in held.items() if name in {entry.name, k} and run_index.holds_all_runs(k)
    ]


def _runs_named(run_index: RunIndex, name: str) -> list[str]:
    found = []
    for key, entry in run_index.membership.runs.items():
        if name in {entry.name, key, entry.run_id} and run_index.holds_run(key):
            found.append(key)
    return found


def _one(what: str, name: str, keys: list[str]) -> str:
    if len(keys) > 1:
        message = f"There are {len(keys)} {what}s {name!r}; name one by its key: {', '.join(keys)}."
        raise errors.AmbiguousNameError(message)
    return keys[0]


def _not_found(
    run_index: RunIndex, what: str, name: str, held: Iterable[str]
) -> errors.NotFoundError:
    names = list(dict.fromkeys(held))
    near = errors.did_you_mean(name, names)
    count = f"It has {len(names)} {what}s." if len(names) != 1 else f"Its only one is {names[0]!r}."
    message = f"{run_index.store_image.source} has no {what} {name!r}.{near} {count}"
    return errors.NotFoundError(message)
