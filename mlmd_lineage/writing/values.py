"""The columns of a property's value, from MLMD's ``Value`` messages.

A struct is kept as text with a prefix, a proto as its serialized ``Any``, as
``mlmd_lineage.snapshot.values`` reads them.
"""

from __future__ import annotations

import base64
from typing import Any

from mlmd_lineage.errors import PutRefusedError

STRUCT_PREFIX = "mlmd-struct::"
NULL_TEXT = "__MLMD_NULL__"
RESERVED = frozenset({"ml", "__"})
"""The first two letters of the texts that MLMD takes for something else, and of others."""

UNKNOWN, INT, DOUBLE, STRING, STRUCT, PROTO, BOOLEAN = range(7)
"""The numbers of MLMD's ``PropertyType``."""

TYPE_OF = {
    "int_value": INT,
    "double_value": DOUBLE,
    "string_value": STRING,
    "struct_value": STRUCT,
    "proto_value": PROTO,
    "bool_value": BOOLEAN,
    None: UNKNOWN,
}
"""The property type of each field of a ``Value``."""

COLUMNS = ("int_value", "double_value", "string_value", "proto_value", "bool_value")
"""The columns that hold values; ``byte_value`` is in the tables and MLMD writes nothing to it."""


def column_and_value(name: str, value: Any) -> tuple[str, Any]:
    """Return the column that takes a property's value, and what it takes: bytes of a proto.

    Raises:
        PutRefusedError: There is no value, or it is a text that MLMD takes for something else.
    """
    field = value.WhichOneof("value")
    if field == "string_value":
        text = value.string_value
        if text[:2] in RESERVED and (text == NULL_TEXT or text.startswith(STRUCT_PREFIX)):
            message = (
                f"The property {name!r} is a text that MLMD cannot read back: it keeps "
                f"{STRUCT_PREFIX!r} for structs and {NULL_TEXT!r} for no value at all. Change it."
            )
            raise PutRefusedError(message)
        return field, text
    if field == "struct_value":
        raw = value.struct_value.SerializeToString(deterministic=True)
        return "string_value", STRUCT_PREFIX + base64.b64encode(raw).decode()
    if field == "proto_value":
        return field, value.proto_value.SerializeToString(deterministic=True)
    if field is None:
        message = f"The property {name!r} has no value. Give it one, or leave it out."
        raise PutRefusedError(message)
    return field, getattr(value, field)
