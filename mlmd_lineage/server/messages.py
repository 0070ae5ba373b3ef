"""Conversion of a store's rows into MLMD's messages."""

from __future__ import annotations

import base64
import contextlib
import itertools
from typing import TYPE_CHECKING, Any

from mlmd_lineage import _proto
from mlmd_lineage.server import response_size
from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS
from mlmd_lineage.snapshot.values import STRUCT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.snapshot.tables import NodeSchema

BASE_TYPES: Mapping[str, str] = {
    "mlmd.Dataset": "DATASET",
    "mlmd.Model": "MODEL",
    "mlmd.Metrics": "METRICS",
    "mlmd.Statistics": "STATISTICS",
    "mlmd.Train": "TRAIN",
    "mlmd.Transform": "TRANSFORM",
    "mlmd.Process": "PROCESS",
    "mlmd.Evaluate": "EVALUATE",
    "mlmd.Deploy": "DEPLOY",
}
"""The value of ``base_type`` for each of the types that MLMD puts into every store."""


def nodes(session: Session, kind: NodeSchema, rows: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Return the messages of some nodes, in the order of their rows.

    Raises:
        StatusError: They are too large for a response.
    """
    made: list[Any] = []
    given = iter(rows)
    while part := list(itertools.islice(given, response_size.CHUNK)):
        made += _nodes(session, kind, part)
    return made


def _nodes(session: Session, kind: NodeSchema, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    columns = SCHEMAS[kind.table].names
    make: Any = _proto.message(kind.table)
    types = _type_names(session, {row[1] for row in rows})
    values = _values(session, kind, [row[0] for row in rows])
    made = []
    for row in rows:
        node = make()
        for column, value in zip(columns, row, strict=True):
            if value is None:
                continue
            if column == kind.state:
                _set_enum(node, column, value)
            else:
                setattr(node, column, value)
        if row[1] in types:
            node.type = types[row[1]]
        for name, custom, *value in values.get(row[0], ()):
            held = node.custom_properties if custom else node.properties
            _fill(held[name], value)
        response_size.add(node)
        made.append(node)
    return made


def _type_names(session: Session, ids: Collection[int]) -> dict[int, str]:
    return {row[0]: row[1] for row in session.fetch("Type", {"id": sorted(ids)})} if ids else {}


def _values(
    session: Session, kind: NodeSchema, ids: Collection[int]
) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = {}
    if ids:
        for row in session.fetch(kind.properties, {kind.id_column: ids}):
            found.setdefault(row[0], []).append(row[1:])
    return found


def _fill(value: Any, columns: Sequence[Any]) -> None:
    """Set a Value from a property's columns; where all are NULL it stays unset."""
    integer, double, text, _, proto, boolean = columns
    if text is not None:
        if not (text.startswith(STRUCT_PREFIX) and _parsed(value.struct_value, text)):
            value.string_value = text
    elif integer is not None:
        value.int_value = integer
    elif double is not None:
        value.double_value = double
    elif boolean is not None:
        value.bool_value = boolean
    elif proto is not None:
        value.proto_value.ParseFromString(proto)


def _parsed(struct: Any, text: str) -> bool:
    from google.protobuf.message import DecodeError

    try:
        struct.ParseFromString(base64.b64decode(text.removeprefix(STRUCT_PREFIX), validate=True))
    except (ValueError, DecodeError, RuntimeError):
        return False
    return True


def _set_enum(message: Any, field: str, number: int) -> None:
    """Set an enum field; a number without a name is kept as an unknown field, as clients do."""
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    if number in descriptor.enum_type.values_by_number:
        setattr(message, field, number)
    elif 0 <= number < 128:
        message.MergeFromString(bytes([descriptor.number << 3, number]))


def types(session: Session, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return the messages of some types, in the order of their rows."""
    ids = sorted({row[0] for row in rows})
    properties: dict[int, list[tuple[str, int]]] = {}
    bases: dict[int, str] = {}
    if ids:
        for owner, name, data_type in session.fetch("TypeProperty", {"type_id": ids}):
            properties.setdefault(owner, []).append((name, data_type))
        parents = dict(session.fetch("ParentType", {"type_id": ids}))
        names = _type_names(session, set(parents.values()))
        bases = {own: names[parent] for own, parent in parents.items() if parent in names}
    return [_type(row, properties.get(row[0], ()), bases.get(row[0])) for row in rows]


def _type(row: tuple[Any, ...], properties: Iterable[tuple[str, int]], base: str | None) -> Any:
    values = dict(zip(SCHEMAS["Type"].names, row, strict=True))
    kind = _KIND_OF[values["type_kind"]]
    message: Any = _proto.message(f"{KINDS[kind].table}Type")()
    for field in ("id", "name", "version", "description", "external_id"):
        if values[field] is not None:
            setattr(message, field, values[field])
    for name, number in properties:
        message.properties[name] = number
    named = message.DESCRIPTOR.fields_by_name["base_type"].enum_type.values_by_name
    if BASE_TYPES.get(base or "") in named:
        message.base_type = named[BASE_TYPES[base or ""]].number
    if kind == "execution":
        for field in ("input_type", "output_type"):
            if values[field]:
                _fill_signature(getattr(message, field), values[field])
    return message


def _fill_signature(signature: Any, text: str) -> None:
    """Set the input or output type of an execution type, which MLMD stores as JSON."""
    from google.protobuf import json_format

    with contextlib.suppress(json_format.ParseError):  # one bad type must not hide the others
        json_format.Parse(text, signature)


_KIND_OF = {kind.type_kind: kind.name for kind in KINDS.values()}


def events(session: Session, rows: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Return the messages of some events, in the order of their rows."""
    held = list(rows)
    make: Any = _proto.message("Event")
    steps: dict[int, list[tuple[Any, ...]]] = {}
    if held:
        for event, *step in session.fetch("EventPath", {"event_id": [row[0] for row in held]}):
            steps.setdefault(event, []).append(tuple(step))
    made = []
    for number, artifact, execution, kind, time in held:
        event = make(artifact_id=artifact, execution_id=execution)
        _set_enum(event, "type", kind)
        if time is not None:
            event.milliseconds_since_epoch = time
        for is_index, index, key in steps.get(number, ()):
            if is_index:
                event.path.steps.add(index=index)
            else:
                event.path.steps.add(key=key)
        response_size.add(event)
        made.append(event)
    return made
