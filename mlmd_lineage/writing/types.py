"""Putting types, by MLMD's rules of how they evolve.

A type is one of its kind, name and version. Its declared properties only ever grow; its
description, input type and output type stay as they were first put.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlmd_lineage.errors import AlreadyExistsError, PutRefusedError
from mlmd_lineage.writing import schema, values
from mlmd_lineage.writing.transaction import RaceLostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.writing.transaction import Transaction

_BASE_TYPES = {
    schema.ARTIFACT: {1: "mlmd.Dataset", 2: "mlmd.Model", 3: "mlmd.Metrics", 4: "mlmd.Statistics"},
    schema.EXECUTION: {
        1: "mlmd.Train",
        2: "mlmd.Transform",
        3: "mlmd.Process",
        4: "mlmd.Evaluate",
        5: "mlmd.Deploy",
    },
    schema.CONTEXT: {},
}


def put_type(
    transaction: Transaction, kind: int, given: Any, *, can_add: bool, can_omit: bool
) -> int:
    """Insert a type, or add to the one that has its name and version; return its id.

    Args:
        transaction: The open transaction.
        kind: ``schema.ARTIFACT``, ``EXECUTION`` or ``CONTEXT``.
        given: MLMD's message.
        can_add: Whether it may declare properties that the stored type does not.
        can_omit: Whether it may leave out properties that the stored type declares.

    Raises:
        PutRefusedError: MLMD's rules refuse it.
    """
    if not given.name:
        message = "A type has no name. Give it one."
        raise PutRefusedError(message)
    found = _find(transaction, kind, given.name, given.version)
    if found is None:
        transaction.session.lock_types()
        # On a server, another writer may have inserted it before the lock was had.
        found = _find(transaction, kind, given.name, given.version, lock=True)
    if found is None:
        number = _create(transaction, kind, given)
    else:
        number, name = found
        _evolve(transaction, given, number, name, can_add=can_add, can_omit=can_omit)
    _put_base_type(transaction, kind, given, number)
    transaction.forget_type(number)
    return number


def find_type(transaction: Transaction, kind: int, name: str, version: str = "") -> int | None:
    """Return the id of a type, or None."""
    found = _find(transaction, kind, name, version)
    return found and found[0]


def _find(
    transaction: Transaction, kind: int, name: str, version: str, *, lock: bool = False
) -> tuple[int, str] | None:
    session = transaction.session
    if lock and not session.locking:
        return None
    key = session.text_key(version)
    rows = session.fetch(
        "Type",
        ("id", "name", "version"),
        "name",
        [name],
        and_equal=("type_kind", kind),
        lock=lock,
    )
    fitting = sorted(
        (number, stored) for number, stored, other in rows if session.text_key(other or "") == key
    )
    return fitting[0] if fitting else None


def _create(transaction: Transaction, kind: int, given: Any) -> int:
    session = transaction.session
    external_id = given.external_id if given.HasField("external_id") else None
    if external_id is not None and session.fetch(
        "Type", ("id",), "external_id", [external_id], and_equal=("type_kind", kind)
    ):
        message = f"Another type has the external_id {external_id!r}. It names one thing only."
        raise AlreadyExistsError(message)
    try:
        [number] = session.insert_new(
            "Type",
            {
                "name": [given.name],
                "version": [given.version or None],
                "type_kind": [kind],
                "description": [given.description if given.HasField("description") else None],
                "input_type": [_json(given, "input_type")],
                "output_type": [_json(given, "output_type")],
                "external_id": [external_id],
            },
        )
    except AlreadyExistsError as error:
        raise PutRefusedError(str(error), "INTERNAL") from None
    for name, data_type in given.properties.items():
        if data_type == values.UNKNOWN:
            raise _unknown(name)
    _insert_properties(transaction, number, given.properties)
    return number


def _insert_properties(
    transaction: Transaction, number: int, properties: Mapping[str, int]
) -> None:
    if properties:
        data: dict[str, list[Any]] = {
            "type_id": [number] * len(properties),
            "name": list(properties),
            "data_type": list(properties.values()),
        }
        transaction.session.insert("TypeProperty", data)


def _json(given: Any, field: str) -> str | None:
    """Return the JSON by which MLMD keeps the input or the output type of an execution type."""
    if field not in given.DESCRIPTOR.fields_by_name or not given.HasField(field):
        return None
    from google.protobuf import json_format

    found = json_format.MessageToDict(getattr(given, field))
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def _unknown(name: str) -> PutRefusedError:
    return PutRefusedError(f"The property {name!r} of a type has the type UNKNOWN. Give it one.")


def _evolve(  # noqa: PLR0913 - what it needs of one call
    transaction: Transaction, given: Any, number: int, name: str, *, can_add: bool, can_omit: bool
) -> None:
    session = transaction.session
    rows = session.fetch("TypeProperty", ("name", "data_type"), "type_id", [number])
    stored: dict[str, int] = dict(rows)
    where = f"The type {given.name!r} is in the store already"
    if name != given.name:
        message = f"{where} as {name!r}, which this database takes for the same name."
        raise AlreadyExistsError(message)
    omitted = stored.keys() - given.properties.keys()
    for key, data_type in stored.items():
        if key in given.properties and given.properties[key] != data_type:
            message = f"{where}, and its property {key!r} is of another type. Use another name."
            raise AlreadyExistsError(message)
    if omitted and not can_omit:
        message = (
            f"{where}, and also has {', '.join(map(repr, sorted(omitted)))}. Declare them, or set "
            "can_omit_fields."
        )
        raise AlreadyExistsError(message)
    added = {key: value for key, value in given.properties.items() if key not in stored}
    if added and not can_add:
        message = (
            f"{where}, and has no {', '.join(map(repr, sorted(added)))}. Set can_add_fields to add "
            "them."
        )
        raise AlreadyExistsError(message)
    for key, data_type in added.items():
        if data_type == values.UNKNOWN:
            raise _unknown(key)
    try:
        _insert_properties(transaction, number, added)
    except AlreadyExistsError as error:
        raise RaceLostError(error) from None
    if given.external_id:
        session.update("Type", ("external_id",), (given.external_id,), number)


def _put_base_type(transaction: Transaction, kind: int, given: Any, number: int) -> None:
    if not given.HasField("base_type"):
        return
    name = _BASE_TYPES[kind].get(given.base_type)
    if name is None:
        message = f"The base type of {given.name!r} cannot be taken away. Leave base_type out."
        raise PutRefusedError(message, "UNIMPLEMENTED")
    session = transaction.session
    wanted = find_type(transaction, kind, name)
    if wanted is None:  # MLMD makes it whenever it opens a store
        session.lock_types()
        [wanted] = session.insert_new("Type", {"name": [name], "type_kind": [kind]})
    stored = {
        parent
        for (parent,) in session.fetch("ParentType", ("parent_type_id",), "type_id", [number])
    }
    if wanted in stored:
        return
    if stored:
        message = f"The base type of {given.name!r} cannot be changed to {name}."
        raise PutRefusedError(message, "UNIMPLEMENTED")
    if wanted == number:
        message = f"{name} cannot be its own base type. Leave base_type out."
        raise PutRefusedError(message)
    session.insert("ParentType", {"type_id": [number], "parent_type_id": [wanted]})
