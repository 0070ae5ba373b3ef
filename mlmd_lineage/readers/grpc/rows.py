"""Conversion of the messages of MLMD's service to rows of MLMD's tables.

The service tells no ids of events, attributions and associations, so they get some that follow
from what they tie together: the same in every read, and in the order of what they name.
"""

from __future__ import annotations

import base64
import hashlib
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmd_lineage import _proto
from mlmd_lineage.readers.grpc.columnar_protobuf import Messages, leading, parsed
from mlmd_lineage.snapshot.table_building import readable_text
from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS
from mlmd_lineage.snapshot.values import STRUCT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mlmd_lineage.snapshot.tables import NodeSchema

    Row = tuple[Any, ...]
    Ids = np.ndarray[Any, np.dtype[np.int64]]

_ARTIFACT_BITS = 29
_TYPE_BITS = 3
_ID_BITS = 31

_by_key = operator.attrgetter("key")


def parts_in(answer: bytes) -> tuple[list[bytes], bytes]:
    """Return the messages in an answer, undecoded, and the token of the next page if there is."""
    message: Any = _proto.message("Parts", _proto.READING).FromString(answer)
    return list(message.parts), message.next_page_token


def ids_of(parts: Sequence[bytes]) -> Ids:
    """Return the ids of some nodes, whatever their kind."""
    messages = Messages.of(parts)
    found = leading(messages, 1)
    return parsed(messages, (1,))[1].column(len(parts))[0] if found is None else found


def nodes_of(kind: NodeSchema, parts: Iterable[bytes]) -> list[Any]:
    """Return the messages of some nodes."""
    read = _proto.message(kind.table, _proto.READING).FromString
    return [read(part) for part in parts]


def events_in(answer: bytes) -> Sequence[Any]:
    """Return the events in an answer."""
    message: Any = _proto.message("Events", _proto.READING).FromString(answer)
    return message.events  # type: ignore[no-any-return]  # messages have no types


_GIVEN = {
    kind.name: tuple(name for name in SCHEMAS[kind.table].names if name != "id")
    for kind in KINDS.values()
}


def node_row(kind: NodeSchema, node: Any) -> Row:
    """Return a node's row, with bytes for texts."""
    has = node.HasField
    return (
        node.id,
        *[getattr(node, name) if has(name) else None for name in _GIVEN[kind.name]],
    )


def property_rows(node: Any) -> Iterator[Row]:
    """Yield the rows of a node's properties, ordered by name, with bytes for texts.

    MLMD writes a message's map in an order that changes from call to call.
    """
    owner = node.id
    for custom, held in ((False, node.properties), (True, node.custom_properties)):
        for entry in sorted(held, key=_by_key) if len(held) > 1 else held:
            value = entry.value
            kind = value.WhichOneof("value")
            name = entry.key
            if kind == "string_value":
                yield owner, name, custom, None, None, value.string_value, None, None, None
            elif kind == "int_value":
                yield owner, name, custom, value.int_value, None, None, None, None, None
            elif kind == "double_value":
                yield owner, name, custom, None, value.double_value, None, None, None, None
            elif kind == "bool_value":
                yield owner, name, custom, None, None, None, None, None, value.bool_value
            elif kind == "struct_value":
                text = struct_text(value.struct_value)
                yield owner, name, custom, None, None, text, None, None, None
            elif kind == "proto_value":
                yield owner, name, custom, None, None, None, None, value.proto_value, None
            else:
                yield owner, name, custom, None, None, None, None, None, None


def struct_text(raw: bytes) -> bytes:
    """Return the text that MLMD stores for a struct; its fields are put in order."""
    from google.protobuf import struct_pb2

    struct = struct_pb2.Struct.FromString(raw)
    ordered = struct.SerializeToString(deterministic=True)
    return STRUCT_PREFIX.encode() + base64.b64encode(ordered)


def event_rows(events: Iterable[Any]) -> Iterator[tuple[Row, list[Row]]]:
    """Yield the row of each event and the rows of its path.

    Args:
        events: All that tie some executions, or some artifacts, to their other ends. Schemas
            before version 8 allow the same event twice.
    """
    seen: dict[tuple[int, int, int], list[Any]] = {}
    for event in events:
        seen.setdefault((event.artifact_id, event.execution_id, event.type), []).append(event)
    for (artifact, execution, kind), alike in seen.items():
        if len(alike) > 1:
            alike.sort(key=lambda event: (event.milliseconds_since_epoch, str(event.path)))
        for repeat, event in enumerate(alike):
            number = event_id(artifact, execution, kind, repeat)
            time = event.milliseconds_since_epoch
            time = time if event.HasField("milliseconds_since_epoch") else None
            yield (number, artifact, execution, kind, time), _path_rows(number, event)


def _path_rows(number: int, event: Any) -> list[Row]:
    if not event.HasField("path"):
        return []
    rows: list[Row] = []
    for step in event.path.steps:
        is_index = step.WhichOneof("value") == "index"
        rows.append(
            (number, True, step.index, None) if is_index else (number, False, None, step.key)
        )
    return rows


def event_id(artifact: int, execution: int, kind: int, repeat: int = 0) -> int:
    """Return the id that an event gets, by what it ties together."""
    if (
        repeat == 0
        and 0 <= artifact < 1 << _ARTIFACT_BITS
        and 0 <= execution < 1 << _ID_BITS
        and 0 <= kind < 1 << _TYPE_BITS
    ):
        return (execution << _ARTIFACT_BITS | artifact) << _TYPE_BITS | kind
    return _rare(f"event {execution} {artifact} {kind} {repeat}")


def event_ids(artifacts: Ids, executions: Ids, types: Ids) -> Ids | None:
    """Return the ids that events get; None if one is repeated or needs an id from ``_rare``."""
    for ids, bits in ((artifacts, _ARTIFACT_BITS), (executions, _ID_BITS), (types, _TYPE_BITS)):
        if len(ids) and (ids.min() < 0 or ids.max() >> bits):
            return None
    found = (executions << _ARTIFACT_BITS | artifacts) << _TYPE_BITS | types
    return found if len(np.unique(found)) == len(found) else None


def membership_ids(contexts: Ids, nodes: Ids) -> Ids:
    """Return the ids that attributions or associations get."""
    found = contexts << _ID_BITS | nodes
    for row in np.flatnonzero((contexts | nodes) >> _ID_BITS).tolist():
        found[row] = membership_id(int(contexts[row]), int(nodes[row]))
    return found


def membership_id(context: int, node: int) -> int:
    """Return the id that an attribution or an association gets, by what it ties together."""
    if 0 <= context < 1 << _ID_BITS and 0 <= node < 1 << _ID_BITS:
        return context << _ID_BITS | node
    return _rare(f"membership {context} {node}")


def _rare(what: str) -> int:
    """Return a negative hash of 63 bits, for what does not fit in a positive id."""
    digest = hashlib.blake2b(what.encode(), digest_size=8).digest()
    return -1 - (int.from_bytes(digest, "big") >> 1)


def texts(table: str, rows: Iterable[Row]) -> list[Row]:
    """Return rows with texts in place of their bytes, as a session returns them."""
    names = SCHEMAS[table].names
    raw = {names.index(name) for name in ("byte_value", "proto_value") if name in names}
    return [
        tuple(
            readable_text(value) if isinstance(value, bytes) and at not in raw else value
            for at, value in enumerate(row)
        )
        for row in rows
    ]
