"""Changes between the state of a store that a ledger kept and the store as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage.audit.ledger.store_parts import BLOCK, SINGLE, owners_of
from mlmd_lineage.audit.ledger.store_state import first_ids
from mlmd_lineage.audit.records import merkle
from mlmd_lineage.audit.records.changes import RecordChange, changes_of, record_changes
from mlmd_lineage.audit.records.record_lines import TABLES, records_of
from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import TypeAlias

    import pyarrow as pa

    from mlmd_lineage.audit.ledger.store_state import KindState
    from mlmd_lineage.audit.records.record_lines import Records
    from mlmd_lineage.snapshot.tables import HasTables

    Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def changes(
    before: Mapping[str, KindState],
    after: Mapping[str, KindState],
    tables: HasTables,
    kept: Callable[[Collection[str]], HasTables] | None = None,
) -> Iterator[RecordChange]:
    """Yield what changed since a state, of which only hashes are known unless its rows were kept.

    Without them, the old values of a node that was still being written are known; of another it is
    only known that it changed, and of an event or a membership that one of a block did. Only the
    rows of leaves that differ are looked at.

    Args:
        before: The state before.
        after: The state after.
        tables: The rows after.
        kept: Returns some tables of the rows before.
    """
    for kind, old in before.items():
        new = after[kind]
        differing, other, gone, added = _compared(old, new)
        if not len(differing) + len(gone) + len(added):
            continue
        places = np.sort(np.r_[other, added])
        if kept is None:
            records = records_of(_part(tables, kind, new.blocks[places]), kind)
            yield from _kind_changes(old, new, records, (differing, other, gone, added))
            continue
        blocks = np.unique(np.r_[old.blocks[differing], old.blocks[gone], new.blocks[places]])
        is_new = not len(differing) + len(gone)
        rows = (tables if is_new else kept(TABLES[kind]), tables)
        parts = [_part(found, kind, blocks) for found in rows]
        if is_new:
            parts[0] = {name: table.slice(0, 0) for name, table in parts[0].items()}
        yield from changes_of(*(records_of(part, kind) for part in parts))


def _part(tables: HasTables, kind: str, blocks: Array) -> dict[str, pa.Table]:
    """Return the rows of some leaves, in all tables that a kind of records is made of."""
    found = {}
    for name in TABLES[kind]:
        numbers = owners_of(tables[name])
        numbers = numbers if kind in SINGLE else numbers // BLOCK
        found[name] = tables[name].filter(arrays.from_numpy(np.isin(numbers, blocks)))
    return found


def _compared(old: KindState, new: KindState) -> tuple[Array, Array, Array, Array]:
    """Return where leaves stand: those that differ, before and after; those gone; the new ones."""
    _, at, other = np.intersect1d(old.blocks, new.blocks, assume_unique=True, return_indices=True)
    differ = (old.leaves[at] != new.leaves[other]).any(axis=1)
    gone, added = np.ones(len(old.blocks), bool), np.ones(len(new.blocks), bool)
    gone[at] = added[other] = False
    return at[differ], other[differ], np.flatnonzero(gone), np.flatnonzero(added)


def _kind_changes(
    old: KindState, new: KindState, records: Records, compared: tuple[Array, Array, Array, Array]
) -> Iterator[RecordChange]:
    """Yield the changes of a kind of records, of which only hashes are known.

    Args:
        old: The state before.
        new: The state after.
        records: The records of the leaves that differ or are new, as they are after.
        compared: Where those leaves stand; see ``_compared()``.
    """
    differing, other, gone, added = compared
    places = np.sort(np.r_[other, added])
    stops = np.cumsum(new.counts[places])
    rows = {
        place: (stop - count, stop)
        for place, stop, count in zip(
            places.tolist(), stops.tolist(), new.counts[places].tolist(), strict=True
        )
    }
    for one, two in zip(differing.tolist(), other.tolist(), strict=True):
        yield from _leaf_changes(old, one, records, *rows[two])
    for one in gone.tolist():
        yield RecordChange("removed", _name(old.kind, int(old.blocks[one])))
    for two in added.tolist():
        for row in range(*rows[two]):
            yield RecordChange("added", records.key(row), None, None, _line(records, row))


def _line(records: Records, row: int) -> str:
    text: str = records.lines[row].as_py()
    return text.rstrip("\n")


def _leaf_changes(
    old: KindState, one: int, records: Records, first: int, last: int
) -> Iterator[RecordChange]:
    """Yield the changes in a leaf that is there before and after, in rows of the records."""
    if old.kind in SINGLE:
        number = int(old.blocks[one])
        key, line = f"{old.kind}/{number}", records.lines[first].as_py()
        known = old.open.get(number)
        if known is not None:
            yield from record_changes(old.kind, key, known, line)
        else:
            yield RecordChange("changed", key, None, None, line.rstrip("\n"))
        return
    ids, offsets = first_ids(records)[first:last], records.offsets()
    known_rows = first + int(np.count_nonzero(ids <= int(old.last_ids[one])))
    lines = records.text[offsets[first] : offsets[known_rows]]
    if merkle.leaf_hash(lines) != old.leaves[one].tobytes():
        yield RecordChange("changed", _name(old.kind, int(old.blocks[one])))
        return
    for row in range(known_rows, last):
        yield RecordChange("added", records.key(row), None, None, _line(records, row))


def _name(kind: str, block: int) -> str:
    """Return how a leaf is named: by its record, or by the first and last id that it may hold."""
    if kind in SINGLE:
        return f"{kind}/{block}"
    return f"{kind}/{block * BLOCK}..{block * BLOCK + BLOCK - 1}"
