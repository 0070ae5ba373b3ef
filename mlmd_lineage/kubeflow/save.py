"""Saves the history of Kubeflow Pipelines: MLMD's store, the runs' names, the report."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mlmd_lineage import errors, termination
from mlmd_lineage.kubeflow.check import KubeflowCheck
from mlmd_lineage.kubeflow.run_records import run_records
from mlmd_lineage.kubeflow.saved_runs import write_runs
from mlmd_lineage.snapshot import archive
from mlmd_lineage.stores import PostgreSQLMetadataStore

if TYPE_CHECKING:
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
    target = Path(directory).expanduser().absolute()
    try:
        if os.path.lexists(target) and (not target.is_dir() or any(target.iterdir())):
            message = f"{target} exists and is not an empty folder; give a new one for the archive."
            raise errors.ConfigurationError(message)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        message = f"{target} cannot be written: {error.strerror}."
        raise errors.ConfigurationError(message) from None
    try:
        with termination.as_exception():
            made = archive.save(tables, draft / "archive")
            write_runs(made, runs, check)
            if target.is_dir():
                target.rmdir()
            made.replace(target)
    except OSError as error:
        message = f"The archive {target} could not be written: {error.strerror or error}."
        raise errors.ConfigurationError(message) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target
