"""Kubeflow's own database of runs, ``mlpipeline``, as 2.17 makes it, on a server of the tests."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import servers

# The columns are those of backend/src/apiserver/model/*.go, as GORM makes them; some that nobody
# reads are left out, and one that is large and must not be read is there.
TABLES = {
    "run_details": (
        "UUID varchar(191) PRIMARY KEY, DisplayName varchar(255), Name varchar(255), "
        "StorageState varchar(64), Namespace varchar(63), ServiceAccount varchar(255), "
        "Description varchar(255), CreatedAtInSec bigint, ScheduledAtInSec bigint, "
        "FinishedAtInSec bigint, Conditions varchar(191), State varchar(64), "
        "ExperimentUUID varchar(191), JobUUID varchar(191), PipelineId varchar(64), "
        "PipelineVersionId varchar(191), PipelineName varchar(191), "
        "RuntimeParameters {long}, PipelineSpecManifest {long}"
    ),
    "experiments": (
        "UUID varchar(191) PRIMARY KEY, Name varchar(191), Description varchar(255), "
        "CreatedAtInSec bigint, LastRunCreatedAtInSec bigint, Namespace varchar(63), "
        "StorageState varchar(64)"
    ),
    "pipelines": (
        "UUID varchar(64) PRIMARY KEY, CreatedAtInSec bigint, Name varchar(128), "
        "DisplayName varchar(255), Description {long}, Status varchar(191), Namespace varchar(63)"
    ),
    "pipeline_versions": (
        "UUID varchar(64) PRIMARY KEY, CreatedAtInSec bigint, Name varchar(127), "
        "DisplayName varchar(255), PipelineId varchar(64), Status varchar(191)"
    ),
    "jobs": (
        "UUID varchar(191) PRIMARY KEY, DisplayName varchar(255), Name varchar(191), "
        "Namespace varchar(63), Enabled boolean, IntervalSecond bigint, ExperimentUUID varchar(191)"
    ),
}


def fill(server: servers.Server, database: str, runs: list[dict[str, Any]]) -> str:
    """Make the tables and their rows in an empty database; return its URL."""
    long = "longtext" if server.scheme == "mysql" else "text"
    quote = server.quote
    with contextlib.closing(server.connect(server, database)) as connection:
        for table, columns in TABLES.items():
            named = ", ".join(
                f"{quote}{name}{quote} {kind}"
                for name, _, kind in (
                    c.partition(" ") for c in columns.format(long=long).split(", ")
                )
            )
            _run(connection, f"CREATE TABLE {table} ({named})")
        rows = [
            ("experiments", {"UUID": "e-1", "Name": "Zürich", "Namespace": "team-a"}),
            ("jobs", {"UUID": "j-1", "DisplayName": "every night", "ExperimentUUID": "e-1"}),
            ("pipelines", {"UUID": "p-1", "Name": "churn"}),
            ("pipeline_versions", {"UUID": "v-1", "Name": "churn v7", "PipelineId": "p-1"}),
            *(("run_details", run) for run in runs),
        ]
        for table, row in rows:
            listed = ", ".join(f"{quote}{name}{quote}" for name in row)
            values = ", ".join(v if v.isdecimal() else f"'{v}'" for v in map(str, row.values()))
            _run(connection, f"INSERT INTO {table} ({listed}) VALUES ({values})")  # noqa: S608 - ours
    return server.url(database)


def _run(connection: Any, statement: str) -> None:
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(statement)


def row(run_id: str, name: str, **fields: Any) -> dict[str, Any]:
    """Return the row of a run that has ended."""
    return {
        "UUID": run_id,
        "DisplayName": name,
        "Namespace": "team-a",
        "State": "SUCCEEDED",
        "CreatedAtInSec": 1_700_000_000,
        "FinishedAtInSec": 1_700_000_100,
        "ExperimentUUID": "e-1",
        "JobUUID": "j-1",
        "PipelineId": "p-1",
        "PipelineVersionId": "v-1",
        "RuntimeParameters": '{"rows": 100}',
        "PipelineSpecManifest": "x" * 1000,
    } | fields
