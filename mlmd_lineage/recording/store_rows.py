"""Rows that recording looks up by indexed columns, as named values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.record_format.names import NO_DIGEST, SHA256
from mlmd_lineage.recording.artifacts import RecordedArtifact
from mlmd_lineage.snapshot.enums import ArtifactState
from mlmd_lineage.snapshot.tables import KINDS, SCHEMAS
from mlmd_lineage.snapshot.values import value_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from mlmd_lineage.readers.base import Session

GONE = frozenset(
    {ArtifactState.MARKED_FOR_DELETION, ArtifactState.DELETED, ArtifactState.ABANDONED}
)
"""The states of artifacts whose contents are not there."""


def rows(
    session: Session, table: str, where: Mapping[str, Collection[int | str]]
) -> list[dict[str, Any]]:
    """Return the rows of a table whose columns have some values, each by its columns' names."""
    if not all(where.values()):
        return []
    names = SCHEMAS[table].names
    return [dict(zip(names, row, strict=True)) for row in session.fetch(table, where)]


def type_ids(session: Session, kind: int, name: str) -> list[int]:
    """Return the ids of the types of a kind and a name, in whatever version."""
    found = rows(session, "Type", {"name": [name]})
    return [row["id"] for row in found if row["type_kind"] == kind and row["name"] == name]


def external_ids(session: Session, table: str, wanted: Collection[str]) -> dict[str, int]:
    """Return the ids of the nodes that have some external ids."""
    found = rows(session, table, {"external_id": wanted})
    return {row["external_id"]: row["id"] for row in found if row["external_id"] in wanted}


def artifacts(session: Session, found: Iterable[Mapping[str, Any]]) -> dict[int, RecordedArtifact]:
    """Return artifacts by their ids, given their rows, with their types and digests."""
    held = list(found)
    types = {row["type_id"] for row in held}
    names = {row["id"]: row["name"] for row in rows(session, "Type", {"id": types})}
    ids = [row["id"] for row in held]
    properties = {"artifact_id": ids, "name": [SHA256, NO_DIGEST]}
    digests: dict[int, str] = {}
    undigested: set[int] = set()
    for row in rows(session, "ArtifactProperty", properties):
        if row["name"] == SHA256:
            digests[row["artifact_id"]] = row["string_value"]
        elif row["name"] == NO_DIGEST:
            undigested.add(row["artifact_id"])
    return {
        row["id"]: RecordedArtifact(
            id=row["id"],
            type=names.get(row["type_id"], ""),
            uri=row["uri"] or "",
            sha256=digests.get(row["id"]),
            name=row["name"],
            is_undigested=row["id"] in undigested and row["id"] not in digests,
        )
        for row in held
    }


def custom_properties(
    session: Session, kind: str, ids: Collection[int]
) -> dict[int, dict[str, Any]]:
    """Return the custom properties of nodes, by their ids and by names."""
    schema = KINDS[kind]
    found: dict[int, dict[str, Any]] = {}
    for row in rows(session, schema.properties, {schema.id_column: ids}):
        if row["is_custom_property"]:
            value = value_of(*(row[column] for column in _VALUE_COLUMNS))
            found.setdefault(row[schema.id_column], {})[row["name"]] = value
    return found


_VALUE_COLUMNS = (
    "int_value",
    "double_value",
    "string_value",
    "byte_value",
    "proto_value",
    "bool_value",
)
