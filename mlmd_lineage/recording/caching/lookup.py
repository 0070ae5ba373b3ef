"""Looks up the execution whose results a step can reuse, by the digest of its cache key.

A successful execution that has a cache key is associated with a context of type
``execution_cache`` whose name is the digest, as TFX and ZenML have it. Contexts are indexed by
type and name, associations by context: what a look-up costs does not follow the size of the store.
Cached executions are not associated, so that it does not grow with the number of hits either.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlmd_lineage.record_format.names import CACHE_CONTEXT
from mlmd_lineage.recording.store_rows import GONE, artifacts, rows, type_ids
from mlmd_lineage.snapshot.enums import PUBLISHED_OUTPUTS, ExecutionState, TypeKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.recording.artifacts import RecordedArtifact


@dataclasses.dataclass(frozen=True, slots=True)
class CachedResult:
    """An execution that completed with a cache key, and what it produced.

    Attributes:
        execution_id: Its id.
        finished: When it was last updated, in milliseconds since 1970-01-01 UTC.
        outputs: Its outputs by their keys.
    """

    execution_id: int
    finished: int
    outputs: Mapping[str, tuple[RecordedArtifact, ...]]


def results(session: Session, digest: str) -> list[CachedResult]:
    """Return the executions that completed with a cache key, the newest first.

    Args:
        session: An open session of the store.
        digest: The digest of the key.
    """
    types = type_ids(session, TypeKind.CONTEXT_TYPE, CACHE_CONTEXT)
    contexts = [row["id"] for row in rows(session, "Context", {"name": [digest], "type_id": types})]
    members = {
        row["execution_id"] for row in rows(session, "Association", {"context_id": contexts})
    }
    done = {
        row["id"]: row["last_update_time_since_epoch"] or 0
        for row in rows(session, "Execution", {"id": members})
        if row["last_known_state"] == ExecutionState.COMPLETE
    }
    outputs = outputs_of(session, done)
    newest = sorted(outputs, key=lambda number: (done[number], number), reverse=True)
    return [CachedResult(number, done[number], outputs[number]) for number in newest]


def outputs_of(
    session: Session, executions: Collection[int]
) -> dict[int, dict[str, tuple[RecordedArtifact, ...]]]:
    """Return the outputs of executions by their keys; of those all of whose outputs are held."""
    events = {
        row["id"]: row
        for row in rows(session, "Event", {"execution_id": executions})
        if row["type"] in PUBLISHED_OUTPUTS
    }
    held = rows(session, "Artifact", {"id": {row["artifact_id"] for row in events.values()}})
    known = artifacts(session, [row for row in held if row["state"] not in GONE])
    places: dict[tuple[int, str], list[tuple[int, RecordedArtifact]]] = {}
    lost: set[int] = set()
    paths: dict[int, list[tuple[str, int]]] = {number: [] for number in events}
    for row in rows(session, "EventPath", {"event_id": events.keys()}):
        if not row["is_index_step"]:
            paths[row["event_id"]].append((row["step_key"], 0))
        elif paths[row["event_id"]]:
            key, _ = paths[row["event_id"]][-1]
            paths[row["event_id"]][-1] = (key, row["step_index"])
    for number, row in events.items():
        artifact = known.get(row["artifact_id"])
        if artifact is None:
            lost.add(row["execution_id"])
            continue
        for key, index in paths[number] or [(artifact.type, 0)]:
            places.setdefault((row["execution_id"], key), []).append((index, artifact))
    found: dict[int, dict[str, tuple[RecordedArtifact, ...]]] = {
        number: {} for number in executions if number not in lost
    }
    for (number, key), several in sorted(places.items(), key=lambda item: item[0]):
        if number in found:
            ordered = sorted(several, key=lambda pair: (pair[0], pair[1].id or 0))
            found[number][key] = tuple(artifact for _, artifact in ordered)
    return found
