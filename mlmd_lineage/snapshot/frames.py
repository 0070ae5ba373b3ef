"""Frames: the tables of a store as pandas DataFrames; ``docs/frames.md`` lists their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlmd_lineage.deadline import within
from mlmd_lineage.readers.base import Selection, Selector
from mlmd_lineage.snapshot import arrays, columns, imported, values
from mlmd_lineage.snapshot.enums import (
    ArtifactState,
    EventType,
    ExecutionState,
    PropertyType,
    TypeKind,
    names_of,
)
from mlmd_lineage.snapshot.table_building import table_from_rows
from mlmd_lineage.snapshot.tables import KINDS, Tables
from mlmd_lineage.snapshot.type_names import has_nodes_in, one_or_several, types_named

if TYPE_CHECKING:
    import enum
    from collections.abc import Callable, Collection, Mapping

    from typing_extensions import Self

    from mlmd_lineage.readers.base import Reader, Session
    from mlmd_lineage.snapshot.tables import NodeSchema

    Array = np.ndarray[Any, np.dtype[Any]]
    ReadProperties = Callable[[Collection[str], Mapping[str, Collection[str]]], Tables]

_PANDAS_TYPES: dict[int, Any] = {
    values.INT: pd.Int64Dtype(),
    values.DOUBLE: pd.Float64Dtype(),
    values.STRING: columns.TEXT,
    values.BOOL: pd.BooleanDtype(),
}
_VALUE_COLUMNS = {
    values.INT: "int_value",
    values.DOUBLE: "double_value",
    values.STRING: "string_value",
    values.BOOL: "bool_value",
}


class Frames:
    """A store's tables as pandas DataFrames with fixed columns and dtypes.

    >>> store.frames.artifacts(type="Model", properties=True)

    The index is the node's or the event's id. Enums come by MLMD's names, times as UTC
    timestamps, and where there is nothing stands NA.
    """

    def __init__(
        self,
        read: Callable[[Collection[str]], Tables],
        read_types: Callable[[NodeSchema, Collection[str], bool], Tables] | None = None,
        read_properties: ReadProperties | None = None,
    ) -> None:
        self._read = read
        self._read_types = read_types
        self._read_properties = read_properties or (lambda tables, _: read(tables))

    @classmethod
    def of(cls, tables: Tables) -> Self:
        """Return the frames of tables that have been read."""
        return cls(lambda _: tables)

    @classmethod
    def live(cls, reader: Reader) -> Self:
        """Return the frames of a store, each read when it is asked for."""

        def read_types(kind: NodeSchema, names: Collection[str], properties: bool) -> Tables:  # noqa: FBT001
            return reader.ask(lambda session: _of_types(session, kind, names, properties))

        def read_properties(
            tables: Collection[str], names: Mapping[str, Collection[str]]
        ) -> Tables:
            if isinstance(reader, Selector):
                return reader.read_selected(Selection(tables, names)).tables
            return reader.read(tables)

        return cls(reader.read, read_types, read_properties)

    def artifacts(
        self,
        *,
        type: str | Collection[str] | None = None,  # noqa: A002 - MLMD's word
        properties: bool = False,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """Return the artifacts.

        Columns: ``type``, ``type_version``, ``name``, ``uri``, ``state``, ``external_id``,
        ``create_time_since_epoch``, ``last_update_time_since_epoch``, ``type_id``; with
        ``properties`` one more for each property, ``properties.NAME`` or
        ``custom_properties.NAME``.

        Args:
            type: Only those of this type or of one of these, in any version, or with such a base
                type.
            properties: Read the properties too.
            timeout: How many seconds the answer may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            NotFoundError: The store has no such type.
        """
        with within(timeout):
            return self._nodes(KINDS["artifact"], ArtifactState, type, properties)

    def executions(
        self,
        *,
        type: str | Collection[str] | None = None,  # noqa: A002 - MLMD's word
        properties: bool = False,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """Return the executions; like ``artifacts()``, without the column ``uri``."""
        with within(timeout):
            frame = self._nodes(KINDS["execution"], ExecutionState, type, properties)
            return frame.drop(columns="uri")

    def contexts(
        self,
        *,
        type: str | Collection[str] | None = None,  # noqa: A002 - MLMD's word
        properties: bool = False,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """Return the contexts; as for ``artifacts()``, without ``uri`` and ``state``."""
        with within(timeout):
            return self._nodes(KINDS["context"], None, type, properties).drop(columns="uri")

    def events(self, *, timeout: float | None = None) -> pd.DataFrame:
        """Return the events.

        Columns: ``artifact_id``, ``execution_id``, ``type``, ``path`` (a tuple of keys and
        indexes, such as ``("examples", 0)``), ``time``.

        Args:
            timeout: How many seconds the answer may take; None for no limit.
        """
        with within(timeout):
            tables = self._read(("Event", "EventPath"))
            events = tables["Event"]
            return pd.DataFrame(
                {
                    "artifact_id": events["artifact_id"].to_numpy(),
                    "execution_id": events["execution_id"].to_numpy(),
                    "type": columns.enum(events["type"], EventType),
                    "path": columns.paths(events["id"], tables["EventPath"]),
                    "time": columns.times(events["milliseconds_since_epoch"]),
                },
                index=columns.ids(events["id"]),
            )

    def types(self, *, timeout: float | None = None) -> pd.DataFrame:
        """Return the types.

        Columns: ``name``, ``version``, ``kind`` (``ARTIFACT_TYPE``, ``EXECUTION_TYPE`` or
        ``CONTEXT_TYPE``), ``base_type``, ``description``, ``external_id``, ``properties`` (a dict
        of their names and kinds).

        Args:
            timeout: How many seconds the answer may take; None for no limit.
        """
        with within(timeout):
            tables = self._read(("Type", "TypeProperty", "ParentType"))
            types = tables["Type"]
            numbers = types["id"].to_pylist()
            names = dict(zip(numbers, types["name"].to_pylist(), strict=True))
            property_types = names_of(PropertyType)
            base: dict[int, str] = {}
            for child, parent in values.rows_of(tables["ParentType"]):
                base[child] = names.get(parent, str(parent))
            declared: dict[int, dict[str, str]] = {number: {} for number in numbers}
            for owner, name, kind in values.rows_of(tables["TypeProperty"]):
                known = kind is not None and 0 <= kind < len(property_types)
                declared.setdefault(owner, {})[name] = property_types[kind] if known else "UNKNOWN"
            return pd.DataFrame(
                {
                    "name": columns.text(types["name"]),
                    "version": columns.text(types["version"]),
                    "kind": columns.enum(types["type_kind"], TypeKind),
                    "base_type": pd.array([base.get(n) for n in numbers], columns.TEXT),
                    "description": columns.text(types["description"]),
                    "external_id": columns.text(types["external_id"]),
                    "properties": [dict(sorted(declared[number].items())) for number in numbers],
                },
                index=columns.ids(types["id"]),
            )

    def _nodes(
        self,
        kind: NodeSchema,
        states: type[enum.IntEnum] | None,
        types: str | Collection[str] | None,
        properties: bool,  # noqa: FBT001 - passed on
    ) -> pd.DataFrame:
        names = ["Type", "ParentType", kind.table, *([kind.properties] if properties else [])]
        wanted = one_or_several("type", types)
        if wanted and self._read_types is not None:
            tables = self._read_types(kind, wanted, properties)
        else:
            tables = self._read(names)
        nodes = tables[kind.table]
        if wanted:
            ids = types_named(tables, wanted, kind)
            nodes = nodes.filter(pc.is_in(nodes["type_id"], value_set=pa.array(sorted(ids))))
        if kind.properties in tables or imported.may_be_imported(nodes):
            nodes = imported.with_originals(nodes, self._originals(tables, kind))
        frame = columns.node_columns(nodes, tables["Type"], kind.state, states)
        if properties:
            wide = property_columns(tables[kind.properties], nodes["id"].to_numpy())
            frame = pd.concat([frame, pd.DataFrame(wide, index=frame.index)], axis=1)
        return frame

    def _originals(self, tables: Tables, kind: NodeSchema) -> Mapping[int, imported.Original]:
        """Return what the nodes of a kind were before Kubeflow imported them."""
        if kind.properties not in tables:
            tables = self._read((kind.properties,))
        return imported.originals_in(tables[kind.properties])


def _of_types(
    session: Session,
    kind: NodeSchema,
    names: Collection[str],
    properties: bool,  # noqa: FBT001 - handed on
) -> Tables:
    fetched: dict[str, pa.Table] = {
        table: table_from_rows(table, session.fetch(table, {})) for table in ("Type", "ParentType")
    }
    ids = sorted(types_named(fetched, names, kind, has_nodes=has_nodes_in(session)))
    nodes = sorted(session.fetch(kind.table, {"type_id": ids}), key=lambda row: row[0])
    fetched[kind.table] = table_from_rows(kind.table, nodes)
    if properties:
        owners = [row[0] for row in nodes]
        rows = session.fetch(kind.properties, {kind.id_column: owners}) if owners else []
        fetched[kind.properties] = table_from_rows(kind.properties, rows)
    return Tables(fetched)


def property_columns(properties: pa.Table, owners: Array) -> dict[str, Any]:
    """Return a pandas column for each property, ``properties.NAME`` or ``custom_properties.NAME``.

    A property whose values are all of one kind gets that kind's dtype; structs, protos and mixed
    kinds come as Python objects.
    """
    rows = owners.searchsorted(properties.column(0).to_numpy())
    inside = rows < len(owners)
    inside[inside] = owners[rows[inside]] == properties.column(0).to_numpy()[inside]
    if not inside.all():
        properties, rows = properties.filter(pa.array(inside)), rows[inside]
    if not properties.num_rows:
        return {}
    names = properties["name"].unify_dictionaries().combine_chunks()
    custom = properties["is_custom_property"].to_numpy()
    codes = names.indices.to_numpy() * 2 + custom
    kinds = values.kinds_of(properties)
    order = np.argsort(codes, kind="stable")
    distinct, starts = np.unique(codes[order], return_index=True)
    found: dict[str, Any] = {}
    for code, members in zip(distinct.tolist(), np.split(order, starts[1:]), strict=True):
        prefix = "custom_properties" if code % 2 else "properties"
        label = f"{prefix}.{names.dictionary[code // 2].as_py()}"
        found[label] = _wide(properties, members, rows[members], kinds[members], len(owners))
    return dict(sorted(found.items(), key=lambda item: (item[0].startswith("custom"), item[0])))


def _wide(properties: pa.Table, members: Array, rows: Array, kinds: Array, size: int) -> Any:
    distinct = set(np.unique(kinds).tolist()) - {values.NOTHING}
    kind = distinct.pop() if len(distinct) == 1 else None
    if kind is None or kind not in _PANDAS_TYPES:
        objects = np.full(size, pd.NA, object)
        part = properties.take(members).select(list(range(3, 9)))
        for row, value in zip(rows.tolist(), values.rows_of(part), strict=True):
            found = values.value_of(*value)
            objects[row] = pd.NA if found is None else found
        return objects
    order = np.argsort(rows, kind="stable")
    order = order[np.append(np.diff(rows[order]) != 0, True)]  # of repeated ones, the last
    taken = properties[_VALUE_COLUMNS[kind]].take(arrays.from_numpy(members[order]))
    column = pa.chunked_array([arrays.spread(taken.combine_chunks(), rows[order], size)])
    return (
        columns.text(column)
        if kind == values.STRING
        else _PANDAS_TYPES[kind].__from_arrow__(column)
    )
