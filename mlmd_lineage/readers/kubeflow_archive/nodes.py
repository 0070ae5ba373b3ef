"""Decoding of the rows of a transfer archive: MLMD's messages as JSON with its own field names.

Whole numbers of 64 bits come as texts, enums by their names
(https://protobuf.dev/programming-guides/json/).
"""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage.snapshot.enums import ArtifactState, EventType, ExecutionState, PropertyType
from mlmd_lineage.snapshot.imported import ORIGINAL, SOURCE
from mlmd_lineage.snapshot.tables import KINDS
from mlmd_lineage.snapshot.values import STRUCT_PREFIX

if TYPE_CHECKING:
    import enum
    from collections.abc import Iterator, Mapping

_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_STATES: dict[str, tuple[str, type[enum.IntEnum]]] = {
    "artifact": ("state", ArtifactState),
    "execution": ("last_known_state", ExecutionState),
}


@dataclasses.dataclass(slots=True)
class ArchiveNode:
    """A node, and where it was before it was imported."""

    kind: str
    id: int
    type_id: int
    fields: tuple[Any, ...]
    """The columns of its row after the type's id."""
    properties: list[tuple[Any, ...]]
    """The columns of the rows of its properties after the owner's id."""
    updated: int
    origin: tuple[str, int] | None
    """The installation that it was imported from, and its id there."""


@dataclasses.dataclass(slots=True)
class ArchiveEvent:
    """An event; ``path`` holds the columns of its steps after the event's id."""

    artifact: int
    execution: int
    type: int | None
    time: int | None
    path: tuple[tuple[Any, ...], ...]


@dataclasses.dataclass(slots=True)
class ArchiveType:
    """A type; ``fields`` are the columns of its row after its kind."""

    id: int
    kind: int
    name: str
    version: str | None
    fields: tuple[Any, ...]
    properties: list[tuple[str, int]]
    base_type: str | None


def node_from(kind: str, row: Mapping[str, Any]) -> ArchiveNode:
    """Return a node.

    Raises:
        TypeError, ValueError, KeyError: The row is none.
    """
    created = number_from(row.get("create_time_since_epoch")) or 0
    updated = number_from(row.get("last_update_time_since_epoch")) or 0
    fields: list[Any] = [_text(row.get("name")), _text(row.get("external_id")), created, updated]
    if kind in _STATES:
        name, states = _STATES[kind]
        fields.insert(0, _enum(row.get(name), states))
    if kind == "artifact":
        fields.insert(0, _text(row.get("uri")))
    custom = _map(row.get("custom_properties"))
    return ArchiveNode(
        kind,
        _id(row["id"]),
        _id(row["type_id"]),
        tuple(fields),
        [*_properties(_map(row.get("properties")), False), *_properties(custom, True)],  # noqa: FBT003 - a column
        updated,
        _origin(custom),
    )


def event_from(row: Mapping[str, Any]) -> ArchiveEvent:
    """Return an event.

    Raises:
        TypeError, ValueError, KeyError: The row is none.
    """
    steps = _map(row.get("path")).get("steps") or []
    path = tuple(
        (True, number_from(step["index"]), None)
        if "index" in step
        else (False, None, _text(step.get("key", "")))
        for step in steps
    )
    return ArchiveEvent(
        _id(row["artifact_id"]),
        _id(row["execution_id"]),
        _enum(row.get("type"), EventType),
        number_from(row.get("milliseconds_since_epoch")),
        path,
    )


def type_from(kind: str, row: Mapping[str, Any]) -> ArchiveType:
    """Return a type.

    Raises:
        TypeError, ValueError, KeyError: The row is none.
    """
    name = _text(row["name"])
    if name is None:
        raise ValueError("name")  # noqa: EM101 - the field; the caller says the rest
    properties = _map(row.get("properties"))
    texts = [row.get(field) for field in ("input_type", "output_type")]
    base = _text(row.get("base_type"))
    return ArchiveType(
        _id(row["id"]),
        int(KINDS[kind].type_kind),
        name,
        _text(row.get("version")),
        (
            _text(row.get("description")),
            *(None if text is None else json.dumps(text, sort_keys=True) for text in texts),
            _text(row.get("external_id")),
        ),
        [(key, _enum(value, PropertyType) or 0) for key, value in sorted(properties.items())],
        None if base in {None, "UNSET"} else f"mlmd.{str(base).capitalize()}",
    )


def pair_from(row: Mapping[str, Any], first: str, second: str) -> tuple[int, int]:
    """Return the two ids that a membership or a parent ties together."""
    return _id(row[first]), _id(row[second])


def number_from(value: Any) -> int | None:
    """Return a whole number of 64 bits, which JSON has as a text or a number."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise TypeError(type(value).__name__)
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError(number)
    return number


def _id(value: Any) -> int:
    number = number_from(value)
    if number is None or number <= 0:
        raise ValueError(value)
    return number


def _text(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


def _map(value: Any) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise TypeError(type(value).__name__)
    return value or {}


def _enum(value: Any, names: type[enum.IntEnum]) -> int | None:
    if isinstance(value, str) and value in names.__members__:
        return int(names[value])
    return number_from(value)


def _properties(values: Mapping[str, Any], is_custom: bool) -> Iterator[tuple[Any, ...]]:  # noqa: FBT001 - a column
    for name, value in sorted(values.items()):
        yield (name, is_custom, *_value(_map(value)))


def _value(value: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a value in the columns of a property table; all are None where it has none."""
    integer, double, string, boolean = None, None, None, None
    for kind, held in value.items():
        if kind == "int_value":
            integer = number_from(held)
        elif kind == "double_value":
            double = _NUMBERS[held] if held in _NUMBERS else float(held)
        elif kind == "string_value":
            string = _text(held)
        elif kind == "struct_value":
            string = _struct(_map(held))
        elif kind == "bool_value":
            boolean = bool(held)
        elif kind == "proto_value":
            # An Any cannot be serialized without its type: its JSON is kept.
            string = json.dumps(held, sort_keys=True, ensure_ascii=False)
        else:
            raise ValueError(kind)
    return integer, double, string, None, None, boolean


def _struct(value: Mapping[str, Any]) -> str:
    from google.protobuf import struct_pb2

    message = struct_pb2.Struct()
    message.update(dict(value))
    raw = message.SerializeToString(deterministic=True)
    return STRUCT_PREFIX + base64.b64encode(raw).decode()


def _origin(custom: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return where an imported node was; None for one that was not imported."""
    source = _map(custom.get(SOURCE)).get("string_value")
    original = _map(custom.get(ORIGINAL)).get("string_value")
    if not isinstance(original, str):
        return None
    try:
        return str(source or ""), _id(json.loads(original)["id"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
