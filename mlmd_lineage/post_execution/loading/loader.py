"""Loads views from a store: a run by a fixed number of statements, or the whole store in one read.

Events are found by their executions and artifacts, executions by their contexts, contexts by
their names: MLMD has indexes for these. It has none for the contexts of an execution, so each
round that asks for them scans the table Association once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.dialects.registry import dialects
from mlmd_lineage.lineage.keys import no_id_as_large
from mlmd_lineage.post_execution.loading import absent_names
from mlmd_lineage.post_execution.loading.fetch import FetchedRows
from mlmd_lineage.post_execution.loading.run_index import RunIndex
from mlmd_lineage.post_execution.loading.store_image import StoreImage, read_tables
from mlmd_lineage.post_execution.views import (
    ArtifactView,
    PipelineRunView,
    PipelineView,
    StepView,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from mlmd_lineage.dialects.base import Dialect
    from mlmd_lineage.post_execution.lineage_queries import LineageQueries
    from mlmd_lineage.readers.base import Reader, Session
    from mlmd_lineage.snapshot.tables import Tables

_LARGEST_ID = 2**63 - 1
_NAMED = 5
"""Up to how many pipelines or runs an error lists by their names."""
_MANY = 2000
"""Above this many executions, reading the whole store costs less than fetching them."""


def pipelines(reader: Reader, lineage: LineageQueries | None) -> list[PipelineView]:
    """Return all pipelines of a store, in the order of their oldest runs."""
    return pipelines_of(_tables(reader), lineage)


def pipelines_of(tables: Tables, lineage: LineageQueries | None) -> list[PipelineView]:
    """Return all pipelines of tables that hold all of a store, such as its snapshot."""
    run_index = whole(tables, lineage)
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
        _check_present(reader, "pipeline", name)
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
        _check_present(reader, "run", name)
        run_index = whole(_tables(reader), lineage)
        keys = _runs_named(run_index, name)
    if not keys:
        held = [entry.name for entry in run_index.membership.runs.values()]
        raise _not_found(run_index, "run", name, held)
    return PipelineRunView(run_index, _one("run", name, keys))


def _check_present(reader: Reader, what: str, name: str) -> None:
    """Raise an error where it is known without reading the store that nothing is named so."""
    known_dialects = dialects()

    def ask(session: Session) -> str | None:
        near = absent_names.suggestion(session, name, known_dialects)
        return None if near is None else f"{session.source} has no {what} {name!r}.{near}"

    message = reader.ask(ask)
    if message is not None:
        raise errors.NotFoundError(message)


def _tables(reader: Reader) -> Tables:
    return read_tables(reader.read, dialects())


def step(reader: Reader, number: int, lineage: LineageQueries | None) -> StepView:
    """Return an execution as a step, with all of its run.

    Raises:
        NotFoundError: There is no such execution.
    """
    _check_id("execution", number)
    run_index = reader.ask(lambda session: _around(session, number, lineage))
    return StepView(run_index, number)


def artifact(reader: Reader, number: int, lineage: LineageQueries | None) -> ArtifactView:
    """Return an artifact as an output of the step that made it, else as an input of the first.

    Raises:
        NotFoundError: There is no such artifact.
    """
    _check_id("artifact", number)

    def ask(session: Session) -> tuple[RunIndex, int | None]:
        events = session.fetch("Event", {"artifact_id": [number]})
        rows = FetchedRows(session, ())
        rows.artifacts([number])
        members = sorted({row[2] for row in events})
        known = rows.fill(members) | {number}
        image = StoreImage(rows.tables(), known=frozenset(known), writing_types=rows.writing_types)
        if image.artifact(number) is None:
            message = f"There is no artifact/{number} in {session.source}."
            raise errors.NotFoundError(message)
        there = [n for n in members if n in set(image.execution_ids)]
        maker = image.producer(number)
        found = maker if maker in there else min(there, default=None)
        if found is None:
            run_index = RunIndex(image, dialects(), lineage)
            run_index.limit(runs=())
            return run_index, None
        return _around(session, found, lineage), found

    run_index, execution = reader.ask(ask)
    taker = None if execution is None else StepView(run_index, execution)
    return ArtifactView(run_index, number, taker)


def _check_id(kind: str, number: int) -> None:
    if number > _LARGEST_ID:
        asked = f"{kind}/{number}"
        raise no_id_as_large(asked)


def _around(session: Session, number: int, lineage: LineageQueries | None) -> RunIndex:
    """Load the run of an execution."""
    known_dialects = dialects()
    fetched = FetchedRows(session, _original_properties(known_dialects))
    image = _image(fetched, [number], known_dialects)
    run_index = RunIndex(image, known_dialects, lineage)
    keys = run_index.membership.runs_by_execution.get(number)
    if not keys:
        message = f"There is no execution/{number} in {session.source}."
        raise errors.NotFoundError(message)
    run = run_index.membership.runs[keys[0]].identity.run
    if run is not None:
        fetched = FetchedRows(session, _original_properties(known_dialects))
        return _runs_of(fetched, [run.id], fetched.members([run.id]), lineage)
    run_index.limit(runs=(), keys=keys[:1])
    return run_index


def whole(tables: Tables, lineage: LineageQueries | None) -> RunIndex:
    """Return the runs of tables that hold all there is."""
    return RunIndex(StoreImage(tables), dialects(), lineage)


def _part(
    session: Session, name: str, lineage: LineageQueries | None, *, of_run: bool = False
) -> RunIndex | None:
    """Load what belongs to the contexts of a name; None where there is none, or too much."""
    known_dialects = dialects()
    fetched = FetchedRows(session, _original_properties(known_dialects))
    contexts = fetched.contexts_named(name, or_run_id=of_run)
    members = fetched.members(contexts)
    if not contexts or (not of_run and len(members) > _MANY):
        return None
    if of_run:
        return _runs_of(fetched, contexts, members, lineage)
    image = _image(fetched, members, known_dialects)
    run_index = RunIndex(image, known_dialects, lineage)
    runs = {
        entry.identity.run.id
        for entry in run_index.membership.runs.values()
        if entry.identity.run is not None and entry.identity.pipeline is not None
        if entry.identity.pipeline.id in contexts
    }
    shared = fetched.contexts_with_others(runs - set(contexts), members)
    if shared:
        run_index = RunIndex(image, known_dialects, lineage, shared)
    run_index.limit(runs=contexts, pipelines=contexts)
    return run_index


def _runs_of(
    fetched: FetchedRows,
    contexts: Collection[int],
    members: Collection[int],
    lineage: LineageQueries | None,
) -> RunIndex:
    """Load the runs for which some contexts stand, given their executions."""
    known_dialects = dialects()
    image = _image(fetched, members, known_dialects)
    run_index = RunIndex(image, known_dialects, lineage)
    run_index.limit(runs=contexts)
    return run_index


def _image(
    fetched: FetchedRows, members: Collection[int], known_dialects: Sequence[Dialect]
) -> StoreImage:
    """Fetch all that some executions need, and return it decoded."""
    known = fetched.fill(members)
    fetched.attributions({name for dialect in known_dialects for name in dialect.attributed_types})
    return StoreImage(fetched.tables(), known=frozenset(known), writing_types=fetched.writing_types)


def _original_properties(known_dialects: Sequence[Dialect]) -> set[str]:
    return {name for dialect in known_dialects for name in dialect.original_properties}


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
    if len(names) == 1:
        count = f"Its only one is {names[0]!r}."
    elif 1 < len(names) <= _NAMED:
        count = f"It has {', '.join(map(repr, names[:-1]))} and {names[-1]!r}."
    else:
        count = f"It has {len(names)} {what}s."
    message = f"{run_index.store_image.source} has no {what} {name!r}.{near} {count}"
    return errors.NotFoundError(message)
