"""Metadata stores: one module for each flavor, each describing how an MLMD store is reached."""

from __future__ import annotations

from mlmd_lineage.stores.archive import ArchiveMetadataStore
from mlmd_lineage.stores.base import BaseMetadataStore
from mlmd_lineage.stores.flavors import BUILT_IN
from mlmd_lineage.stores.kubeflow import KubeflowMetadataStore
from mlmd_lineage.stores.kubeflow_archive import KubeflowArchiveMetadataStore
from mlmd_lineage.stores.mysql import MySQLMetadataStore
from mlmd_lineage.stores.postgresql import PostgreSQLMetadataStore
from mlmd_lineage.stores.sqlite import SQLiteMetadataStore
from mlmd_lineage.stores.urls import metadata_store_from

__all__ = [
    "BUILT_IN",
    "ArchiveMetadataStore",
    "BaseMetadataStore",
    "KubeflowArchiveMetadataStore",
    "KubeflowMetadataStore",
    "MySQLMetadataStore",
    "PostgreSQLMetadataStore",
    "SQLiteMetadataStore",
    "metadata_store_from",
]
