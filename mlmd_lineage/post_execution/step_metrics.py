"""The scalar metrics of a step, which are those of its output artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage import errors
from mlmd_lineage.post_execution import materializers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmd_lineage.dialects.records import StepRecord
    from mlmd_lineage.post_execution.loading.run_index import RunIndex

SCALAR_TYPES = frozenset(
    {"builtins.float", "builtins.int", "builtins.bool", "Float", "Integer", "Boolean"}
)
"""The types of artifacts that are a single number: data types of ZenML, value artifacts of TFX."""


def rows_of(
    run_index: RunIndex, step: StepRecord, *, read_artifacts: bool = False
) -> Iterator[tuple[int, str, str, float | None]]:
    """Yield a step's metrics: the artifact's id, the output's key, the name and the value."""
    for key, artifacts in step.outputs.items():
        for artifact in artifacts:
            record = run_index.artifact(artifact, step.dialect)
            for name, value in sorted(record.metrics.items()) if record is not None else ():
                yield artifact, key, name, float(value)
            if read_artifacts and is_scalar(run_index, artifact, step.dialect):
                number, _ = _read(run_index, artifact, step.dialect)
                yield artifact, key, key, number


def metrics_of(
    run_index: RunIndex,
    step: StepRecord,
    *,
    read_artifacts: bool = False,
    unread: dict[str, str] | None = None,
) -> dict[str, float | int | bool]:
    """Return a step's metrics by their names.

    A name that two outputs have comes with the output's key before it: ``eval.accuracy``.
    What could not be read is added to ``unread``: the artifact's key, and why.
    """
    found: dict[str, dict[str, float | int | bool]] = {}
    for key, artifacts in step.outputs.items():
        for artifact in artifacts:
            record = run_index.artifact(artifact, step.dialect)
            for name, value in record.metrics.items() if record is not None else ():
                found.setdefault(name, {})[key] = value
            if read_artifacts and is_scalar(run_index, artifact, step.dialect):
                number, reason = _read(run_index, artifact, step.dialect)
                if number is not None:
                    found.setdefault(key, {})[key] = number
                elif unread is not None:
                    unread[f"artifact/{artifact}"] = reason
    return {
        (name if len(values) == 1 else f"{key}.{name}"): value
        for name, values in sorted(found.items())
        for key, value in sorted(values.items())
    }


def is_scalar(run_index: RunIndex, artifact: int, dialect: str) -> bool:
    """Return whether an artifact is a single number, by its type."""
    record = run_index.artifact(artifact, dialect)
    facts = run_index.store_image.artifact(artifact)
    names = {record.data_type if record else None, facts.type if facts else None}
    return not names.isdisjoint(SCALAR_TYPES)


def _read(run_index: RunIndex, artifact: int, dialect: str) -> tuple[float | None, str]:
    """Return the number that an artifact is, or None and why it cannot be read."""
    described = materializers.describe(run_index, artifact, dialect)
    try:
        value = materializers.read(described, root=run_index.artifact_root)
    except errors.ArtifactReadError as error:
        return None, str(error)
    if isinstance(value, (int, float)):
        return float(value), ""
    return None, f"artifact/{artifact} holds no number."
