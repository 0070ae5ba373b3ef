r"""Records: MLMD's rows as lines of canonical JSON, made column by column.

A record is a type with its properties, a node with its properties, an event with its path, or one
row of ParentType, Attribution, Association or ParentContext. Its line has MLMD's own names for its
columns; a column that is NULL is left out; enums are written by name; bytes are base64. A value of
a property is an object of the column that holds it, such as ``{"double_value":0.91}``.
``docs/bundle-format.md`` is the specification.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlmd_lineage.audit.records import canonical_json
from mlmd_lineage.audit.records.property_members import properties_by_owner
from mlmd_lineage.audit.records.text_columns import TEXT, grouped, integers, joined, quoted, whole
from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.enums import (
    ArtifactState,
    EventType,
    ExecutionState,
    PropertyType,
    TypeKind,
    name_of,
)
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    import enum
    from collections.abc import Iterator, Mapping
    from typing import TypeAlias

    from mlmd_lineage.snapshot.tables import HasTables

    Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

RECORD_KINDS = (
    "type",
    "parent_type",
    "artifact",
    "execution",
    "context",
    "event",
    "attribution",
    "association",
    "parent_context",
)
"""The kinds of records, in the order in which their lines stand."""

TABLES: Mapping[str, tuple[str, ...]] = {
    **{kind: (node.table, node.properties) for kind, node in KINDS.items()},
    "type": ("Type", "TypeProperty"),
    "parent_type": ("ParentType",),
    "event": ("Event", "EventPath"),
    "attribution": ("Attribution",),
    "association": ("Association",),
    "parent_context": ("ParentContext",),
}
"""The tables that each kind of records is made of; the first column of each is the id's."""
_PAIRS = {
    "parent_type": ("ParentType", ("type_id", "parent_type_id")),
    "parent_context": ("ParentContext", ("context_id", "parent_context_id")),
}
_MEMBERSHIPS = {"attribution": "Attribution", "association": "Association"}
_ENUMS: Mapping[str, type[enum.IntEnum]] = {
    "state": ArtifactState,
    "last_known_state": ExecutionState,
    "type_kind": TypeKind,
    "type": EventType,
}


@dataclasses.dataclass(frozen=True)
class Records:
    r"""All records of one kind, in the order of their ids.

    Attributes:
        kind: One of ``RECORD_KINDS``.
        ids: Their ids, ``int64[n]``; for pairs, which have none, the two ids, ``int64[n, 2]``.
        lines: Their lines, each with its ``"\n"``; an array of ``large_string``.
    """

    kind: str
    ids: Array
    lines: pa.Array

    def __len__(self) -> int:
        return len(self.lines)

    def key(self, row: int) -> str:
        """Return a record's key, such as ``artifact/5``, or ``parent_context/3/1`` of pairs."""
        return "/".join([self.kind, *map(str, np.atleast_1d(self.ids[row]).tolist())])

    def keys(self) -> list[str]:
        """Return each record's key."""
        if self.ids.ndim == 1:
            return [f"{self.kind}/{number}" for number in self.ids.tolist()]
        return [f"{self.kind}/{one}/{other}" for one, other in self.ids.tolist()]

    def offsets(self) -> Array:
        """Return where each record's line begins in ``text``, and where the last one ends."""
        if not len(self.lines):
            return np.zeros(1, np.int64)
        offsets = np.frombuffer(self.lines.buffers()[1], np.int64)[self.lines.offset :]
        return offsets[: len(self.lines) + 1]

    @property
    def text(self) -> memoryview:
        """The buffer in which the lines stand, without a copy."""
        data = self.lines.buffers()[2] if len(self.lines) else None
        return memoryview(data or b"")


def records_of(tables: HasTables, kind: str) -> Records:
    """Return all records of a kind.

    >>> records_of(store.snapshot(), "artifact").keys()[:2]
    ['artifact/1', 'artifact/2']
    """
    if kind in KINDS:
        return _nodes(tables, kind)
    if kind in _PAIRS:
        return _pairs(tables, kind)
    if kind in _MEMBERSHIPS:
        return _records(_by_id(tables[_MEMBERSHIPS[kind]]), kind, {})
    return _types(tables) if kind == "type" else _events(tables)


def all_records(tables: HasTables) -> Iterator[Records]:
    """Yield all records, kind by kind."""
    for kind in RECORD_KINDS:
        yield records_of(tables, kind)


def _nodes(tables: HasTables, kind: str) -> Records:
    node = KINDS[kind]
    properties = tables[node.properties]
    table = _by_id(tables[node.table], arrays.to_numpy(properties[node.id_column]))
    ids = _ids(table)
    plain, custom = properties_by_owner(properties, node.id_column, ids)
    objects = {"properties": ("{", plain, "}"), "custom_properties": ("{", custom, "}")}
    return _records(table, kind, objects)


def _types(tables: HasTables) -> Records:
    declared = tables["TypeProperty"]
    by_type: dict[int, dict[str, str]] = {}
    for owner, name, number in zip(*(c.to_pylist() for c in declared.columns), strict=True):
        kinds = by_type.setdefault(owner, {})
        found = "" if number is None else name_of(PropertyType, number)
        # Only a table without constraints declares a property twice.
        kinds[name or ""] = "|".join(sorted(filter(None, (found, kinds.get(name or "", "")))))
    table = _by_id(tables["Type"], np.array(sorted(by_type), np.int64))
    texts = [
        canonical_json.dumps(by_type[number]) if number in by_type else None
        for number in _ids(table).tolist()
    ]
    return _records(table, "type", {"properties": ("", arrays.from_values(texts, TEXT), "")})


def _events(tables: HasTables) -> Records:
    steps = tables["EventPath"]
    owners = arrays.to_numpy(steps["event_id"]).astype(np.int64)
    if len(owners) > 1 and (owners[1:] < owners[:-1]).any():
        order = np.argsort(owners, kind="stable")  # the steps of a path keep theirs
        steps, owners = steps.take(arrays.from_numpy(order)), owners[order]
    texts = _steps(steps)
    table = _by_id(tables["Event"], owners)
    return _records(table, "event", {"path": ("[", grouped(texts, owners, _ids(table)), "]")})


def _steps(steps: pa.Table) -> pa.Array:
    """Return the steps of paths as JSON: of an index step its index, of another its key."""
    is_index = arrays.to_numpy(steps["is_index_step"])
    index, key = integers(steps["step_index"]), quoted(steps["step_key"])
    heads = arrays.from_values(['{"key":', '{"index":'], TEXT)
    head = heads.take(arrays.from_numpy(is_index.astype(np.int64)))
    value = pc.if_else(arrays.from_numpy(is_index), index, key)
    texts = joined(head, value, "}", null="null")
    there = [arrays.to_numpy(column.is_valid()) for column in (index, key)]
    odd = np.flatnonzero(np.where(is_index, there[1], there[0]))
    if not len(odd):
        return texts
    # MLMD writes one of the two; a row that has both shows them, and which one counts.
    made = texts.to_pylist()
    for at in odd.tolist():
        shown = [column[at].as_py() or "null" for column in (index, key)]
        which = "true" if is_index[at] else "false"
        made[at] = f'{{"index":{shown[0]},"is_index_step":{which},"key":{shown[1]}}}'
    return arrays.from_values(made, TEXT)


def _pairs(tables: HasTables, kind: str) -> Records:
    name, columns = _PAIRS[kind]
    table = tables[name]
    both = [arrays.to_numpy(table[column]).astype(np.int64) for column in columns]
    order = np.lexsort(both[::-1])
    made = _records(table.take(arrays.from_numpy(order)), kind, {})
    return dataclasses.replace(made, ids=np.stack(both, axis=1)[order])


def _ids(table: pa.Table) -> Array:
    return arrays.to_numpy(table["id"]).astype(np.int64)


def _by_id(table: pa.Table, owners: Array | None = None) -> pa.Table:
    """Return a table in the order of its ids.

    Args:
        table: The table.
        owners: Ids that rows of another table name; one that has no row gets one of nothing else.
    """
    ids = _ids(table)
    if len(ids) > 1 and not (ids[1:] > ids[:-1]).all():
        order = np.argsort(ids, kind="stable")
        table, ids = table.take(arrays.from_numpy(order)), ids[order]
    if owners is None or not len(owners):
        return table
    firsts = owners[np.r_[True, owners[1:] != owners[:-1]]].astype(np.int64)
    orphans = np.unique(firsts[~np.isin(firsts, ids)])
    if not len(orphans):
        return table
    more = {
        field.name: arrays.from_numpy(orphans)
        if field.name == "id"
        else pa.nulls(len(orphans), field.type)
        for field in table.schema
    }
    both = pa.concat_tables(
        [table.replace_schema_metadata(), pa.table(more, table.schema.remove_metadata())]
    )
    return _by_id(both)


def _records(table: pa.Table, kind: str, more: Mapping[str, tuple[str, pa.Array, str]]) -> Records:
    """Return a table's rows as records.

    Args:
        table: The table, in order.
        kind: The records' kind.
        more: Members beside those of the columns, as JSON; null where there is none. What comes
            before and after each stands beside them.
    """
    columns = {name: ("", _member(name, whole(table[name])), "") for name in table.column_names}
    members = {**columns, **more}
    parts: list[Any] = ["{"]
    before, after = "", ","  # every record has its kind: others end or begin with a comma
    for name in sorted((*members, "kind"), key=canonical_json.sort_key):
        head = f"{before}{canonical_json.dumps(name)}:"
        if name == "kind":
            parts.append(f"{head}{canonical_json.dumps(kind)}")
            before, after = ",", ""
            continue
        opening, texts, closing = members[name]
        around = [head + opening, texts, closing + after]
        if not texts.null_count:
            parts += around
        elif texts.null_count < len(texts):
            parts.append(joined(*around))
    lines = joined(*parts, "}\n", null="") if table.num_rows else pa.nulls(0, TEXT)
    ids = _ids(table) if "id" in columns else np.empty((0, 2), np.int64)
    return Records(kind, ids, lines)


def _member(name: str, column: pa.Array) -> pa.Array:
    """Return the values of a column as JSON, null where there is none."""
    if name in _ENUMS:
        encoded = column.cast(pa.int64()).dictionary_encode()
        names = [
            canonical_json.dumps(name_of(_ENUMS[name], n)) for n in encoded.dictionary.to_pylist()
        ]
        return arrays.from_values(names, TEXT).take(encoded.indices)
    return integers(column) if pa.types.is_integer(column.type) else quoted(column)
