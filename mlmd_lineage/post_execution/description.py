"""The description of a store: what it holds, which platforms wrote it, and what is odd in it."""

from __future__ import annotations

import collections
import dataclasses
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlmd_lineage.dialects.registry import dialects
from mlmd_lineage.post_execution.base_view import moment, table
from mlmd_lineage.post_execution.loading.row_values import without_gc
from mlmd_lineage.post_execution.loading.run_dialects import (
    MEMBERSHIP_TABLES,
    membership_properties,
    readers,
)
from mlmd_lineage.post_execution.loading.run_index import RunIndex
from mlmd_lineage.post_execution.loading.store_image import StoreImage
from mlmd_lineage.readers.base import Selected, Selection, Selector
from mlmd_lineage.snapshot import arrays, imported
from mlmd_lineage.snapshot.enums import ArtifactState, ExecutionState, name_of
from mlmd_lineage.snapshot.selections import counts_of, of_names
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    import datetime as dt
    import enum
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from mlmd_lineage.readers.base import Reader
    from mlmd_lineage.snapshot.findings import Finding
    from mlmd_lineage.snapshot.tables import NodeSchema, TableCounts, Tables

    Array = np.ndarray[Any, np.dtype[Any]]

_COUNTED = ("Artifact", "Execution", "Event")
_COLUMNS = {"Execution": ("type_id", "name", "create_time_since_epoch")}
_IMPORTED = (KINDS["execution"], KINDS["context"])
"""The kinds of nodes of which an import of Kubeflow's history always brings some."""
_STATES: dict[str, type[enum.IntEnum]] = {"artifact": ArtifactState, "execution": ExecutionState}
NO_STATE = "no state"
_NAMED = 3
"""How many contexts of a type there are at most where they are named."""
_DIGEST = re.compile(r"^[0-9a-f]{32,}$")


@dataclasses.dataclass(frozen=True, slots=True)
class TypeCount:
    """How many nodes of a type there are.

    Attributes:
        type: The type's name; None for nodes whose type has no row.
        count: How many.
        states: How many in each state, by MLMD's names; contexts have none.
        names: The names of contexts, without those that are digests; None where there are many.
    """

    type: str | None
    count: int
    states: Mapping[str, int] = dataclasses.field(default_factory=dict)
    names: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class StoreDescription:
    """What a store is and holds.

    Attributes:
        location: Where it is, without any secret.
        flavor: The flavor of the metadata store, such as ``sqlite``.
        schema_version: The version of MLMD's schema.
        counts: How many artifacts, executions, contexts and events it holds.
        platforms: The platforms that wrote it, each with the number of its runs.
        pipelines, runs: How many pipelines and runs it holds.
        first_time, last_time: The first and the last time in it, in UTC.
        types: For ``artifacts``, ``executions`` and ``contexts`` the number of each type: the most
            frequent first, of contexts the rarest.
        findings: How many findings of each code there are; None where none were looked for.
    """

    location: str
    flavor: str
    schema_version: int
    counts: Mapping[str, int]
    platforms: Mapping[str, int]
    pipelines: int
    runs: int
    first_time: dt.datetime | None
    last_time: dt.datetime | None
    types: Mapping[str, tuple[TypeCount, ...]]
    findings: Mapping[str, int] | None

    def text(self) -> str:
        """Return it in lines, to be read by a person."""
        return "\n".join(f"{name}: {value}" for name, value in self._rows())

    def _rows(self) -> list[tuple[str, str]]:
        times = [f"{time:%Y-%m-%d %H:%M}" for time in (self.first_time, self.last_time) if time]
        platforms = [f"{name} ({_count(runs, 'runs')})" for name, runs in self.platforms.items()]
        found = "not looked for; describe(findings=True) does"
        if self.findings is not None:
            found = ", ".join(f"{n:,} {code}" for code, n in self.findings.items()) or "none"
        return [
            ("store", f"{self.flavor}: {self.location}"),
            ("MLMD schema", str(self.schema_version)),
            ("holds", ", ".join(_count(n, what) for what, n in self.counts.items())),
            ("written by", ", ".join(platforms) or "no platform that is known"),
            ("pipelines", f"{self.pipelines:,} with {_count(self.runs, 'runs')}"),
            ("times", " to ".join(times) + " UTC" if times else "none"),
            ("findings", found),
        ]

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return table("Store", self._rows())


def _count(number: int, plural: str) -> str:
    return f"{number:,} {plural[:-1] if number == 1 else plural}"


class RunCounts(NamedTuple):
    """How many pipelines and runs a store holds, and how many runs each platform wrote."""

    pipelines: int
    runs: int
    platforms: Mapping[str, int]


def read(reader: Reader) -> tuple[Selected, RunCounts | None]:
    """Read what a description without findings is made from, in one transaction.

    The runs are counted while the database counts the rest; None where they are still to count.
    """
    names = membership_properties(dialects())
    if names is not None and isinstance(reader, Selector):
        runs: list[RunCounts | None] = []

        def meanwhile(tables: Tables) -> None:
            is_imported = any(_originals_in(tables, kind) for kind in _IMPORTED)
            runs[:] = [None if is_imported else _runs_in(tables)]

        found = reader.read_selected(
            Selection(
                MEMBERSHIP_TABLES,
                {"ExecutionProperty": names},
                _COLUMNS,
                counted=_COUNTED,
                texts=("ExecutionProperty",),
            ),
            meanwhile,
        )
        if runs[0] is not None:
            return found, runs[0]
    return Selected(reader.read(), {}), None


def describe(
    tables: Tables,
    location: str,
    flavor: str,
    findings: Iterable[Finding] | None = None,
    counted: tuple[Mapping[str, TableCounts], RunCounts | None] = (MappingProxyType({}), None),
) -> StoreDescription:
    """Return the description of a store.

    Args:
        tables: What ``read()`` returns, or a snapshot.
        location: Where the store is.
        flavor: The flavor of the metadata store.
        findings: What is odd in it, if that was looked for.
        counted: The counts of those tables of nodes and events that are not here, and those of
            runs, where they are known.
    """
    counts, runs = counted
    held = {f"{name}s": _counts(tables, kind, counts) for name, kind in KINDS.items()}
    held["events"] = counts.get("Event") or counts_of("Event", tables["Event"])
    times = [time for of_table in held.values() for time in (of_table.first, of_table.last)]
    known = [time for time in times if time is not None]
    runs = runs or _runs_in(tables)
    codes = None if findings is None else collections.Counter(f.code for f in findings)
    return StoreDescription(
        location=location,
        flavor=flavor,
        schema_version=tables.schema_version,
        counts={name: _total(of_table) for name, of_table in held.items()},
        platforms=runs.platforms,
        pipelines=runs.pipelines,
        runs=runs.runs,
        first_time=moment(min(known, default=None)),
        last_time=moment(max(known, default=None)),
        types={f"{name}s": _types(held[f"{name}s"], tables, kind) for name, kind in KINDS.items()},
        findings=None if codes is None else dict(sorted(codes.items())),
    )


def _counts(tables: Tables, kind: NodeSchema, counts: Mapping[str, TableCounts]) -> TableCounts:
    return counts.get(kind.table) or counts_of(kind.table, _with_originals(tables, kind))


def _total(counts: TableCounts) -> int:
    return sum(count for _, _, count in counts.groups)


def _with_originals(tables: Tables, kind: NodeSchema) -> pa.Table:
    """Return nodes with the names and times that they had before Kubeflow imported them."""
    return imported.with_originals(tables[kind.table], _originals_in(tables, kind))


def _originals_in(tables: Tables, kind: NodeSchema) -> dict[int, imported.Original]:
    if kind.properties not in tables:
        return {}
    held = of_names(tables[kind.properties], (imported.ORIGINAL, imported.SOURCE))
    return imported.originals_in(held)


def _runs_in(tables: Tables) -> RunCounts:
    with without_gc():
        return _counted_runs(tables)  # what it is made from is freed before the collector comes


def _counted_runs(tables: Tables) -> RunCounts:
    index = RunIndex(StoreImage(tables), dialects())
    names = membership_properties(dialects())
    platforms = index.platforms(None if names is None else readers(index, names))
    return RunCounts(len(index.membership.pipelines), len(index.membership.runs), platforms)


def _types(counts: TableCounts, tables: Tables, kind: NodeSchema) -> tuple[TypeCount, ...]:
    """Return how many nodes of each type there are, in which states."""
    names = dict(zip(*(tables["Type"][c].to_pylist() for c in ("id", "name")), strict=True))
    rows: dict[str | None, dict[str | None, int]] = {}
    for type_id, number, count in counts.groups:
        state = None if number is None else name_of(_STATES[kind.name], number)
        states = rows.setdefault(names.get(type_id), {})
        states[state] = states.get(state, 0) + count
    found = []
    for name, states in rows.items():
        count = sum(states.values())
        known = {state: states[state] for state in sorted(s for s in states if s is not None)}
        if known and None in states:
            known[NO_STATE] = states[None]
        shown: tuple[str, ...] | None = None
        if kind.state is None and count <= _NAMED:
            of_type = [number for number, _, _ in counts.groups if names.get(number) == name]
            nodes = _with_originals(tables, kind)
            rows_of_type = np.isin(arrays.to_numpy(nodes["type_id"]), of_type)
            shown = tuple(_names(nodes, rows_of_type))
        found.append(TypeCount(name, count, known, shown))
    # Rare types of contexts come first: a few pipelines tell more than their many runs.
    sign = 1 if kind.state is None else -1
    return tuple(sorted(found, key=lambda row: (sign * row.count, row.type or "")))


def _names(nodes: pa.Table, rows: Array) -> Iterator[str]:
    for name in nodes["name"].filter(arrays.from_numpy(rows)).to_pylist():
        if name is not None and not _DIGEST.match(name):
            yield name
