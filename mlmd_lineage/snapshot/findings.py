"""Findings: what in a store is not as MLMD means it to be.

MLMD's tables have no foreign keys, so rows deleted by hand leave others dangling; and some values
make MLMD's own calls fail. Nothing of that is dropped when a store is read.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.snapshot import arrays, notes, text_states, values
from mlmd_lineage.snapshot.arrays import pc
from mlmd_lineage.snapshot.enums import PUBLISHED_OUTPUTS, ArtifactState, EventType, ExecutionState
from mlmd_lineage.snapshot.finding_codes import FindingCode
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from mlmd_lineage.snapshot.tables import NodeSchema, Tables

    Numbers = np.ndarray[Any, np.dtype[np.int64]]
    Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something about one node, event or row that a reader should know.

    >>> store.snapshot().findings[0]
    Finding(code=FindingCode.MISSING_ARTIFACT, subject='artifact/7', detail='...')
    """

    code: FindingCode
    """What kind of finding it is."""
    subject: str
    """What it is about: a node key such as ``artifact/7``, or ``event/12``."""
    detail: str
    """A sentence for people."""

    def __str__(self) -> str:
        return f"{self.subject}: {self.detail} ({self.code})"


def findings_of(
    tables: Tables, progress: Callable[[int, int], object] | None = None
) -> tuple[Finding, ...]:
    """Return all findings about a store's tables, in order.

    Args:
        tables: The tables.
        progress: Is told how many kinds of rows were looked at, and how many there are.
    """
    parts = [_noted(tables), _types(tables), _memberships(tables), _paths(tables)]
    if "Event" in tables:
        parts += [_events(tables), _repeated_events(tables), _only_cached(tables)]
    for kind in KINDS.values():
        parts += [_nodes(tables, kind), _property_values(tables, kind)]
    found: set[Finding] = set()
    for done, part in enumerate(parts, 1):
        found.update(part)
        if progress is not None:
            progress(done, len(parts))
    return tuple(sorted(found))


def _noted(tables: Tables) -> Iterator[Finding]:
    for name in tables.names:
        for note in notes.notes_of(tables[name]):
            yield Finding(FindingCode.of(note.code), note.subject, note.detail)


def _types(tables: Tables) -> Iterator[Finding]:
    """Find types that are there more than once, as concurrent writers may have made them."""
    if "Type" not in tables:
        return
    ids: dict[tuple[str, str, int], list[int]] = {}
    for number, *names, kind in values.rows_of(
        tables["Type"].select(["id", "name", "version", "type_kind"])
    ):
        name, version = (text or "" for text in names)
        ids.setdefault((name, version, kind), []).append(number)
    for (name, version, _), numbers in ids.items():
        if len(numbers) > 1:
            label = f"{name} {version}".rstrip()
            others = ", ".join(map(str, numbers))
            yield Finding(
                FindingCode.DUPLICATE_TYPE,
                f"type/{numbers[0]}",
                f"the types {others} are all called {label}; the name means all of them",
            )


def _ids(tables: Tables, table: str, column: str = "id") -> Numbers:
    ids: Numbers = arrays.to_numpy(tables[table][column])
    return ids


def _missing(tables: Tables, table: str, column: str, owner: str) -> list[tuple[int, int]]:
    """Return ``(row, id)`` for the rows whose id has no row in the owner's table."""
    named = _ids(tables, table, column)
    return [(row, int(named[row])) for row in _where(~np.isin(named, _ids(tables, owner)))]


def _where(flags: Flags) -> list[int]:
    rows: list[int] = np.flatnonzero(flags).tolist()
    return rows


def _events(tables: Tables) -> Iterator[Finding]:
    ids = _ids(tables, "Event")
    for kind in ("artifact", "execution"):
        for row, node in _missing(tables, "Event", f"{kind}_id", KINDS[kind].table):
            detail = f"event {ids[row]} names it, and no row has its id"
            yield Finding(FindingCode(f"missing_{kind}"), f"{kind}/{node}", detail)
    types = _ids(tables, "Event", "type")
    for row in _where((types < 1) | (types >= len(EventType))):
        name = EventType.UNKNOWN.name if types[row] == EventType.UNKNOWN else str(types[row])
        yield Finding(
            FindingCode.UNKNOWN_EVENT_TYPE,
            f"event/{ids[row]}",
            f"its type is {name}, neither an input nor an output, so lineage leaves it out",
        )


def _repeated_events(tables: Tables) -> Iterator[Finding]:
    events = np.stack(
        [_ids(tables, "Event", name) for name in ("artifact_id", "execution_id", "type")]
    )
    events = events[:, np.lexsort(events[::-1])]
    begins = np.ones(events.shape[1], bool)
    begins[1:] = (np.diff(events) != 0).any(axis=0)
    other = np.flatnonzero(begins)
    counts = np.diff(other, append=events.shape[1])
    for first, count in zip(other[counts > 1].tolist(), counts[counts > 1].tolist(), strict=True):
        artifact, execution, _ = events[:, first].tolist()
        yield Finding(
            FindingCode.DUPLICATE_EVENT,
            f"artifact/{artifact}",
            f"{count} events of one type tie it to execution/{execution}",
        )


def _only_cached(tables: Tables) -> Iterator[Finding]:
    """Find the artifacts whose only producers are cached executions."""
    if "Execution" not in tables:
        return
    is_cached = arrays.to_numpy(text_states.execution_states_of(tables)) == ExecutionState.CACHED
    cached = _ids(tables, "Execution")[is_cached]
    is_output = np.isin(_ids(tables, "Event", "type"), PUBLISHED_OUTPUTS)
    by_cached = np.isin(_ids(tables, "Event", "execution_id"), cached)
    artifacts = _ids(tables, "Event", "artifact_id")
    made = artifacts[is_output & ~by_cached]
    for artifact in np.setdiff1d(artifacts[is_output & by_cached], made).tolist():
        detail = "only cached executions claim to have made it; the earliest counts as its maker"
        yield Finding(FindingCode.ONLY_CACHED_PRODUCER, f"artifact/{artifact}", detail)


def _memberships(tables: Tables) -> Iterator[Finding]:
    for table, member in (("Attribution", "artifact"), ("Association", "execution")):
        if table not in tables:
            continue
        ids = _ids(tables, table)
        for row, context in _missing(tables, table, "context_id", "Context"):
            detail = f"{table.lower()} {ids[row]} names it, and no row has its id"
            yield Finding(FindingCode.MISSING_CONTEXT, f"context/{context}", detail)
        for row, node in _missing(tables, table, f"{member}_id", KINDS[member].table):
            detail = f"{table.lower()} {ids[row]} names it, and no row has its id"
            yield Finding(FindingCode(f"dangling_{table.lower()}"), f"{member}/{node}", detail)
    if "ParentContext" in tables:
        for column in ("context_id", "parent_context_id"):
            for _, context in _missing(tables, "ParentContext", column, "Context"):
                detail = "a parent-child pair names it, and no row has its id"
                yield Finding(FindingCode.MISSING_CONTEXT, f"context/{context}", detail)


def _paths(tables: Tables) -> Iterator[Finding]:
    if "EventPath" in tables and "Event" in tables:
        for _, event in _missing(tables, "EventPath", "event_id", "Event"):
            yield Finding(FindingCode.MISSING_EVENT, f"event/{event}", "it has a path, but no row")


def _nodes(tables: Tables, kind: NodeSchema) -> Iterator[Finding]:
    if kind.table not in tables:
        return
    ids = _ids(tables, kind.table)
    for row, type_id in _missing(tables, kind.table, "type_id", "Type"):
        yield Finding(
            FindingCode.MISSING_TYPE, f"{kind.name}/{ids[row]}", f"no type has the id {type_id}"
        )
    if kind.state is not None:
        known = ArtifactState if kind.name == "artifact" else ExecutionState
        states = arrays.to_numpy(tables[kind.table][kind.state])
        for row in _where((states < 0) | (states >= len(known))):
            detail = f"its state is {states[row]}, which MLMD does not name"
            yield Finding(FindingCode.UNKNOWN_STATE, f"{kind.name}/{ids[row]}", detail)


def _property_values(tables: Tables, kind: NodeSchema) -> Iterator[Finding]:
    if kind.properties not in tables:
        return
    properties = tables[kind.properties]
    owners = _ids(tables, kind.properties, kind.id_column)
    names = properties["name"]

    def finding(code: FindingCode, row: int, detail: str) -> Finding:
        subject = f"{kind.name}/{owners[row]}"
        return Finding(code, subject, f"its property {names[row].as_py()!r} {detail}")

    if kind.table in tables:
        for row, _ in _missing(tables, kind.properties, kind.id_column, kind.table):
            yield finding(
                FindingCode(f"missing_{kind.name}"), row, "is there, and no row has its id"
            )
    found = values.kinds_of(properties)
    for row in _where(found == values.NOTHING):
        yield finding(FindingCode.NULL_PROPERTY, row, "has no value; ml_metadata fails on it")
    for row in _where(_value_counts(properties) > 1):
        yield finding(FindingCode.SEVERAL_VALUES, row, "has values of more than one kind")
    strings = properties["string_value"]
    is_null_text = pc.equal(strings, arrays.scalar(values.NULL_TEXT, strings.type))
    for row in _where(arrays.to_numpy(is_null_text)):
        yield finding(
            FindingCode.MLMD_NULL_TEXT, row, f"is {values.NULL_TEXT!r}; ml_metadata fails on it"
        )
    yield from _undecodable(properties, found, finding)


def _value_counts(properties: pa.Table) -> Numbers:
    """Return how many values each property has."""
    counts = np.zeros(properties.num_rows, np.int64)
    for column in properties.columns[3:]:
        if column.null_count < len(column):
            counts += arrays.to_numpy(pc.is_valid(column))
    return counts


def _undecodable(
    properties: pa.Table,
    found: np.ndarray[Any, np.dtype[np.int8]],
    finding: Callable[[FindingCode, int, str], Finding],
) -> Iterator[Finding]:
    for kind, column, decode, code, detail in (
        (
            values.STRUCT,
            "string_value",
            values.struct_from,
            FindingCode.INVALID_STRUCT,
            "is no struct",
        ),
        (values.PROTO, "proto_value", values.proto_from, FindingCode.INVALID_PROTO, "is no proto"),
    ):
        rows = np.flatnonzero(found == kind)
        for row, value in zip(
            rows, properties[column].take(arrays.from_numpy(rows)).to_pylist(), strict=True
        ):
            try:
                decode(value)
            except ValueError:
                yield finding(
                    code, int(row), f"{detail} that can be decoded; ml_metadata fails on it"
                )
