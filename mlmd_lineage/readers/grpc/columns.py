"""Conversion of the messages of MLMD's service to columns of MLMD's tables.

``rows`` makes the same of single messages, where only a few are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlmd_lineage import _proto
from mlmd_lineage.readers.grpc import rows as grpc_rows
from mlmd_lineage.readers.grpc.columnar_protobuf import Fields, Messages, parsed
from mlmd_lineage.snapshot import arrays, table_building
from mlmd_lineage.snapshot.tables import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlmd_lineage.readers.grpc.columnar_protobuf import Numbers
    from mlmd_lineage.snapshot.tables import NodeSchema

_MESSAGES = {"artifact": "Artifact", "execution": "Execution", "context": "Context"}


def _numbers_of(message: str) -> dict[str, int]:
    """Return the numbers of a message's fields."""
    fields = _proto.message(message, _proto.READING).DESCRIPTOR.fields
    return {field.name: field.number for field in fields}


def _finished(table: str, columns: Mapping[str, Any], rows: int) -> pa.Table:
    return table_building.finished(table, columns, rows, base64_protos=False)


class NodeColumns:
    """Nodes of one kind, decoded together.

    Args:
        kind: Their kind.
        parts: Their messages.
    """

    def __init__(self, kind: NodeSchema, parts: Sequence[bytes]) -> None:
        self._kind = kind
        self._field = _numbers_of(_MESSAGES[kind.name])
        self._fields = parsed(Messages.of(parts), self._field.values())
        self._count = len(parts)
        self.ids: Numbers = self._fields[self._field["id"]].column(self._count)[0]

    def table(self) -> pa.Table:
        """Return their rows."""
        columns = {}
        for column in SCHEMAS[self._kind.table]:
            fields = self._fields[self._field[column.name]]
            is_number = pa.types.is_integer(column.type)
            columns[column.name] = (fields.numbers if is_number else fields.texts)(self._count)
        return _finished(self._kind.table, columns, self._count)

    def properties(self) -> pa.Table:
        """Return the rows of their properties, ordered by node and name."""
        held = [self._fields[self._field[n]] for n in ("properties", "custom_properties")]
        custom = np.repeat([False, True], [len(fields.rows) for fields in held])
        rows, starts, lengths = (
            np.concatenate([getattr(fields, name) for fields in held])
            for name in ("rows", "values", "lengths")
        )
        count = len(rows)
        in_entry, in_value = _numbers_of("Property"), _numbers_of("Value")
        entries = parsed(Fields(held[0].data, rows, starts, lengths).messages, in_entry.values())
        keys, held_values = (entries[in_entry[name]] for name in ("key", "value"))
        values = parsed(held_values.messages, in_value.values())
        # A value belongs to the entry that holds it.
        inside = {
            name: values[number]._replace(rows=held_values.rows[values[number].rows])
            for name, number in in_value.items()
        }
        names = keys.texts(count)
        names = names.fill_null(arrays.scalar(b"", names.type))  # an empty key is left out
        columns = {
            self._kind.id_column: arrays.from_numpy(self.ids[rows]),
            "name": names,
            "is_custom_property": arrays.from_numpy(custom),
            "int_value": inside["int_value"].numbers(count),
            "double_value": _doubles(inside["double_value"], count),
            "string_value": _texts(inside, count),
            "proto_value": inside["proto_value"].texts(count),
            "bool_value": inside["bool_value"].numbers(count).cast(pa.bool_()),
        }
        order = arrays.from_numpy(np.lexsort((_ranks(names), custom, rows)))
        columns = {name: column.take(order) for name, column in columns.items()}
        return _finished(self._kind.properties, columns, count)


def _ranks(names: pa.Array) -> Numbers:
    """Return for each name its place among all of them in order."""
    coded = names.dictionary_encode()
    ranks = np.argsort(np.argsort(np.array(coded.dictionary.to_pylist(), dtype=object)))
    indices: Numbers = arrays.to_numpy(coded.indices)
    return ranks[indices] if len(ranks) else indices


def _doubles(fields: Fields, count: int) -> pa.Array:
    found, has = fields.column(count)
    return arrays.from_numpy(found.view(np.float64), ~has)


def _texts(inside: Mapping[str, Fields], count: int) -> pa.Array:
    """Return texts, and structs as the texts that MLMD stores for them."""
    texts = inside["string_value"].texts(count)
    structs = inside["struct_value"]
    if not len(structs.rows):
        return texts
    raw = structs.texts(count).to_pylist()
    made = [None if value is None else grpc_rows.struct_text(value) for value in raw]
    return pc.coalesce(texts, arrays.from_values(made, pa.large_binary()))


def event_tables(answer: bytes) -> tuple[pa.Table, pa.Table]:
    """Return the events in an answer and their paths, as tables."""
    parts = grpc_rows.parts_in(answer)[0]
    count = len(parts)
    fields = parsed(Messages.of(parts), range(1, 6))
    artifacts, executions, types = (fields[n].column(count)[0] for n in (1, 2, 4))
    ids = grpc_rows.event_ids(artifacts, executions, types)
    if ids is None:
        return _odd_events(answer)
    columns = {
        "id": arrays.from_numpy(ids),
        "artifact_id": arrays.from_numpy(artifacts),
        "execution_id": arrays.from_numpy(executions),
        "type": arrays.from_numpy(types),
        "milliseconds_since_epoch": fields[5].numbers(count),
    }
    paths = parsed(fields[3].messages, (1,))[1]
    steps = parsed(paths.messages, (1, 2))
    length = len(paths.rows)
    index, is_index = steps[1].column(length)
    path_columns = {
        "event_id": arrays.from_numpy(ids[fields[3].rows[paths.rows]]),
        "is_index_step": arrays.from_numpy(is_index),
        "step_index": arrays.from_numpy(index, ~is_index),
        "step_key": steps[2].texts(length),
    }
    # Executions are asked for in order, so that their events need no more ordering together.
    return (
        table_building.ordered("Event", _finished("Event", columns, count)),
        table_building.ordered("EventPath", _finished("EventPath", path_columns, length)),
    )


def _odd_events(answer: bytes) -> tuple[pa.Table, pa.Table]:
    """Return events some of which get ids of the rare sort, or stand there twice."""
    rows, paths = [], []
    for row, path in grpc_rows.event_rows(grpc_rows.events_in(answer)):
        rows.append(row)
        paths += path
    return (
        table_building.table_from_rows("Event", rows),
        table_building.table_from_rows("EventPath", grpc_rows.texts("EventPath", paths)),
    )
