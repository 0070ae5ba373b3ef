"""Types of a service's nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage import _proto, errors
from mlmd_lineage.readers.grpc.calls import ServiceCall, request
from mlmd_lineage.snapshot.tables import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.readers.grpc.calls import ServiceClient
    from mlmd_lineage.readers.grpc.status_errors import GRPCStatus
    from mlmd_lineage.snapshot.tables import NodeSchema

    Row = tuple[Any, ...]

_BASE_TYPES = {
    "artifact": ("Dataset", "Model", "Metrics", "Statistics"),
    "execution": ("Train", "Transform", "Process", "Evaluate", "Deploy"),
    "context": (),
}
"""What MLMD calls its own types, after ``mlmd.``; its lists leave them out."""


def type_tables(service: ServiceClient) -> dict[str, list[Row]]:
    """Return the rows of Type, TypeProperty and ParentType, in their order."""
    found: dict[str, dict[int, Any]] = {kind.name: {} for kind in KINDS.values()}
    service.run(_calls(found))
    types, properties, parents = [], [], []
    for kind in KINDS.values():
        by_name = {message.name: number for number, message in found[kind.name].items()}
        for number, message in found[kind.name].items():
            types.append(_type_row(kind, message))
            properties += [(number, name, kind_of) for name, kind_of in message.properties.items()]
            if message.base_type:
                base = message.SystemDefinedBaseType.Name(message.base_type).capitalize()
                if f"mlmd.{base}" in by_name:
                    parents.append((number, by_name[f"mlmd.{base}"]))
    return {
        "Type": sorted(types, key=lambda row: row[0]),
        "TypeProperty": sorted(properties),
        "ParentType": sorted(parents),
    }


def _calls(found: dict[str, dict[int, Any]]) -> Iterator[ServiceCall]:
    for kind in KINDS.values():
        yield _call(f"Get{kind.table}Types", found[kind.name], f"{kind.name}_types")
        for name in _BASE_TYPES[kind.name]:
            method, field = f"Get{kind.table}Type", f"{kind.name}_type"
            yield _call(method, found[kind.name], field, type_name=f"mlmd.{name}")


def _call(method: str, held: dict[int, Any], field: str, **asked: str) -> ServiceCall:
    response: Any = _proto.message(f"{method}Response")

    def take(answer: bytes) -> None:
        if answer:
            given = getattr(response.FromString(answer), field)
            for message in [given] if asked else given:
                held[message.id] = message

    made = request(f"{method}Request", **asked)
    return ServiceCall(method, made, take, refused=_absent if asked else None, optional=bool(asked))


def _absent(status: GRPCStatus) -> None:
    """Do without a type of MLMD's own where the service is older than that method."""
    if status.code != "UNIMPLEMENTED":
        message = f"The service fails on MLMD's own types ({status.code}: {status.details})."
        raise errors.ReadError(message)


def _type_row(kind: NodeSchema, message: Any) -> Row:
    def given(field: str) -> Any:
        return getattr(message, field) if message.HasField(field) else None

    taken = (
        [given(name) for name in ("input_type", "output_type")] if kind.name == "execution" else []
    )
    inputs, outputs = [_json(part) for part in taken] or (None, None)
    return (
        message.id,
        message.name,
        given("version"),
        kind.type_kind,
        given("description"),
        inputs,
        outputs,
        given("external_id"),
    )


def _json(message: Any) -> str | None:
    from google.protobuf import json_format

    return None if message is None else json_format.MessageToJson(message, indent=None)
