"""Metadata stores: one module for each flavor, each describing how an MLMD store is reached.

A flavor is imported when it is first used: making the classes of all takes a part of the time of a
small answer.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_DEFINED_IN = {
    "ArchiveMetadataStore": "archive",
    "BUILT_IN": "flavors",
    "BaseMetadataStore": "base",
    "KubeflowArchiveMetadataStore": "kubeflow_archive",
    "KubeflowMetadataStore": "kubeflow",
    "MySQLMetadataStore": "mysql",
    "PostgreSQLMetadataStore": "postgresql",
    "SQLiteMetadataStore": "sqlite",
    "metadata_store_from": "urls",
}


def __getattr__(name: str) -> Any:
    if name not in _DEFINED_IN:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    module = importlib.import_module(f"{__name__}.{_DEFINED_IN[name]}")
    found = globals()[name] = getattr(module, name)
    return found
