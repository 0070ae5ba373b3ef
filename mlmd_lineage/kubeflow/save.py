"""Saves the history of Kubeflow Pipelines: MLMD's store, the runs' names, the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.kubeflow.check import KubeflowCheck
from mlmd_lineage.kubeflow.run_records import run_records
from mlmd_lineage.kubeflow.saved_runs import write_runs
from mlmd_lineage.snapshot import archive
from mlmd_lineage.stores import PostgreSQLMetadataStore

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from mlmd_lineage.kubeflow.run_tables import RunTables
    from mlmd_lineage.snapshot.tables import Tables
    from mlmd_lineage.stores import BaseMetadataStore


def checked(
    tables: Tables, runs: RunTables | None, *stores: BaseMetadataStore | None
) -> KubeflowCheck:
    """Return the check of a store's tables and of the runs that belong to them."""
    return KubeflowCheck(
        tables,
        None if runs is None else run_records(runs),
        runs_source=None if runs is None else runs.source,
        is_mysql=not any(isinstance(store, PostgreSQLMetadataStore) for store in stores),
    )


def save_history(
    tables: Tables,
    runs: RunTables | None,
    check: KubeflowCheck,
    directory: str | os.PathLike[str],
) -> Path:
    """Write an archive with all of them into a new folder, whole or not at all.

    Raises:
        ConfigurationError: The folder exists and is not empty, or cannot be written.
    """
    with archive.whole_folder(directory) as (target, draft):
        archive.write(tables, draft)
        write_runs(draft, runs, check)
    return target
