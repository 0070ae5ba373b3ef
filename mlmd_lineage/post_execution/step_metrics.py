"""The scalar metrics of a step, which are those of its output artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlmd_lineage.dialects.records import StepRecord
    from mlmd_lineage.post_execution.loading.run_index import RunIndex


def metrics_of(run_index: RunIndex, step: StepRecord) -> dict[str, float | int | bool]:
    """Return a step's metrics by their names.

    A name that two outputs have comes with the output's key before it: ``eval.accuracy``.
    """
    found: dict[str, dict[str, float | int | bool]] = {}
    for key, artifacts in step.outputs.items():
        for artifact in artifacts:
            record = run_index.artifact(artifact, step.dialect)
            for name, value in record.metrics.items() if record is not None else ():
                found.setdefault(name, {})[key] = value
    return {
        (name if len(values) == 1 else f"{key}.{name}"): value
        for name, values in sorted(found.items())
        for key, value in sorted(values.items())
    }
