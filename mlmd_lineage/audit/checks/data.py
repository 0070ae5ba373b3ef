"""The data of an audit: a store's tables, its lineage graph, and their columns as arrays."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from mlmd_lineage.lineage.event_order import ambiguous_events
from mlmd_lineage.lineage.graph import LineageGraph
from mlmd_lineage.lineage.graph_tables import GraphTables
from mlmd_lineage.lineage.roles import PRODUCES
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.enums import ExecutionState
from mlmd_lineage.snapshot.tables import KINDS
from mlmd_lineage.snapshot.type_names import short_type
from mlmd_lineage.snapshot.values import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import pyarrow as pa

    from mlmd_lineage.audit.checks.byte_result import ByteResult
    from mlmd_lineage.audit.scope import AuditScope
    from mlmd_lineage.audit.settings import AuditSettings
    from mlmd_lineage.lineage.index import Index
    from mlmd_lineage.snapshot.finding_codes import FindingCode
    from mlmd_lineage.snapshot.findings import Finding
    from mlmd_lineage.snapshot.snapshot import Snapshot

    Array = np.ndarray[Any, np.dtype[Any]]

IMPORTERS = frozenset({"Importer", "ImporterExecution", "ImporterWorkspaceExecution"})
"""The short names of execution types that register data from elsewhere and write none."""
GROUPS = frozenset({"DAGExecution"})
"""The short names of execution types that are groups of steps, with states that say little."""
_GOING_ON = (ExecutionState.NEW, ExecutionState.RUNNING)
_NOT_DONE = (ExecutionState.FAILED, ExecutionState.CANCELED)


@dataclasses.dataclass(frozen=True, slots=True)
class NodeArrays:
    """The nodes of one kind as arrays, in the order of their ids; those without a row included.

    Attributes:
        kind: ``artifact`` or ``execution``.
        ids: MLMD's ids.
        missing: Whether events name it, and no row has its id.
        types: Its type's id, -1 where it has none.
        states: MLMD's number of its state, 0 where it has none.
        created, updated: Milliseconds since 1970-01-01 UTC, 0 where there is no time.
    """

    kind: str
    ids: Array
    missing: Array
    types: Array
    states: Array
    created: Array
    updated: Array

    def key(self, position: int) -> str:
        """Return the key of the node in a place."""
        return f"{self.kind}/{self.ids[position]}"

    def keys(self, positions: Array) -> list[str]:
        """Return the keys of the nodes in some places."""
        return [f"{self.kind}/{number}" for number in self.ids[positions].tolist()]


@dataclasses.dataclass(frozen=True, slots=True)
class EventArrays:
    """The events that are edges of the lineage, as arrays in the order of their ids.

    Attributes:
        ids: MLMD's ids.
        artifacts, executions: Places in ``AuditData.artifacts`` and ``AuditData.executions``.
        is_input: Whether the execution took the artifact.
        roles: What each event means: a number in ``lineage.roles.ROLES``.
        times: Milliseconds since 1970-01-01 UTC, 0 where there is no time.
    """

    ids: Array
    artifacts: Array
    executions: Array
    is_input: Array
    roles: Array
    times: Array


class AuditData:
    """What checks look at.

    >>> data.snapshot["Artifact"], data.graph.index, data.events.roles
    >>> data.executions.keys(np.flatnonzero(data.is_going_on))

    Attributes:
        snapshot: The tables of the store, or of one lineage and what is next to it.
        graph: The lineage graph of the same.
        settings: What the project's file says.
        now: When the store was read, in milliseconds since 1970-01-01 UTC.
        stuck_after: After how many milliseconds an execution counts as stuck.
        scope: The nodes that are audited; None for all.
        byte_results: What was found at the URIs of artifacts, by their keys, where that was asked
            for.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        settings: AuditSettings,
        *,
        stuck_after: int,
        scope: AuditScope | None = None,
    ) -> None:
        """Take the tables; all else is made when a check asks for it."""
        self.snapshot = snapshot
        self.settings = settings
        self.now = int(snapshot.taken_at.timestamp() * 1000)
        self.stuck_after = stuck_after
        self.scope = scope
        self.byte_results: Mapping[str, ByteResult] = {}

    @functools.cached_property
    def graph(self) -> LineageGraph:
        """The lineage graph."""
        return LineageGraph(GraphTables(self.snapshot))

    @property
    def _index(self) -> Index:
        return self.graph.index

    @functools.cached_property
    def artifacts(self) -> NodeArrays:
        """The artifacts."""
        return self._nodes("artifact", self._index.artifact_ids, slice(None, self._index.artifacts))

    @functools.cached_property
    def executions(self) -> NodeArrays:
        """The executions; states that TFX kept as text are among their states."""
        part = slice(self._index.artifacts, None)
        return self._nodes("execution", self._index.execution_ids, part)

    def _nodes(self, kind: str, ids: Array, part: slice) -> NodeArrays:
        schema = KINDS[kind]
        table = self.graph.tables[schema.table]
        rows = np.clip(arrays.to_numpy(table["id"]).searchsorted(ids), 0, max(len(table) - 1, 0))
        missing = self._index.missing[part]

        def column(name: str | None) -> Array:
            made = np.zeros(len(ids), np.int64)
            if name is not None and len(table):
                made[~missing] = arrays.to_numpy(table[name])[rows[~missing]]
            return made

        return NodeArrays(
            kind=kind,
            ids=ids,
            missing=missing,
            types=self._index.type_ids[part],
            states=column(schema.state),
            created=column("create_time_since_epoch"),
            updated=column("last_update_time_since_epoch"),
        )

    @functools.cached_property
    def events(self) -> EventArrays:
        """The events that are edges."""
        index = self._index
        artifacts, executions = index.ends()
        table = self.snapshot["Event"]
        ids, times = arrays.to_numpy(table["id"]), table["milliseconds_since_epoch"]
        return EventArrays(
            ids=ids[index.event_rows],
            artifacts=artifacts,
            executions=executions - np.int32(index.artifacts),
            is_input=index.sources < index.artifacts,
            roles=index.roles,
            times=arrays.to_numpy(times)[index.event_rows],
        )

    @functools.cached_property
    def type_names(self) -> Mapping[int, str]:
        """The name of each type by its id."""
        return {n: name or "" for n, name in rows_of(self.snapshot["Type"].select(["id", "name"]))}

    def is_of(self, nodes: NodeArrays, is_wanted: Callable[[str], bool]) -> Array:
        """Tell for each node whether a test holds for its type's name."""
        wanted = [number for number, name in self.type_names.items() if is_wanted(name)]
        return np.isin(nodes.types, wanted)

    # What several checks ask

    @functools.cached_property
    def is_group(self) -> Array:
        """Whether each execution is a group of steps."""
        return self.is_of(self.executions, lambda name: short_type(name) in GROUPS)

    @functools.cached_property
    def is_importer(self) -> Array:
        """Whether each execution registers what came from elsewhere."""
        return self.is_of(self.executions, lambda name: short_type(name) in IMPORTERS)

    @functools.cached_property
    def is_going_on(self) -> Array:
        """Whether each execution is NEW or RUNNING, as its state says."""
        return np.isin(self.executions.states, _GOING_ON)

    @functools.cached_property
    def last_seen(self) -> Array:
        """When anything was last recorded of each execution, in milliseconds; 0 for never."""
        events = self.events
        seen = np.maximum(self.executions.created, self.executions.updated)
        np.maximum.at(seen, events.executions, events.times)
        return seen

    @functools.cached_property
    def is_stuck(self) -> Array:
        """Whether each execution is NEW or RUNNING, and nothing was recorded of it for long."""
        return self.is_going_on & (self.last_seen < self.now - self.stuck_after)

    @functools.cached_property
    def is_not_done(self) -> Array:
        """Whether each execution failed or was canceled."""
        return np.isin(self.executions.states, _NOT_DONE)

    @functools.cached_property
    def has_producer(self) -> Array:
        """Whether an execution produced each artifact."""
        return self.flags(self.artifacts, self.events.artifacts[self.events.roles == PRODUCES])

    def flags(self, nodes: NodeArrays, positions: Array) -> Array:
        """Tell for each node whether it is in one of some places."""
        made = np.zeros(len(nodes.ids), bool)
        made[positions] = True
        return made

    @functools.cached_property
    def artifact_in_scope(self) -> Array:
        """Whether each artifact belongs to what is audited, and not only to what is next to it."""
        return self._in_scope(self.artifacts)

    def _in_scope(self, nodes: NodeArrays) -> Array:
        if self.scope is None:
            return np.ones(len(nodes.ids), bool)
        return np.isin(nodes.ids, self.scope.ids(nodes.kind))

    @functools.cached_property
    def _findings(self) -> Mapping[FindingCode, list[Finding]]:
        found: dict[FindingCode, list[Finding]] = {}
        for finding in self.snapshot.findings:
            found.setdefault(finding.code, []).append(finding)
        return found

    def findings_of(self, code: FindingCode) -> list[Finding]:
        """Return the findings of a code on the tables, in order."""
        return self._findings.get(code, [])

    @functools.cached_property
    def ambiguous_events(self) -> tuple[Array, Array]:
        """Which events took what nobody had written yet, and which lack a time that is needed."""
        events = self.events
        return ambiguous_events(events.artifacts, events.executions, events.roles, events.times)

    # Properties

    def property_rows(self, kind: str, is_wanted: Callable[[str], bool]) -> pa.Table:
        """Return the rows of a kind's properties for whose names a test holds.

        Args:
            kind: ``artifact``, ``execution`` or ``context``.
            is_wanted: The test; it is asked once for each name, not for each row.
        """
        table = self.snapshot[KINDS[kind].properties]
        return table.filter(arrays.from_numpy(named(table["name"], is_wanted)))

    def owners(self, kind: str, is_wanted: Callable[[str], bool]) -> Array:
        """Return the ids of the nodes that have a property for whose name a test holds."""
        table = self.property_rows(kind, is_wanted)
        owners: Array = np.unique(arrays.to_numpy(table[KINDS[kind].id_column]))
        return owners

    @functools.cached_property
    def uris(self) -> tuple[Array, pa.Array]:
        """The places of the artifacts that have a URI, and these URIs."""
        table = self.snapshot["Artifact"]
        uris = table["uri"].combine_chunks()
        length = pc.binary_length(uris)
        rows = np.flatnonzero(arrays.to_numpy(length) > 0)
        places = self.artifacts.ids.searchsorted(arrays.to_numpy(table["id"])[rows])
        return places, uris.take(arrays.from_numpy(rows))


def named(column: pa.ChunkedArray, is_wanted: Callable[[str], bool]) -> Array:
    """Tell for each row of a dictionary column of names whether a test holds for its name."""
    parts = []
    for chunk in column.chunks:
        wanted = [is_wanted(name or "") for name in chunk.dictionary.to_pylist()]
        codes = arrays.to_numpy(chunk.indices, -1)
        parts.append(np.array([*wanted, False])[codes])
    return np.concatenate([*parts, np.empty(0, bool)])


def grouped(owners: Array, values: Array) -> dict[int, list[int]]:
    """Return for each owner its distinct values, in order.

    >>> grouped(np.array([2, 1, 2]), np.array([7, 5, 6]))
    {1: [5], 2: [6, 7]}
    """
    pairs = np.unique(np.stack([owners, values]), axis=1) if len(owners) else np.empty((2, 0), int)
    found: dict[int, list[int]] = {}
    for owner, value in zip(*pairs.tolist(), strict=True):
        found.setdefault(owner, []).append(value)
    return found


def several(owners: Array, values: Array, count: int) -> Array:
    """Tell for each owner, a number below ``count``, whether it has two distinct values or more."""
    if not len(owners):
        return np.zeros(count, bool)
    base = int(values.max()) + 1
    distinct = np.unique(owners.astype(np.int64) * base + values)
    return np.bincount(distinct // base, minlength=count) > 1


def listed(keys: Collection[str], most: int = 3) -> str:
    """Return some keys as they stand in a sentence.

    >>> listed(["artifact/1", "artifact/2"])
    'artifact/1 and artifact/2'
    """
    shown = list(keys)
    if len(shown) > most:
        return f"{', '.join(shown[:most])} and {len(shown) - most:,} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
