"""Changes between two states of a store: what was added, finished, changed and removed."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow.compute as pc

from mlmd_lineage.audit.records import change_rules
from mlmd_lineage.audit.records.differences import differences, value_text
from mlmd_lineage.audit.records.record_lines import RECORD_KINDS, records_of
from mlmd_lineage.snapshot import arrays

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    import pandas as pd
    import pyarrow as pa

    from mlmd_lineage.audit.records.record_lines import Records
    from mlmd_lineage.snapshot.tables import HasTables

    Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

ChangeKind = Literal["added", "finished", "changed", "removed"]
CHANGE_KINDS: tuple[ChangeKind, ...] = ("added", "finished", "changed", "removed")
EVIDENCE = ("changed", "removed")
"""The kinds that MLMD's own calls never bring about."""


@dataclasses.dataclass(frozen=True)
class RecordChange:
    """A change of a record, or of one of its members.

    Attributes:
        kind: ``added``, ``finished``, ``changed`` or ``removed``.
        record: The record's key, such as ``artifact/7``.
        field: The member that changed, such as ``properties.auc``; None where the whole record was
            added or removed.
        old: The value before, as JSON; None where there was none, or it is not known.
        new: The value after, as JSON; None where there is none.
    """

    kind: ChangeKind
    record: str
    field: str | None = None
    old: str | None = None
    new: str | None = None

    def __str__(self) -> str:
        if self.field is None:
            return f"{self.record} was {self.kind}"
        return (
            f"{self.record}, {self.field}: {self.old or 'nothing'} became {self.new or 'nothing'}"
        )


def changes(before: HasTables, after: HasTables) -> Iterator[RecordChange]:
    """Yield what changed from one state of a store to a later one, in the order of the records.

    ``finished`` is what MLMD's own calls do to a record that is there: a state that goes on, a
    property that comes late. Anything else is ``changed``; ``change_rules`` has the rules.
    """
    for kind in RECORD_KINDS:
        yield from changes_of(records_of(before, kind), records_of(after, kind))


def changes_of(before: Records, after: Records) -> Iterator[RecordChange]:
    """Yield the changes of one kind of records."""
    if before.ids.ndim == 2:
        yield from _pair_changes(before, after)
        return
    at, other = _common(before.ids, after.ids)
    same = arrays.to_numpy(pc.equal(_taken(before.lines, at), _taken(after.lines, other)))
    found: list[tuple[int, RecordChange]] = []
    for number in np.flatnonzero(~same).tolist():
        identity = int(before.ids[at[number]])
        old, new = before.lines[int(at[number])].as_py(), after.lines[int(other[number])].as_py()
        key = f"{before.kind}/{identity}"
        found += [(identity, change) for change in record_changes(before.kind, key, old, new)]
    for records, common, kind in ((before, at, "removed"), (after, other, "added")):
        alone = np.ones(len(records), bool)
        alone[common] = False
        for row in np.flatnonzero(alone).tolist():
            identity = int(records.ids[row])
            line = records.lines[row].as_py().rstrip("\n")
            found.append((identity, _whole(kind, f"{records.kind}/{identity}", line)))
    yield from (change for _, change in sorted(found, key=lambda pair: pair[0]))


def record_changes(kind: str, key: str, old: str, new: str) -> list[RecordChange]:
    """Return the changes of one record, member by member.

    Args:
        kind: The record's kind.
        key: Its key.
        old: Its line before.
        new: Its line after.
    """
    before, after = json.loads(old), json.loads(new)
    there = [change_rules.has_row(kind, record) for record in (before, after)]
    if there[0] != there[1]:  # what remains is that another table names it
        return [
            _whole("added" if there[1] else "removed", key, (new if there[1] else old).rstrip("\n"))
        ]
    found = differences(before, after)
    verdict: ChangeKind = (
        "finished" if change_rules.is_finishing(kind, before, after) else "changed"
    )
    return [
        RecordChange(
            verdict,
            key,
            field,
            None if one is None else value_text(one),
            None if other is None else value_text(other),
        )
        for field, one, other in found
    ]


def _whole(kind: Any, key: str, line: str) -> RecordChange:
    return RecordChange(kind, key, None, *((line, None) if kind == "removed" else (None, line)))


def _common(before: Array, after: Array) -> tuple[Array, Array]:
    """Return where the ids stand that are in both; ids are in ascending order."""
    _, at, other = np.intersect1d(before, after, assume_unique=True, return_indices=True)
    return at, other


def _taken(lines: pa.Array, rows: Array) -> pa.Array:
    """Return some rows; a slice where they are the first ones, as of a store that only grew."""
    if len(rows) and int(rows[-1]) == len(rows) - 1:
        return lines.slice(0, len(rows))
    return lines.take(arrays.from_numpy(rows.astype(np.int64)))


def _pair_changes(before: Records, after: Records) -> Iterator[RecordChange]:
    old, new = ({tuple(pair) for pair in records.ids.tolist()} for records in (before, after))
    for pair in sorted(old ^ new):
        key = f"{before.kind}/{pair[0]}/{pair[1]}"
        yield RecordChange("added" if pair in new else "removed", key)


def counted(found: Iterable[RecordChange]) -> dict[str, int]:
    """Return how many records of each kind of change there are."""
    records: dict[str, set[str]] = {kind: set() for kind in CHANGE_KINDS}
    for change in found:
        records[change.kind].add(change.record)
    return {kind: len(keys) for kind, keys in records.items()}


def frame(found: Iterable[RecordChange]) -> pd.DataFrame:
    """Return changes as a DataFrame; its columns stand in ``docs/frames.md``."""
    import pandas as pd

    rows = list(found)
    text = pd.StringDtype("pyarrow")
    return pd.DataFrame(
        {
            field.name: pd.array([getattr(row, field.name) for row in rows], text)
            for field in dataclasses.fields(RecordChange)
        }
    )
