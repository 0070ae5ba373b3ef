"""Looks up what a step of a run produced, and how its artifacts are kept, by indexed columns."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlmd_lineage.record_format import names
from mlmd_lineage.recording.caching.lookup import outputs_of
from mlmd_lineage.recording.store_rows import custom_properties, rows, type_ids
from mlmd_lineage.snapshot.enums import ExecutionState, TypeKind

if TYPE_CHECKING:
    from mlmd_lineage.readers.base import Session
    from mlmd_lineage.recording.artifacts import RecordedArtifact

_SUCCEEDED = {ExecutionState.COMPLETE, ExecutionState.CACHED}


@dataclasses.dataclass(frozen=True, slots=True)
class KeptValue:
    """How an artifact's contents are kept, as the artifact's properties say.

    Attributes:
        data_type: The full name of the Python class of the value.
        materializer: The full name of the materializer that wrote it.
    """

    data_type: str | None
    materializer: str | None


def step_outputs(
    session: Session, run: int, pipeline: str, step: str
) -> dict[str, tuple[RecordedArtifact, ...]]:
    """Return what the last successful execution of a step in a run produced, by keys.

    Args:
        session: An open session of the store.
        run: The id of the run's context.
        pipeline: The pipeline's name.
        step: The step's name.

    Returns:
        Nothing where the step has not succeeded in this run.
    """
    types = type_ids(session, TypeKind.CONTEXT_TYPE, names.NODE)
    nodes = rows(session, "Context", {"name": [f"{pipeline}.{step}"], "type_id": types})
    of_run, of_step = (
        {row["execution_id"] for row in rows(session, "Association", {"context_id": ids})}
        for ids in ([run], [row["id"] for row in nodes])
    )
    done = [
        row["id"]
        for row in rows(session, "Execution", {"id": of_run & of_step})
        if row["last_known_state"] in _SUCCEEDED
    ]
    return outputs_of(session, [max(done)]).get(max(done), {}) if done else {}


def kept_value(session: Session, artifact: int) -> KeptValue:
    """Return how an artifact's contents are kept.

    Args:
        session: An open session of the store.
        artifact: The artifact's id.
    """
    found = custom_properties(session, "artifact", [artifact]).get(artifact, {})
    return KeptValue(found.get("datatype"), found.get("materializer"))
