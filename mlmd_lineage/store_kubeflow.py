"""StoreKubeflow: what a store says of the upgrade of Kubeflow Pipelines, and of its runs' names."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from mlmd_lineage.deadline import within
from mlmd_lineage.store_lineage import StoreLineage

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from mlmd_lineage.kubeflow.check import KubeflowCheck
    from mlmd_lineage.kubeflow.run_names import RunNames
    from mlmd_lineage.snapshot.tables import Tables
    from mlmd_lineage.stores import BaseMetadataStore


class StoreKubeflow(StoreLineage):
    """What of a ``Store`` concerns Kubeflow Pipelines' own database of runs."""

    if TYPE_CHECKING:

        @property
        def metadata_store(self) -> BaseMetadataStore:
            """Where it is, and how it is reached."""

    runs_store: BaseMetadataStore | None

    def kubeflow_check(self, *, timeout: float | None = None) -> KubeflowCheck:
        """Return what version 3.0 of Kubeflow Pipelines will not hold of the store's history.

        >>> check = store.kubeflow_check()
        >>> check.is_lossless, check.to_pandas(), check.runs_to_pandas()
        >>> print(check.text())

        The store is read whole. With the database of runs, ``connect(..., runs=...)``, it also
        finds runs without a row there. ``docs/before-you-upgrade-kubeflow.md`` is the guide.
        ``timeout`` is how many seconds the answer may take; by default there is no limit.

        Raises:
            DeadlineExceededError: It took longer than that.
            StoreError: The store or the database of runs cannot be read.
        """
        from mlmd_lineage.kubeflow import runs_source, save
        from mlmd_lineage.kubeflow.history import HISTORY_TABLES

        with within(timeout):
            runs = runs_source.runs_of(self.metadata_store, self.runs_store, self._reader)
            tables = self._reader.read(HISTORY_TABLES)
            return save.checked(tables, runs, self.metadata_store, self.runs_store)

    def kubeflow_save(
        self, directory: str | os.PathLike[str], *, timeout: float | None = None
    ) -> KubeflowCheck:
        """Save the store, its runs' names and the check's report; return the check.

        >>> ml.connect("grpc://localhost:8080", runs="mysql://root@localhost/mlpipeline")
        >>> store.kubeflow_save("history")
        >>> ml.connect("history").get_run("churn, weekly")

        MLMD's tables and those of the runs are each read in one transaction. The folder is an
        archive, which ``connect()`` opens, with a folder ``kubeflow`` in it.

        Args:
            directory: A folder that does not exist yet, or is empty.
            timeout: How many seconds reading may take; None for no limit.

        Raises:
            DeadlineExceededError: It took longer than that; the folder is not made.
            ConfigurationError: The folder exists and is not empty, or cannot be written.
            StoreError: The store or the database of runs cannot be read.
        """
        with within(timeout):
            check, _ = self._saved(directory)
        return check

    def _saved(self, directory: str | os.PathLike[str]) -> tuple[KubeflowCheck, Path]:
        from mlmd_lineage.kubeflow import runs_source, save

        runs = runs_source.runs_of(self.metadata_store, self.runs_store, self._reader)
        tables: Tables = self._reader.read()
        check = save.checked(tables, runs, self.metadata_store, self.runs_store)
        return check, save.save_history(tables, runs, check, directory)

    @functools.cached_property
    def run_names(self) -> RunNames | None:
        """The names that people gave to runs; None where there is no database of runs.

        >>> store.run_names.get("d0c594c9-d399-5149-8aa7-93d65e8b5428").experiment
        'churn'
        """
        from mlmd_lineage.kubeflow import runs_source
        from mlmd_lineage.kubeflow.run_names import RunNames

        store, runs = self.metadata_store, self.runs_store
        if not runs_source.may_have_runs(store, runs):
            return None
        return RunNames(lambda: runs_source.runs_of(store, runs, self._reader))
