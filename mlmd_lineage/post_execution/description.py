"""The description of a store: what it holds, which platforms wrote it, and what is odd in it."""

from __future__ import annotations

import collections
import dataclasses
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.dialects.registry import dialects
from mlmd_lineage.post_execution.base_view import moment, table
from mlmd_lineage.post_execution.loading.run_index import RunIndex
from mlmd_lineage.post_execution.loading.run_outlines import (
    MAKER_TABLES,
    RunOutlines,
    needed_properties,
)
from mlmd_lineage.post_execution.loading.store_image import StoreImage
from mlmd_lineage.readers.base import PropertySelector
from mlmd_lineage.snapshot import arrays, imported
from mlmd_lineage.snapshot.enums import ArtifactState, ExecutionState, name_of
from mlmd_lineage.snapshot.selected_properties import of_names
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    import datetime as dt
    import enum
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from mlmd_lineage.post_execution.loading.run_membership import RunMembership
    from mlmd_lineage.readers.base import Reader
    from mlmd_lineage.snapshot.findings import Finding
    from mlmd_lineage.snapshot.tables import NodeSchema, Tables

    Array = np.ndarray[Any, np.dtype[Any]]

_NODE_TIMES = ("create_time_since_epoch", "last_update_time_since_epoch")
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


def read(reader: Reader) -> Tables:
    """Read what a description without findings is made from, in one transaction."""
    names = needed_properties(dialects())
    if names is not None and isinstance(reader, PropertySelector):
        tables = reader.read_properties(MAKER_TABLES, names)
        if not imported.may_be_imported(tables["Artifact"]):
            return tables
    return reader.read()


def describe(
    tables: Tables, location: str, flavor: str, findings: Iterable[Finding] | None = None
) -> StoreDescription:
    """Return the description of a store.

    Args:
        tables: What ``read()`` returns, or a snapshot.
        location: Where the store is.
        flavor: The flavor of the metadata store.
        findings: What is odd in it, if that was looked for.
    """
    nodes = {f"{name}s": _originals(tables, kind) for name, kind in KINDS.items()}
    first, last = _bounds(tables, nodes.values())
    membership, platforms = _platforms(tables)
    codes = None if findings is None else collections.Counter(f.code for f in findings)
    return StoreDescription(
        location=location,
        flavor=flavor,
        schema_version=tables.schema_version,
        counts={name: held.num_rows for name, held in nodes.items()}
        | {"events": tables["Event"].num_rows},
        platforms=platforms,
        pipelines=len(membership.pipelines),
        runs=len(membership.runs),
        first_time=moment(first),
        last_time=moment(last),
        types={f"{name}s": _types(nodes[f"{name}s"], tables, kind) for name, kind in KINDS.items()},
        findings=None if codes is None else dict(sorted(codes.items())),
    )


def _originals(tables: Tables, kind: NodeSchema) -> pa.Table:
    """Return nodes with the names and times that they had before Kubeflow imported them."""
    nodes = tables[kind.table]
    if kind.properties not in tables:
        return nodes
    held = of_names(tables[kind.properties], (imported.ORIGINAL, imported.SOURCE))
    return imported.with_originals(nodes, imported.originals_in(held))


def _bounds(tables: Tables, nodes: Iterable[pa.Table]) -> tuple[int | None, int | None]:
    """Return the first and the last time, in milliseconds since 1970-01-01 UTC."""
    columns = [table[name] for table in nodes for name in _NODE_TIMES]
    columns.append(tables["Event"]["milliseconds_since_epoch"])
    found: list[int] = []
    for times in map(arrays.to_numpy, columns):
        known = times[times != 0]
        if len(known):
            found += (int(known.min()), int(known.max()))
    return min(found, default=None), max(found, default=None)


def _platforms(tables: Tables) -> tuple[RunMembership, dict[str, int]]:
    if needed_properties(dialects()) is None:
        index = RunIndex(StoreImage(tables), dialects())
        return index.membership, index.platforms()
    outlines = RunOutlines(tables, dialects())
    return outlines.membership, outlines.platforms()


def _types(nodes: pa.Table, tables: Tables, kind: NodeSchema) -> tuple[TypeCount, ...]:
    """Return how many nodes of each type there are, in which states."""
    names = dict(zip(*(tables["Type"][c].to_pylist() for c in ("id", "name")), strict=True))
    types, at = np.unique(arrays.to_numpy(nodes["type_id"]), return_inverse=True)
    rows: dict[str | None, dict[str | None, int]] = {}
    for place, state, count in _counted(nodes, kind, at):
        states = rows.setdefault(names.get(int(types[place])), {})
        states[state] = states.get(state, 0) + count
    found = []
    for name, states in rows.items():
        count = sum(states.values())
        known = {state: states[state] for state in sorted(s for s in states if s is not None)}
        if known and None in states:
            known[NO_STATE] = states[None]
        shown: tuple[str, ...] | None = None
        if kind.state is None and count <= _NAMED:
            there = [names.get(int(number)) == name for number in types]
            shown = tuple(_names(nodes, np.array(there)[at]))
        found.append(TypeCount(name, count, known, shown))
    # Rare types of contexts come first: a few pipelines tell more than their many runs.
    sign = 1 if kind.state is None else -1
    return tuple(sorted(found, key=lambda row: (sign * row.count, row.type or "")))


def _counted(
    nodes: pa.Table, kind: NodeSchema, types: Array
) -> Iterator[tuple[int, str | None, int]]:
    """Yield the place of a type, a state and how many nodes have both."""
    states: Array = np.zeros(len(types), np.int64)
    names: list[str | None] = [None]
    if kind.state is not None:
        column = nodes[kind.state]
        numbers = arrays.to_numpy(column)
        is_null = ~arrays.to_numpy(column.is_valid()) if column.null_count else None
        distinct, states = np.unique(numbers, return_inverse=True)
        names = [name_of(_STATES[kind.name], int(number)) for number in distinct]
        if is_null is not None:
            states = np.where(is_null, len(names), states)
            names.append(None)
    both, counts = np.unique(types * len(names) + states, return_counts=True)
    for code, count in zip(both.tolist(), counts.tolist(), strict=True):
        yield code // len(names), names[code % len(names)], count


def _names(nodes: pa.Table, rows: Array) -> Iterator[str]:
    for name in nodes["name"].filter(arrays.from_numpy(rows)).to_pylist():
        if name is not None and not _DIGEST.match(name):
            yield name
