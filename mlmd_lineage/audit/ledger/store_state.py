"""State of a store in a ledger: the hashes of all records, and the lines of unfinished nodes.

Each kind of records has a Merkle tree of its own. A leaf is one type or node; of events,
memberships and parents, which never change, it is all whose first id, divided by 64, has the same
quotient: so a store of a million records is hashed in about the time that reading it takes.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlmd_lineage.audit.records import canonical_json, merkle
from mlmd_lineage.audit.records.changes import RecordChange, changes_of, record_changes
from mlmd_lineage.audit.records.record_lines import RECORD_KINDS, records_of
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.enums import ArtifactState, ExecutionState
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import TypeAlias

    from mlmd_lineage.audit.records.record_lines import Records
    from mlmd_lineage.snapshot.tables import HasTables

    Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

BLOCK = 64
_SINGLE = ("type", "artifact", "execution", "context")
"""The kinds of which each record is a leaf."""
_OPEN_STATES: Mapping[str, tuple[str, str, set[int | None]]] = {
    "artifact": ("Artifact", "state", {ArtifactState.PENDING}),
    "execution": (
        "Execution",
        "last_known_state",
        {None, ExecutionState.UNKNOWN, ExecutionState.NEW, ExecutionState.RUNNING},
    ),
}
_TABLES: Mapping[str, tuple[str, ...]] = {
    **{kind: (node.table, node.properties) for kind, node in KINDS.items()},
    "type": ("Type", "TypeProperty"),
    "parent_type": ("ParentType",),
    "event": ("Event", "EventPath"),
    "attribution": ("Attribution",),
    "association": ("Association",),
    "parent_context": ("ParentContext",),
}
"""The tables that each kind of records is made of; the first column of each is the id's."""
_HASH = pa.binary(32)
_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("block", pa.int64()),
        ("last_id", pa.int64()),
        ("records", pa.int64()),
        ("hash", _HASH),
    ]
)


@dataclasses.dataclass(frozen=True)
class KindState:
    """The leaves of one kind of records.

    Attributes:
        kind: The kind.
        records: How many records there are.
        blocks: The number of each leaf: of a node its id, ``int64[n]``.
        last_ids: The greatest id in each leaf.
        counts: How many records each leaf has.
        leaves: Their hashes.
        open: The lines of nodes that are still being written, by their ids.
    """

    kind: str
    records: int
    blocks: Array
    last_ids: Array
    counts: Array
    leaves: list[bytes]
    open: Mapping[int, str]

    @functools.cached_property
    def root(self) -> str:
        """The root of the tree."""
        return merkle.root(self.leaves).hex()


def state_of(tables: HasTables) -> dict[str, KindState]:
    """Return the state of all records, by their kinds.

    The work is done in threads, as Arrow computes and the hashes of large texts are made without
    Python's lock.
    """
    workers = max(1, min(4, os.cpu_count() or 1))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        made = pool.map(lambda kind: _state_of_kind(tables, kind), RECORD_KINDS)
        return dict(zip(RECORD_KINDS, made, strict=True))


def _state_of_kind(tables: HasTables, kind: str) -> KindState:
    records = records_of(tables, kind)
    blocks, starts = _blocks(records)
    offsets, text = records.offsets(), records.text
    stops = [*starts[1:], len(records)] if starts else []
    leaves = [
        merkle.leaf_hash(text[offsets[start] : offsets[stop]])
        for start, stop in zip(starts, stops, strict=True)
    ]
    first = _first_ids(records)
    ends = np.array(stops, np.int64)
    last_ids = first[ends - 1] if len(starts) else first[:0]
    counts = ends - np.array(starts, np.int64)
    opened = _open_lines(tables, records) if kind in _OPEN_STATES else {}
    return KindState(kind, len(records), blocks, last_ids, counts, leaves, opened)


def _first_ids(records: Records) -> Array:
    return records.ids if records.ids.ndim == 1 else records.ids[:, 0]


def _blocks(records: Records) -> tuple[Array, list[int]]:
    """Return the numbers of the leaves, and where each begins among the records."""
    ids = _first_ids(records)
    numbers = ids if records.kind in _SINGLE else ids // BLOCK
    if not len(numbers):
        return numbers, []
    starts = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]])
    return numbers[starts], starts.tolist()


def _open_lines(tables: HasTables, records: Records) -> dict[int, str]:
    table, column, states = _OPEN_STATES[records.kind]
    found = tables[table]
    flags = [state in states for state in found[column].to_pylist()]
    ids = arrays.to_numpy(found["id"]).astype(np.int64)[np.array(flags, bool)]
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


def to_parquet(state: Mapping[str, KindState]) -> bytes:
    """Return the leaves of a state as a Parquet file."""
    parts = []
    for kind, found in state.items():
        rows = len(found.leaves)
        hashes = pa.Array.from_buffers(_HASH, rows, [None, pa.py_buffer(b"".join(found.leaves))])
        columns = [
            pa.repeat(arrays.scalar(kind, pa.string()), rows),
            *(arrays.from_numpy(a) for a in (found.blocks, found.last_ids, found.counts)),
            hashes,
        ]
        parts.append(pa.table(columns, _SCHEMA))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.concat_tables(parts), sink, compression="zstd", use_dictionary=["kind"])
    raw: bytes = sink.getvalue().to_pybytes()
    return raw


def open_lines(state: Mapping[str, KindState]) -> bytes:
    """Return the lines of all nodes that are still being written."""
    return "".join(line for found in state.values() for line in found.open.values()).encode()


def from_files(leaves: bytes, lines: bytes, counts: Mapping[str, int]) -> dict[str, KindState]:
    """Return the state that two files hold.

    Raises:
        ValueError: They are not such files.
    """
    table = pq.read_table(pa.BufferReader(leaves), schema=_SCHEMA)
    opened: dict[str, dict[int, str]] = {}
    for line in lines.decode().splitlines(keepends=True):
        record = json.loads(line)
        opened.setdefault(record["kind"], {})[record["id"]] = line
    kinds = np.array(table["kind"].to_pylist(), object)
    made = {}
    for kind in RECORD_KINDS:
        part = table.filter(arrays.from_numpy(kinds == kind))
        blocks, last_ids, sizes = (
            arrays.to_numpy(part[name]) for name in ("block", "last_id", "records")
        )
        hashes = part["hash"].to_pylist()
        made[kind] = KindState(
            kind, int(counts.get(kind, 0)), blocks, last_ids, sizes, hashes, opened.get(kind, {})
        )
    return made


def changes(
    before: Mapping[str, KindState],
    after: Mapping[str, KindState],
    tables: HasTables,
    kept: Callable[[Collection[str]], HasTables] | None = None,
) -> Iterator[RecordChange]:
    """Yield what changed since a state, of which only hashes are known unless its rows were kept.

    Without them, the old values of a node that was still being written are known; of another it is
    only known that it changed, and of an event or a membership that one of a block did.

    Args:
        before: The state before.
        after: The state after.
        tables: The rows after.
        kept: Returns some tables of the rows before.
    """
    for kind, old in before.items():
        new = after[kind]
        if old.leaves == new.leaves and np.array_equal(old.blocks, new.blocks):
            continue
        if kept is None:
            yield from _kind_changes(old, new, tables)
        else:
            differing, gone, added = _compared(old, new)
            blocks = [*(old.blocks[one] for one, _ in differing), *old.blocks[gone]]
            wanted = np.array(sorted([*blocks, *new.blocks[added]]), np.int64)
            parts = (_part(rows, kind, wanted) for rows in (kept(_TABLES[kind]), tables))
            yield from changes_of(*(records_of(part, kind) for part in parts))


def _part(tables: HasTables, kind: str, blocks: Array) -> dict[str, pa.Table]:
    """Return the rows of some leaves, in all tables that a kind of records is made of."""
    found = {}
    for name in _TABLES[kind]:
        table = tables[name]
        owners = arrays.to_numpy(table[table.column_names[0]]).astype(np.int64)
        numbers = owners if kind in _SINGLE else owners // BLOCK
        found[name] = table.filter(arrays.from_numpy(np.isin(numbers, blocks)))
    return found


def _compared(old: KindState, new: KindState) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Return which leaves differ, where each stands before and after; which are gone; which new."""
    _, at, other = np.intersect1d(old.blocks, new.blocks, assume_unique=True, return_indices=True)
    differing = [
        (one, two)
        for one, two in zip(at.tolist(), other.tolist(), strict=True)
        if old.leaves[one] != new.leaves[two]
    ]
    gone = sorted(set(range(len(old.blocks))) - set(at.tolist()))
    return differing, gone, sorted(set(range(len(new.blocks))) - set(other.tolist()))


def _kind_changes(old: KindState, new: KindState, tables: HasTables) -> Iterator[RecordChange]:
    differing, gone, added = _compared(old, new)
    records = records_of(tables, old.kind)
    starts = np.r_[0, np.cumsum(new.counts)]
    for one, two in differing:
        yield from _leaf_changes(old, one, records, int(starts[two]), int(starts[two + 1]))
    for one in gone:
        yield RecordChange("removed", _name(old.kind, int(old.blocks[one])))
    keys = records.keys()
    for two in added:
        for row in range(int(starts[two]), int(starts[two + 1])):
            yield RecordChange("added", keys[row], None, None, _line(records, row))


def _line(records: Records, row: int) -> str:
    text: str = records.lines[row].as_py()
    return text.rstrip("\n")


def _leaf_changes(
    old: KindState, one: int, records: Records, first: int, last: int
) -> Iterator[RecordChange]:
    """Yield the changes in a leaf that is there before and after, in rows of the records."""
    if old.kind in _SINGLE:
        number = int(old.blocks[one])
        key, line = f"{old.kind}/{number}", records.lines[first].as_py()
        known = old.open.get(number)
        if known is not None:
            yield from record_changes(old.kind, key, known, line)
        else:
            yield RecordChange("changed", key, None, None, line.rstrip("\n"))
        return
    ids, offsets = _first_ids(records)[first:last], records.offsets()
    known_rows = first + int(np.count_nonzero(ids <= int(old.last_ids[one])))
    if merkle.leaf_hash(records.text[offsets[first] : offsets[known_rows]]) != old.leaves[one]:
        yield RecordChange("changed", _name(old.kind, int(old.blocks[one])))
        return
    keys = records.keys()
    for row in range(known_rows, last):
        yield RecordChange("added", keys[row], None, None, _line(records, row))


def _name(kind: str, block: int) -> str:
    """Return how a leaf is named: by its record, or by the first and last id that it may hold."""
    if kind in _SINGLE:
        return f"{kind}/{block}"
    return f"{kind}/{block * BLOCK}..{block * BLOCK + BLOCK - 1}"
