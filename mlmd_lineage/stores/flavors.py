"""The registry of built-in metadata store flavors; others come by entry points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlmd_lineage.stores.archive import ArchiveMetadataStore
from mlmd_lineage.stores.kubeflow import KubeflowMetadataStore
from mlmd_lineage.stores.kubeflow_archive import KubeflowArchiveMetadataStore
from mlmd_lineage.stores.mysql import MySQLMetadataStore
from mlmd_lineage.stores.postgresql import PostgreSQLMetadataStore
from mlmd_lineage.stores.sqlite import SQLiteMetadataStore

if TYPE_CHECKING:
    from mlmd_lineage.stores.base import BaseMetadataStore

BUILT_IN: dict[str, type[BaseMetadataStore]] = {
    flavor.FLAVOR: flavor
    for flavor in (
        SQLiteMetadataStore,
        MySQLMetadataStore,
        PostgreSQLMetadataStore,
        KubeflowMetadataStore,
        ArchiveMetadataStore,
        KubeflowArchiveMetadataStore,
    )
}
