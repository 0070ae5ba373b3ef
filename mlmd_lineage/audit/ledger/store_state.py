"""State of a store in a ledger: the hashes of all records, and the lines of unfinished nodes.

Each kind of records has a Merkle tree of its own. A leaf is one type or node; of events,
memberships and parents, which never change, it is all whose first id, divided by 64, has the same
quotient: so a store of a million records is hashed in about the time that reading it takes.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.audit.ledger.store_parts import (
    BLOCK,
    SINGLE,
    Part,
    digest_of,
    parts_of,
    places,
)
from mlmd_lineage.audit.records import canonical_json, merkle
from mlmd_lineage.audit.records.record_lines import RECORD_KINDS, records_of
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.enums import ArtifactState, ExecutionState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    import pyarrow as pa

    from mlmd_lineage.audit.records.record_lines import Records
    from mlmd_lineage.snapshot.tables import HasTables

    Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

_OPEN_STATES: Mapping[str, tuple[str, str, tuple[int, ...]]] = {
    "artifact": ("Artifact", "state", (ArtifactState.PENDING,)),
    "execution": (
        "Execution",
        "last_known_state",
        (ExecutionState.UNKNOWN, ExecutionState.NEW, ExecutionState.RUNNING),
    ),
}
"""The states of nodes that are still being written; of an execution it is none, too."""


@dataclasses.dataclass(frozen=True)
class KindState:
    """The leaves of one kind of records.

    Attributes:
        kind: The kind.
        blocks: The number of each leaf: of a node its id, ``int64[n]``.
        last_ids: The greatest id in each leaf, ``int64[n]``.
        counts: How many records each leaf has, ``int64[n]``.
        leaves: Their hashes, ``uint8[n, 32]``.
        open: The lines of nodes that are still being written, by their ids.
        parts: The parts that they were hashed in.
    """

    kind: str
    blocks: Array
    last_ids: Array
    counts: Array
    leaves: Array
    open: Mapping[int, str]
    parts: tuple[Part, ...] = ()

    @functools.cached_property
    def records(self) -> int:
        """How many records there are."""
        return int(self.counts.sum())

    @functools.cached_property
    def root(self) -> str:
        """The root of the tree."""
        return merkle.root(self.leaves).hex()

    @functools.cached_property
    def _digests(self) -> set[Part]:
        return set(self.parts)

    def part(self, part: Part) -> KindState | None:
        """Return the state of one part, None where that part was not like this."""
        if part not in self._digests:
            return None
        rows = places(self.blocks, *part.blocks(self.kind))
        numbers = {
            number: line
            for number, line in self.open.items()
            if (part.first is None or number >= part.first)
            and (part.stop is None or number < part.stop)
        }
        return KindState(
            self.kind,
            self.blocks[rows],
            self.last_ids[rows],
            self.counts[rows],
            self.leaves[rows],
            numbers,
            (part,),
        )


def state_of(
    tables: HasTables, known: Mapping[str, KindState] | None = None
) -> dict[str, KindState]:
    """Return the state of all records, by their kinds.

    The work is done in threads, as Arrow computes and hashes are made without Python's lock.

    Args:
        tables: The rows.
        known: An earlier state, which was kept where nobody could change it: of parts that have the
            same rows, its hashes are taken.
    """
    parts = [(kind, part, rows) for kind in RECORD_KINDS for part, rows in parts_of(tables, kind)]
    workers = max(1, min(4, os.cpu_count() or 1))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        made = list(
            pool.map(lambda found: _state_of_part(found[0], found[1], found[2], known or {}), parts)
        )
    return {
        kind: _merged(kind, [part for part in made if part.kind == kind]) for kind in RECORD_KINDS
    }


def _state_of_part(
    kind: str, part: Part, tables: Mapping[str, pa.Table], known: Mapping[str, KindState]
) -> KindState:
    part = dataclasses.replace(part, digest=digest_of(tables))
    same = known[kind].part(part) if kind in known else None
    if same is not None:
        return same
    records = records_of(tables, kind)
    ids = first_ids(records)
    numbers = ids if kind in SINGLE else ids // BLOCK
    starts = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]]) if len(numbers) else numbers
    stops = np.r_[starts, len(records)][1:]
    leaves = merkle.leaf_hashes(records.text, records.offsets()[np.r_[starts, len(records)]])
    opened = _open_lines(tables, records) if kind in _OPEN_STATES else {}
    last_ids, counts = ids[stops - 1], stops - starts
    return KindState(kind, numbers[starts], last_ids, counts, leaves, opened, (part,))


def _merged(kind: str, states: list[KindState]) -> KindState:
    """Return the state of all parts of a kind."""
    blocks, last_ids, counts, leaves = (
        np.concatenate([getattr(state, name) for state in states])
        for name in ("blocks", "last_ids", "counts", "leaves")
    )
    opened = {number: line for state in states for number, line in state.open.items()}
    parts = tuple(part for state in states for part in state.parts)
    return KindState(kind, blocks, last_ids, counts, leaves, opened, parts)


def first_ids(records: Records) -> Array:
    """Return the ids of records; of pairs, which have none, the first of the two."""
    return records.ids if records.ids.ndim == 1 else records.ids[:, 0]


def _open_lines(tables: Mapping[str, pa.Table], records: Records) -> dict[int, str]:
    table, column, states = _OPEN_STATES[records.kind]
    found = tables[table]
    flags = np.isin(arrays.to_numpy(found[column], null=-1), states)
    if records.kind == "execution":
        flags |= ~arrays.to_numpy(found[column].is_valid())
    ids = arrays.to_numpy(found["id"]).astype(np.int64)[flags]
    rows = records.ids.searchsorted(ids)
    return {
        n: records.lines[row].as_py() for n, row in zip(ids.tolist(), rows.tolist(), strict=True)
    }


def root_of(state: Mapping[str, KindState]) -> str:
    """Return the one root over the trees of all kinds."""
    leaves = [
        merkle.leaf_hash(canonical_json.dumps([kind, found.records, found.root]).encode())
        for kind, found in state.items()
    ]
    return merkle.root(leaves).hex()
