"""Columns of many serialized artifacts, executions and event edges.

Reading every field of many messages through protobuf's Python interface takes most of the time of
a large put. ``_messages.c``, which is compiled when the package is built, decodes what protobuf
serializes in one call. It decodes new nodes with their properties and the edges between them;
where there is anything else, or there was no compiler, the messages are read one by one.
"""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlmd_lineage.compiled import compiled_library
from mlmd_lineage.writing import values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Numbers = np.ndarray[Any, np.dtype[np.int64]]

_HAS_ID, _HAS_TYPE_ID, _HAS_NAME, _HAS_URI, _HAS_EXTERNAL_ID, _HAS_STATE = 1, 2, 4, 8, 16, 32
_MOST_NAMES, _MOST_SHAPES, _MOST_CODES = 1024, 256, 8192
_STATES = 6
"""The greatest number of MLMD's states of artifacts and of executions."""
_EVENT_TYPES = 7
_FIELDS = (
    None,
    "int_value",
    "double_value",
    "string_value",
    "struct_value",
    "proto_value",
    "bool_value",
)
"""The fields of a ``Value`` by their numbers."""


class Property(NamedTuple):
    """A property that some nodes have, all with a value of one kind."""

    name: str
    custom: bool
    field: str
    """The field of ``Value`` that holds the value."""
    column: str
    """The column that takes it."""
    values: list[Any]
    """What the column takes, by the nodes."""


class Shape(NamedTuple):
    """Nodes that have the same properties with values of the same kinds."""

    nodes: Numbers
    """Their places among all."""
    types: frozenset[int]
    """The ids of their types."""
    properties: list[Property]


class NewNodeColumns(NamedTuple):
    """Columns of new nodes; None where a node has no such field."""

    type_ids: list[int]
    names: list[str | None]
    external_ids: list[str | None]
    states: list[int | None]
    uris: list[str]
    shapes: list[Shape]

    @property
    def types(self) -> frozenset[int]:
        """The ids of their types."""
        return frozenset().union(*(shape.types for shape in self.shapes))


class EdgeColumns(NamedTuple):
    """Columns of event edges between new nodes."""

    artifacts: Numbers
    """The places of the artifacts."""
    executions: Numbers
    types: list[int]
    times: list[int]
    paths: list[tuple[int, bytes]]
    """The edges with a path, each with the serialized path."""


class MessageBytes(NamedTuple):
    """Serialized messages of one kind."""

    data: bytes
    starts: Numbers
    ends: Numbers

    @classmethod
    def of(cls, messages: Sequence[Any]) -> MessageBytes:
        """Return some messages, which are serialized one by one."""
        kinds: set[Any] = {*map(type, messages)}
        if len(kinds) == 1:
            # Looking up the method of each message costs as much as the call.
            parts = [*map(kinds.pop().SerializeToString, messages)]
        else:
            parts = [message.SerializeToString() for message in messages]
        ends = np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)))
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])[: len(parts)]
        return cls(b"".join(parts), starts, ends)

    @classmethod
    def in_field(cls, data: bytes, field: int) -> MessageBytes | None:
        """Return the messages in a field, or None where it cannot be told where they are.

        Args:
            data: A serialized message.
            field: The number of one of its fields.
        """
        find = compiled().find_messages
        count = find(data, len(data), field, None, None)
        if count < 0:
            return None
        places = np.empty((2, count), np.int64)
        find(data, len(data), field, *(column.ctypes.data for column in places))
        return cls(data, places[0], places[1])

    @property
    def addresses(self) -> tuple[bytes, int, int, int]:
        """What the library's functions take first."""
        return self.data, self.starts.ctypes.data, self.ends.ctypes.data, len(self.starts)

    def texts(self, starts: Numbers, ends: Numbers) -> list[str]:
        """Return the texts at some places.

        Raises:
            UnicodeDecodeError: One is not UTF-8.
        """
        joined = np.empty(int((ends - starts).sum()) + len(starts), np.uint8)
        begin, end = np.ascontiguousarray(starts), np.ascontiguousarray(ends)
        places = begin.ctypes.data, end.ctypes.data, len(starts)
        size = compiled().join_texts(self.data, *places, joined.ctypes.data)
        if size >= 0 and len(starts):
            return joined[:size].tobytes().decode().split("\0")
        return [
            self.data[a:b].decode() for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
        ]


_BY_NODE = (
    *("has", "type_id", "state", "name_start", "name_end", "uri_start", "uri_end"),
    *("external_id_start", "external_id_end", "first_property", "shape"),
)
_BY_PROPERTY = ("value", "value_end", "may_be_reserved")
_TABLES = ("property_name_start", "property_name_end", "shape_start", "codes")
_BY_EDGE = ("artifact_index", "execution_index", "type", "time", "path_start", "path_end")


class _NodeArrays(ctypes.Structure):
    """``struct nodes`` of the library."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in (*_BY_NODE, *_BY_PROPERTY, *_TABLES)),
        ("names", ctypes.c_int64),
        ("shapes", ctypes.c_int64),
    )


class _EdgeArrays(ctypes.Structure):
    """``struct edges`` of the library."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in _BY_EDGE)


class _Library(NamedTuple):
    """The functions of ``_messages.c``."""

    find_messages: Callable[..., int]
    count_properties: Callable[..., int]
    decode_nodes: Callable[..., int]
    decode_edges: Callable[..., int]
    decode_events: Callable[..., int]
    join_texts: Callable[..., int]


@functools.cache
def library() -> _Library | None:
    """Return the functions of ``_messages.c``, or None where it was not compiled."""
    compiled = compiled_library(__file__, "_messages")
    if compiled is None:
        return None
    address, number = ctypes.c_void_p, ctypes.c_int64
    arguments = {
        "find_messages": (ctypes.c_char_p, number, number, address, address),
        "count_properties": (ctypes.c_char_p, address, address, number),
        "decode_nodes": (ctypes.c_char_p, address, address, number, number, address),
        "decode_edges": (ctypes.c_char_p, address, address, number, number, address),
        "decode_events": (ctypes.c_char_p, address, address, number, number, address),
        "join_texts": (ctypes.c_char_p, address, address, number, address),
    }
    for name, types in arguments.items():
        function = getattr(compiled, name)
        function.argtypes, function.restype = types, number
    return _Library(*(getattr(compiled, name) for name in arguments))


def compiled() -> _Library:
    """Return the functions of a library that is there."""
    found = library()
    assert found is not None
    return found


def nodes(given: MessageBytes, *, are_artifacts: bool) -> NewNodeColumns | None:
    """Return the columns of new artifacts or executions, or None where they are not all decoded.

    Args:
        given: The nodes.
        are_artifacts: Whether they are artifacts.
    """
    properties = compiled().count_properties(*given.addresses)
    by_node = np.empty((len(_BY_NODE), len(given.starts)), np.int64)
    by_property = np.empty((len(_BY_PROPERTY), max(properties, 0)), np.int64)
    names = np.empty((2, _MOST_NAMES), np.int64)
    shapes = [np.empty(_MOST_SHAPES + 1, np.int64), np.empty(_MOST_CODES, np.int64)]
    columns = [*by_node, *by_property, *names, *shapes]
    out = _NodeArrays(*(column.ctypes.data for column in columns))
    if (
        properties < 0
        or compiled().decode_nodes(*given.addresses, are_artifacts, ctypes.byref(out)) != properties
    ):
        return None
    node = dict(zip(_BY_NODE, by_node, strict=True))
    has = node["has"]
    if (has & _HAS_ID).any() or not (has & _HAS_TYPE_ID).all():
        return None
    states = _optional(node["state"], has & _HAS_STATE)
    with_state = has & _HAS_STATE != 0
    state = node["state"][with_state]
    if ((state < 0) | (state > _STATES)).any():
        return None  # protobuf takes it for an unknown field
    try:
        return NewNodeColumns(
            node["type_id"].tolist(),
            _texts(given, node, "name", has & _HAS_NAME, None),
            _texts(given, node, "external_id", has & _HAS_EXTERNAL_ID, None),
            states,
            _texts(given, node, "uri", has & _HAS_URI, "") if are_artifacts else [],
            _shapes(given, node, by_property, names[:, : out.names], shapes, out.shapes),
        )
    except UnicodeDecodeError:
        return None


def edges(given: MessageBytes, now: int) -> EdgeColumns | None:
    """Return the columns of event edges, or None where they are not all decoded.

    Args:
        given: The edges.
        now: The time of events that have none.
    """
    return _decoded_edges(compiled().decode_edges, given, now)


def edges_of(given: Sequence[tuple[int | None, int | None, Any]], now: int) -> EdgeColumns | None:
    """Return the columns of event edges as ``ml_metadata``'s client has them, as ``edges`` does.

    Args:
        given: For each the place of an execution, that of an artifact, and the event.
        now: The time of events that have none.
    """
    try:
        executions = np.fromiter([edge[0] for edge in given], np.int64, len(given))
        artifacts = np.fromiter([edge[1] for edge in given], np.int64, len(given))
    except (TypeError, OverflowError):  # no place
        return None
    events = MessageBytes.of([edge[2] for edge in given])
    found = _decoded_edges(compiled().decode_events, events, now)
    return None if found is None else found._replace(artifacts=artifacts, executions=executions)


def _decoded_edges(decode: Callable[..., int], given: MessageBytes, now: int) -> EdgeColumns | None:
    columns = np.empty((len(_BY_EDGE), len(given.starts)), np.int64)
    out = _EdgeArrays(*(column.ctypes.data for column in columns))
    if decode(*given.addresses, now, ctypes.byref(out)) < 0:
        return None
    artifacts, executions, types, times, path_starts, path_ends = columns
    if ((types < 1) | (types > _EVENT_TYPES)).any():
        return None
    paths = [
        (place, given.data[path_starts[place] : path_ends[place]])
        for place in np.flatnonzero(path_ends).tolist()
    ]
    return EdgeColumns(artifacts, executions, types.tolist(), times.tolist(), paths)


def _optional(column: Numbers, has: Numbers) -> list[Any]:
    found: list[Any] = column.tolist()
    for place in np.flatnonzero(has == 0).tolist():
        found[place] = None
    return found


def _texts(
    given: MessageBytes,
    node: dict[str, Numbers],
    name: str,
    has: Numbers,
    missing: str | None,
) -> list[Any]:
    present = has != 0
    columns = node[f"{name}_start"], node[f"{name}_end"]
    if present.all():
        return given.texts(*columns)
    found: list[Any] = [missing] * len(has)
    places = np.flatnonzero(present)
    held = given.texts(*(column[places] for column in columns))
    for place, value in zip(places.tolist(), held, strict=True):
        found[place] = value
    return found


def _shapes(  # noqa: PLR0913, PLR0917 - the arrays that the library fills
    given: MessageBytes,
    node: dict[str, Numbers],
    by_property: Numbers,
    names: Numbers,
    shapes: Sequence[Numbers],
    count: int,
) -> list[Shape]:
    known = [given.data[start:end].decode() for start, end in names.T.tolist()]
    bounds = shapes[0][: count + 1].tolist()
    found = []
    for number in range(count):
        places = np.flatnonzero(node["shape"] == number)
        first = node["first_property"][places]
        codes = shapes[1][bounds[number] : bounds[number + 1]].tolist()
        properties = []
        for offset, code in enumerate(codes):
            name, field = known[code >> 4], _FIELDS[code & 7]
            assert field is not None
            columns = by_property[:, first + offset]
            column, held = _values(given, name, field, columns)
            properties.append(Property(name, bool(code & 8), field, column, held))
        types = frozenset(node["type_id"][places].tolist())
        found.append(Shape(places, types, properties))
    return found


def _values(given: MessageBytes, name: str, field: str, columns: Numbers) -> tuple[str, list[Any]]:
    """Return the column that takes the values of a property, and what it takes."""
    starts, ends, may_be_reserved = columns
    if field == "int_value":
        return field, starts.tolist()
    if field == "double_value":
        return field, starts.view(np.float64).tolist()
    if field == "bool_value":
        return field, (starts != 0).tolist()
    if field == "string_value" and not may_be_reserved.any():
        return field, given.texts(starts, ends)
    from mlmd_lineage.writing.writer import message

    column, held = field, []
    value = message("Value")()
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if field == "string_value":
            value.string_value = given.data[start:end].decode()
        else:
            value.ParseFromString(given.data[start:end])
        column, stored = values.column_and_value(name, value)
        held.append(stored)
    return column, held
