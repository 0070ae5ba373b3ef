"""Values of properties: conversion of their stored columns to Python.

MLMD keeps a STRUCT as text, ``mlmd-struct::`` and the base64 of a ``google.protobuf.Struct``, and
a PROTO as a serialized ``google.protobuf.Any``
(``ml_metadata/metadata_store/rdbms_metadata_access_object.cc``).
"""

from __future__ import annotations

import base64
import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlmd_lineage.snapshot import arrays
from mlmd_lineage.snapshot.arrays import pc

if TYPE_CHECKING:
    from collections.abc import Iterator

STRUCT_PREFIX = "mlmd-struct::"
NULL_TEXT = "__MLMD_NULL__"
"""A text that MLMD itself cannot read back: it stands for NULL inside the native library."""

INT, DOUBLE, STRING, STRUCT, PROTO, BOOL, BYTES, NOTHING = range(8)


@dataclasses.dataclass(frozen=True, slots=True)
class ProtoValue:
    r"""The value of a PROTO property: an ``Any``, unpacked by whoever knows its type.

    >>> ProtoValue("type.googleapis.com/google.protobuf.Duration", b"\x08\x01").value
    b'\x08\x01'
    """

    type_url: str
    value: bytes


def struct_from(text: str) -> dict[str, Any]:
    """Return the dict that a STRUCT property's text holds; all of its numbers are floats.

    Raises:
        ValueError: The text is no such struct.
    """
    from google.protobuf import struct_pb2

    message = struct_pb2.Struct()
    try:
        message.ParseFromString(base64.b64decode(text.removeprefix(STRUCT_PREFIX), validate=True))
    except Exception as error:  # noqa: BLE001 - protobuf's errors have no common base over its versions
        what = f"not a struct: {type(error).__name__}"
        raise ValueError(what) from None
    return {name: _plain(value) for name, value in sorted(message.fields.items())}


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        return {name: _plain(item) for name, item in sorted(fields.items())}
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    return None if kind in {None, "null_value"} else getattr(value, kind)


def proto_from(raw: bytes) -> ProtoValue:
    """Return the ``Any`` that a PROTO property holds.

    Raises:
        ValueError: The bytes are no such message.
    """
    from google.protobuf import any_pb2

    message = any_pb2.Any()
    try:
        message.ParseFromString(raw)
    except Exception as error:  # noqa: BLE001 - protobuf's errors have no common base over its versions
        what = f"not a google.protobuf.Any: {type(error).__name__}"
        raise ValueError(what) from None
    return ProtoValue(message.type_url, message.value)


def value_of(  # noqa: PLR0911, PLR0913, PLR0917 - one for each column of the row
    integer: int | None,
    double: float | None,
    string: str | None,
    raw: bytes | None,
    proto: bytes | None,
    boolean: bool | None,  # noqa: FBT001 - a column of the row
) -> Any:
    """Return the Python value in a property's six columns; None where it has none.

    A struct or a proto that cannot be decoded is returned as its text or bytes.
    """
    if string is not None:
        if string.startswith(STRUCT_PREFIX):
            try:
                return struct_from(string)
            except ValueError:
                return string
        return string
    if integer is not None:
        return integer
    if double is not None:
        return double
    if boolean is not None:
        return boolean
    if proto is not None:
        try:
            return proto_from(proto)
        except ValueError:
            return proto
    return raw


def kinds_of(properties: pa.Table) -> np.ndarray[Any, np.dtype[np.int8]]:
    """Return for each row of a property table which kind of value it holds, INT to NOTHING."""
    kinds = np.full(properties.num_rows, NOTHING, np.int8)
    # In this order a later one wins, as in value_of().
    for column, kind in (
        ("byte_value", BYTES),
        ("proto_value", PROTO),
        ("bool_value", BOOL),
        ("double_value", DOUBLE),
        ("int_value", INT),
        ("string_value", STRING),
    ):
        values = properties[column]
        if values.null_count < len(values):
            kinds[arrays.to_numpy(pc.is_valid(values))] = kind
    strings = properties["string_value"]
    if strings.null_count < len(strings):
        kinds[arrays.to_numpy(pc.starts_with(strings, STRUCT_PREFIX))] = STRUCT
    return kinds


def values_by_owner(properties: pa.Table) -> dict[int, tuple[dict[str, Any], dict[str, Any]]]:
    """Return for each owner its ``(properties, custom_properties)`` as Python dicts by name."""
    found: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
    for owner, name, custom, *value in rows_of(properties):
        both = found.get(owner)
        if both is None:
            both = found[owner] = ({}, {})
        both[bool(custom)][name] = value_of(*value)
    return {
        owner: (dict(sorted(plain.items())), dict(sorted(custom.items())))
        for owner, (plain, custom) in found.items()
    }


def rows_of(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Yield a table's rows as tuples."""
    if not table.num_columns:
        return iter(())
    return zip(*map(_values, table.columns), strict=True)


def _values(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    if column.null_count == len(column):
        return [None] * len(column)
    if pa.types.is_dictionary(kind):
        column = arrays.decoded(column)
        kind = column.type
    if not column.null_count and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        numbers: list[Any] = arrays.to_numpy(column).tolist()
        return numbers
    values: list[Any] = column.to_pylist()
    return values
