"""Reads transfer archives of Kubeflow Pipelines; what was read is kept, as they do not change."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, TypeVar

from mlmd_lineage import errors
from mlmd_lineage.readers.kubeflow_archive.archive_file import ArchiveFile
from mlmd_lineage.readers.kubeflow_archive.merge import MergedArchives
from mlmd_lineage.readers.parquet import ArchiveReader, ArchiveSession
from mlmd_lineage.snapshot.tables import PROPERTY_TABLES, Tables, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import pyarrow as pa

    from mlmd_lineage.readers.bundle_manifest import Bounds
    from mlmd_lineage.stores import KubeflowArchiveMetadataStore

T = TypeVar("T")


class KubeflowArchiveReader(ArchiveReader):
    """Reads the JSON files of a store, all of them when it is first asked."""

    def __init__(self, store: KubeflowArchiveMetadataStore) -> None:
        super().__init__(store)
        self._store = store
        self._holds_imported = False
        self._run_rows: dict[str, list[dict[str, Any]]] | None = None

    def read(self, tables: Collection[str] | None = None) -> Tables:
        """Read whole tables."""
        with self._lock:
            self._load()
            names = set(wanted(tables))
            # Whoever shows nodes sees by their properties what they were before an import.
            names |= set(PROPERTY_TABLES) if self._holds_imported else set()
            return Tables(
                {name: self.table(name) for name in names},
                source=self._store.location(),
                taken_at=dt.datetime.now(tz=dt.timezone.utc),
            )

    def ask(self, question: Callable[[ArchiveSession], T]) -> T:
        """Answer a question."""
        with self._lock:
            self._load()
            session = ArchiveSession(self, self._store.location())
            session.holds_imported = self._holds_imported
            return question(session)

    def generations(self) -> tuple[()]:
        """Return none: files of Kubeflow hold one state."""
        return ()

    def lineage_bounds(self) -> Bounds:
        """Return nothing: files of Kubeflow are no bundle."""
        return {}

    def stored_graph(self) -> None:
        """Return None: files of Kubeflow hold no index."""

    def table(self, name: str) -> pa.Table:
        """Return a table as its schema says.

        Raises:
            DamagedStoreError: A file is truncated, edited or no archive of Kubeflow.
        """
        self._load()
        return self._held[name]

    def run_rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of the tables of runs that the files hold, by their columns' names."""
        with self._lock:
            self._load()
            return self._run_rows or {}

    def _load(self) -> None:
        if self._run_rows is not None:
            return
        files = self._store.files
        if not files:
            message = f"{self._store.location()} is a folder without JSON files."
            raise errors.NotAMetadataStoreError(message)
        merged = MergedArchives([ArchiveFile(path) for path in files])
        self._held.update(merged.tables())
        self._run_rows = merged.run_rows()
        self._holds_imported = merged.holds_imported
