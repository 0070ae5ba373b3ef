"""Lookup of the tables of runs that belong to a store: in a database, or in its archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mlmd_lineage.stores import (
    ArchiveMetadataStore,
    BaseMetadataStore,
    KubeflowArchiveMetadataStore,
)

RUNS_FILE = "kubeflow/run_details.parquet"
"""The file in an archive that holds its runs."""

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlmd_lineage.kubeflow.run_tables import RunTables
    from mlmd_lineage.readers.base import Reader


@runtime_checkable
class RunRowsHolder(Protocol):
    """A reader whose store holds the rows of the tables of runs too."""

    def run_rows(self) -> Mapping[str, list[dict[str, Any]]]:
        """Return them by their columns' names."""


def runs_of(
    store: BaseMetadataStore, runs: BaseMetadataStore | None, reader: Reader
) -> RunTables | None:
    """Return the tables of the runs that belong to a metadata store; None where none are known.

    Args:
        store: The metadata store.
        runs: The database of runs, where one was given; else they are looked for in an archive.
        reader: The reader of the metadata store.

    Raises:
        StoreError: They cannot be read.
    """
    if runs is not None:
        from mlmd_lineage.kubeflow.runs_database import read_runs

        return read_runs(runs)
    if isinstance(store, ArchiveMetadataStore):
        from mlmd_lineage.kubeflow.saved_runs import saved_runs

        return saved_runs(store.path)
    if isinstance(reader, RunRowsHolder):
        from mlmd_lineage.kubeflow.run_tables import RUN_SCHEMAS, RunTables, run_table

        rows = reader.run_rows()
        tables = {name: run_table(name, rows.get(name, ())) for name in RUN_SCHEMAS}
        return RunTables(tables, store.location())
    return None


def may_have_runs(store: BaseMetadataStore, runs: BaseMetadataStore | None) -> bool:
    """Return whether it is worth asking for the runs of a metadata store."""
    if isinstance(store, ArchiveMetadataStore):
        return runs is not None or (store.path / RUNS_FILE).is_file()
    return runs is not None or isinstance(store, KubeflowArchiveMetadataStore)
