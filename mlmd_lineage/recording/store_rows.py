"""Rows that recording looks up by indexed columns, as named values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlmd_lineage.recording.artifacts import RecordedArtifact
from mlmd_lineage.snapshot.enums import ArtifactState
from mlmd_lineage.snapshot.tables import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from mlmd_lineage.readers.base import Session

SHA256 = "sha256"
"""The custom property of an artifact that holds the digest of its contents."""
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


def artifacts(session: Session, found: Iterable[Mapping[str, Any]]) -> dict[int, RecordedArtifact]:
    """Return artifacts by their ids, given their rows, with type and digest."""
    held = list(found)
    types = {row["type_id"] for row in held}
    names = {row["id"]: row["name"] for row in rows(session, "Type", {"id": types})}
    ids = [row["id"] for row in held]
    digests = {
        row["artifact_id"]: row["string_value"]
        for row in rows(session, "ArtifactProperty", {"artifact_id": ids, "name": [SHA256]})
    }
    return {
        row["id"]: RecordedArtifact(
            id=row["id"],
            type=names.get(row["type_id"], ""),
            uri=row["uri"] or "",
            sha256=digests.get(row["id"]),
            name=row["name"],
        )
        for row in held
    }
