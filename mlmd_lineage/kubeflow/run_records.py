"""RunRecord: what people called a run of Kubeflow Pipelines, and where it belongs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.kubeflow.run_tables import RunTables

FINISHED = frozenset(("SUCCEEDED", "FAILED", "ERROR", "CANCELED", "CANCELLED", "SKIPPED"))
"""The states of runs that have ended: those that a transfer takes.

Source: ``TERMINAL`` in ``tools/run-history/history.py`` of kubeflow/pipelines.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as Kubeflow's own database knows it.

    Attributes:
        id: Its UUID, which is the name of its context in MLMD.
        display_name: The name that people gave it.
        namespace: Its namespace in the cluster.
        experiment: The name of its experiment.
        pipeline: The name of its pipeline.
        pipeline_version: The name of the pipeline's version.
        schedule: The name of the schedule that started it, if one did.
        state: Its state, such as ``SUCCEEDED``.
        parameters: Its parameters as JSON.
        created, finished: Seconds since 1970-01-01 UTC; None where it is not known.
    """

    id: str
    display_name: str | None = None
    namespace: str | None = None
    experiment: str | None = None
    pipeline: str | None = None
    pipeline_version: str | None = None
    schedule: str | None = None
    state: str | None = None
    parameters: str | None = None
    created: int | None = None
    finished: int | None = None

    @property
    def is_finished(self) -> bool:
        """Whether it has ended."""
        return (self.state or "").upper() in FINISHED and bool(self.finished)


def run_records(tables: RunTables) -> dict[str, RunRecord]:
    """Return the runs of a database by their UUIDs."""
    experiments = _names(tables, "experiments")
    pipelines = _names(tables, "pipelines")
    versions = _names(tables, "pipeline_versions")
    schedules = _names(tables, "jobs")
    found = {}
    for row in tables.rows("run_details"):
        if row["UUID"]:
            found[row["UUID"]] = RunRecord(
                id=row["UUID"],
                display_name=row["DisplayName"] or row["Name"] or None,
                namespace=row["Namespace"] or None,
                experiment=experiments.get(row["ExperimentUUID"]),
                pipeline=pipelines.get(row["PipelineId"]) or row["PipelineName"] or None,
                pipeline_version=versions.get(row["PipelineVersionId"]),
                schedule=schedules.get(row["JobUUID"]),
                state=row["State"] or row["Conditions"] or None,
                parameters=row["RuntimeParameters"] or row["Parameters"] or None,
                created=row["CreatedAtInSec"] or None,
                finished=row["FinishedAtInSec"] or None,
            )
    return found


def _names(tables: RunTables, name: str) -> Mapping[str | None, str | None]:
    def called(row: dict[str, Any]) -> str | None:
        return row.get("DisplayName") or row.get("Name") or None

    return {row["UUID"]: called(row) for row in tables.rows(name) if row["UUID"]}
